/* SPDX-License-Identifier: Apache-2.0
 *
 * Every row of every policy in the kernel: a child under the real filter makes one call. As the row
 * is written it passes (or gets the row's errno); with any bit changed that the row looks at, with
 * the request's neighbours, or where no row is, the child dies by SIGSYS. Arguments no row looks at
 * are chosen so that the call does nothing.
 *
 * links: seccomp/all.c seccomp/launch.c seccomp/core.c seccomp/broker.c seccomp/vfio.c seccomp/vdpa.c
 * links: seccomp/null.c seccomp/api.c seccomp/open.c
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/vfio.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/log.h"
#include "seccomp/policy.h"
#include "tests/unit/policy_intent.h"

enum { EXIT_NO_FILTER = 99, EXIT_BY_CALL = 7 };

#define OWN_PID 0x6f776e2d706964ull /* stands for the pid of the process that makes the call */

struct call {
	long nr;
	uint64_t args[6];
};

/* What the call gave its child: shared memory, as the child may be able to do nothing else. */
static volatile int *call_errno;

static void share_errno(void)
{
#ifdef BULKHEAD_SANITIZER
	cr_skip_test("a sanitizer's process dies under the production policies; they are off here");
#endif
	call_errno = mmap(NULL, sizeof(*call_errno), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert(call_errno != MAP_FAILED);
}

/* A child under the policy makes the call, then ends well. Returns its wait status. */
static int try_call(const struct policy *policy, const struct call *call)
{
	const uint64_t *a = call->args;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		uint64_t first = a[0] == OWN_PID ? (uint64_t)getpid() : a[0];
		struct err err;

		setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
		log_init("test", LOG_ERROR, 2);
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
			policy_enter(policy, SECCOMP_MODE_KILL, false, &err) < 0)
			_exit(EXIT_NO_FILTER);
		errno = 0;
		syscall(call->nr, first, a[1], a[2], a[3], a[4], a[5]);
		*call_errno = errno;
		_exit(0);
	}
	cr_assert_gt(pid, 0);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static bool allowed(const struct policy *policy, const struct call *call)
{
	struct seccomp_data data = {.arch = AUDIT_ARCH_X86_64, .nr = (int)call->nr};

	memcpy(data.args, call->args, sizeof(data.args));
	return intent(policy, &data) != SECCOMP_RET_KILL_PROCESS;
}

/* uretprobe and uprobe, which the kernel's own trampolines make: recent kernels (seen on 6.18) let
 * them pass every filter. From anywhere else they are an error or SIGILL. */
static bool passes_every_filter(const struct call *call)
{
	return call->nr == 335 || call->nr == 336;
}

/* Nothing where the policy has another row that covers the call. */
static void expect_killed(const struct policy *policy, const struct call *call)
{
	int status;

	if (allowed(policy, call) || passes_every_filter(call))
		return;
	status = try_call(policy, call);
	cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS,
		"%s %s: call %ld, arguments %#llx %#llx %#llx, ended with 0x%x", policy->process,
		policy->stage, call->nr, (long long)call->args[0], (long long)call->args[1],
		(long long)call->args[2], status);
}

/* The row's call with arguments that do nothing: no such descriptor, no such address. */
static struct call call_of(const struct policy_row *row)
{
	struct call call = {row->nr, {-1ull, -1ull, -1ull, -1ull, -1ull, -1ull}};

	if (row->nr == SYS_exit_group || row->nr == SYS_exit)
		call.args[0] = EXIT_BY_CALL;
	if (row->arg >= 0)
		call.args[row->arg] = row->own_pid ? OWN_PID : row->value;
	return call;
}

static void expect_as_written(const struct policy *policy, const struct policy_row *row)
{
	struct call call = call_of(row);
	int status;

	*call_errno = 0;
	status = try_call(policy, &call);
	if (row->nr == SYS_exit_group || row->nr == SYS_exit)
		cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_BY_CALL, "0x%x", status);
	else if (row->nr == SYS_rt_sigreturn) /* there is no frame to return to */
		cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "0x%x", status);
	else
		cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0,
			"%s %s: %s ended with 0x%x", policy->process, policy->stage, row->name,
			status);
	if (row->deny_errno)
		cr_expect(*call_errno == row->deny_errno, "%s %s: %s gets errno %d",
			policy->process, policy->stage, row->name, *call_errno);
}

Test(policy_live, rows_as_written, .init = share_errno, .timeout = 120)
{
	for (const struct policy *const *p = policies; *p; p++)
		for (unsigned i = 0; i < (*p)->n_rows; i++)
			expect_as_written(*p, &(*p)->rows[i]);
}

