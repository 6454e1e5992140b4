/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON (RFC 8259) by jansson, in a fixed piece of memory. bulkhead-api.
 *
 * Everything jansson allocates comes from one arena, and is gone with json_reset: nothing of it
 * lives longer than the call it was made for, nobody's request can take more than there is, and the
 * run policy needs no call that gets memory. References need not be counted down.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "ipc/err.h"

enum {
	JSON_ARENA = 16 << 20, /* several times what a body of 4 MiB takes that is worth anything */
	JSON_DEPTH = 128,
};

/* Before the first value. seed: of the hash tables, not to be guessed. */
void json_begin(size_t seed);
void json_reset(void);

/* The arena has not been enough since json_reset: what was built since is not to be relied on. */
bool json_exhausted(void);

/* One object or array, and nothing after it. NULL with what is wrong, where, in *err (-EINVAL). */
json_t *json_parse(const char *text, size_t len, struct err *err);

/* A text of our own, any value. NULL where the arena is not enough. */
json_t *json_known(const char *text);

/* On one line, ASCII. Its length, or -ENOSPC. */
int json_write(const json_t *value, char *to, size_t size);

/* A text as a JSON string, quotes and all: control characters and what is not ASCII become question
 * marks, so that no byte of a client's means anything to who reads it. Its length; it is cut to
 * size, and always ends with a quote and a 0. size: 3 or more. */
size_t json_quote(char *to, size_t size, const char *text);
