/* SPDX-License-Identifier: Apache-2.0
 *
 * The filters of every thread, as the kernel has them, against those we ship, byte for byte.
 * bulkhead-audit, as root (PTRACE_SECCOMP_GET_FILTER takes CAP_SYS_ADMIN, no filter of the reader's
 * own, and CONFIG_CHECKPOINT_RESTORE).
 *
 * A thread is seized, interrupted, read and let go: microseconds, one thread at a time; a vCPU
 * comes back from KVM_RUN as from any signal. Nothing of the thread's is written, and it is not
 * tied to us (no PTRACE_O_EXITKILL).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helpers/audit/audit.h"
#include "ipc/fd.h"

enum { STACK_MAX = 12, INSNS_MAX = 4096, GET_FILTER = 0x420c, KERNELS_OWN = 0x204000 };

struct filter {
	unsigned n;
	struct sock_filter insns[INSNS_MAX];
};

struct stack {
	unsigned n;
	struct filter filters[STACK_MAX]; /* the oldest first */
};

/* A signal that was on its way is not ours to swallow. */
static void let_go(pid_t tid, int status)
{
	bool event = status >> 16 == PTRACE_EVENT_STOP;
	long sig = WIFSTOPPED(status) && !event ? WSTOPSIG(status) : 0;

	ptrace(PTRACE_DETACH, tid, 0, sig);
}

static int read_filters(pid_t tid, struct stack *ret)
{
	ret->n = 0;
	for (unsigned i = 0; i < STACK_MAX; i++) {
		struct filter *filter = &ret->filters[i];
		long n = ptrace((enum __ptrace_request)GET_FILTER, tid, i, NULL);

		if (n < 0)
			return errno == ENOENT || (errno == EINVAL && i == 0) ? 0 : -errno;
		if (n > INSNS_MAX)
			return -E2BIG;
		n = ptrace((enum __ptrace_request)GET_FILTER, tid, i, filter->insns);
		if (n < 0)
			return -errno;
		filter->n = (unsigned)n;
		ret->n++;
	}
	return -E2BIG;
}

/* A thread deep in the kernel stops when it is back. Should that take long, it is let go when we
 * end. */
static int wait_stop(pid_t tid, int *ret_status)
{
	for (unsigned waited = 0; waited < 10000; waited++) {
		pid_t pid = waitpid(tid, ret_status, __WALL | WNOHANG);

		if (pid < 0)
			return -errno;
		if (pid == tid)
			return WIFSTOPPED(*ret_status) ? 0 : -ESRCH; /* it ended */
		usleep(100);
	}
	return -ETIMEDOUT;
}

static int take_stack(pid_t tid, struct stack *ret)
{
	int status = 0, r;

	if (ptrace(PTRACE_SEIZE, tid, 0, 0) < 0)
		return -errno;
	if (ptrace(PTRACE_INTERRUPT, tid, 0, 0) < 0)
		return -errno;
	r = wait_stop(tid, &status);
	if (r < 0)
		return r;
	r = read_filters(tid, ret);
	let_go(tid, status);
	return r;
}

/* The policy as process `pid`, by its own number for itself, has given it to the kernel. */
static int shipped(const struct policy *policy, pid_t pid, struct filter *ret)
{
	fd_owned fd = {memfd_create("policy", MFD_CLOEXEC)};
	ssize_t n;
	int r;

	if (fd.n < 0)
		return -errno;
	r = policy_export(policy, POLICY_BPF, pid, fd.n);
	if (r < 0)
		return r;
	n = pread(fd.n, ret->insns, sizeof(ret->insns), 0);
	if (n < 0 || n % (ssize_t)sizeof(ret->insns[0]) != 0)
		return -EIO;
	ret->n = (unsigned)((size_t)n / sizeof(ret->insns[0]));
	return 0;
}

static bool same(const struct filter *a, const struct filter *b)
{
	return a->n == b->n && memcmp(a->insns, b->insns, a->n * sizeof(a->insns[0])) == 0;
}

struct threads {
	struct process *process;
	pid_t own_pid; /* the process's own number for itself */
	unsigned n, weak, unread;
	int why;
	const char *foreign;
};

/* The name ends at the last ')' of stat; flags are the ninth field. */
static bool kernels_own(const struct process *process, unsigned tid)
{
	char file[48], stat[512];
	const char *end;
	unsigned flags = 0;

	snprintf(file, sizeof(file), "task/%u/stat", tid);
	if (proc_read(process->dir, file, stat, sizeof(stat)) < 0)
		return false;
	end = strrchr(stat, ')');
	return end && sscanf(end + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) == 1 &&
		(flags & KERNELS_OWN);
}

