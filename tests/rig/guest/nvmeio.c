/*
 * nvmeio: the guest's I/O, with nothing between it and the driver.
 *
 *   nvmeio read DEVICE COUNT    direct 4 KiB reads at scattered offsets
 *   nvmeio admin DEVICE COUNT   Identify Controller, through the admin queue
 *
 * O_DIRECT, so that every read is a command to the device and an interrupt from
 * it. Prints one line at the end, nothing before.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/nvme_ioctl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { BLOCK = 4096, IDENTIFY = 6, IDENTIFY_CONTROLLER = 1 };

static char page[BLOCK] __attribute__((aligned(BLOCK)));

/* A fixed scatter: every run reads the same blocks in the same order. */
static uint64_t scattered(uint64_t i, uint64_t blocks)
{
    return (i * 0x9e3779b97f4a7c15ull >> 16) % blocks;
}

static long read_blocks(int fd, long count)
{
    off_t size = lseek(fd, 0, SEEK_END);
    long failed = 0;

    if (size < BLOCK)
        return count;
    for (long i = 0; i < count; i++) {
        off_t at = (off_t)scattered((uint64_t)i, (uint64_t)size / BLOCK) * BLOCK;

        failed += pread(fd, page, BLOCK, at) != BLOCK;
    }
    return failed;
}

static long identify(int fd, long count)
{
    long failed = 0;

    for (long i = 0; i < count; i++) {
        struct nvme_admin_cmd cmd = {
            .opcode = IDENTIFY,
            .addr = (uintptr_t)page,
            .data_len = BLOCK,
            .cdw10 = IDENTIFY_CONTROLLER,
        };

        failed += ioctl(fd, NVME_IOCTL_ADMIN_CMD, &cmd) != 0;
    }
    return failed;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: nvmeio read|admin DEVICE COUNT\n");
        return 2;
    }

    int admin = strcmp(argv[1], "admin") == 0;
    int fd = open(argv[2], O_RDONLY | (admin ? 0 : O_DIRECT));
    long count = atol(argv[3]);

    if (fd < 0) {
        perror(argv[2]);
        return 1;
    }

    long failed = admin ? identify(fd, count) : read_blocks(fd, count);

    printf("n=%ld failed=%ld\n", count, failed);
    return failed != 0;
}
