/* SPDX-License-Identifier: Apache-2.0
 *
 * Every seccomp policy three ways: the filter libseccomp made of it, run by an interpreter of our
 * own, against the rows; calls that must be fatal, made by a child that must die of SIGSYS; calls
 * that must pass, made with arguments that do nothing.
 *
 * links: seccomp/all.c seccomp/core.c seccomp/broker.c seccomp/vfio.c seccomp/vdpa.c seccomp/null.c
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/vfio.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/log.h"
#include "seccomp/policy.h"
#include "seccomp/vhost.h"

enum { PROGRAM_MAX = 4096, X32 = 0x40000000, LAST_CALL = 600 };

struct program {
	struct sock_filter code[PROGRAM_MAX];
	unsigned len;
};

static void load_program(const struct policy *policy, struct program *program)
{
	int fd = memfd_create("bpf", MFD_CLOEXEC);
	ssize_t n;

	cr_assert_eq(policy_export(policy, POLICY_BPF, 0, fd), 0);
	n = pread(fd, program->code, sizeof(program->code), 0);
	cr_assert_gt(n, 0);
	cr_assert_lt((size_t)n, sizeof(program->code));
	program->len = (unsigned)((size_t)n / sizeof(program->code[0]));
	close(fd);
}

/* Classic BPF, as much of it as a seccomp filter may use (Linux net/core/filter.c). */
static uint32_t interpret(const struct program *program, const struct seccomp_data *data)
{
	uint32_t a = 0, x = 0, mem[BPF_MEMWORDS] = {0};

	for (unsigned pc = 0; pc < program->len; pc++) {
		const struct sock_filter *i = &program->code[pc];
		uint32_t operand = BPF_SRC(i->code) == BPF_X ? x : i->k;
		bool taken = false;

		switch (BPF_CLASS(i->code)) {
		case BPF_LD:
			if (BPF_MODE(i->code) == BPF_ABS)
				memcpy(&a, (const char *)data + i->k, sizeof(a));
			else
				a = BPF_MODE(i->code) == BPF_MEM ? mem[i->k] : i->k;
			break;
		case BPF_LDX: x = BPF_MODE(i->code) == BPF_MEM ? mem[i->k] : i->k; break;
		case BPF_ST: mem[i->k] = a; break;
		case BPF_STX: mem[i->k] = x; break;
		case BPF_ALU:
			switch (BPF_OP(i->code)) {
			case BPF_AND: a &= operand; break;
			case BPF_OR: a |= operand; break;
			case BPF_RSH: a >>= operand; break;
			case BPF_LSH: a <<= operand; break;
			case BPF_ADD: a += operand; break;
			case BPF_SUB: a -= operand; break;
			default: cr_assert_fail("ALU %x", i->code);
			}
			break;
		case BPF_JMP:
			switch (BPF_OP(i->code)) {
			case BPF_JA: pc += i->k; continue;
			case BPF_JEQ: taken = a == operand; break;
			case BPF_JGT: taken = a > operand; break;
			case BPF_JGE: taken = a >= operand; break;
			case BPF_JSET: taken = a & operand; break;
			default: cr_assert_fail("JMP %x", i->code);
			}
			pc += taken ? i->jt : i->jf;
			break;
		case BPF_RET: return BPF_RVAL(i->code) == BPF_A ? a : i->k;
		case BPF_MISC:
			if (BPF_MISCOP(i->code) == BPF_TAX)
				x = a;
			else
				a = x;
			break;
		default: cr_assert_fail("code %x", i->code);
		}
	}
	cr_assert_fail("ran off the end");
	return 0;
}

/* What the rows say. */
static uint32_t intent(const struct policy *policy, const struct seccomp_data *data)
{
	if (data->arch != AUDIT_ARCH_X86_64 || data->nr >= X32)
		return SECCOMP_RET_KILL_PROCESS;
	for (unsigned i = 0; i < policy->n_rows; i++) {
		const struct policy_row *row = &policy->rows[i];

		if (row->nr != data->nr)
			continue;
		if (row->deny_errno)
			return SECCOMP_RET_ERRNO | (uint32_t)row->deny_errno;
		if (row->arg < 0 || (data->args[row->arg] & row->mask) == policy_row_value(row, 0))
			return SECCOMP_RET_ALLOW;
	}
	return SECCOMP_RET_KILL_PROCESS;
}

