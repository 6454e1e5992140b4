/* SPDX-License-Identifier: Apache-2.0
 *
 * Attempts on other processes, on the network and on the kernel's larger doors. In the actor.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_alg.h>
#include <linux/io_uring.h>
#include <linux/kcmp.h>
#include <linux/keyctl.h>
#include <linux/netlink.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/breakout/attempts.h"

enum { CHILDREN = 100, NOBODY = 65534 };

static long let_go(long fd)
{
	if (fd >= 0)
		close((int)fd);
	return fd;
}

/* The child of one that got through ends at once. */
static long born(long pid)
{
	if (pid == 0)
		RAW(SYS_exit_group, 0);
	return pid;
}

/* Nobody waits for them, so they add up. */
long try_fork(void)
{
	long r = 0;

	for (unsigned i = 0; i < CHILDREN && r >= 0; i++)
		r = born(RAW(SYS_clone, SIGCHLD));
	return r;
}

long try_clone3(void)
{
	struct clone_args args = {.exit_signal = SIGCHLD};
	long r = 0;

	for (unsigned i = 0; i < CHILDREN && r >= 0; i++)
		r = born(RAW(SYS_clone3, &args, sizeof(args)));
	return r;
}

/* ---- another process's memory ---------------------------------------------------------------- */

static long read_of(int pid)
{
	char byte;
	struct iovec here = {&byte, 1}, there = {(void *)page->todo, 1};
	long r = RAW(SYS_process_vm_readv, pid, &here, 1, &there, 1, 0);

	return r == -EFAULT ? THROUGH : r; /* it has nothing there, and was asked */
}

long try_read_core(void)
{
	return read_of(page->core_pid);
}

long try_read_other(void)
{
	return read_of(page->other_pid);
}

/* Only what stands still can be let go of, and nobody else can wait for what has a tracer. */
static long trace(int pid)
{
	long r = RAW(SYS_ptrace, PTRACE_SEIZE, pid, 0, 0);

	if (r == 0) {
		RAW(SYS_ptrace, PTRACE_INTERRUPT, pid, 0, 0);
		RAW(SYS_wait4, pid, 0, __WALL, 0);
		RAW(SYS_ptrace, PTRACE_DETACH, pid, 0, 0);
	}
	return r;
}

long try_trace_core(void)
{
	return trace(page->core_pid);
}

long try_trace_other(void)
{
	return trace(page->other_pid);
}

/* Another's descriptor, by pidfd. */
long try_pidfd(void)
{
	long pidfd = RAW(SYS_pidfd_open, page->other_pid, 0), r;

	if (pidfd < 0)
		return pidfd;
	r = RAW(SYS_pidfd_getfd, pidfd, 0, 0);
	let_go(pidfd);
	return let_go(r);
}

long try_kcmp(void)
{
	return RAW(SYS_kcmp, page->other_pid, page->other_pid, KCMP_VM, 0, 0);
}

/* By a file, past every call that is about a process. */
long try_memory_by_proc(void)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/mem", page->core_pid);
	return let_go(RAW(SYS_openat, AT_FDCWD, path, O_RDWR));
}

/* Somebody else on the host, without whom we are ourselves again. */
long try_set_user(void)
{
	long r = RAW(SYS_setresuid, -1, NOBODY, -1);

	if (r == 0)
		RAW(SYS_setresuid, -1, 0, -1);
	return r;
}

/* ---- signals: SIGURG, which nobody here minds ------------------------------------------------ */

long try_kill(void)
{
	return RAW(SYS_kill, page->core_pid, SIGURG);
}

long try_kill_other(void)
{
	return RAW(SYS_kill, page->other_pid, SIGURG);
}

long try_kill_host(void)
{
	return RAW(SYS_kill, page->host_pid, SIGURG);
}

long try_tgkill(void)
{
	return RAW(SYS_tgkill, page->other_pid, page->other_pid, SIGURG);
}

long try_sigqueue(void)
{
	siginfo_t info = {.si_code = SI_QUEUE};

	return RAW(SYS_rt_sigqueueinfo, page->other_pid, SIGURG, &info);
}

/* A signal by way of the kernel: a descriptor whose readiness is told to another. */
long try_setown(void)
{
	return RAW(SYS_fcntl, 0, F_SETOWN, page->other_pid);
}

/* ---- the network ----------------------------------------------------------------------------- */

static long connect_to(int domain, const void *to, socklen_t len)
{
	long fd = RAW(SYS_socket, domain, SOCK_STREAM, 0), r;

	if (fd < 0)
		return fd;
	r = RAW(SYS_connect, fd, to, len);
	let_go(fd);
	return r;
}

long try_tcp(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(page->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	return connect_to(AF_INET, &to, sizeof(to));
}

long try_unix_abstract(void)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t len = strlen(page->socket);

	memcpy(to.sun_path + 1, page->socket, len);
	return connect_to(AF_UNIX, &to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len));
}

/* Is there an interface besides a loopback of its own? ENODEV: it sees an empty network. */
long try_netlink(void)
{
	return let_go(RAW(SYS_socket, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
}

long try_alg(void)
{
	return let_go(RAW(SYS_socket, AF_ALG, SOCK_SEQPACKET, 0));
}

/* ---- the kernel's larger doors --------------------------------------------------------------- */

long try_unshare(void)
{
	return RAW(SYS_unshare, CLONE_NEWUSER);
}

/* All capabilities, in a namespace of its own. */
long try_clone_user(void)
{
	return born(RAW(SYS_clone, CLONE_NEWUSER | SIGCHLD));
}

long try_io_uring(void)
{
	struct io_uring_params params = {0};

	return let_go(RAW(SYS_io_uring_setup, 1, &params));
}

long try_userfaultfd(void)
{
	return let_go(RAW(SYS_userfaultfd, O_CLOEXEC));
}

/* return 0, for a socket */
long try_bpf(void)
{
	static const struct bpf_insn code[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_SCHED_CLS, .insn_cnt = 2,
		.insns = (uint64_t)(uintptr_t)code, .license = (uint64_t)(uintptr_t)"GPL"};

	return let_go(RAW(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr)));
}

long try_perf(void)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE, .size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK};

	return let_go(RAW(SYS_perf_event_open, &attr, -1, 0, -1, 0));
}

long try_keyctl(void)
{
	return RAW(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 1);
}

long try_x32(void)
{
	return RAW(SYS_getpid | 0x40000000);
}

/* getpid of the other ABI */
long try_int80(void)
{
	long ret = 20;

	if (page->next < page->n_todo)
		page->todo[page->next].call = 20;
	__asm__ volatile("int $0x80" : "+a"(ret) : : "memory", "r8", "r9", "r10", "r11");
	return ret;
}
