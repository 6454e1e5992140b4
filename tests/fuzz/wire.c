/* SPDX-License-Identifier: Apache-2.0
 *
 * See wire.h. Sockets are numbers only, so closing one closes nothing. What recvmsg does with descriptors and truncation is what unix(7) and the kernel do:
 * those that fit are installed, and MSG_CTRUNC says that there were more.
 */
#include "tests/fuzz/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ipc/frame.h"
#include "ipc/rules.h"

enum { QUEUE = 4, FDS_MAX = 7, PREFIX_MAX = 6, KINDS = FD_KIND_DEVICE + 1 };

struct packet {
	int sock;
	bool credentials, too_long;
	uint8_t prefix[PREFIX_MAX];
	size_t prefix_len;
	struct input bytes;
	size_t tail, times; /* the last bytes come again, so often */
	unsigned n_fds;
	uint8_t kinds[FDS_MAX];
};

struct wire wire;
static struct packet queue[QUEUE];
static unsigned n_queued;
static int samples[KINDS], last_sample, lowest; /* lowest: of the first descriptor given out */
static bool made_samples, gave_fds;

static void make_samples(void)
{
	samples[FD_KIND_NONE] = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	samples[FD_KIND_RAM] = memfd_create("ram", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	fcntl(samples[FD_KIND_RAM], F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	samples[FD_KIND_EVENTFD] = samples[FD_KIND_DEVICE] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	samples[FD_KIND_CHARDEV] = samples[FD_KIND_ANY] = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (unsigned i = 0; i < KINDS; i++) {
		require(samples[i] >= 0);
		last_sample = samples[i] > last_sample ? samples[i] : last_sample;
	}
}

int close(int fd)
{
	return fd <= last_sample ? 0 : (int)syscall(SYS_close, fd);
}

int wire_fd(unsigned kind)
{
	int fd = fcntl(samples[kind % KINDS], F_DUPFD_CLOEXEC, 0);

	require(fd >= 0);
	if (!gave_fds)
		lowest = fd;
	gave_fds = true;
	return fd;
}

void wire_begin(bool (*next)(void))
{
	if (!made_samples)
		make_samples();
	made_samples = true;
	n_queued = 0;
	gave_fds = false;
	wire = (struct wire){.next = next};
}

/* The kernel gives out the lowest number that is free: it is the first again. */
void wire_end(void)
{
	int fd;

	if (!gave_fds)
		return;
	fd = dup(samples[FD_KIND_NONE]);
	require(fd == lowest);
	close(fd);
}

void wire_put(struct input *in, int sock, uint32_t seq)
{
	unsigned flags = (unsigned)take(in, 1);
	size_t len = take(in, flags & 0x40 ? 2 : 1);
	struct packet *p = &queue[n_queued];

	if (n_queued == QUEUE)
		return;
	n_queued++;
	*p = (struct packet){.sock = sock, .n_fds = flags & 7, .credentials = flags & 0x10,
		.too_long = flags & 0x20};
	for (unsigned i = 0; i < p->n_fds; i++)
		p->kinds[i] = (uint8_t)take(in, 1);
	if (flags & 8) {
		p->prefix[p->prefix_len++] = 1 << 3;
		for (; seq > 0x7f; seq >>= 7)
			p->prefix[p->prefix_len++] = (uint8_t)(seq | 0x80);
		p->prefix[p->prefix_len++] = (uint8_t)seq;
	}
	p->tail = flags & 0x80 ? take(in, 1) : 0;
	p->times = p->tail ? take(in, 2) : 0;
	p->bytes = take_bytes(in, len);
}

static struct packet *queued(int sock)
{
	for (unsigned i = 0; i < n_queued; i++)
		if (queue[i].sock == sock)
			return &queue[i];
	return NULL;
}

static void put_control(struct msghdr *msg, const struct packet *p)
{
	size_t room = msg->msg_controllen, used = 0;
	struct cmsghdr *cmsg = msg->msg_control;
	unsigned fit = 0;

	if (p->credentials) {
		*cmsg = (struct cmsghdr){.cmsg_len = CMSG_LEN(4), .cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_CREDENTIALS};
		used = CMSG_SPACE(4);
		cmsg = (void *)((char *)msg->msg_control + used);
	}
	while (fit < p->n_fds && used + CMSG_LEN((fit + 1) * sizeof(int)) <= room)
		fit++;
	if (fit < p->n_fds)
		msg->msg_flags |= MSG_CTRUNC;
	for (unsigned i = 0; i < fit; i++) {
		int fd = wire_fd(p->kinds[i]);

		memcpy(CMSG_DATA(cmsg) + i * sizeof(int), &fd, sizeof(int));
	}
	if (fit) {
		cmsg->cmsg_len = CMSG_LEN(fit * sizeof(int));
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		used += CMSG_SPACE(fit * sizeof(int));
	}
	msg->msg_controllen = used < room ? used : room;
}

/* Returns the length; what does not fit is not said. */
static size_t put_bytes(uint8_t *to, size_t room, const struct packet *p)
{
	size_t n = (size_t)(p->bytes.end - p->bytes.at), len = p->prefix_len + n;
	size_t tail = p->tail < n ? p->tail : n;

	require(len <= room);
	memcpy(to, p->prefix, p->prefix_len);
	if (n)
		memcpy(to + p->prefix_len, p->bytes.at, n);
	for (size_t i = 0; tail && i < p->times && tail <= room - len; i++, len += tail)
		memcpy(to + len, p->bytes.end - tail, tail);
	return len;
}

ssize_t recvmsg(int sock, struct msghdr *msg, int flags)
{
	struct packet *p = queued(sock);
	size_t len;

	require(flags & MSG_CMSG_CLOEXEC && flags & MSG_DONTWAIT);
	msg->msg_flags = 0;
	if (!p) {
		msg->msg_controllen = 0;
		errno = EAGAIN;
		return wire.next ? -1 : 0;
	}
	len = put_bytes(msg->msg_iov[0].iov_base, msg->msg_iov[0].iov_len, p);
	if (p->too_long)
		msg->msg_flags |= MSG_TRUNC;
	put_control(msg, p);
	n_queued--;
	memmove(p, p + 1, (size_t)(&queue[n_queued] - p) * sizeof(*p));
	return (ssize_t)len;
}

ssize_t sendmsg(int sock, const struct msghdr *msg, int flags)
{
	int error = wire.send_error;

	(void)sock;
	require(flags & MSG_NOSIGNAL && flags & MSG_DONTWAIT);
	require(msg->msg_iov[0].iov_len && msg->msg_iov[0].iov_len <= FRAME_MAX);
	wire.send_error = 0;
	if (error) {
		errno = error;
		return -1;
	}
	wire.sent++;
	return (ssize_t)msg->msg_iov[0].iov_len;
}

static int readable(struct pollfd *fds, nfds_t n)
{
	int found = 0;

	for (nfds_t i = 0; i < n; i++) {
		fds[i].revents = fds[i].fd >= 0 && (!wire.next || queued(fds[i].fd)) ? POLLIN : 0;
		found += fds[i].revents != 0;
	}
	return found;
}

/* <poll.h> has it that ppoll only writes what fds points to. */
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

/* Room to send there never is: a sender that waits has been told so by send_error. */
int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
	int found;

	(void)mask;
	if (fds[0].events == POLLOUT)
		return 0;
	while (!(found = readable(fds, n))) {
		if (wire.next && wire.next())
			continue;
		if (timeout || !wire.next)
			return 0;
		wire.next = NULL; /* hung up */
	}
	return found;
}
