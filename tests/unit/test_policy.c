/* SPDX-License-Identifier: Apache-2.0
 *
 * Every seccomp policy as data: the filter libseccomp made of it, run by an interpreter of our own,
 * against the rows; and what must be in no policy whatever the rows come to say. The same filters
 * in the kernel: test_policy_live.c.
 *
 * links: seccomp/export.c seccomp/all.c seccomp/launch.c seccomp/core.c seccomp/broker.c seccomp/vfio.c seccomp/vdpa.c
 * links: seccomp/null.c seccomp/api.c seccomp/open.c
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
#include "tests/unit/policy_intent.h"

enum { PROGRAM_MAX = 4096 };

struct program {
	struct sock_filter code[PROGRAM_MAX];
	unsigned len;
};

static void load_program(const struct policy *policy, struct program *program)
{
	int fd = memfd_create("bpf", MFD_CLOEXEC);
	ssize_t n;

	cr_assert_eq(policy_export(policy, POLICY_BPF, getpid(), fd), 0);
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
			data.args[arg] = policy_row_value(row, getpid()) ^ (bit < 64 ? 1ull << bit : 0);
			compare(policy, &program, &data);
		}
		for (unsigned n = 0; n < 2000; n++) {
			data.args[arg] = policy_row_value(row, getpid()) + n - 1000;
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
			data.args[row->arg] = policy_row_value(row, getpid());
		if (!row->deny_errno)
			cr_assert_eq(intent(outer, &data), SECCOMP_RET_ALLOW,
				"%s %s has %s %s, %s %s below it does not", inner->process,
				inner->stage, row->name, row->value_name ? row->value_name : "",
				outer->process, outer->stage);
	}
}

Test(policy, stages_only_narrow)
{
	for (const struct policy *const *p = policies; *p; p++) /* the launcher's, inherited */
		expect_inside(*p, &policy_launch_run);
	expect_inside(&policy_core_run, &policy_core_setup);
	expect_inside(&policy_vcpu_run, &policy_core_setup);
	expect_inside(&policy_broker_run, &policy_broker_setup);
	expect_inside(&policy_vfio_run, &policy_vfio_setup);
	expect_inside(&policy_vdpa_run, &policy_vdpa_setup);
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
	cr_expect_leq(count_calls(&policy_vcpu_run, true), 7);
	cr_expect_leq(count_calls(&policy_core_run, false), 30);
	cr_expect_leq(count_calls(&policy_core_run, true), 17);
	cr_expect_leq(count_calls(&policy_vfio_run, false), 16);
	cr_expect_leq(count_calls(&policy_vfio_run, true), 4);
	cr_expect_leq(count_calls(&policy_vdpa_run, false), 18);
	cr_expect_leq(count_calls(&policy_vdpa_run, true), 15);
	cr_expect_leq(count_calls(&policy_null_run, false), 10);
	cr_expect_leq(count_calls(&policy_open_run, false), 31);
	cr_expect_leq(count_calls(&policy_open_run, true), 6);
	cr_expect_leq(count_calls(&policy_api_run, false), 10);
	cr_expect_eq(count_calls(&policy_api_run, true), 0);
}

/* vhost requests are the vDPA helper's, and at run time only those that start and stop: none that
 * becomes the owner. */
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
				cr_assert(vdpa, "%s %s: %s", (*p)->process, (*p)->stage, row->value_name);
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

/* What no process may ever do at run time, whatever the tables come to say; the opener opens, and has a
 * heap. */
