/* SPDX-License-Identifier: Apache-2.0
 *
 * Policies as tables for people: `bulkhead seccomp show` and seccomp/POLICY.txt. bulkhead-policy.
 */
#include <stdio.h>
#include <string.h>

#include "helpers/policy/tool.h"

/* How many system calls, and how many ioctl requests, the policy allows. */
static void count(const struct policy *policy, unsigned *ret_calls, unsigned *ret_ioctls)
{
	unsigned calls = 0, ioctls = 0;

	for (unsigned i = 0; i < policy->n_rows; i++) {
		const struct policy_row *row = &policy->rows[i];
		unsigned before = 0;

		if (row->deny_errno)
			continue;
		ioctls += row->nr == SYS_ioctl;
		for (unsigned j = 0; j < i; j++)
			before += policy->rows[j].nr == row->nr && !policy->rows[j].deny_errno;
		calls += before == 0;
	}
	*ret_calls = calls;
	*ret_ioctls = ioctls;
}

void show_policy(const struct policy *policy)
{
	unsigned calls, ioctls;

	count(policy, &calls, &ioctls);
	if (policy->open)
		printf("\n%s, %s: every system call but %u\n", policy->process, policy->stage,
			policy->n_rows);
	else
		printf("\n%s, %s: %u system calls, %u ioctl requests\n", policy->process,
			policy->stage, calls, ioctls);
	for (unsigned i = 0; i < policy->n_rows; i++) {
		const struct policy_row *row = &policy->rows[i];
		const char *error = row->deny_errno ? strerrorname_np(row->deny_errno) : NULL;
		char what[ROW_TEXT];

		row_text(row, what);
		printf("  %-44s %-6s  %s\n", what, error ? error : "allow", row->why);
	}
}

void show_all(void)
{
	printf("What each bulkhead process may ask of the kernel: call and argument, what becomes "
	       "of it, why.\nEverything else kills the process (SECCOMP_RET_KILL_PROCESS). The "
	       "launcher's list is of what\nneither it nor its children, but for the opener, may; all else it may.\n"
	       "seccomp/POLICY.txt is this list: `make policy` writes it from seccomp/*.c, `make "
	       "check` fails\nwhen it is stale.\n");
	for (const struct policy *const *p = policies; *p; p++)
		show_policy(*p);
}
