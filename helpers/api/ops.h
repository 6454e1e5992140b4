/* SPDX-License-Identifier: Apache-2.0
 *
 * What each call does. bulkhead-api.
 *
 * A call is begun when its turn has come: it answers, or asks the opener or the core. When the answer
 * is there it answers, asks again, or waits for something to happen to the VM. Nothing blocks.
 */
#pragma once

#include <stdbool.h>

#include "helpers/api/link.h"

enum { INFO_WAIT_MS = 200, INFO_SURE_MS = 900, INFO_EVERY_MS = 100, PLUG_WAIT_MS = 60000, BOOT_WAIT_MS = 4000000 };

struct op {
	struct link *link; /* begun only while that is free; NULL: always */
	/* 0: answered, or on its way. -EBUSY: not yet. Another: the call has failed. */
	int (*begin)(struct conn *conn, struct err *err);
	/* What it asked was answered, other than by Refused. NULL: 204. */
	void (*answered)(struct conn *conn, const struct msg *msg);
	/* Refused, and it does not matter; NULL: the call has failed. */
	bool (*refused)(struct conn *conn, int code);
	/* Has what it waits for happened? Answers if so. */
	void (*look)(struct conn *conn);
	/* The wait has been too long. NULL: the call has failed. */
	void (*late)(struct conn *conn);
};

extern const struct op ops[];

/* A client has ended everything: answers go out, then we end. */
extern bool ops_quit;
