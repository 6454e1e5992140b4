/* SPDX-License-Identifier: Apache-2.0
 *
 * The operator's side of the serial port: what he types, to the UART. The terminal's modes are the
 * launcher's, who also says when it is ours to read.
 *
 * Core process, main thread.
 */
#pragma once

#include "vmm/platform/serial.h"

struct shutdown;

struct console {
	struct serial *serial;
	const struct shutdown *shutdown;
	int in;        /* what is read */
	bool terminal; /* it is one: raw, and Ctrl-A is ours */
	bool told;     /* whether it is ours, at least once */
	bool ours;     /* to read */
	bool prefixed; /* Ctrl-A was the last key */
	bool ended;    /* no more input: end of file */
	int fd;        /* for the event loop: in, or -1 */
};

void console_init(struct console *console, struct serial *serial, const struct shutdown *shutdown,
	int in, bool terminal);
/* The launcher's word. */
void console_is_ours(struct console *console, bool ours);

/* Events: console.fd is readable; serial.room_fd is. */
void console_ready(void *opaque);
void console_has_room(void *opaque);
