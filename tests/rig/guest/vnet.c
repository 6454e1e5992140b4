/*
 * vnet: the guest's packets, with nothing between them and the driver.
 *
 *   vnet loop IFACE COUNT [MAC]    frames to MAC (the interface's own when not given),
 *                                  which the device is to hand back as they are
 *   vnet arp IFACE COUNT IP        ARP requests for IP; the replies
 *
 * Raw frames, at most WINDOW of them under way (or $VNET_WINDOW: with 1 each frame has an
 * interrupt of its own). A frame is lost when nothing comes for
 * three seconds. Prints one line at the end, nothing before.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { WINDOW = 16, LOCAL_EXPERIMENT = 0x88b5, HEADER = 14, SHORT = 60 };

struct run {
    int fd;
    int arp;
    uint32_t ip;
    size_t longest;
    unsigned char own[ETH_ALEN];
    unsigned char to[ETH_ALEN];
    long window, sent, received, bad, lost;
    unsigned char frame[16384];
};

static int open_interface(struct run *r, const char *name)
{
    struct ifreq ifr = { 0 };
    uint16_t protocol = htons(r->arp ? ETH_P_ARP : LOCAL_EXPERIMENT);
    struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = protocol };
    struct timeval patience = { .tv_sec = 3 }; /* a busy emulator stands still for more than one */

    r->fd = socket(AF_PACKET, SOCK_RAW, protocol);
    if (r->fd < 0)
        return -1;
    snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
    if (ioctl(r->fd, SIOCGIFINDEX, &ifr))
        return -1;
    at.sll_ifindex = ifr.ifr_ifindex;
    if (bind(r->fd, (struct sockaddr *)&at, sizeof(at)))
        return -1;
    if (ioctl(r->fd, SIOCGIFHWADDR, &ifr))
        return -1;
    memcpy(r->own, ifr.ifr_hwaddr.sa_data, ETH_ALEN);
    if (ioctl(r->fd, SIOCGIFMTU, &ifr))
        return -1;
    r->longest = HEADER + (size_t)ifr.ifr_mtu;
    if (r->longest > sizeof(r->frame))
        r->longest = sizeof(r->frame);
    return setsockopt(r->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

/* Every third is as long as the MTU allows. */
static size_t make_loop_frame(struct run *r, uint32_t n)
{
    size_t len = n % 3 == 2 ? r->longest : SHORT;

    memcpy(r->frame, r->to, ETH_ALEN);
    r->frame[12] = LOCAL_EXPERIMENT >> 8;
    r->frame[13] = LOCAL_EXPERIMENT & 0xff;
    for (size_t i = HEADER; i < len; i++)
        r->frame[i] = (unsigned char)(n * 7 + i);
    memcpy(r->frame + HEADER, &n, sizeof(n));
    return len;
}

static size_t make_arp_frame(struct run *r)
{
    static const unsigned char request[] = { 8, 6, 0, 1, 8, 0, 6, 4, 0, 1 };
    static const unsigned char own_ip[] = { 10, 0, 2, 15 };

    memset(r->frame, 0, SHORT);
    memset(r->frame, 0xff, ETH_ALEN);
    memcpy(r->frame + 12, request, sizeof(request));
    memcpy(r->frame + 22, r->own, ETH_ALEN);
    memcpy(r->frame + 28, own_ip, sizeof(own_ip));
    memcpy(r->frame + 38, &r->ip, sizeof(r->ip));
    return SHORT;
}

static void send_one(struct run *r)
{
    size_t len = r->arp ? make_arp_frame(r) : make_loop_frame(r, (uint32_t)r->sent);

    memcpy(r->frame + ETH_ALEN, r->own, ETH_ALEN);
    r->sent++;
    if (send(r->fd, r->frame, len, 0) != (ssize_t)len)
        r->lost++;
}

static int is_good(struct run *r, size_t len)
{
    uint32_t n;
    size_t i = HEADER + sizeof(n);

    if (r->arp)
        return len >= 42 && r->frame[21] == 2 && !memcmp(r->frame + 28, &r->ip, sizeof(r->ip));
    memcpy(&n, r->frame + HEADER, sizeof(n));
    if (len != (n % 3 == 2 ? r->longest : SHORT) || (long)n >= r->sent)
        return 0;
    while (i < len && r->frame[i] == (unsigned char)(n * 7 + i))
        i++;
    return i == len;
}

/* One frame that came from the device; 0 when none does. */
static int receive_one(struct run *r)
{
    for (;;) {
        struct sockaddr_ll from = { 0 };
        socklen_t size = sizeof(from);
        ssize_t len = recvfrom(r->fd, r->frame, sizeof(r->frame), 0, (struct sockaddr *)&from, &size);

        if (len < 0 && errno == EINTR)
            continue;
        if (len < 0)
            return 0;
        if (from.sll_pkttype == PACKET_OUTGOING)
            continue;
        /* The switch in an igb hands a broadcast back to its sender. */
        if (r->arp && !memcmp(r->frame + ETH_ALEN, r->own, ETH_ALEN))
            continue;
        /* A request is somebody else's, and no answer. */
        if (r->arp && len >= 42 && r->frame[21] == 1)
            continue;
        if (is_good(r, (size_t)len))
            r->received++;
        else
            r->bad++;
        return 1;
    }
}

static void exchange(struct run *r, long count)
{
    while (r->received + r->bad + r->lost < count) {
        while (r->sent < count && r->sent - r->received - r->bad - r->lost < r->window)
            send_one(r);
        if (!receive_one(r)) {
            r->lost = r->sent - r->received - r->bad;
            if (r->lost > 2 * WINDOW)
                break;
        }
    }
}

int main(int argc, char **argv)
{
    static struct run r;

    if (argc < 4 || argc > 5) {
        fprintf(stderr, "usage: vnet loop|arp INTERFACE COUNT [MAC|IP]\n");
        return 2;
    }
    r.arp = strcmp(argv[1], "arp") == 0;
    r.window = getenv("VNET_WINDOW") ? atol(getenv("VNET_WINDOW")) : WINDOW;
    if (open_interface(&r, argv[2])) {
        perror(argv[2]);
        return 1;
    }
    memcpy(r.to, r.own, ETH_ALEN);
    if (r.arp)
        r.ip = inet_addr(argc > 4 ? argv[4] : "10.0.2.2");
    else if (argc > 4)
        sscanf(argv[4], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &r.to[0], &r.to[1], &r.to[2], &r.to[3], &r.to[4], &r.to[5]);
    exchange(&r, atol(argv[3]));
    printf("sent=%ld received=%ld bad=%ld lost=%ld\n", r.sent, r.received, r.bad, r.lost);
    return r.received != r.sent;
}
