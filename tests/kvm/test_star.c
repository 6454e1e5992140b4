/* SPDX-License-Identifier: Apache-2.0
 *
 * The processes of a VM beside each other: what each has of the others, what becomes of all when one of
 * them ends or stands still, and what whoever waits for the launcher hears of it.
 */
#include <pty.h>
#include <termios.h>

#include "tests/kvm/process.h"

enum { FDS = 64 };

/* ---- descriptors -------------------------------------------------------------------------------- */

struct held {
	char link[FDS][64];
	unsigned n;
};

/* Kinds, as few letters as they need. */
static const char *kind_of(const char *link)
{
	static const struct {
		const char *begins, *kind;
	} kinds[] = {
		{"socket:", "socket"}, {"pipe:", "pipe"}, {"anon_inode:[eventfd]", "event"},
		{"anon_inode:kvm-vm", "vm"}, {"anon_inode:kvm-vcpu", "vcpu"},
		{"anon_inode:[signalfd]", "signal"}, {"/tmp/bulkhead-kernel", "kernel"},
	};

	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strncmp(link, kinds[i].begins, strlen(kinds[i].begins)) == 0)
			return kinds[i].kind;
	return strstr(link, "/build/bulkhead-") ? "binary" : link;
}

static void holdings(pid_t pid, struct held *ret)
{
	char path[300];
	DIR *dir;

	*ret = (struct held){.n = 0};
	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (!dir)
		cr_skip_test("%s: %s (only root may look)", path, strerror(errno));
	for (struct dirent *d; (d = readdir(dir)) != NULL && ret->n < FDS;) {
		char link[256] = "";

		snprintf(path, sizeof(path), "/proc/%d/fd/%.20s", pid, d->d_name);
		if (d->d_name[0] != '.' && readlink(path, link, sizeof(link) - 1) > 0)
			snprintf(ret->link[ret->n++], sizeof(ret->link[0]), "%.60s", link);
	}
	closedir(dir);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "2 event 4 socket": every descriptor there is. */
static void expect_holdings(const char *who, const struct held *held, const char *want)
{
	const char *kinds[FDS];
	char text[1024] = "";
	size_t used = 0;

	for (unsigned i = 0; i < held->n; i++)
		kinds[i] = kind_of(held->link[i]);
	qsort(kinds, held->n, sizeof(kinds[0]), by_name);
	for (unsigned i = 0, n; i < held->n && used < sizeof(text); i += n) {
		for (n = 1; i + n < held->n && strcmp(kinds[i], kinds[i + n]) == 0; n++)
			;
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%u %s", used ? " " : "", n,
			kinds[i]);
	}
	cr_expect_str_eq(text, want, "%s has «%s», should have «%s»", who, text, want);
}

/* All but the log, which is the user's. A channel's end is in one process. */
static void expect_nothing_shared(const struct held *a, const struct held *b)
{
	for (unsigned i = 0; i < a->n; i++)
		for (unsigned k = 0; k < b->n; k++)
			cr_expect(strncmp(a->link[i], "socket:", 7) != 0 || strcmp(a->link[i], b->link[k]) != 0,
				"two have %s", a->link[i]);
}

Test(star, each_has_what_it_needs_and_no_more, .init = needs_a_vm, .timeout = 60)
{
	struct held all[5];

	make_kernel(sleeps, sizeof(sleeps));
	start("--cpus boot=2 --null --null", -1, 0);
	read_until(run.out_text, "!");
	holdings(run.pid, &all[0]);
	holdings(child_of("core", 0), &all[1]);
	holdings(child_of("broker", 0), &all[2]);
	holdings(child_of("null", 0), &all[3]);
	holdings(child_of("null", 1), &all[4]);
	/* stdin, stdout, stderr; a birth socket a child */
	expect_holdings("the launcher", &all[0], "7 binary 3 pipe 1 signal 4 socket");
	/* what vCPUs ask, who of them has parked, the serial port's room; log, serial in and out; words, two
	 * to the broker, two a helper */
	expect_holdings("the core", &all[1], "3 event 1 kernel 3 pipe 7 socket 2 vcpu 1 vm");
	/* words, two to the core, two a helper: one is its log */
	expect_holdings("the broker", &all[2], "1 pipe 7 socket");
	/* words, broker, log, two to the core */
	expect_holdings("a helper", &all[3], "5 socket");
	expect_holdings("a helper", &all[4], "5 socket");
	for (unsigned i = 0; i < 5; i++)
		for (unsigned k = 0; k < i; k++)
			expect_nothing_shared(&all[i], &all[k]);
	kill(run.pid, SIGTERM);
	finish(3);
}

/* ---- somebody ends ------------------------------------------------------------------------------ */

/* Memory space on at 00:01.0; its scratch register is read for every key and told: 'y' as long as it is
 * what was written, 'n' once it is not; 'q' powers off. */
