/* SPDX-License-Identifier: Apache-2.0
 *
 * `bulkhead ctl`: the control API for people. bulkhead-ctl, one thread; it runs beside a VM, with the
 * rights of who started it, and waits for as long as the call takes.
 */
#pragma once

#include <stddef.h>

#include "ipc/err.h"

enum { REPLY_MAX = 1 << 20 };

struct reply {
	int status;
	char body[REPLY_MAX];
	size_t len;
};

/* Sends one request on a connection of its own and reads its answer. 0 or -errno with *err. */
int ask(const char *socket, const char *method, const char *call, const char *body, size_t len,
	struct reply *ret, struct err *err);

/* An answer for people; an error's words on one line. */
void show(const char *call, const struct reply *reply);
void words_of(const struct reply *reply, char *to, size_t size);