static void compare(const struct policy *policy, const struct program *program,
	const struct seccomp_data *data)
{
	uint32_t is = interpret(program, data), should = intent(policy, data);

	if (is != should)
		cr_assert_fail("%s %s: nr %d args %llx %llx %llx: filter %x, rows %x",
			policy->process, policy->stage, data->nr, (long long)data->args[0],
			(long long)data->args[1], (long long)data->args[2], is, should);
}

/* All numbers with arguments that are no row's, then every row's value and its neighbours. */
static void compare_all(const struct policy *policy)
{
	static const uint64_t others[] = {0, 1, 4, 7, ~0ull, 1ull << 32, 0x5401, 0xae80};
	static struct program program;
	struct seccomp_data data = {.arch = AUDIT_ARCH_X86_64};

	load_program(policy, &program);
	for (data.nr = 0; data.nr < LAST_CALL; data.nr++) {
		for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
			for (unsigned arg = 0; arg < 6; arg++)
				data.args[arg] = others[i];
			compare(policy, &program, &data);
		}
		data.nr |= X32;
		compare(policy, &program, &data);
		data.nr &= ~X32;
		data.arch = AUDIT_ARCH_I386;
		compare(policy, &program, &data);
		data.arch = AUDIT_ARCH_X86_64;
	}
	for (unsigned i = 0; i < policy->n_rows; i++) {
		const struct policy_row *row = &policy->rows[i];
		unsigned arg = row->arg < 0 ? 0 : (unsigned)row->arg;

		memset(data.args, 0x5a, sizeof(data.args));
		data.nr = row->nr;
		for (unsigned bit = 0; bit <= 64; bit++) {
			data.args[arg] = policy_row_value(row, 0) ^ (bit < 64 ? 1ull << bit : 0);
			compare(policy, &program, &data);
		}
		for (unsigned n = 0; n < 2000; n++) {
			data.args[arg] = policy_row_value(row, 0) + n - 1000;
			compare(policy, &program, &data);
		}
	}
}

Test(policy, filters_do_what_the_rows_say)
{
	for (const struct policy *const *p = policies; *p; p++)
		compare_all(*p);
}

Test(policy, rows_are_complete)
{
	for (const struct policy *const *p = policies; *p; p++) {
		for (unsigned i = 0; i < (*p)->n_rows; i++) {
			const struct policy_row *row = &(*p)->rows[i];

			cr_assert_gt(strlen(row->why), 5, "%s: no reason", row->name);
			cr_assert_lt(row->arg, 6);
			cr_assert_eq(row->value & ~row->mask & (row->arg < 0 ? 0 : ~0ull), 0,
				"%s: can never match", row->name);
		}
	}
}

/* A filter cannot give back what one before it took: each stage must be inside the ones it is
 * loaded on top of. */
static void expect_inside(const struct policy *inner, const struct policy *outer)
{
	for (unsigned i = 0; i < inner->n_rows; i++) {
		const struct policy_row *row = &inner->rows[i];
		struct seccomp_data data = {.arch = AUDIT_ARCH_X86_64, .nr = row->nr};

		if (row->arg >= 0)
			data.args[row->arg] = policy_row_value(row, 0);
		if (!row->deny_errno)
			cr_assert_eq(intent(outer, &data), SECCOMP_RET_ALLOW,
				"%s %s has %s %s, %s %s below it does not", inner->process,
				inner->stage, row->name, row->value_name ? row->value_name : "",
				outer->process, outer->stage);
	}
}

Test(policy, stages_only_narrow)
{
	expect_inside(&policy_core_run, &policy_core_setup);
	expect_inside(&policy_vcpu_run, &policy_core_setup);
	expect_inside(&policy_broker_run, &policy_broker_setup);
	expect_inside(&policy_vfio_setup, &policy_broker_setup);
	expect_inside(&policy_vfio_run, &policy_vfio_setup);
	expect_inside(&policy_vdpa_setup, &policy_broker_setup);
	expect_inside(&policy_vdpa_run, &policy_vdpa_setup);
	expect_inside(&policy_null_setup, &policy_broker_setup);
	expect_inside(&policy_null_run, &policy_null_setup);
}

