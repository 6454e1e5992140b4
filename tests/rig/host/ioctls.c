/*
 * ioctls PID: the vhost ioctls that a process' seccomp filters let through, by name.
 *
 * The filters are read with ptrace and run here on made-up calls, so the answer is the
 * kernel's own. Needs root and a kernel with CONFIG_CHECKPOINT_RESTORE; prints
 * «filters=N instructions=N allowed=N» and then the names in one line.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef PTRACE_SECCOMP_GET_FILTER
#define PTRACE_SECCOMP_GET_FILTER 0x420c
#endif

enum { FILTERS = 8, LONGEST = 4096, DESCRIPTORS = 64, NONE = 0, WRITE = 1, READ = 2, VHOST = 0xaf };

#define REQUEST(dir, nr, size) ((uint32_t)(dir) << 30 | (uint32_t)(size) << 16 | VHOST << 8 | (nr))

static const struct {
    const char *name;
    uint32_t request;
} known[] = {
    { "GET_FEATURES", REQUEST(READ, 0x00, 8) },
    { "SET_FEATURES", REQUEST(WRITE, 0x00, 8) },
    { "SET_OWNER", REQUEST(NONE, 0x01, 0) },
    { "RESET_OWNER", REQUEST(NONE, 0x02, 0) },
    { "SET_MEM_TABLE", REQUEST(WRITE, 0x03, 8) },
    { "SET_LOG_BASE", REQUEST(WRITE, 0x04, 8) },
    { "SET_LOG_FD", REQUEST(WRITE, 0x07, 4) },
    { "SET_VRING_NUM", REQUEST(WRITE, 0x10, 8) },
    { "SET_VRING_ADDR", REQUEST(WRITE, 0x11, 40) },
    { "SET_VRING_BASE", REQUEST(WRITE, 0x12, 8) },
    { "GET_VRING_BASE", REQUEST(READ | WRITE, 0x12, 8) },
    { "SET_VRING_KICK", REQUEST(WRITE, 0x20, 8) },
    { "SET_VRING_CALL", REQUEST(WRITE, 0x21, 8) },
    { "SET_VRING_ERR", REQUEST(WRITE, 0x22, 8) },
    { "SET_BACKEND_FEATURES", REQUEST(WRITE, 0x25, 8) },
    { "GET_BACKEND_FEATURES", REQUEST(READ, 0x26, 8) },
    { "VDPA_GET_DEVICE_ID", REQUEST(READ, 0x70, 4) },
    { "VDPA_GET_STATUS", REQUEST(READ, 0x71, 1) },
    { "VDPA_SET_STATUS", REQUEST(WRITE, 0x72, 1) },
    { "VDPA_GET_CONFIG", REQUEST(READ, 0x73, 8) },
    { "VDPA_SET_CONFIG", REQUEST(WRITE, 0x74, 8) },
    { "VDPA_SET_VRING_ENABLE", REQUEST(WRITE, 0x75, 8) },
    { "VDPA_GET_VRING_NUM", REQUEST(READ, 0x76, 2) },
    { "VDPA_SET_CONFIG_CALL", REQUEST(WRITE, 0x77, 4) },
    { "VDPA_GET_IOVA_RANGE", REQUEST(READ, 0x78, 16) },
    { "VDPA_GET_CONFIG_SIZE", REQUEST(READ, 0x79, 4) },
    { "VDPA_GET_AS_NUM", REQUEST(READ, 0x7a, 4) },
    { "VDPA_GET_VRING_GROUP", REQUEST(READ | WRITE, 0x7b, 8) },
    { "VDPA_SET_GROUP_ASID", REQUEST(WRITE, 0x7c, 8) },
    { "VDPA_SUSPEND", REQUEST(NONE, 0x7d, 0) },
    { "VDPA_RESUME", REQUEST(NONE, 0x7e, 0) },
    { "VDPA_GET_VRING_DESC_GROUP", REQUEST(READ | WRITE, 0x7f, 8) },
    { "VDPA_GET_VQS_COUNT", REQUEST(READ, 0x80, 4) },
    { "VDPA_GET_GROUP_NUM", REQUEST(READ, 0x81, 4) },
    { "VDPA_GET_VRING_SIZE", REQUEST(READ | WRITE, 0x82, 8) },
};

static struct sock_filter code[FILTERS][LONGEST];
static long length[FILTERS];
static int filters;

static uint32_t alu(uint16_t op, uint32_t a, uint32_t b)
{
    switch (BPF_OP(op)) {
    case BPF_AND:
        return a & b;
    case BPF_OR:
        return a | b;
    case BPF_ADD:
        return a + b;
    case BPF_SUB:
        return a - b;
    case BPF_RSH:
        return a >> b;
    case BPF_LSH:
        return a << b;
    case BPF_XOR:
        return a ^ b;
    }
    fprintf(stderr, "an instruction this program does not know: %#x\n", op);
    exit(1);
}

static int jumps(uint16_t op, uint32_t a, uint32_t b)
{
    switch (BPF_OP(op)) {
    case BPF_JEQ:
        return a == b;
    case BPF_JGT:
        return a > b;
    case BPF_JGE:
        return a >= b;
    default:
        return (a & b) != 0;
    }
}

static uint32_t verdict(const struct sock_filter *f, const struct seccomp_data *call)
{
    uint32_t a = 0, x = 0, mem[BPF_MEMWORDS] = { 0 };

    for (;; f++) {
        uint32_t b = BPF_SRC(f->code) == BPF_X ? x : f->k;

        switch (BPF_CLASS(f->code)) {
        case BPF_LD:
            if (BPF_MODE(f->code) == BPF_ABS)
                memcpy(&a, (const char *)call + f->k, sizeof(a));
            else
                a = BPF_MODE(f->code) == BPF_MEM ? mem[f->k] : f->k;
            break;
        case BPF_LDX:
            x = BPF_MODE(f->code) == BPF_MEM ? mem[f->k] : f->k;
            break;
        case BPF_ST:
            mem[f->k] = a;
            break;
        case BPF_STX:
            mem[f->k] = x;
            break;
        case BPF_ALU:
            a = alu(f->code, a, b);
            break;
        case BPF_MISC:
            if (BPF_MISCOP(f->code) == BPF_TAX)
                x = a;
            else
                a = x;
            break;
        case BPF_JMP:
            if (BPF_OP(f->code) == BPF_JA)
                f += f->k;
            else
                f += jumps(f->code, a, b) ? f->jt : f->jf;
            break;
        default:
            return BPF_RVAL(f->code) == BPF_A ? a : f->k;
        }
    }
}

/* Every filter has to allow it, on one descriptor or another. */
static int allowed(uint32_t request)
{
    for (int fd = 0; fd < DESCRIPTORS; fd++) {
        struct seccomp_data call = {
            .nr = SYS_ioctl,
            .arch = AUDIT_ARCH_X86_64,
            .args = { (uint64_t)fd, request },
        };
        int all = 1;

        for (int i = 0; i < filters; i++) {
            uint32_t action = verdict(code[i], &call) & SECCOMP_RET_ACTION_FULL;

            all &= action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG;
        }
        if (all)
            return 1;
    }
    return 0;
}

