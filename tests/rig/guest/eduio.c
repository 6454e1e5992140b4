/*
 * eduio: QEMU's educational device (docs/specs/edu.rst) driven from user space, by sysfs.  What it is
 * told to reach by DMA are physical addresses, as this kernel counts.
 *
 *   eduio irq BDF ROUNDS    INTx, then MSI: raised, by a factorial, by a DMA
 *   eduio reach BDF BASE…   DMA to the first and last page of 64 KiB at BASE and back;
 *                           they are /dev/mem's (memmap=)
 *   eduio edge BDF END…     a write across the end of the 64 KiB before END
 *   eduio try BDF ADDRESS[=VALUE]…  writes the 4 bytes there, then reads 4 bytes
 *
 * INTx is uio_pci_generic's.  For MSI there is no stock driver: the message is one that this kernel
 * counts and does nothing else about.
 *
 * Prints a line per address.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
    ALIVE = 0x04, FACTORIAL = 0x08, STATUS = 0x20, IRQ_STATUS = 0x24, IRQ_RAISE = 0x60, IRQ_ACK = 0x64,
    DMA_SOURCE = 0x80, DMA_TARGET = 0x88, DMA_COUNT = 0x90, DMA_COMMAND = 0x98,
    STATUS_COMPUTING = 1, STATUS_IRQ = 0x80, IRQ_OF_FACTORIAL = 1, IRQ_OF_DMA = 0x100,
    RUN = 1, TO_MEMORY = 2, WITH_IRQ = 4, BUFFER = 0x40000,
    COMMAND = 4, MEMORY_AND_MASTER = 6, CAP_POINTER = 0x34, CAP_MSI = 5, MSI_ON = 1,
    BAR_SIZE = 1 << 20, PAGE = 4096, AREA = 65536, PATIENCE_MS = 10000,
    NOTIFICATION = 0xf2, /* POSTED_INTR_VECTOR: counted by kernels with KVM, and that is all */
};

static const uint32_t MARK = 0x4b52414d;

static int config;
static volatile uint8_t *bar;
static uint64_t scratch_at;
static uint8_t *scratch;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static uint32_t get(unsigned at) { return *(volatile uint32_t *)(bar + at); }
static void put(unsigned at, uint32_t value) { *(volatile uint32_t *)(bar + at) = value; }
static void put64(unsigned at, uint64_t value) { *(volatile uint64_t *)(bar + at) = value; }

static void pause_ms(long ms) { nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL); }

static unsigned config_get(unsigned at, unsigned size)
{
    unsigned value = 0;

    if (pread(config, &value, size, at) != (ssize_t)size)
        die("config space");
    return value;
}

static void config_put(unsigned at, unsigned size, unsigned value)
{
    if (pwrite(config, &value, size, at) != (ssize_t)size)
        die("config space");
}

static int open_of(const char *name, const char *file)
{
    char path[128];
    int fd;

    snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", name, file);
    fd = open(path, O_RDWR);
    if (fd < 0)
        die(path);
    return fd;
}

static void open_device(const char *name)
{
    void *at;

    config = open_of(name, "config");
    config_put(COMMAND, 2, MEMORY_AND_MASTER);
    at = mmap(NULL, BAR_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, open_of(name, "resource0"), 0);
    if (at == MAP_FAILED)
        die("resource0");
    bar = at;
}

static int alive(void)
{
    put(ALIVE, 0x600df00d);
    return get(ALIVE) == ~0x600df00du;
}

/* ---- interrupts */

/* How often the notification vector came, on each of two processors. */
static void read_counts(unsigned long ret[2])
{
    FILE *file = fopen("/proc/interrupts", "r");
    char line[512];

    ret[0] = ret[1] = 0;
    while (file && fgets(line, sizeof(line), file)) {
        if (sscanf(line, " PIN: %lu %lu", &ret[0], &ret[1]) == 2)
            break;
    }
    if (file)
        fclose(file);
}

