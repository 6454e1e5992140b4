/* SPDX-License-Identifier: Apache-2.0
 *
 * The operator wants the VM to end: the guest is asked by its power button, and cut off when it does not
 * listen, takes too long, or is not to be asked.
 *
 * Core process, main thread.
 */
#pragma once

#include "vmm/platform/platform.h"

struct shutdown {
	struct vm *vm;
	struct platform *platform;
	unsigned timeout_s;
	bool asked;
	int64_t cut_off_at; /* now_ms(), once asked */
};

/* timeout_s 0: the guest is never asked. */
void shutdown_init(struct shutdown *shutdown, struct vm *vm, struct platform *platform,
	unsigned timeout_s);

/* Presses the power button; a second time: cuts the guest off. why: what it was, for the log. */
void shutdown_ask(struct shutdown *shutdown, const char *why);
void shutdown_now(const struct shutdown *shutdown, const char *why);

/* In how many ms shutdown_tick has something to do, -1: in none. */
int shutdown_left_ms(const struct shutdown *shutdown);
void shutdown_tick(const struct shutdown *shutdown);