static void read_filters(pid_t pid)
{
    int status;

    if (ptrace(PTRACE_SEIZE, pid, 0, 0) || ptrace(PTRACE_INTERRUPT, pid, 0, 0) || waitpid(pid, &status, __WALL) != pid) {
        perror("ptrace");
        exit(1);
    }
    while (filters < FILTERS) {
        long n = ptrace((enum __ptrace_request)PTRACE_SECCOMP_GET_FILTER, pid, filters, 0);

        if (n <= 0 || n > LONGEST)
            break;
        length[filters] = ptrace((enum __ptrace_request)PTRACE_SECCOMP_GET_FILTER, pid, filters, code[filters]);
        filters++;
    }
    if (!filters)
        fprintf(stderr, "no filter: %s\n", strerror(errno));
    ptrace(PTRACE_DETACH, pid, 0, 0);
}

int main(int argc, char **argv)
{
    long instructions = 0;
    int n = 0;

    if (argc != 2) {
        fprintf(stderr, "usage: ioctls PID\n");
        return 2;
    }
    read_filters((pid_t)atol(argv[1]));
    if (!filters)
        return 1;
    for (int i = 0; i < filters; i++)
        instructions += length[i];
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        n += allowed(known[i].request);
    printf("filters=%d instructions=%ld allowed=%d\n", filters, instructions, n);
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (allowed(known[i].request))
            printf("%s ", known[i].name);
    printf("\n");
    return 0;
}
