/* SPDX-License-Identifier: Apache-2.0
 *
 * How a VM ends: the guest's way, the operator's, by signals and keys; what the terminal is like after
 * it; and that being stopped for a while is no end.
 */
#include <pty.h>
#include <sys/syscall.h>
#include <termios.h>
#include <time.h>

#include "ipc/frame.h"
#include "tests/kvm/process.h"

/* mov dx, PM1 enable; mov ax, PWRBTN_EN; out */
#define LISTEN 0x66, 0xba, 0x02, 0x06, 0x66, 0xb8, 0x00, 0x01, 0x66, 0xef

static const uint8_t obeys[] = {
	LISTEN, OUTB(0x3f8, '!'),
	/* mov dx, PM1 status; in ax; test ax, PWRBTN_STS; jz */
	0x66, 0xba, 0x00, 0x06, 0x66, 0xed, 0x66, 0xa9, 0x00, 0x01, 0x74, 0xf8,
	POWEROFF,
};
static const uint8_t ignores[] = {LISTEN, OUTB(0x3f8, '!'), 0xf4, 0xeb, 0xfd};

Test(ending, sigterm_presses_the_power_button, .init = needs_a_vm, .timeout = 60)
{
	static const int signals[] = {SIGTERM, SIGINT};

	for (unsigned i = 0; i < 2; i++) {
		strcpy(strrchr(kernel, '-'), "-XXXXXX");
		make_kernel(obeys, sizeof(obeys));
		start("--null", -1, 0);
		read_until(run.out_text, "!");
		kill(run.pid, signals[i]);
		finish(0);
		cr_expect(strstr(run.err_text, "the power button is pressed"), "%s", run.err_text);
	}
}

Test(ending, a_second_sigterm_is_force, .init = needs_a_vm, .timeout = 60)
{
	make_kernel(ignores, sizeof(ignores));
	start("--null", -1, 0);
	read_until(run.out_text, "!");
	kill(run.pid, SIGTERM);
	read_until(run.err_text, "the guest has 60 s");
	kill(run.pid, SIGTERM);
	finish(3);
}

Test(ending, a_guest_that_ignores_its_button_has_its_time, .init = needs_a_vm, .timeout = 60)
{
	int64_t began;

	make_kernel(ignores, sizeof(ignores));
	start("--null --shutdown-timeout 2", -1, 0);
	read_until(run.out_text, "!");
	began = now_ms();
	kill(run.pid, SIGTERM);
	finish(3);
	cr_expect(now_ms() - began >= 2000 && now_ms() - began < 10000);
	cr_expect(strstr(run.err_text, "has not powered off 2 s after"), "%s", run.err_text);
}

Test(ending, a_guest_that_cannot_hear_is_not_waited_for, .init = needs_a_vm, .timeout = 30)
{
	make_kernel(sleeps, sizeof(sleeps));
	start("--null", -1, 0);
	read_until(run.out_text, "!");
	kill(run.pid, SIGTERM);
	finish(3);
	cr_expect(strstr(run.err_text, "does not listen to its power button"), "%s", run.err_text);
}

Test(ending, sighup_does_nothing_and_sigquit_ends_it, .init = needs_a_vm, .timeout = 60)
{
	make_kernel(obeys, sizeof(obeys));
	start("--null", -1, 0);
	read_until(run.out_text, "!");
	kill(run.pid, SIGHUP);
	kill(run.pid, SIGUSR1);
	read_until(run.err_text, "vcpu0: ");
	kill(run.pid, SIGQUIT);
	finish(3);
	cr_expect(!strstr(run.err_text, "power button"), "%s", run.err_text);
}

Test(ending, sigterm_ends_it_in_order, .init = needs_a_vm, .timeout = 60)
{
	make_kernel(sleeps, sizeof(sleeps));
	start("--null --cpus boot=2", -1, 0);
	read_until(run.out_text, "!");
	kill(run.pid, SIGUSR1);
	read_until(run.err_text, "vcpu1: ");
	kill(run.pid, SIGTERM);
	finish(3);
}

static void block_everything(void)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
}

/* A blocked signal stays blocked across exec, the one that kicks vCPUs too. */
Test(ending, sigterm_ends_it_whoever_blocked_what, .init = needs_a_vm, .timeout = 60)
{
	make_kernel(sleeps, sizeof(sleeps));
	before_exec = block_everything;
	start("--null", -1, 0);
	read_until(run.out_text, "!");
	kill(run.pid, SIGTERM);
	finish(3);
}

/* ---- the terminal ------------------------------------------------------------------------------- */

static bool is_raw(int tty)
{
	struct termios t;

	cr_assert(tcgetattr(tty, &t) == 0);
	return !(t.c_lflag & (ICANON | ECHO | ISIG));
}

static void start_on_terminal(const uint8_t *code, size_t len, int *ret_master, int *ret_slave)
{
	char seen[16] = "";

	cr_assert(openpty(ret_master, ret_slave, NULL, NULL, NULL) == 0);
	make_kernel(code, len);
	start("", *ret_slave, 0);
	cr_assert(!is_raw(*ret_slave));
	for (size_t n = 0; !strchr(seen, '!');)
		n += (size_t)read(*ret_master, seen + n, sizeof(seen) - 1 - n);
	cr_expect(is_raw(*ret_slave));
}

