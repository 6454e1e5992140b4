/* SPDX-License-Identifier: Apache-2.0
 *
 * What a policy's rows mean, said a second time and without libseccomp: what the filter, in the
 * interpreter (test_policy.c) and in the kernel (test_policy_live.c), is compared with.
 */
#pragma once

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <unistd.h>

#include "seccomp/policy.h"

enum { X32 = 0x40000000, LAST_CALL = 600 }; /* __X32_SYSCALL_BIT; beyond the kernel's table */

/* A SECCOMP_RET_ value. */
static inline uint32_t intent(const struct policy *policy, const struct seccomp_data *data)
{
	if (data->arch != AUDIT_ARCH_X86_64 || data->nr >= X32)
		return SECCOMP_RET_KILL_PROCESS;
	for (unsigned i = 0; i < policy->n_rows; i++) {
		const struct policy_row *row = &policy->rows[i];

		if (row->nr != data->nr)
			continue;
		if (row->deny_errno)
			return SECCOMP_RET_ERRNO | (uint32_t)row->deny_errno;
		if (row->arg < 0 ||
			(data->args[row->arg] & row->mask) == policy_row_value(row, getpid()))
			return SECCOMP_RET_ALLOW;
	}
	return policy->open ? SECCOMP_RET_ALLOW : SECCOMP_RET_KILL_PROCESS;
}