static const uint8_t asks_the_device[] = {
	0xb8, LE32(0x80000804), 0x66, 0xba, 0xf8, 0x0c, 0xef,
	0xb8, LE32(2), 0x66, 0xba, 0xfc, 0x0c, 0xef,
	0xb8, LE32(0x80000810), 0x66, 0xba, 0xf8, 0x0c, 0xef,
	0x66, 0xba, 0xfc, 0x0c, 0xed, 0x89, 0xc3, 0x83, 0xe3, 0xf0, /* ebx = BAR 0 */
	0xc7, 0x03, LE32(0x1234),					 /* mov dword [ebx], 0x1234 */
	OUTB(0x3f8, '!'),
	0x66, 0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, 0xf7,		 /* LSR: a key? */
	0x66, 0xba, 0xf8, 0x03, 0xec, 0x3c, 'q', 0x74, 23,		 /* in; cmp 'q'; je end */
	0x81, 0x3b, LE32(0x1234),					 /* cmp dword [ebx] */
	0xb0, 'y', 0x74, 2, 0xb0, 'n',
	0x66, 0xba, 0xf8, 0x03, 0xee, 0xeb, 0xdb,			 /* out; jmp */
	0x90, 0x90, 0x90, 0x90,
	POWEROFF,
};

static void press(const char *key, const char *want)
{
	cr_assert(write(run.in, key, 1) == 1);
	read_until(run.out_text, want);
}

Test(star, a_helper_that_is_killed_fails_its_device_alone, .init = needs_a_vm, .timeout = 60)
{
	make_kernel(asks_the_device, sizeof(asks_the_device));
	start("--null --null", -1, 0);
	read_until(run.out_text, "!");
	press("k", "!y");
	kill(living_child_of("null", 1), SIGKILL);
	read_until(run.err_text, "null1: its helper ended: killed by signal 9 (KILL); the device is failed");
	press("k", "!yy");
	kill(living_child_of("null", 0), SIGKILL);
	read_until(run.err_text, "null0: its helper ended: killed by signal 9 (KILL); the device is failed");
	press("k", "!yyn");
	press("q", "!yyn");
	finish(0);
}

Test(star, a_broker_that_is_killed_fails_every_device, .init = needs_a_vm, .timeout = 60)
{
	make_kernel(asks_the_device, sizeof(asks_the_device));
	start("--null", -1, 0);
	read_until(run.out_text, "!");
	kill(living_child_of("broker", 0), SIGKILL);
	read_until(run.err_text, "every passed-through device is failed, the guest goes on");
	press("k", "!n");
	press("q", "!n");
	finish(0);
}

Test(star, a_core_that_is_killed_ends_all, .init = needs_a_vm, .timeout = 60)
{
	make_kernel(sleeps, sizeof(sleeps));
	start("--null --null", -1, 0);
	read_until(run.out_text, "!");
	kill(living_child_of("core", 0), SIGKILL);
	finish(2);
	cr_expect(strstr(run.err_text, "bulkhead-core was killed by signal 9 (KILL); the VM has ended"), "%s",
		run.err_text);
}

/* Before the guest runs all of them are needed. */
Test(star, whoever_is_killed_at_the_start_ends_all, .init = needs_a_vm, .timeout = 120)
{
	static const struct {
		const char *kind, *says;
		int status;
	} rows[] = {
		{"open", "bulkhead-open was killed by signal 9 (KILL)", 1},
		{"core", "bulkhead-core was killed by signal 9 (KILL)", 2},
		{"broker", "broker: ", 1},
		{"null", "its helper ", 1},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		strcpy(strrchr(kernel, '-'), "-XXXXXX");
		make_kernel(says_hi, sizeof(says_hi));
		kill(start_until("--null", rows[i].kind), SIGKILL);
		to_session(SIGCONT, false);
		finish(rows[i].status);
		cr_expect(strstr(run.err_text, rows[i].says), "no «%s»: %s", rows[i].says, run.err_text);
		cr_expect_eq(errors(), 1, "%s", run.err_text);
	}
}

/* However far it is. */
Test(star, a_launcher_that_is_killed_leaves_nobody, .init = needs_a_vm, .timeout = 120)
{
	for (unsigned i = 0; i < 30; i++) {
		strcpy(strrchr(kernel, '-'), "-XXXXXX");
		make_kernel(sleeps, sizeof(sleeps));
		start("--null --null", -1, 0);
		usleep(i * 2000);
		drop();
		for (unsigned ms = 0; ms < 5000 && left_behind() > 0; ms += 10)
			usleep(10000);
		cr_expect(left_behind() == 0, "after %u ms: %u stay", i * 2, left_behind());
		unlink(kernel);
	}
}

