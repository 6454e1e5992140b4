/* SPDX-License-Identifier: Apache-2.0
 *
 * The operator's signals, taken as events by the main thread.
 *
 * Core process. SIGTERM and SIGINT press the guest's power button, a second one ends the VM, SIGQUIT
 * does at once; SIGUSR1 prints the exit counts; SIGCONT looks whose the terminal is. SIGHUP does
 * nothing: what we write to is appended to, so there is nothing to open again. That the broker ended is
 * seen by its channel.
 */
#pragma once

#include "vmm/platform/console.h"

struct signals {
	const struct vm *vm;
	struct console *console;
	struct shutdown *shutdown;
	int fd; /* signalfd; low, as it is read (seccomp/policy.h, FD_FLOOR) */
};

/* Early: the descriptor. */
int signals_open(struct signals *signals, struct err *err);
/* With one thread: the threads to come inherit the mask. SIGPIPE and SIGXFSZ become errors of
 * write, and so do the stops of a terminal that is not ours (SIGTTIN, SIGTTOU). */
int signals_init(struct signals *signals, const struct vm *vm, struct console *console,
	struct shutdown *shutdown, struct err *err);

/* Event: signals.fd is readable. */
void signals_ready(void *opaque);