/* Each bit the row looks at, and the values beside its own: other requests of the same device. */
static void perturb(const struct policy *policy, const struct policy_row *row)
{
	struct call call = call_of(row);
	uint64_t *value = &call.args[row->arg];
	const uint64_t as_written = row->own_pid ? (uint64_t)getpid() : *value;

	for (unsigned bit = 0; bit < 64; bit++) {
		*value = as_written ^ 1ull << bit;
		if (row->mask >> bit & 1)
			expect_killed(policy, &call);
	}
	for (int by = -2; by <= 2; by++) {
		*value = as_written + (uint64_t)by;
		if ((*value & row->mask) != row->value)
			expect_killed(policy, &call);
	}
}

Test(policy_live, rows_perturbed, .init = share_errno, .timeout = 240)
{
	for (const struct policy *const *p = policies; *p; p++)
		for (unsigned i = 0; i < (*p)->n_rows; i++)
			if ((*p)->rows[i].arg >= 0)
				perturb(*p, &(*p)->rows[i]);
}

/* Every call the kernel has (and some it has not) with arguments no row has, one child each. */
Test(policy_live, calls_without_a_row, .init = share_errno, .timeout = 240)
{
	for (const struct policy *const *p = policies; *p; p++) {
		struct call call = {0, {-1ull, -1ull, -1ull, -1ull, -1ull, -1ull}};

		for (call.nr = 0; call.nr < LAST_CALL; call.nr++)
			expect_killed(*p, &call);
	}
}

Test(policy_live, what_an_attacker_would_call, .init = share_errno, .timeout = 120)
{
	static const struct call calls[] = {
		{SYS_tgkill, {1, 1, 0}}, /* another process, whoever's */
		{SYS_clone, {SIGCHLD, 0, 0}}, /* a process, no thread */
		{SYS_open, {0}}, {SYS_openat, {-1ull}}, {SYS_openat2, {0}}, {SYS_socket, {1, 5}},
		{SYS_connect, {-1ull}}, {SYS_execve, {0}}, {SYS_execveat, {-1ull}}, {SYS_fork, {0}},
		{SYS_clone3, {0}}, {SYS_ptrace, {-1ull}}, {SYS_process_vm_readv, {-1ull}},
		{SYS_io_uring_setup, {0}}, {SYS_userfaultfd, {-1ull}}, {SYS_bpf, {-1ull}},
		{SYS_personality, {0xffffffff}}, {SYS_kill, {1}}, {SYS_memfd_create, {0}},
		{SYS_mmap, {0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1ull}},
		{SYS_mprotect, {0, 4096, PROT_EXEC}}, {X32 | SYS_getpid, {0}}, {X32 | 514, {-1ull}},
		{SYS_mount, {0}}, {SYS_unshare, {0}}, {SYS_setns, {-1ull}}, {SYS_pkey_mprotect, {0}},
		{SYS_ioctl, {-1ull, VFIO_IOMMU_MAP_DMA}}, {SYS_ioctl, {-1ull, VFIO_SET_IOMMU}},
		{SYS_ioctl, {-1ull, VFIO_DEVICE_SET_IRQS}}, {SYS_ioctl, {-1ull, VFIO_DEVICE_RESET}},
		{SYS_ioctl, {-1ull, VFIO_GROUP_GET_DEVICE_FD}}, {SYS_ioctl, {-1ull, 0x5412}},
		{SYS_fcntl, {-1ull, 0}}, {SYS_prctl, {PR_SET_DUMPABLE, 1}}, {LAST_CALL, {0}},
	};

	for (const struct policy *const *p = policies; *p; p++)
		for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
			expect_killed(*p, &calls[i]);
}

/* The launcher's filter is inherited, and a child that has its own on top gets the stricter answer; what
 * the launcher's denies stays denied where a child has no policy. */
Test(policy_live, on_top_of_the_launchers, .init = share_errno)
{
	const struct call call = {SYS_userfaultfd, {-1ull}};
	int status;
	pid_t pid;

	status = try_call(&policy_launch_run, &call);
	cr_expect(WIFEXITED(status) && *call_errno == EPERM, "0x%x, errno %d", status, *call_errno);
	pid = fork();
	if (pid == 0) {
		struct err err;

		setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
			policy_enter(&policy_launch_run, SECCOMP_MODE_KILL, false, &err) < 0 ||
			policy_enter(&policy_null_run, SECCOMP_MODE_KILL, false, &err) < 0)
			_exit(EXIT_NO_FILTER);
		syscall(SYS_userfaultfd, -1ull);
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "0x%x", status);
}