/* MSI (PCI 3.0 6.8.1), 64-bit, one vector, to a processor by its APIC's number. */
static void msi_on(unsigned at, unsigned cpu)
{
    config_put(at + 4, 4, 0xfee00000 | cpu << 12);
    config_put(at + 8, 4, 0);
    config_put(at + 12, 2, NOTIFICATION);
    config_put(at + 2, 2, config_get(at + 2, 2) | MSI_ON);
}

static unsigned find_msi(void)
{
    unsigned at = config_get(CAP_POINTER, 1);

    while (at && config_get(at, 1) != CAP_MSI)
        at = config_get(at + 1, 1);
    return at;
}

static int wait_intx(int uio)
{
    struct pollfd poll_fd = { .fd = uio, .events = POLLIN };
    uint32_t n;

    return poll(&poll_fd, 1, PATIENCE_MS) == 1 && read(uio, &n, sizeof(n)) == sizeof(n);
}

/* Exactly one more, and on that processor. */
static int wait_msi(unsigned cpu, const unsigned long before[2])
{
    unsigned long now[2];

    for (int ms = 0; ms < PATIENCE_MS; ms += 5) {
        read_counts(now);
        if (now[0] + now[1] != before[0] + before[1])
            return now[cpu] == before[cpu] + 1 && now[!cpu] == before[!cpu];
        pause_ms(5);
    }
    return 0;
}

static void raise_by(int round, int rounds, uint32_t *ret_expected)
{
    if (round < rounds) {
        *ret_expected = 2u << round % 6;
        put(IRQ_RAISE, *ret_expected);
    } else if (round == rounds) {
        *ret_expected = IRQ_OF_FACTORIAL;
        put(STATUS, STATUS_IRQ);
        put(FACTORIAL, 5);
    } else { /* of nothing: its end is what matters */
        *ret_expected = IRQ_OF_DMA;
        put64(DMA_SOURCE, BUFFER);
        put64(DMA_COUNT, 0);
        put64(DMA_COMMAND, RUN | TO_MEMORY | WITH_IRQ);
    }
}

/* Each interrupt comes, is the one the device says, and is acknowledged; up to the first that does
 * not.  By MSI, every other one goes to the second processor. */
static int count_irqs(int uio, int rounds)
{
    unsigned msi = uio < 0 ? find_msi() : 0;
    int good = 0;

    if (uio < 0 && !msi)
        return 0;
    for (int i = 0; i < rounds + 2 && good == i; i++) {
        unsigned long before[2];
        uint32_t expected;

        if (msi)
            msi_on(msi, i % 2);
        read_counts(before);
        raise_by(i, rounds, &expected);
        good += (msi ? wait_msi(i % 2, before) : wait_intx(uio)) && get(IRQ_STATUS) == expected;
        put(IRQ_ACK, expected);
        config_put(COMMAND, 2, MEMORY_AND_MASTER); /* uio_pci_generic masks INTx at each */
    }
    return good;
}

static void irq(int rounds)
{
    int uio = open("/dev/uio0", O_RDWR), live = alive(), intx, msi;

    if (uio < 0)
        die("/dev/uio0");
    config_put(COMMAND, 2, MEMORY_AND_MASTER);
    intx = count_irqs(uio, rounds);
    close(uio); /* takes the device off the bus */
    config_put(COMMAND, 2, MEMORY_AND_MASTER);
    msi = count_irqs(-1, rounds);
    printf("irq alive=%d factorial=%u intx=%d msi=%d of=%d\n", live, get(FACTORIAL), intx, msi, rounds + 2);
}

/* ---- DMA */

/* A page of ours, and where it is (Documentation/admin-guide/mm/pagemap.rst). */
static void make_scratch(void)
{
    int fd = open("/proc/self/pagemap", O_RDONLY);
    uint64_t entry;
    void *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_LOCKED, -1, 0);

    if (at == MAP_FAILED || pread(fd, &entry, 8, (off_t)((uintptr_t)at / PAGE * 8)) != 8)
        die("pagemap");
    close(fd);
    scratch = at;
    scratch_at = (entry & ((1ull << 55) - 1)) * PAGE;
}

