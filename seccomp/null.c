/* SPDX-License-Identifier: Apache-2.0
 *
 * What the null helper may call. Loaded by helper_run.
 */
#include "seccomp/rows.h"

static const struct policy_row setup[] = {
	ROWS_WIRE, ALLOW(write, "log_line, the core's eventfds"),
	ROWS_NEXT_FILTER,
	ROW_KIND_ANON,
};

static const struct policy_row run[] = {
	ROWS_WIRE, ALLOW(write, "log_line, the core's eventfds"),
	ROW_KIND_ANON,
};

const struct policy policy_null_setup = POLICY("null", "setup", setup);
const struct policy policy_null_run = POLICY("null", "run", run);
