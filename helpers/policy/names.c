/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of policies, rows and calls. bulkhead-policy.
 *
 * Request numbers have names where some policy has a row for them.
 */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helpers/policy/tool.h"

int policy_by_name(const char *text, const char *stage, const struct policy **ret, struct err *err)
{
	size_t len = strcspn(text, ":");
	char known[300] = "";

	if (text[len] == ':')
		stage = text + len + 1;
	for (const struct policy *const *p = policies; *p; p++) {
		size_t used = strlen(known);

		if (strlen((*p)->process) == len && strncmp((*p)->process, text, len) == 0 &&
			strcmp((*p)->stage, stage) == 0) {
			*ret = *p;
			return 0;
		}
		snprintf(known + used, sizeof(known) - used, " %s:%s", (*p)->process, (*p)->stage);
	}
	return err_set(err, -ENOENT, BLAME_HOST, "%s: no policy has that name; there are%s", text,
		known);
}

const struct policy *policy_by_announcement(const uint64_t args[2])
{
	for (const struct policy *const *p = policies; *p; p++)
		if (strncmp((*p)->process, (const char *)&args[0], POLICY_NAME_BYTES) == 0 &&
			strncmp((*p)->stage, (const char *)&args[1], POLICY_NAME_BYTES) == 0)
			return *p;
	return NULL;
}

static bool covers(const struct policy_row *row, const struct call *call, int pid)
{
	return row->nr == call->nr && (row->arg < 0 ||
		(call->args[row->arg] & row->mask) == policy_row_value(row, pid));
}

const struct policy_row *row_of(const struct policy *policy, const struct call *call, int pid)
{
	for (unsigned i = 0; i < policy->n_rows; i++)
		if (covers(&policy->rows[i], call, pid))
			return &policy->rows[i];
	return NULL;
}

void row_text(const struct policy_row *row, char ret[static ROW_TEXT])
{
	if (row->arg < 0)
		snprintf(ret, ROW_TEXT, "%s", row->name);
	else if (row->nr == SYS_ioctl)
		snprintf(ret, ROW_TEXT, "ioctl 0x%llx %s", (unsigned long long)row->value,
			row->value_name);
	else
		snprintf(ret, ROW_TEXT, "%s arg%d %s", row->name, row->arg, row->value_name);
}

void call_name(int nr, char ret[static CALL_TEXT])
{
	char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, nr);

	if (name)
		snprintf(ret, CALL_TEXT, "%s", name);
	else
		snprintf(ret, CALL_TEXT, "call %d", nr);
	free(name);
}

/* Some policy's row of this call that looks at an argument; one that covers it if there is one. */
static const struct policy_row *kindred_row(const struct call *call, bool *ret_covered)
{
	const struct policy_row *found = NULL;

	*ret_covered = false;
	for (const struct policy *const *p = policies; *p; p++) {
		for (unsigned i = 0; i < (*p)->n_rows && !*ret_covered; i++) {
			const struct policy_row *row = &(*p)->rows[i];

			if (row->nr != call->nr || row->arg < 0 || row->own_pid)
				continue;
			found = row;
			*ret_covered = covers(row, call, 0);
		}
	}
	return found;
}

void row_for_call(const struct call *call, char ret[static CALL_TEXT], uint64_t *ret_key)
{
	bool covered;
	const struct policy_row *row = kindred_row(call, &covered);
	char name[CALL_TEXT], value[40];

	*ret_key = row ? call->args[row->arg] : 0;
	call_name(call->nr, name);
	if (!row) {
		snprintf(ret, CALL_TEXT, "ALLOW(%.40s, \"why\")", name);
		return;
	}
	snprintf(value, sizeof(value), "0x%llx", (unsigned long long)*ret_key);
	if (row->nr == SYS_ioctl) {
		*ret_key &= row->mask;
		snprintf(value, sizeof(value), "0x%llx", (unsigned long long)*ret_key);
		snprintf(ret, CALL_TEXT, "ALLOW_IOCTL(%s, \"why\")",
			covered ? row->value_name : value);
	} else if (covered && row->mask != ~0ull) {
		char mask[40] = "", wanted[40] = "";

		*ret_key = row->value;
		sscanf(row->value_name, "&%39[^=]==%39s", mask, wanted);
		snprintf(ret, CALL_TEXT, "ALLOW_MASKED(%s, %d, %s, %s, \"why\")", row->name,
			row->arg, mask, wanted);
	} else {
		snprintf(ret, CALL_TEXT, "ALLOW_IF(%s, %d, %s, \"why\")", row->name, row->arg,
			covered ? row->value_name : value);
	}
}
