/* SPDX-License-Identifier: Apache-2.0
 *
 * The operator's side of the serial port: standard input to the UART, the terminal raw meanwhile.
 *
 * Core process, main thread; console_restore by anyone at any moment, a signal handler included.
 */
#pragma once

#include "vmm/platform/serial.h"

struct shutdown;

struct console {
	struct serial *serial;
	const struct shutdown *shutdown;
	bool terminal; /* input is one: it is raw, and Ctrl-A is ours */
	bool prefixed; /* Ctrl-A was the last key */
	bool ended;    /* no more input: end of file */
	int fd;        /* for the event loop: -1 while the UART has no room, or the terminal is not
	                * ours */
};

/* Makes a terminal raw, if and while we are in its foreground. From now on every end of the process
 * that it can notice puts it back: exit, signals that end it (signals.h), a fault of the main thread.
 * SIGKILL and a breach of the system call policy leave it to the shell. */
void console_init(struct console *console, struct serial *serial, const struct shutdown *shutdown);

/* Events: console.fd is readable; serial.room_fd is. */
void console_ready(void *opaque);
void console_has_room(void *opaque);

/* SIGCONT, or it is time: if the terminal is ours it is made raw, the shell may have had it in between.
 * In so many ms it is time to look again, -1: it is not. */
void console_look(struct console *console);
int console_look_in_ms(const struct console *console);
void console_restore(void);
