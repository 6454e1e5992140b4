/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tracer counted: calls a policy would have killed, and how often each row was used.
 * bulkhead-policy. Tables of fixed size; what no longer fits is counted in one line.
 */
#include <stdio.h>
#include <string.h>

#include "helpers/policy/tool.h"
#include "ipc/log.h"

enum { POLICIES_MAX = 32, ROWS_MAX = 256, CALLS_MAX = 512 };

struct entry {
	const struct policy *policy;
	int nr;
	uint64_t key;
	unsigned long times;
	char row[CALL_TEXT];
};

struct use {
	unsigned long times;
	uint64_t first[6]; /* the first call's arguments */
	bool varies[6];    /* a later call had another value there */
};

static struct {
	unsigned long entered[POLICIES_MAX];
	struct use used[POLICIES_MAX][ROWS_MAX];
	struct entry calls[CALLS_MAX];
	unsigned n_calls;
	unsigned long more;
} tally;

static unsigned index_of(const struct policy *policy)
{
	unsigned i = 0;

	while (i < POLICIES_MAX - 1 && policies[i] != policy)
		i++;
	return i;
}

void report_entered(const struct policy *policy)
{
	tally.entered[index_of(policy)]++;
}

void report_forbidden(const struct policy *policy, const struct call *call)
{
	struct entry seen = {.policy = policy, .nr = call->nr, .times = 1};

	row_for_call(call, seen.row, &seen.key);
	for (unsigned i = 0; i < tally.n_calls; i++) {
		struct entry *e = &tally.calls[i];

		if (e->policy == policy && e->nr == seen.nr && e->key == seen.key) {
			e->times++;
			return;
		}
	}
	if (tally.n_calls < CALLS_MAX)
		tally.calls[tally.n_calls++] = seen;
	else
		tally.more++;
}

void report_used(const struct policy *policy, const struct policy_row *row, const struct call *call)
{
	struct use *use;

	if (row - policy->rows >= ROWS_MAX)
		return;
	use = &tally.used[index_of(policy)][row - policy->rows];
	if (use->times++ == 0)
		memcpy(use->first, call->args, sizeof(use->first));
	for (unsigned i = 0; i < 6; i++)
		use->varies[i] |= call->args[i] != use->first[i];
}

static void print_calls(const struct policy *policy, unsigned long entered)
{
	unsigned kinds = 0;

	for (unsigned i = 0; i < tally.n_calls; i++)
		kinds += tally.calls[i].policy == policy;
	log_line(LOG_SAY, "%s (%s), entered %lu times: %u kinds of calls would have been killed",
		policy->process, policy->stage, entered, kinds);
	for (unsigned i = 0; i < tally.n_calls; i++) {
		const struct entry *e = &tally.calls[i];
		char name[CALL_TEXT];

		if (e->policy != policy)
			continue;
		call_name(e->nr, name);
		log_line(LOG_SAY, "%s (%s): %s would have been killed, %lu times; its row: %s",
			policy->process, policy->stage, name, e->times, e->row);
	}
}

/* With the arguments that had one value in all calls: a row that lets any pass may be too broad.
 * Six are shown where the call takes less; what is left in a register says nothing. */
static void print_row(const struct policy *policy, const struct policy_row *row,
	const struct use *use)
{
	char what[ROW_TEXT], always[200] = "";

	for (unsigned i = 0; i < 6 && use->times > 0; i++) {
		size_t used = strlen(always);

		if (!use->varies[i] && (int)i != row->arg)
			snprintf(always + used, sizeof(always) - used, "%s arg%u %#llx",
				used ? "" : "; always", i, (unsigned long long)use->first[i]);
	}
	row_text(row, what);
	log_line(LOG_SAY, "%s (%s): row used %lu times: %s%s", policy->process, policy->stage,
		use->times, what, always);
}

void report_print(bool rows)
{
	for (unsigned i = 0; i < POLICIES_MAX && policies[i]; i++) {
		if (!tally.entered[i])
			continue;
		print_calls(policies[i], tally.entered[i]);
		for (unsigned k = 0; rows && k < policies[i]->n_rows && k < ROWS_MAX; k++)
			print_row(policies[i], &policies[i]->rows[k], &tally.used[i][k]);
	}
	if (tally.more)
		log_line(LOG_SAY, "and %lu calls of further kinds", tally.more);
}