Test(ending, terminal_is_given_back_after_poweroff, .init = needs_a_vm, .timeout = 60)
{
	int master, slave;

	start_on_terminal(echoes, sizeof(echoes), &master, &slave);
	/* Ctrl-C and Ctrl-A Ctrl-A reach the guest. */
	cr_assert(write(master, "\x03\x01\x01q", 4) == 4);
	finish(0);
	cr_expect(!is_raw(slave));
}

Test(ending, terminal_is_given_back_after_ctrl_a_x, .init = needs_a_vm, .timeout = 60)
{
	int master, slave;

	start_on_terminal(sleeps, sizeof(sleeps), &master, &slave);
	cr_assert(write(master, "xx\x01x", 4) == 4);
	finish(3);
	cr_expect(!is_raw(slave));
}

/* The guest never reads a key, so they pile up; the way out still works. */
Test(ending, ctrl_a_x_works_when_no_key_is_read, .init = needs_a_vm, .timeout = 60)
{
	int master, slave;

	start_on_terminal(sleeps, sizeof(sleeps), &master, &slave);
	for (unsigned i = 0; i < 200; i++)
		cr_assert(write(master, "k", 1) == 1);
	usleep(100000);
	cr_assert(write(master, "\x01x", 2) == 2);
	finish(3);
}

Test(ending, terminal_is_given_back_after_signals, .init = needs_a_vm, .timeout = 60)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGQUIT};

	for (unsigned i = 0; i < 3; i++) {
		int master, slave;

		strcpy(strrchr(kernel, '-'), "-XXXXXX");
		start_on_terminal(sleeps, sizeof(sleeps), &master, &slave);
		kill(run.pid, signals[i]);
		finish(3);
		cr_expect(!is_raw(slave), "after signal %d", signals[i]);
		close(master);
		close(slave);
	}
}

Test(ending, terminal_is_given_back_after_a_fault, .init = needs_a_vm, .timeout = 60)
{
	int master, slave;

	start_on_terminal(sleeps, sizeof(sleeps), &master, &slave);
	syscall(SYS_tgkill, run.pid, run.pid, SIGSEGV); /* its main thread's */
	read_until(NULL, NULL);
	waitpid(run.pid, &run.status, 0);
	cr_expect(WIFSIGNALED(run.status) && WTERMSIG(run.status) == SIGSEGV);
	cr_expect(!is_raw(slave));
	keep_report();
	unlink(kernel);
}

static void give_back(int signal)
{
	(void)signal;
	tcsetpgrp(0, getsid(0));
}

/* What a shell is while a job of its runs in the background: another group, which has the terminal. It
 * gives it to the job at SIGUSR2, and that is all: like fg, for a job that was running. */
static void __attribute__((noreturn)) be_a_shell(int ready)
{
	setpgid(0, 0);
	signal(SIGUSR2, give_back);
	signal(SIGTTOU, SIG_IGN);
	if (tcsetpgrp(0, getpid()) < 0 || write(ready, "x", 1) < 0)
		_exit(1);
	for (;;)
		pause();
}

static void into_the_background(void)
{
	int ready[2];
	char byte;

	if (pipe(ready) < 0)
		_exit(124);
	if (fork() == 0)
		be_a_shell(ready[1]);
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		_exit(124);
	close(ready[0]);
}

static void start_in_the_background(int *ret_master, int *ret_slave)
{
	cr_assert(openpty(ret_master, ret_slave, NULL, NULL, NULL) == 0);
	make_kernel(echoes, sizeof(echoes));
	before_exec = into_the_background;
	start("", *ret_slave, 0);
	read_until(run.err_text, "the guest runs at");
}

Test(ending, in_the_background_the_terminal_is_left_alone, .init = needs_a_vm, .timeout = 60)
{
	int master, slave;

	start_in_the_background(&master, &slave);
	cr_expect(!is_raw(slave));
	cr_assert(write(master, "for the shell\n", 14) == 14);
	usleep(1500000);
	cr_expect(!is_raw(slave));
	kill(run.pid, SIGUSR1);
	read_until(run.err_text, "vcpu0: ");
	kill(run.pid, SIGTERM);
	to_session(SIGKILL, true);
	finish(3);
	cr_expect(!is_raw(slave));
}

Test(ending, brought_to_the_foreground_it_has_the_terminal, .init = needs_a_vm, .timeout = 60)
{
	int master, slave;

	start_in_the_background(&master, &slave);
	to_session(SIGUSR2, true);
	for (unsigned i = 0; i < 300 && !is_raw(slave); i++)
		usleep(10000);
	cr_expect(is_raw(slave));
	to_session(SIGKILL, true);
	cr_assert(write(master, "\x01x", 2) == 2);
	finish(3);
	cr_expect(!is_raw(slave));
}

