/* SPDX-License-Identifier: Apache-2.0
 *
 * What the fuzz targets share: a cursor over the input, and claims that hold for every input.
 *
 * A target is one LLVMFuzzerTestOneInput. Most read their input as a sequence of operations, so
 * that a mutation is one operation more, less or different. An input that has ended reads as zeros.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Both libFuzzer's main and standalone.c call it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A claim about the code under test; false is a finding. */
#define require(claim)                                                                             \
	do {                                                                                       \
		if (!(claim)) {                                                                    \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #claim);        \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

struct input {
	const uint8_t *at, *end;
};

static inline struct input input_of(const uint8_t *data, size_t size)
{
	return (struct input){data, data + size};
}

static inline bool input_left(const struct input *in)
{
	return in->at < in->end;
}

/* size bytes, 1 to 8, little endian. */
static inline uint64_t take(struct input *in, unsigned size)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < size && input_left(in); i++)
		value |= (uint64_t)*in->at++ << 8 * i;
	return value;
}

/* A number of any magnitude in few bytes: powers of two, one less than those, small ones, or four
 * bytes as they are. */
static inline uint64_t take_number(struct input *in)
{
	unsigned code = (unsigned)take(in, 1);

	if (code < 64)
		return 1ull << code;
	if (code < 128)
		return (1ull << (code - 64)) - 1;
	return code < 192 ? code - 128 : take(in, 4);
}

/* The next len bytes, or as many as there are. */
static inline struct input take_bytes(struct input *in, size_t len)
{
	size_t left = (size_t)(in->end - in->at);
	struct input bytes = {in->at, in->at + (len < left ? len : left)};

	in->at = bytes.end;
	return bytes;
}
