/* SPDX-License-Identifier: Apache-2.0
 *
 * What went wrong, who is to blame, and one sentence for the person at the keyboard.
 *
 * Blame decides the reaction: host, report and refuse; guest, the guest's device sees an error;
 * peer, that helper is cut off; bug, ours: the operation ends and the log asks for a report.
 */
#pragma once

#include <stdint.h>

enum blame { BLAME_HOST, BLAME_GUEST, BLAME_PEER, BLAME_BUG };

struct err {
	int code; /* negative errno */
	enum blame blame;
	char msg[400]; /* names the thing, the cause and the next step; no newline */
};

/* Fills *err (when err is not NULL) and returns code, so that `return err_set(...)` reads well. */
int err_set(struct err *err, int code, enum blame blame, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Puts "prefix: " before what *err already says. Returns err->code. */
int err_prefix(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