/* As if it had not been taken, so that whoever waits sees why. */
Test(star, a_signal_at_the_start_simply_ends_it, .init = needs_a_vm, .timeout = 120)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGQUIT};
	pid_t core;

	for (unsigned i = 0; i < 3; i++) {
		strcpy(strrchr(kernel, '-'), "-XXXXXX");
		make_kernel(sleeps, sizeof(sleeps));
		core = start_until("--null", "core");
		kill(run.pid, signals[i]);
		to_session(SIGCONT, false);
		kill(core, SIGSTOP); /* which does not keep it from ending */
		read_until(NULL, NULL);
		waitpid(run.pid, &run.status, 0);
		cr_expect(WIFSIGNALED(run.status) && WTERMSIG(run.status) == signals[i], "0x%x: %s", run.status,
			run.err_text);
		cr_expect(left_behind() == 0, "%u stay", left_behind());
		unlink(kernel);
	}
}

/* ---- somebody stands still ---------------------------------------------------------------------- */

static const char *const kinds[] = {"core", "broker", "null"};

Test(star, each_may_stand_still_for_a_while, .init = needs_a_vm, .timeout = 60)
{
	char seen[32] = "!";

	make_kernel(asks_the_device, sizeof(asks_the_device));
	start("--null", -1, 0);
	read_until(run.out_text, "!");
	for (unsigned i = 0; i <= sizeof(kinds) / sizeof(kinds[0]); i++) {
		pid_t pid = i ? child_of(kinds[i - 1], 0) : run.pid;

		kill(pid, SIGSTOP);
		cr_assert(write(run.in, "k", 1) == 1);
		usleep(500000);
		kill(pid, SIGCONT);
		strcat(seen, "y");
		read_until(run.out_text, seen);
	}
	press("q", seen);
	finish(0);
	cr_expect(!strstr(run.err_text, "failed"), "%s", run.err_text);
}

/* From its first moment on, as far as it has come. */
Test(star, each_may_stand_still_at_the_start, .init = needs_a_vm, .timeout = 120)
{
	static const char *const at_start[] = {"open", "core", "broker", "null"};

	for (unsigned i = 0; i < sizeof(at_start) / sizeof(at_start[0]); i++) {
		pid_t pid;

		strcpy(strrchr(kernel, '-'), "-XXXXXX");
		make_kernel(says_hi, sizeof(says_hi));
		pid = start_until("--null", at_start[i]);
		to_session(SIGCONT, false);
		kill(pid, SIGSTOP);
		usleep(700000);
		kill(pid, SIGCONT);
		finish(0);
		cr_expect(strcmp(run.out_text, "hi") == 0, "%s: «%s»: %s", at_start[i], run.out_text,
			run.err_text);
	}
}

static void await_state(pid_t pid, bool stopped)
{
	for (unsigned i = 0; i < 500 && (state_of(pid) == 'T') != stopped; i++)
		usleep(10000);
	cr_expect((state_of(pid) == 'T') == stopped, "%d is %c", pid, state_of(pid));
}

static bool is_raw(int tty)
{
	struct termios t;

	cr_assert(tcgetattr(tty, &t) == 0);
	return !(t.c_lflag & (ICANON | ECHO | ISIG));
}

static void await_raw(int tty, bool raw)
{
	for (unsigned i = 0; i < 300 && is_raw(tty) != raw; i++)
		usleep(10000);
	cr_expect(is_raw(tty) == raw);
}

/* SIGTSTP and SIGCONT, as a shell has them: the whole job, and the terminal with it. */
Test(star, a_job_stops_whole_and_goes_on_whole, .init = needs_a_vm, .timeout = 60)
{
	int master, slave;
	char seen[64] = "";

	cr_assert(openpty(&master, &slave, NULL, NULL, NULL) == 0);
	make_kernel(asks_the_device, sizeof(asks_the_device));
	start("--null", slave, 0);
	for (size_t n = 0; !strchr(seen, '!') && n < sizeof(seen) - 1;)
		n += (size_t)read(master, seen + n, sizeof(seen) - 1 - n);
	await_raw(slave, true);
	for (unsigned i = 0; i < 2; i++) {
		kill(run.pid, SIGTSTP);
		await_state(run.pid, true);
		for (unsigned k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
			await_state(child_of(kinds[k], 0), true);
		cr_expect(!is_raw(slave));
		kill(run.pid, SIGCONT);
		await_raw(slave, true);
		for (unsigned k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
			await_state(child_of(kinds[k], 0), false);
		cr_assert(write(master, "k", 1) == 1 && read(master, seen, 1) == 1);
		cr_expect_eq(seen[0], 'y');
	}
	cr_assert(write(master, "q", 1) == 1);
	finish(0);
	cr_expect(!is_raw(slave));
}

/* The core cannot give it back, and need not. */
Test(star, the_terminal_is_given_back_after_a_core_that_was_killed, .init = needs_a_vm, .timeout = 60)
{
	int master, slave;

	cr_assert(openpty(&master, &slave, NULL, NULL, NULL) == 0);
	make_kernel(sleeps, sizeof(sleeps));
	start("", slave, 0);
	await_raw(slave, true);
	kill(living_child_of("core", 0), SIGKILL);
	finish(2);
	cr_expect(!is_raw(slave));
}
