/* SPDX-License-Identifier: Apache-2.0
 *
 * The gate that vCPU threads stand at whenever the VM is to be still: before the first KVM_RUN, during
 * a reset, while paused, and at the end.
 *
 * Core process. Closed by any thread, opened by the main thread; vCPU threads look at it each time
 * KVM_RUN returns, and wait.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>

#include "ipc/fd.h"

enum gate_state {
	GATE_OPEN,
	GATE_CLOSED,
	GATE_HURRY, /* closed, and somebody is late: no helper is waited for on the way here */
};

struct gate {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	_Atomic int state; /* enum gate_state; only ever set by gate.c */
	_Atomic unsigned n_waiting;
	struct fd arrivals; /* eventfd */
};

/* Closed. 0 or -errno. */
int gate_init(struct gate *gate);

/* Any thread. Who closes it has yet to make vCPUs leave KVM_RUN. */
void gate_close(struct gate *gate);
bool gate_is_closed(const struct gate *gate);
bool gate_hurries(const struct gate *gate);

/* vCPU thread: returns when the gate is open. */
void gate_wait(struct gate *gate);

/* Main thread. */
void gate_open(struct gate *gate);
/* Closed: from now on those who are not here yet ask no helper any more. */
void gate_hurry(struct gate *gate);
/* All are here: what the main thread asks of helpers now holds nobody up. */
void gate_calm(struct gate *gate);
/* Waits until n threads stand at the gate, at most ms milliseconds of our own time: while we are
 * stopped or frozen, so are they. */
bool gate_wait_for(struct gate *gate, unsigned n, int ms);