static uint8_t *map_area(uint64_t base)
{
    int fd = open("/dev/mem", O_RDWR);
    void *at = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)base);

    if (at == MAP_FAILED)
        die("/dev/mem");
    close(fd);
    return at;
}

static void transfer(uint64_t from, uint64_t to, uint64_t count, unsigned command)
{
    put64(DMA_SOURCE, from);
    put64(DMA_TARGET, to);
    put64(DMA_COUNT, count);
    put64(DMA_COMMAND, RUN | command);
    for (int ms = 0; get(DMA_COMMAND) & RUN; ms += 5) {
        if (ms > PATIENCE_MS)
            die("the DMA does not end");
        pause_ms(5);
    }
}

static void to_device(uint64_t from, uint64_t count) { transfer(from, BUFFER, count, 0); }
static void to_memory(uint64_t to, uint64_t count) { transfer(BUFFER, to, count, TO_MEMORY); }

/* The device's buffer holds what `data` says; in the end what it holds is in `data`. */
static void load(const void *data, size_t size)
{
    memcpy(scratch, data, size);
    to_device(scratch_at, size);
}

static void unload(void *data, size_t size)
{
    memset(scratch, 0x11, size);
    to_memory(scratch_at, size);
    memcpy(data, scratch, size);
}

static void reach(uint64_t base)
{
    static uint8_t pattern[PAGE], want[AREA], back[PAGE];
    uint8_t *area = map_area(base);
    int there = 0, returned = 0;

    memset(want, 0x5a, AREA);
    memcpy(area, want, AREA);
    for (unsigned at = 0; at < AREA; at += AREA - PAGE) {
        for (unsigned i = 0; i < PAGE; i++)
            pattern[i] = (uint8_t)(i * 7 + base / PAGE + at / PAGE + i / 256);
        load(pattern, PAGE);
        to_memory(base + at, PAGE);
        memcpy(want + at, pattern, PAGE);
        there += memcmp(area, want, AREA) == 0; /* there, and nowhere near it */
        load(want + PAGE, PAGE);
        to_device(base + at, PAGE);
        unload(back, PAGE);
        returned += memcmp(back, pattern, PAGE) == 0;
    }
    printf("reach base=0x%llx there=%d back=%d of=2\n", (unsigned long long)base, there, returned);
    munmap(area, AREA);
}

static void edge(uint64_t end)
{
    const uint8_t pattern[8] = "edge\x31\x32\x33\x34";
    uint8_t *area = map_area(end - AREA);
    int inside;

    memset(area, 0x5a, AREA);
    load(pattern, sizeof(pattern));
    to_memory(end - 4, sizeof(pattern));
    inside = memcmp(area + AREA - 4, pattern, 4) == 0;
    printf("edge end=0x%llx inside=%d\n", (unsigned long long)end, inside);
    munmap(area, AREA);
}

static void try_address(uint64_t address, uint32_t value)
{
    uint32_t got;

    load(&value, sizeof(value));
    to_memory(address, sizeof(value));
    load(&MARK, sizeof(MARK));
    to_device(address, sizeof(MARK));
    unload(&got, sizeof(got));
    printf("try address=0x%llx got=0x%x alive=%d\n", (unsigned long long)address, got, alive());
}

static void dma(const char *what, char **addresses)
{
    for (; *addresses; addresses++) {
        char *end;
        uint64_t address = strtoull(*addresses, &end, 0);

        if (strcmp(what, "reach") == 0)
            reach(address);
        else if (strcmp(what, "edge") == 0)
            edge(address);
        else
            try_address(address, *end == '=' ? (uint32_t)strtoul(end + 1, NULL, 0) : 0);
        fflush(stdout);
    }
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: eduio irq BDF ROUNDS | eduio reach|edge|try BDF ADDRESS…\n");
        return 2;
    }
    open_device(argv[2]);
    if (strcmp(argv[1], "irq") == 0) {
        irq(atoi(argv[3]));
        return 0;
    }
    make_scratch();
    dma(argv[1], argv + 3);
    return 0;
}