static const struct policy *const *stack_of(const struct process *process, unsigned tid,
	char *ret_name, size_t size)
{
	char file[48];

	snprintf(file, sizeof(file), "task/%u/comm", tid);
	proc_read(process->dir, file, ret_name, size);
	ret_name[strcspn(ret_name, "\n")] = '\0';
	return process->promise == &promise_core && tid != (unsigned)process->pid
		? vcpu_stack : process->promise->stack;
}

/* The last filters are to be ours. Older ones are the starter's (a container's) and only narrow. */
static void compare(struct threads *threads, unsigned tid, const char *thread,
	const struct stack *stack, const struct policy *const *want)
{
	static struct filter ours;
	unsigned n = 0;

	while (n < 4 && want[n])
		n++;
	if (stack->n < n) {
		finding(threads->process, layers[LAYER_SECCOMP].name, VERDICT_WEAK,
			"thread %u (%s): %u filters, should be %u: %s, %s is not loaded", tid,
			thread, stack->n, n, want[stack->n]->process, want[stack->n]->stage);
		threads->weak++;
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		const struct filter *theirs = &stack->filters[stack->n - n + i];

		if (shipped(want[i], threads->own_pid, &ours) == 0 && same(theirs, &ours))
			continue;
		finding(threads->process, layers[LAYER_SECCOMP].name, VERDICT_WEAK,
			"thread %u (%s): filter %u (%u instructions) is not the shipped %s %s "
			"policy (%u)", tid, thread, i + 1, theirs->n, want[i]->process,
			want[i]->stage, ours.n);
		threads->weak++;
	}
}

static int check_thread(unsigned tid, void *opaque)
{
	static struct stack stack;
	struct threads *threads = opaque;
	char file[48], status[4096], mode[8] = "?", name[32];
	const struct policy *const *want;
	int r;

	snprintf(file, sizeof(file), "task/%u/status", tid);
	if (proc_read(threads->process->dir, file, status, sizeof(status)) < 0 ||
		kernels_own(threads->process, tid))
		return 0; /* it has just ended, or is a worker that never leaves the kernel */
	threads->n++;
	want = stack_of(threads->process, tid, name, sizeof(name));
	if (!status_field(status, "Seccomp", mode, sizeof(mode)) || strcmp(mode, "2") != 0) {
		finding(threads->process, layers[LAYER_SECCOMP].name, VERDICT_WEAK,
			"thread %u (%s): no filter at all", tid, name);
		threads->weak++;
		return 0;
	}
	r = take_stack((pid_t)tid, &stack);
	if (r == 0) {
		compare(threads, tid, name, &stack, want);
	} else if (r != -ESRCH) {
		threads->unread++;
		threads->why = r;
	}
	return 0;
}

static const char *advice(int code)
{
	switch (code) {
	case -EPERM: return "run it as root, and see sysctl kernel.yama.ptrace_scope";
	case -EACCES: return "run it as root, under no filter of its own";
	case -EIO: case -EINVAL: return "this kernel lacks CONFIG_CHECKPOINT_RESTORE";
	default: return strerror(-code);
	}
}

void check_filters(struct audit *audit, struct process *process)
{
	struct threads threads = {.process = process, .own_pid = process->pid};
	const char *name = layers[LAYER_SECCOMP].name;
	char status[4096], numbers[128], *last;

	(void)audit;
	if (!process->promise)
		return;
	if (!process->promise->stack[0]) {
		finding(process, name, VERDICT_NOT_HERE, "none: it opens what the operator may, and ends");
		return;
	}
	if (proc_read(process->dir, "status", status, sizeof(status)) == 0 &&
		status_field(status, "NSpid", numbers, sizeof(numbers))) {
		last = strrchr(numbers, '\t');
		threads.own_pid = atoi(last ? last + 1 : numbers);
	}
	if (proc_each(process->dir, "task", check_thread, &threads) < 0 || !threads.n)
		finding(process, name, VERDICT_UNKNOWN, "its threads cannot be listed");
	else if (threads.unread)
		finding(process, name, VERDICT_UNKNOWN, "the filters of %u of %u threads cannot be "
			"read: %s", threads.unread, threads.n, advice(threads.why));
	else if (!threads.weak)
		finding(process, name, VERDICT_OK, "%u thread%s, every filter as shipped",
			threads.n, threads.n > 1 ? "s" : "");
}
