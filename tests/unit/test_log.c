/* SPDX-License-Identifier: Apache-2.0
 *
 * Log lines: whole, prefixed, rationed, and never waited for.
 *
 * links:
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "ipc/frame.h"
#include "ipc/log.h"

static int ends[2];

static void setup(void)
{
	cr_assert_eq(pipe(ends), 0);
	log_init("bulkhead", LOG_WARN, ends[1]);
}

TestSuite(log, .init = setup, .timeout = 20);

Test(log, a_line_has_prefix_and_level)
{
	char text[100] = "";

	log_error("%s is gone", "it");
	log_info("not at this level");
	cr_assert_gt(read(ends[0], text, sizeof(text) - 1), 0);
	cr_assert_str_eq(text, "bulkhead: error: it is gone\n");
}

/* A reader that stopped reading: lines are lost, nobody sleeps. The pipe is a blocking one. */
Test(log, a_full_pipe_is_not_waited_for)
{
	int64_t began = now_ms();

	for (unsigned i = 0; i < 10000; i++)
		log_error("line %u of a flood that nobody reads", i);
	cr_assert_lt(now_ms() - began, 5000);
}

Test(log, a_budget_runs_out_and_counts)
{
	struct log_budget budget = {.burst = 3};
	unsigned allowed = 0;

	for (unsigned i = 0; i < 100; i++)
		allowed += log_allowed(&budget);
	cr_assert(allowed >= 3 && allowed <= 5, "%u", allowed);
	cr_assert_eq(budget.dropped, 100 - allowed);
}
