/* SPDX-License-Identifier: Apache-2.0
 *
 * Terminal modes. Launcher process.
 *
 * How the terminal was is kept in a static: a signal handler has no other place to find it.
 *
 * A terminal is the foreground process group's. In the background we do not set it, which would stop us
 * (SIGTTOU, which main.c blocks all the same), and look every second whether it is ours again: a
 * shell's fg does not tell a job that was running.
 */
#include "helpers/launch/terminal.h"

#include <asm/termbits.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { LOOK_MS = 1000 };

static struct termios before;
static volatile sig_atomic_t is_raw;
static bool is_terminal, told, told_ours;
static void (*tell)(void *opaque, bool ours);
static void *tell_opaque;

/* One that is not our controlling terminal (ENOTTY) is nobody's to take away. */
static bool is_ours(void)
{
	pid_t foreground = 0;

	return ioctl(STDIN_FILENO, TIOCGPGRP, &foreground) < 0 || foreground == getpgrp();
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

void terminal_restore(void)
{
	if (is_raw && is_ours())
		ioctl(STDIN_FILENO, TCSETS, &before);
	is_raw = 0;
}

/* Installed with SA_RESETHAND: the signal raised here is the end of the process as soon as this
 * returns. */
static void on_fatal(int signal)
{
	terminal_restore();
	raise(signal);
}

static void watch_fatal_signals(void)
{
	static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
	struct sigaction action = {.sa_handler = on_fatal, .sa_flags = (int)SA_RESETHAND};

	for (unsigned i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
		sigaction(fatal[i], &action, NULL);
	atexit(terminal_restore);
}

static void say(bool ours)
{
	if (!told || ours != told_ours)
		tell(tell_opaque, ours);
	told = true;
	told_ours = ours;
}

void terminal_begin(void (*tell_whom)(void *opaque, bool ours), void *opaque)
{
	tell = tell_whom;
	tell_opaque = opaque;
	told = false;
	is_terminal = ioctl(STDIN_FILENO, TCGETS, &before) == 0;
	if (is_terminal)
		watch_fatal_signals();
	else
		say(true);
	terminal_look();
}

void terminal_continued(void)
{
	told = false;
	terminal_look();
}

void terminal_look(void)
{
	if (!is_terminal)
		return;
	if (is_ours())
		set_raw();
	else
		is_raw = 0; /* who has it now has made it his */
	say(is_raw);
}

int terminal_look_in_ms(void)
{
	return is_terminal && !is_raw ? LOOK_MS : -1;
}
