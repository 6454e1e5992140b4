/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a serial port's bytes go: a terminal, a pipe, or a file that may not grow for ever.
 *
 * Core process, whichever thread has the port's lock.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct serial_out {
	int fd;         /* borrowed, -1: drop */
	bool stalled;   /* nobody reads what we write: not waited for until somebody does */
	uint64_t limit; /* of a file; 0: none */
	uint64_t size;  /* of the file, as far as we know */
	bool full;      /* bytes are dropped */
	uint64_t dropped;
	int64_t looked_ms; /* at its size */
};

/* Of a file, before the guest runs: it never becomes larger by what the guest prints. */
void serial_out_limit(struct serial_out *out, uint64_t limit);
void serial_out_byte(struct serial_out *out, uint8_t byte);
