/* SPDX-License-Identifier: Apache-2.0
 *
 * Terminal modes and the keyboard.
 *
 * Core process, main thread. How the terminal was is kept in a static: a signal handler has no other
 * place to find it. The ioctls are called as they are: tcsetattr(3) is two of them, of which the run
 * policy has one. Ctrl-A is the escape key, as in QEMU: x ends the VM, Ctrl-A sends itself.
 */
#include "vmm/platform/console.h"

#include <asm/termbits.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ipc/log.h"
#include "vmm/platform/events.h"

enum { KEY_PREFIX = 0x01 /* Ctrl-A */ };

static struct termios before;
static volatile sig_atomic_t is_raw;
static pid_t self;

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
	if (is_raw)
		ioctl(STDIN_FILENO, TCSETS, &before);
	is_raw = 0;
}

/* A fault of our own, but for SIGBUS, which kvm/mce.c has. Installed with SA_RESETHAND: the signal sent here is the end of the process
 * as soon as this returns. */
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

void console_init(struct console *console, struct vm *vm, struct serial *serial)
{
	*console = (struct console){.vm = vm, .serial = serial, .fd = STDIN_FILENO};
	if (ioctl(STDIN_FILENO, TCGETS, &before) < 0)
		return;
	console->terminal = true;
	self = getpid();
	watch_fatal_signals();
	set_raw();
}

void console_continued(struct console *console)
{
	if (console->terminal)
		set_raw();
}

/* True: the key goes to the guest. */
static bool take_key(struct console *console, uint8_t key)
{
	bool prefixed = console->prefixed;

	console->prefixed = !prefixed && key == KEY_PREFIX;
	if (!prefixed)
		return key != KEY_PREFIX;
	if (key == 'x' || key == 'X') {
		log_info("console: Ctrl-A x: the VM ends");
		vm_ask(console->vm, VM_POWEROFF);
	}
	return key == KEY_PREFIX;
}

void console_ready(void *opaque)
{
	struct console *console = opaque;
	uint8_t keys[SERIAL_FIFO];
	/* Keys are always read, and dropped when there is no room, so that Ctrl-A x works with a guest
	 * that reads none; a pipe waits. */
	size_t room = console->terminal ? sizeof(keys) : serial_room(console->serial);
	ssize_t n = room > 0 ? read(STDIN_FILENO, keys, room) : -1;

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