Test(policy, run_policies_never_hold)
{
	enum { OPENERS = 3 };
	static const long never[] = {SYS_openat, SYS_openat2, SYS_mmap, SYS_open, SYS_socket, SYS_execve,
		SYS_execveat, SYS_fork, SYS_vfork, SYS_clone, SYS_clone3, SYS_ptrace,
		SYS_io_uring_setup, SYS_io_uring_enter, SYS_userfaultfd, SYS_bpf, SYS_mprotect,
		SYS_mount, SYS_unshare, SYS_setns, SYS_personality, SYS_memfd_create,
		SYS_process_vm_readv, SYS_process_vm_writev, SYS_kill, SYS_seccomp, SYS_prctl};

	for (const struct policy *const *p = policies; *p; p++) {
		if (strcmp((*p)->stage, "run") != 0 || (*p)->open)
			continue;
		for (unsigned i = *p == &policy_open_run ? OPENERS : 0; i < sizeof(never) / sizeof(never[0]); i++) {
			struct seccomp_data data = {.arch = AUDIT_ARCH_X86_64, .nr = (int)never[i]};

			cr_assert_eq(intent(*p, &data), SECCOMP_RET_KILL_PROCESS, "%s: call %ld",
				(*p)->process, never[i]);
		}
	}
}

/* Nor while it is being set up, but launcher and opener: what is open comes to it, and all that is started the launcher starts.
 * (The core makes threads, at set-up: clone, which gets no flag that makes a process.) */
Test(policy, nobody_opens_or_starts_anything)
{
	static const long never[] = {SYS_open, SYS_openat, SYS_openat2, SYS_creat, SYS_socket, SYS_connect,
		SYS_socketpair, SYS_execve, SYS_execveat, SYS_fork, SYS_vfork, SYS_ptrace, SYS_mount,
		SYS_unshare, SYS_setns, SYS_setresuid, SYS_capset, SYS_kill, SYS_pidfd_send_signal,
		SYS_inotify_add_watch, SYS_readlinkat, SYS_newfstatat, SYS_getdents64};

	for (const struct policy *const *p = policies; *p; p++) {
		const bool free = (*p)->open || *p == &policy_open_run;

		for (unsigned i = 0; i < sizeof(never) / sizeof(never[0]) && !free; i++) {
			struct seccomp_data data = {.arch = AUDIT_ARCH_X86_64, .nr = (int)never[i]};

			cr_expect_eq(intent(*p, &data), SECCOMP_RET_KILL_PROCESS, "%s %s: call %ld",
				(*p)->process, (*p)->stage, never[i]);
		}
	}
}

/* The launcher's is the one that allows what it does not name; and what it names nobody gets who is born
 * behind it: an error here, and the child's own filter kills. */
Test(policy, the_launchers_takes_away)
{
	static const long taken[] = {SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_kcmp,
		SYS_bpf, SYS_perf_event_open, SYS_userfaultfd, SYS_io_uring_setup, SYS_io_uring_enter,
		SYS_io_uring_register, SYS_keyctl, SYS_add_key, SYS_request_key, SYS_init_module,
		SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_kexec_file_load, SYS_reboot,
		SYS_open_by_handle_at, SYS_iopl, SYS_ioperm, SYS_modify_ldt, SYS_personality,
		SYS_settimeofday, SYS_clock_settime, SYS_vmsplice, SYS_move_pages};
	static const long its_own[] = {SYS_clone, SYS_clone3, SYS_execveat, SYS_openat, SYS_kill,
		SYS_wait4, SYS_setresuid, SYS_signalfd4};

	for (const struct policy *const *p = policies; *p; p++)
		cr_expect_eq((*p)->open, *p == &policy_launch_run, "%s %s", (*p)->process, (*p)->stage);
	for (unsigned i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		struct seccomp_data data = {.arch = AUDIT_ARCH_X86_64, .nr = (int)taken[i]};

		cr_expect_eq(intent(&policy_launch_run, &data), SECCOMP_RET_ERRNO | EPERM, "call %ld", taken[i]);
	}
	for (unsigned i = 0; i < sizeof(its_own) / sizeof(its_own[0]); i++) {
		struct seccomp_data data = {.arch = AUDIT_ARCH_X86_64, .nr = (int)its_own[i]};

		cr_expect_eq(intent(&policy_launch_run, &data), SECCOMP_RET_ALLOW, "call %ld", its_own[i]);
	}
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