static unsigned count_calls(const struct policy *policy, bool ioctls)
{
	unsigned n = 0;

	for (unsigned i = 0; i < policy->n_rows; i++) {
		unsigned before = 0;

		if (policy->rows[i].deny_errno)
			continue;
		if (ioctls) {
			n += policy->rows[i].nr == SYS_ioctl;
			continue;
		}
		for (unsigned j = 0; j < i; j++)
			before += policy->rows[j].nr == policy->rows[i].nr;
		n += before == 0;
	}
	return n;
}

Test(policy, run_policies_stay_small)
{
	cr_expect_leq(count_calls(&policy_vcpu_run, false), 14);
	cr_expect_leq(count_calls(&policy_vcpu_run, true), 6);
	cr_expect_leq(count_calls(&policy_core_run, false), 30);
	cr_expect_leq(count_calls(&policy_vfio_run, false), 16);
	cr_expect_leq(count_calls(&policy_vfio_run, true), 4);
	cr_expect_leq(count_calls(&policy_vdpa_run, false), 18);
	cr_expect_leq(count_calls(&policy_vdpa_run, true), 14);
	cr_expect_leq(count_calls(&policy_null_run, false), 10);
}

/* vhost requests are the vDPA helper's, and at run time only those that start and stop: none that
 * becomes the owner, and none of them in a broker that is sealed. */
Test(policy, vhost_is_the_vdpa_helpers)
{
	static const uint64_t setup_only[] = {VHOST_SET_OWNER, VHOST_SET_BACKEND_FEATURES,
		VHOST_VDPA_GET_DEVICE_ID, VHOST_RESET_OWNER, VHOST_SET_MEM_TABLE,
		VHOST_VDPA_SET_GROUP_ASID, VHOST_SET_LOG_BASE};

	for (const struct policy *const *p = policies; *p; p++) {
		bool vdpa = *p == &policy_vdpa_run || *p == &policy_vdpa_setup;

		for (unsigned i = 0; i < (*p)->n_rows; i++) {
			const struct policy_row *row = &(*p)->rows[i];

			if (row->nr == SYS_ioctl && (row->value >> 8 & 0xff) == 0xaf)
				cr_assert(vdpa || *p == &policy_broker_setup, "%s %s: %s",
					(*p)->process, (*p)->stage, row->value_name);
			for (unsigned k = 0; k < sizeof(setup_only) / sizeof(setup_only[0]); k++)
				cr_assert(*p != &policy_vdpa_run || row->value != setup_only[k],
					"%s", row->value_name);
		}
	}
}

Test(policy, core_has_no_device_requests)
{
	static const struct policy *const core[] = {
		&policy_core_setup, &policy_core_run, &policy_vcpu_run};

	for (unsigned p = 0; p < 3; p++) {
		for (unsigned i = 0; i < core[p]->n_rows; i++) {
			const struct policy_row *row = &core[p]->rows[i];

			if (row->nr != SYS_ioctl)
				continue;
			cr_assert_eq(row->arg, 1, "%s: any ioctl", core[p]->stage);
			cr_assert_neq(row->value >> 8 & 0xff, VFIO_TYPE, "%s", row->value_name);
			cr_assert_neq(row->value >> 8 & 0xff, 0xaf, "%s", row->value_name);
		}
	}
}

/* A child under the policy makes one call, then ends well. Returns its wait status. */
#define OWN_PID 0x6f776e2d706964ull /* stands for the pid of the process that makes the call */

static int try_call(const struct policy *policy, long nr, const uint64_t args[6])
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		uint64_t self = (uint64_t)getpid();
		struct err err;

		setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
		log_init("test", LOG_ERROR, 2);
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
			policy_enter(policy, SECCOMP_MODE_KILL, false, &err) < 0)
			_exit(99);
		syscall(nr, args[0] == OWN_PID ? self : args[0], args[1], args[2],
			args[3], args[4], args[5]);
		_exit(0);
	}
	cr_assert_gt(pid, 0);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static void skip_without_filters(void)
{
#ifdef BULKHEAD_SANITIZER
	cr_skip_test("a sanitizer's process dies under the production policies; they are off here");
#endif
}