/* ---- in the midst of a reset -------------------------------------------------------------------- */

/* Listens, and resets itself for a byte from COM1. */
static const uint8_t resets[] = {
	LISTEN, OUTB(0x3f8, '!'),
	0x66, 0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, 0xf7, /* mov dx, LSR; in; test; jz */
	0x66, 0xba, 0xf8, 0x03, 0xec,			      /* mov dx, data; in */
	OUTB(0xcf9, 0x02), OUTB(0xcf9, 0x06), 0xeb, 0xfe,
};

/* The process of that name among those it made. */
static pid_t process(const char *name)
{
	DIR *proc = opendir("/proc");
	pid_t found = 0;

	for (struct dirent *d; (d = readdir(proc)) != NULL;) {
		char path[300], comm[32] = "";
		pid_t pid = atoi(d->d_name);
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%s/comm", d->d_name);
		file = pid > 0 && getsid(pid) == run.pid ? fopen(path, "r") : NULL;
		if (!file)
			continue;
		if (fgets(comm, sizeof(comm), file) && strncmp(comm, name, strlen(name)) == 0)
			found = pid;
		fclose(file);
	}
	closedir(proc);
	cr_assert(found > 0, "%s", name);
	return found;
}

/* While a failed device is waited for the guest that would have heard the button is gone already, and
 * the next one is none to wait for. */
Test(ending, sigterm_while_a_reset_waits_for_a_device, .init = needs_a_vm, .timeout = 60)
{
	pid_t broker;

	make_kernel(resets, sizeof(resets));
	start("--null", -1, 0);
	read_until(run.out_text, "!");
	kill(process("bulkhead-null"), SIGKILL);
	read_until(run.err_text, "the device is failed");
	broker = process("bulkhead-broker");
	kill(broker, SIGSTOP);
	cr_assert(write(run.in, "r", 1) == 1);
	read_until(run.err_text, "the guest boots again");
	kill(run.pid, SIGTERM);
	read_until(run.err_text, "power button is pressed");
	kill(broker, SIGCONT);
	finish(0);
	cr_expect(strcmp(run.out_text, "!") == 0, "«%s»: %s", run.out_text, run.err_text);
}

/* ---- stopped for a while ------------------------------------------------------------------------ */

/* Memory space on at 00:01.0, then its BAR 0 is read 200 times for each dot. */
static const uint8_t reads_the_device[] = {
	0xb8, LE32(0x80000804), 0x66, 0xba, 0xf8, 0x0c, 0xef,
	0xb8, LE32(2), 0x66, 0xba, 0xfc, 0x0c, 0xef,
	0xb8, LE32(0x80000810), 0x66, 0xba, 0xf8, 0x0c, 0xef,
	0x66, 0xba, 0xfc, 0x0c, 0xed, 0x89, 0xc3, 0x83, 0xe3, 0xf0,
	0xbf, LE32(200), 0x8b, 0x0b, 0x4f, 0x75, 0xfb,
	OUTB(0x3f8, '.'), 0xeb, 0xed,
};

static void expect_progress(const char *when)
{
	size_t before;

	while (run.out_len > 1000) /* what piled up */
		run.out_len = 0;
	before = run.out_len;
	for (unsigned i = 0; i < 500 && run.out_len <= before + 10; i++) {
		struct pollfd p = {.fd = run.out, .events = POLLIN};
		ssize_t n = poll(&p, 1, 20) > 0
			? read(run.out, run.out_text + run.out_len, 1000) : 0;

		run.out_len += n > 0 ? (size_t)n : 0;
	}
	cr_expect(run.out_len > before + 10, "it stands still %s", when);
}

/* Longer than any deadline of an access, and again: what docker pause and systemctl freeze do. */
Test(ending, all_stopped_together_are_late_for_nothing, .init = needs_a_vm, .timeout = 60)
{
	make_kernel(reads_the_device, sizeof(reads_the_device));
	start("--null", -1, 0);
	expect_progress("at all");
	for (unsigned i = 0; i < 3; i++) {
		to_session(SIGSTOP, false);
		usleep(3500000);
		to_session(SIGCONT, false);
		expect_progress("after a stop of all");
	}
	kill(run.pid, SIGQUIT);
	finish(3);
	cr_expect(!strstr(run.err_text, "failed"), "%s", run.err_text);
}

/* From its first moment on, with every process there is by then: whatever call it is in goes on. */
Test(ending, stopped_at_any_moment_of_its_start, .init = needs_a_vm, .timeout = 120)
{
	for (unsigned i = 0; i < 60; i++) {
		strcpy(strrchr(kernel, '-'), "-XXXXXX");
		make_kernel(says_hi, sizeof(says_hi));
		start("--null --cpus boot=2", -1, 0);
		for (unsigned k = 0; k < 3; k++) {
			usleep(i * 300);
			to_session(SIGSTOP, false);
			usleep(2000);
			to_session(SIGCONT, false);
		}
		finish(0);
		cr_assert(strcmp(run.out_text, "hi") == 0, "%u: «%s»: %s", i, run.out_text, run.err_text);
	}
}
