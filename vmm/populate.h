/* SPDX-License-Identifier: Apache-2.0
 *
 * Guest RAM made resident by several threads at once, ahead of the broker, which pins it for DMA in
 * one: faulting in and zeroing is most of the time that takes.
 *
 * Core process, set-up. Threads of its own, which are gone before the first vCPU's.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/ram.h"

enum { POPULATE_THREADS = 8 };

struct populate {
	uint8_t *host;
	uint64_t size;
	_Atomic uint64_t next; /* from the front, as the broker goes */
	atomic_bool stop;
	int64_t began_ms;
	_Atomic int64_t ended_ms; /* the last thread to end */
	unsigned n;
	pthread_t threads[POPULATE_THREADS];
};

/* As many threads as this process has processors, at most POPULATE_THREADS; none at all is no
 * error, only slower. */
void populate_start(struct populate *populate, const struct ram *ram);

/* Waits until all is resident, and logs how long it took; soon, when `stop` (the rest is given up). */
void populate_end(struct populate *populate, bool stop);
