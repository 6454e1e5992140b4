/* SPDX-License-Identifier: Apache-2.0
 *
 * The operator's signals, taken as events by the main thread.
 *
 * Core process. SIGTERM, SIGINT, SIGHUP and SIGQUIT end the VM; SIGUSR1 prints the exit counts;
 * SIGCONT makes the terminal raw again. That the broker ended is seen by its channel.
 */
#pragma once

#include "vmm/platform/console.h"

struct signals {
	struct vm *vm;
	struct console *console;
	int fd; /* signalfd */
};

/* With one thread: the threads to come inherit the mask. SIGPIPE and SIGXFSZ become errors of
 * write. */
int signals_init(struct signals *signals, struct vm *vm, struct console *console, struct err *err);

/* Event: signals.fd is readable. */
void signals_ready(void *opaque);
