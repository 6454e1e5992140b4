/* SPDX-License-Identifier: Apache-2.0
 *
 * The operator's side of the serial port: standard input to the UART, the terminal raw meanwhile.
 *
 * Core process, main thread; console_restore by anyone at any moment, a signal handler included.
 */
#pragma once

#include "vmm/platform/serial.h"
#include "vmm/kvm/vm.h"

struct console {
	struct vm *vm;
	struct serial *serial;
	bool terminal; /* input is one: it is raw, and Ctrl-A is ours */
	bool prefixed; /* Ctrl-A was the last key */
	bool ended;    /* no more input: end of file */
	int fd;        /* for the event loop: -1 while the UART has no room */
};

/* Makes a terminal raw; one we are in the background of stops us, as it does any program that wants
 * it. From now on every end of the process that it can notice puts it back: exit, signals that end
 * it (signals.h), a fault of the main thread. SIGKILL and a breach of the system call policy leave
 * it to the shell. */
void console_init(struct console *console, struct vm *vm, struct serial *serial);

/* Events: console.fd is readable; serial.room_fd is. */
void console_ready(void *opaque);
void console_has_room(void *opaque);

/* SIGCONT: raw again, the shell had it in between. */
void console_continued(struct console *console);
void console_restore(void);
