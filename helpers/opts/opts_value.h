/* SPDX-License-Identifier: Apache-2.0
 *
 * Values on the command line. Each function returns 0, or -EINVAL with a message that begins with
 * what: the option, or option and key.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "helpers/opts/opts.h"

#define refuse(err, ...) err_set(err, -EINVAL, BLAME_HOST, __VA_ARGS__)

enum { TEXT_MAX = 4096 };

/* A key a list knows; an array of them ends with one without a name. */
struct key {
	const char *name;
	bool needed;
	char value[TEXT_MAX]; /* filled in; "" when it was not given */
};

/* Digits and one of K, M, G, T; in bytes, not 0. */
int parse_size(const char *what, const char *value, uint64_t *ret, struct err *err);
/* From min to max. */
int parse_number(const char *what, const char *value, unsigned min, unsigned max, unsigned *ret,
	struct err *err);
/* From 1 to max. */
int parse_count(const char *what, const char *value, unsigned max, unsigned *ret, struct err *err);
/* on, true, off, false */
int parse_switch(const char *what, const char *value, bool *ret, struct err *err);
/* "[0,2-3]" or "1": a bit for each number from 0 to max, max < 32. */
int parse_set(const char *what, const char *value, unsigned max, unsigned *ret, struct err *err);
/* A UUID, which is a secret: no message has it. */
int parse_uuid(const char *what, const char *value, uint8_t ret[static 16], struct err *err);
int parse_id(const char *what, const char *value, char ret[static ID_MAX], struct err *err);
/* "a=1,b=[2,3]" into the values of keys. */
int parse_keys(const char *option, const char *text, struct key *keys, struct err *err);
