/* SPDX-License-Identifier: Apache-2.0
 *
 * From a policy table to a filter in the kernel, by libseccomp.
 *
 * Every process but the opener, at the ends of set-up and, in the core, every thread. A filter once
 * loaded stays; a second one can only take more away. Entries by another ABI (i386, x32) are killed as
 * well.
 */
#include <errno.h>
#include <seccomp.h>
#include <string.h>
#include <unistd.h>

#include "ipc/log.h"
#include "seccomp/layers.h"
#include "seccomp/policy.h"

static const char *const mode_names[] = {
	[SECCOMP_MODE_KILL] = "true", [SECCOMP_MODE_LOG] = "log", [SECCOMP_MODE_OFF] = "false"};

int policy_mode_parse(const char *text, enum seccomp_mode *ret)
{
	for (unsigned i = SECCOMP_MODE_KILL; i <= SECCOMP_MODE_OFF; i++) {
		if (strcmp(text, mode_names[i]) == 0) {
			*ret = (enum seccomp_mode)i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *policy_mode_name(enum seccomp_mode mode)
{
	return mode_names[mode];
}

uint64_t policy_row_value(const struct policy_row *row, int pid)
{
	return !row->own_pid ? row->value : (uint64_t)(pid ? pid : getpid());
}

static int add_row(scmp_filter_ctx ctx, const struct policy_row *row, uint32_t allow, int pid)
{
	uint32_t action = row->deny_errno ? SCMP_ACT_ERRNO(row->deny_errno) : allow;
	struct scmp_arg_cmp cmp = {.arg = (unsigned)row->arg};

	if (row->arg < 0)
		return seccomp_rule_add_exact(ctx, action, row->nr, 0);
	if (row->mask == ~0ull) {
		cmp.op = SCMP_CMP_EQ;
		cmp.datum_a = policy_row_value(row, pid);
	} else {
		cmp.op = SCMP_CMP_MASKED_EQ;
		cmp.datum_a = row->mask;
		cmp.datum_b = row->value;
	}
	return seccomp_rule_add_exact_array(ctx, action, row->nr, 1, &cmp);
}

int policy_build(const struct policy *policy, uint32_t allow, uint32_t other, int pid,
	scmp_filter_ctx *ret)
{
	scmp_filter_ctx ctx = seccomp_init(policy->open ? SCMP_ACT_ALLOW : other);
	int r;

	if (!ctx)
		return -ENOMEM;
	r = seccomp_attr_set(ctx, SCMP_FLTATR_API_SYSRAWRC, 1);
	if (r == 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (r == 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, 0);
	for (unsigned i = 0; i < policy->n_rows && r == 0; i++)
		r = add_row(ctx, &policy->rows[i], allow, pid);
	if (r < 0) {
		seccomp_release(ctx);
		return r;
	}
	*ret = ctx;
	return 0;
}

static void announce(const struct policy *policy)
{
	uint64_t name[2] = {0};

	memcpy(&name[0], policy->process, strnlen(policy->process, POLICY_NAME_BYTES));
	memcpy(&name[1], policy->stage, strnlen(policy->stage, POLICY_NAME_BYTES));
	syscall(POLICY_ANNOUNCE, name[0], name[1]);
}

static int load(const struct policy *policy, bool log, bool all_threads)
{
	uint32_t other = log ? SCMP_ACT_TRACE(0) : SCMP_ACT_KILL_PROCESS;
	uint32_t allow = log && log_enabled(LOG_DEBUG) ? SCMP_ACT_TRACE(1) : SCMP_ACT_ALLOW;
	scmp_filter_ctx ctx;
	int r = policy_build(policy, allow, other, 0, &ctx);

	if (r < 0)
		return r;
	r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, all_threads);
	if (r == 0)
		r = seccomp_load(ctx);
	if (r == 0 && log)
		announce(policy);
	seccomp_release(ctx);
	return r;
}

int policy_enter(const struct policy *policy, enum seccomp_mode mode, bool all_threads,
	struct err *err)
{
	int r;

#ifdef BULKHEAD_SANITIZER
	mode = SECCOMP_MODE_OFF; /* the sanitizer's own calls are on no list */
#endif
	if (mode == SECCOMP_MODE_OFF) {
		log_warn("seccomp: OFF for %s (%s): its system calls are NOT confined",
			policy->process, policy->stage);
		return 0;
	}
	if (mode == SECCOMP_MODE_LOG)
		log_warn("seccomp: LOG ONLY for %s (%s): nothing is stopped, a report follows at "
			"the end", policy->process, policy->stage);
	/* What that would refuse nobody's list has: it is their reports. */
	if (mode == SECCOMP_MODE_LOG && policy->open)
		return 0;
	r = load(policy, mode == SECCOMP_MODE_LOG, all_threads);
	if (r < 0)
		return layer_missing(LAYER_SECCOMP, r, err, "loading %s (%s): %s", policy->process,
			policy->stage, strerror(-r));
	layer_holds(LAYER_SECCOMP, "%s, %s policy, %u rules", policy->process, policy->stage,
		policy->n_rows);
	return 0;
}
