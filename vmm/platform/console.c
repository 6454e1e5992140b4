/* SPDX-License-Identifier: Apache-2.0
 *
 * Terminal modes and the keyboard.
 *
 * Core process, main thread. How the terminal was is kept in a static: a signal handler has no other
 * place to find it. The ioctls are called as they are: tcsetattr(3) is two of them, of which the run
 * policy has one. Ctrl-A is the escape key, as in QEMU: x ends the VM, Ctrl-A sends itself.
 *
 * A terminal is the foreground process group's. In the background we neither read it nor set it, which
 * would stop us (SIGTTIN and SIGTTOU, which signals.c blocks all the same), and look every second
 * whether it is ours again: a shell's fg does not tell a job that was running.
 */
#include "vmm/platform/console.h"

#include <asm/termbits.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/platform/events.h"
#include "vmm/shutdown.h"

enum { KEY_PREFIX = 0x01 /* Ctrl-A */, LOOK_MS = 1000 };

static struct termios before;
static volatile sig_atomic_t is_raw;
static pid_t self, group;

/* One that is not our controlling terminal (ENOTTY) is nobody's to take away. */
static bool is_ours(void)
{
	pid_t foreground = 0;

	return ioctl(STDIN_FILENO, TIOCGPGRP, &foreground) < 0 || foreground == group;
}

static void set_raw(void)
{
	struct termios raw = before;

	raw.c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
	raw.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | IEXTEN | ISIG);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	is_raw = 1;
	ioctl(STDIN_FILENO, TCSETS, &raw);
}

void console_restore(void)
{
	if (is_raw && is_ours())
		ioctl(STDIN_FILENO, TCSETS, &before);
	is_raw = 0;
}

/* A fault of our own, but for SIGBUS, which kvm/mce.c has. Installed with SA_RESETHAND: the signal sent
 * here is the end of the process as soon as this returns. */
static void on_fatal(int signal)
{
	console_restore();
	syscall(SYS_tgkill, self, self, signal);
}

static void watch_fatal_signals(void)
{
	static const int fatal[] = {SIGSEGV, SIGILL, SIGFPE, SIGABRT};
	struct sigaction action = {.sa_handler = on_fatal, .sa_flags = (int)SA_RESETHAND};

	for (unsigned i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
		sigaction(fatal[i], &action, NULL);
	atexit(console_restore);
}

void console_init(struct console *console, struct serial *serial, const struct shutdown *shutdown)
{
	*console = (struct console){.serial = serial, .shutdown = shutdown, .fd = STDIN_FILENO};
	if (ioctl(STDIN_FILENO, TCGETS, &before) < 0)
		return;
	console->terminal = true;
	self = getpid();
	group = getpgrp();
	watch_fatal_signals();
	console_look(console);
}

void console_look(struct console *console)
{
	if (!console->terminal)
		return;
	if (is_ours())
		set_raw();
	else
		is_raw = 0; /* who has it now has made it his */
	console->fd = is_raw && !console->ended ? STDIN_FILENO : -1;
}

int console_look_in_ms(const struct console *console)
{
	return console->terminal && !is_raw ? LOOK_MS : -1;
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
	/* Keys are always read, and dropped when there is no room, so that Ctrl-A x works with a guest
	 * that reads none; a pipe waits. */
	size_t room = console->terminal ? sizeof(keys) : serial_room(console->serial);
	ssize_t n;

	if (console->terminal && !is_ours()) {
		console_look(console);
		return;
	}
	n = room > 0 ? read(STDIN_FILENO, keys, room) : -1;
	if (n == 0 || (n < 0 && room > 0 && errno != EINTR && errno != EAGAIN))
		console->ended = true;
	for (ssize_t i = 0; i < n; i++) {
		if (!console->terminal || take_key(console, keys[i]))
			serial_input(console->serial, &keys[i], 1);
	}
	/* Room made since then has been signalled, and is found by the next wait. */
	if (console->ended || (!console->terminal && serial_room(console->serial) == 0))
		console->fd = -1;
}

void console_has_room(void *opaque)
{
	struct console *console = opaque;

	event_clear(console->serial->room_fd);
	console->fd = console->ended ? -1 : STDIN_FILENO;
}