Test(policy, forbidden_calls_kill, .timeout = 120)
{
	static const struct {
		long nr;
		uint64_t args[6];
	} calls[] = {
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

	skip_without_filters();
	for (const struct policy *const *p = policies; *p; p++) {
		for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
			struct seccomp_data data = {.arch = AUDIT_ARCH_X86_64,
				.nr = (int)calls[i].nr};
			int status;

			memcpy(data.args, calls[i].args, sizeof(data.args));
			if (intent(*p, &data) != SECCOMP_RET_KILL_PROCESS)
				continue;
			status = try_call(*p, calls[i].nr, calls[i].args);
			cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS,
				"%s %s: call %ld (#%u) ended with 0x%x", (*p)->process, (*p)->stage,
				calls[i].nr, i, status);
		}
	}
}

/* What no process may ever do at run time, whatever the tables come to say. */
Test(policy, run_policies_never_hold)
{
	static const long never[] = {SYS_open, SYS_openat, SYS_openat2, SYS_socket, SYS_execve,
		SYS_execveat, SYS_fork, SYS_vfork, SYS_clone, SYS_clone3, SYS_ptrace,
		SYS_io_uring_setup, SYS_io_uring_enter, SYS_userfaultfd, SYS_bpf, SYS_mprotect,
		SYS_mmap, SYS_mount, SYS_unshare, SYS_setns, SYS_personality, SYS_memfd_create,
		SYS_process_vm_readv, SYS_process_vm_writev, SYS_kill, SYS_seccomp, SYS_prctl};

	for (const struct policy *const *p = policies; *p; p++) {
		if (strcmp((*p)->stage, "run") != 0)
			continue;
		for (unsigned i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
			struct seccomp_data data = {.arch = AUDIT_ARCH_X86_64, .nr = (int)never[i]};

			cr_assert_eq(intent(*p, &data), SECCOMP_RET_KILL_PROCESS, "%s: call %ld",
				(*p)->process, never[i]);
		}
	}
}

Test(policy, allowed_calls_pass, .timeout = 120)
{
	skip_without_filters();
	for (const struct policy *const *p = policies; *p; p++) {
		for (unsigned i = 0; i < (*p)->n_rows; i++) {
			const struct policy_row *row = &(*p)->rows[i];
			uint64_t args[6] = {-1ull, -1ull, -1ull, -1ull, -1ull, -1ull};
			int status;

			if (row->nr == SYS_exit || row->nr == SYS_rt_sigreturn)
				continue; /* ends well or badly by itself */
			if (row->nr == SYS_exit_group)
				args[0] = 0;
			if (row->arg >= 0)
				args[row->arg] = row->own_pid ? OWN_PID : row->value;
			status = try_call(*p, row->nr, args);
			cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0,
				"%s %s: %s ended with 0x%x", (*p)->process, (*p)->stage, row->name,
				status);
		}
	}
}

Test(policy, log_mode_stops_nothing)
{
	pid_t pid;
	int status;

	skip_without_filters();
	pid = fork();
	if (pid == 0) {
		struct err err;

		log_init("test", LOG_ERROR, 2);
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		if (policy_enter(&policy_null_run, SECCOMP_MODE_LOG, false, &err) < 0)
			_exit(99);
		_exit(getppid() > 0 ? 0 : 1);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "0x%x", status);
}

Test(policy, modes_have_names)
{
	enum seccomp_mode mode = SECCOMP_MODE_OFF;

	cr_assert_eq(policy_mode_parse("true", &mode), 0);
	cr_assert_eq(mode, SECCOMP_MODE_KILL);
	cr_assert_eq(policy_mode_parse("log", &mode), 0);
	cr_assert_eq(mode, SECCOMP_MODE_LOG);
	cr_assert_eq(policy_mode_parse("yes", &mode), -EINVAL);
	cr_assert_eq(mode, SECCOMP_MODE_LOG);
	cr_assert_str_eq(policy_mode_name(SECCOMP_MODE_OFF), "false");
}
