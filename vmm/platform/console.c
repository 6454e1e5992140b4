/* SPDX-License-Identifier: Apache-2.0
 *
 * The keyboard. Core process, main thread. Ctrl-A is the escape key, as in QEMU: x ends the VM, Ctrl-A
 * sends itself.
 */
#include "vmm/platform/console.h"

#include <errno.h>
#include <unistd.h>

#include "vmm/platform/events.h"
#include "vmm/shutdown.h"

enum { KEY_PREFIX = 0x01 /* Ctrl-A */ };

/* A terminal is always read, and what there is no room for dropped, so that Ctrl-A x works with a guest
 * that reads nothing; a pipe waits. */
static void look(struct console *console)
{
	bool room = console->terminal || serial_room(console->serial) > 0;

	console->fd = console->ours && !console->ended && room ? console->in : -1;
}

void console_init(struct console *console, struct serial *serial, const struct shutdown *shutdown,
	int in, bool terminal)
{
	*console = (struct console){.serial = serial, .shutdown = shutdown, .in = in,
		.terminal = terminal, .fd = -1};
}

void console_is_ours(struct console *console, bool ours)
{
	if (!console->serial)
		return;
	console->told = true;
	console->ours = ours;
	look(console);
}

/* True: the key goes to the guest. */
static bool take_key(struct console *console, uint8_t key)
{
	bool prefixed = console->prefixed;

	console->prefixed = !prefixed && key == KEY_PREFIX;
	if (!prefixed)
		return key != KEY_PREFIX;
	if (key == 'x' || key == 'X')
		shutdown_now(console->shutdown, "console: Ctrl-A x");
	return key == KEY_PREFIX;
}

void console_ready(void *opaque)
{
	struct console *console = opaque;
	uint8_t keys[SERIAL_FIFO];
	size_t room = console->terminal ? sizeof(keys) : serial_room(console->serial);
	ssize_t n = room > 0 ? read(console->in, keys, room) : -1;

	if (n < 0 && room > 0 && errno == EIO && console->terminal)
		console->ours = false; /* it is another job's; the launcher will say */
	else if (n == 0 || (n < 0 && room > 0 && errno != EINTR && errno != EAGAIN))
		console->ended = true;
	for (ssize_t i = 0; i < n; i++) {
		if (!console->terminal || take_key(console, keys[i]))
			serial_input(console->serial, &keys[i], 1);
	}
	/* Room made since then has been signalled, and is found by the next wait. */
	look(console);
}

void console_has_room(void *opaque)
{
	struct console *console = opaque;

	event_clear(console->serial->room_fd);
	look(console);
}
