/* SPDX-License-Identifier: Apache-2.0
 *
 * One VM after another, until every attempt has a result; and a look at everybody else each time.
 *
 * Harness process. What the actor itself cannot tell is told by others: that seccomp killed it by
 * the core's line or the launcher's, and which call it was at by the page; what the core thought of a
 * lie by the core's line.
 */
#include "tests/breakout/trial.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/breakout/vm.h"

enum {
	PATIENCE_MS = 60000, ROUNDS_AFTER = 3, SETTLE_MS = 2000, FLOOD_LINES_MAX = 200,
	CUT_SHORT = 3, /* how a VM ends that did not end by itself: bulkhead --help */
};

struct devices devices;
char faults[FAULTS_MAX][200];
unsigned n_faults, n_vms, n_recorded;
static struct vm vm;
static pid_t core, broker;

static void __attribute__((format(printf, 1, 2))) fault(const char *fmt, ...)
{
	va_list ap;

	if (n_faults == FAULTS_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(faults[n_faults++], sizeof(faults[0]), fmt, ap);
	va_end(ap);
	if (getenv("BREAKOUT_LOG"))
		fprintf(stderr, "%s\n%s\n", faults[n_faults - 1], vm.err_text);
}

bool who_is_there(enum who who)
{
	return (who != WHO_VFIO || devices.vfio) && (who != WHO_VDPA || devices.vdpa);
}

/* The first device: of a helper that acts its own; of the core, which keeps a file of each VFIO
 * device, one of those where there is one. */
static const char *first_device(enum who actor, const char **ret_path)
{
	*ret_path = NULL;
	if (actor == WHO_VFIO || actor & WHO_VMM)
		*ret_path = devices.vfio;
	else if (actor == WHO_VDPA)
		*ret_path = devices.vdpa;
	return !*ret_path ? "--null" : actor == WHO_VDPA ? "--vdpa" : "--device";
}

/* A null device is the second. */
static void start(enum who actor, unsigned removed)
{
	static char device[300], allowed[80];
	const char *options[OPTIONS_MAX + 1], *path;
	unsigned n = 0;

	options[n++] = first_device(actor, &path);
	if (path) {
		snprintf(device, sizeof(device), "path=%s", path);
		options[n++] = device;
	}
	options[n++] = "--null";
	if (actor & WHO_OPERATED) {
		unlink(vm_socket);
		options[n++] = "--api-socket";
		options[n++] = vm_socket;
		options[n++] = "--allow";
		snprintf(allowed, sizeof(allowed), "ro=%s", vm_folder);
		options[n++] = allowed;
	}
	if (removed)
		options[n++] = "--allow-degraded";
	if (removed >> WALL_SECCOMP & 1) {
		options[n++] = "--seccomp";
		options[n++] = "false";
	}
	options[n] = NULL;
	vm_start(&vm, options);
	n_vms++;
}

static void write_page(enum who actor, unsigned removed, const int *list, unsigned n)
{
	vm_page->actor = actor;
	vm_page->removed = removed;
	vm_page->go = vm_page->claimed = vm_page->done = vm_page->next = 0;
	vm_page->n_todo = n;
	for (unsigned i = 0; i < n; i++)
		vm_page->todo[i] = (struct todo){list[i], UNTRIED, -1};
}

/* Does the harness, not the actor, know what came of it? */
static bool judged_outside(const struct attempt *attempt)
{
	for (unsigned i = 0; i < STOPS_MAX; i++)
		if (attempt->stops[i].result <= CUT_OFF)
			return true;
	return attempt->stage != STAGE_RUN;
}

static bool wait_for_guest(void)
{
	int64_t end = clock_ms() + PATIENCE_MS;
	char last[8] = "";

	while (!vm.ended && strcmp(last, "12") != 0 && clock_ms() < end) {
		vm_pump(&vm, 5);
		vm_rounds(&vm, last);
	}
	return strcmp(last, "12") == 0;
}

/* Rounds of the guest from now on; false: it stopped. */
static bool wait_rounds(unsigned n, char ret_last[static 8])
{
	unsigned from = vm_rounds(&vm, ret_last);
	int64_t end = clock_ms() + PATIENCE_MS / 6;

	while (!vm.ended && vm_rounds(&vm, ret_last) < from + n && clock_ms() < end)
		vm_pump(&vm, 5);
	return vm_rounds(&vm, ret_last) >= from + n;
}

/* ---- how the actor ended --------------------------------------------------------------------- */

static int by_words(const char *words)
{
	const char *at = strstr(vm.err_text, words);
	int sig;

	if (!at)
		return UNTRIED;
	at += strlen(words);
	if (strncmp(at, " killed by seccomp (SIGSYS)", 27) == 0)
		return KILLED - SIGSYS;
	return sscanf(at, " killed by signal %d", &sig) == 1 ? KILLED - sig : TRYING;
}

/* UNTRIED: it lives. */
static int actors_end(enum who actor)
{
	int r = UNTRIED;

	if (actor & WHO_HELPER)
		r = by_words("its helper ended:");
	else if (actor & WHO_BROKER)
		r = by_words("bulkhead-broker was");
	else if (actor & WHO_VMM)
		r = by_words("bulkhead-core was");
	else if (actor & WHO_OPERATED)
		r = by_words(actor == WHO_API ? "bulkhead-api was" : "bulkhead-open was");
	if (vm.ended && WIFSIGNALED(vm.status))
		return KILLED - WTERMSIG(vm.status);
	return vm.ended && r == UNTRIED ? TRYING : r;
}

/* By seccomp, or a signal. */
static bool is_killed(int result)
{
	return result <= KILLED && result > CUT_OFF;
}

/* ---- everybody else -------------------------------------------------------------------------- */

/* Is it the end of the VM, too? */
static bool takes_vm_along(enum who actor, int result)
{
	return (actor & (WHO_VMM | WHO_LAUNCHER | WHO_OPENER)) && is_killed(result);
}

/* What the guest must see now. */
static const char *expected_round(enum who actor, int result)
{
	if (actor & WHO_OPERATED || result >= 0 || result == DROPPED || (result > KILLED && result < 0))
		return "12";
	return actor == WHO_BROKER ? "xx" : "x2";
}

static const pid_t *const looked_at[] = {&vm.pid, &core, &broker};
enum { LOOKED_AT = sizeof(looked_at) / sizeof(looked_at[0]) };

static void count_fds(int ret[static LOOKED_AT])
{
	for (unsigned i = 0; i < LOOKED_AT; i++)
		ret[i] = fds_of(*looked_at[i]);
}

/* Has it more than before, and not only while it starts an api anew? */
static bool more_fds(unsigned who, int before, int *ret_now)
{
	for (int64_t end = clock_ms() + PATIENCE_MS / 3;; usleep(10000)) {
		*ret_now = fds_of(*looked_at[who]);
		if (*ret_now <= before || clock_ms() >= end)
			return *ret_now > before;
	}
}

static void check_others(enum who actor, const char *what, int result, const int before[LOOKED_AT])
{
	static const char *const names[] = {"launcher", "core", "broker"};
	const char *want = expected_round(actor, result);
	char last[8];
	int now;

	if (takes_vm_along(actor, result)) {
		for (int64_t end = clock_ms() + 2000; vm_left(&vm) && clock_ms() < end;)
			usleep(1000);
		if (vm_left(&vm))
			fault("%s, %s: %u processes outlive it", who_name(actor), what, vm_left(&vm));
		return;
	}
	if (!wait_rounds(2, last) || strcmp(last, want) != 0)
		fault("%s, %s: the guest says «%s», not «%s»", who_name(actor), what, last, want);
	for (unsigned i = 0; i < LOOKED_AT; i++)
		if (more_fds(i, before[i], &now))
			fault("%s, %s: the %s has %d descriptors, had %d", who_name(actor), what,
				names[i], now, before[i]);
}

/* The VM ends well unless it was taken along: cut off, as the guest has no power button. */
static void finish(enum who actor, const char *what, bool well)
{
	bool ended = vm.ended;

	vm_stop(&vm);
	if (vm_left(&vm))
		fault("%s, %s: %u processes stay", who_name(actor), what, vm_left(&vm));
	if (well && (ended || !WIFEXITED(vm.status) || WEXITSTATUS(vm.status) != (actor & WHO_OPERATED ? 0 : CUT_SHORT)))
		fault("%s, %s: the VM ended with status 0x%x", who_name(actor), what, vm.status);
}

/* ---- one VM ---------------------------------------------------------------------------------- */

static unsigned count_words(const char *words)
{
	unsigned n = 0;

	for (const char *at = vm.err_text; (at = strstr(at, words)) != NULL; at++)
		n++;
	return n;
}

static bool cut_off(void)
{
	return vm_said(&vm, "device is failed");
}

/* "confine: limits: 28 descriptors", "with N descriptors" is what is looked for. */
static bool said_at_start(const char *at)
{
	while (at > vm.err_text && at[-1] != '\n')
		at--;
	return strstr(at, "confine:") && strstr(at, "confine:") < at + strcspn(at, "\n");
}

/* The wall whose words they are. */
static enum wall by_whose_word(void)
{
	static const struct {
		const char *words;
		enum wall wall;
	} all[] = {{"described it wrongly", WALL_DESCRIBE}, {"cannot be mapped", WALL_MAP},
		{"which is not its to send", WALL_RULES}, {"at the wrong time", WALL_RULES},
		{" descriptors", WALL_RULES}, {"of the wrong kind", WALL_RULES},
		{"sent a malformed packet", WALL_FRAME}, {"that are no message", WALL_DECODE},
		{"answered another question", WALL_NUMBER}, {"no answer in time", WALL_DEADLINE}};

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		for (const char *at = vm.err_text; (at = strstr(at, all[i].words)) != NULL; at++)
			if (!said_at_start(at))
				return all[i].wall;
	return WALL_NONE;
}

/* A helper that ends with status 1 has said why, by another way than the core's, which may be later. An
 * empty packet is like a hang-up: of that nobody says anything, and the helper ends. How it ended the core may
 * hear later than that it hung up. */
static enum wall by_whose_last_word(void)
{
	const int64_t now = clock_ms(), end = now + PATIENCE_MS / 3, soon = now + SETTLE_MS;

	while (by_whose_word() == WALL_NONE &&
		clock_ms() < (vm_said(&vm, "its helper ended: exited with status 1") ? end : soon))
		vm_pump(&vm, 10);
	return by_whose_word() != WALL_NONE ? by_whose_word()
		: vm_said(&vm, "its helper ended") ? WALL_FRAME : WALL_NONE;
}

static void wait_for_words(int64_t end)
{
	while (!cut_off() && !vm.ended && clock_ms() < end)
		vm_pump(&vm, 10);
}

/* Waits until the core has made up its mind about a lie. */
static int judge(const struct attempt *attempt, enum who actor)
{
	int64_t end = clock_ms() + PATIENCE_MS / 3;
	char last[8];
	int r;

	while (!cut_off() && !vm_page->done && !vm.ended && clock_ms() < end)
		vm_pump(&vm, 10);
	r = vm_page->todo[0].result;
	if (r < 0 && r > KILLED)
		return r; /* it could not even be sent */
	/* An event is the main thread's, and the guest's rounds do not wait for that one. */
	wait_for_words(clock_ms() + SETTLE_MS);
	if (!cut_off() && !vm.ended && wait_rounds(ROUNDS_AFTER, last) && strcmp(last, "12") != 0)
		wait_for_words(end); /* a helper that has to let go of a device takes its time */
	if (attempt->stops[0].wall == WALL_BUDGET)
		return count_words("a line of a flood") < FLOOD_LINES_MAX ? DROPPED : THROUGH;
	r = actors_end(actor);
	if (cut_off() && (r == UNTRIED || r == TRYING || r == KILLED - SIGKILL))
		return CUT_OFF - (int)by_whose_last_word();
	return r == UNTRIED ? THROUGH : r;
}

/* Waits until all is tried, or the actor is gone. */
static int watch(enum who actor)
{
	int64_t end = clock_ms() + PATIENCE_MS;
	int r = UNTRIED;

	while (!vm_page->done && r == UNTRIED && clock_ms() < end) {
		vm_pump(&vm, 2);
		r = actors_end(actor);
	}
	return r;
}

static int describe_result(void)
{
	if (!vm.ended)
		return THROUGH;
	if (WIFSIGNALED(vm.status))
		return KILLED - WTERMSIG(vm.status);
	return WEXITSTATUS(vm.status) == 1 ? REFUSED - (int)by_whose_word() : TRYING;
}

static int run_described(enum who actor, const struct attempt *attempt, unsigned removed)
{
	int r;

	start(actor, removed);
	wait_for_guest();
	r = describe_result();
	if (!vm_page->done)
		fault("%s, %s: never made", who_name(actor), attempt->what);
	if (r <= REFUSED && vm_left(&vm))
		fault("%s, %s: a refused start leaves processes", who_name(actor), attempt->what);
	finish(actor, attempt->what, false);
	return r;
}

static void tell(enum who actor)
{
	vm_page->core_pid = core;
	vm_page->host_pid = getpid();
	vm_page->other_pid = vm_process(&vm, "bulkhead-null", actor == WHO_NULL);
	__atomic_store_n(&vm_page->go, 1, __ATOMIC_SEQ_CST);
}

/* The kernel's own word on a kill, where its log has room for it: for the call the actor was at. */
static void check_record(enum who actor, const struct attempt *attempt, int call)
{
	int recorded = vm_recorded_call();

	if (recorded == call)
		n_recorded++;
	else if (recorded >= 0)
		fault("%s, %s: seccomp killed it for call %d, and it was at %d", who_name(actor),
			attempt->what, recorded, call);
}

/* Makes attempts until one ends the actor; returns how many have a result. */
static unsigned run(enum who actor, unsigned removed, const int *list, unsigned n, int *results)
{
	const struct attempt *first = &attempts[list[0]];
	int before[LOOKED_AT], r;
	unsigned done;

	write_page(actor, removed, list, n);
	if (first->stage == STAGE_DESCRIBE) {
		results[0] = run_described(actor, first, removed);
		return 1;
	}
	start(actor, removed);
	if (!wait_for_guest()) {
		fault("%s: the VM did not start with walls 0x%x gone: %.100s", who_name(actor),
			removed, vm.err_len > 100 ? vm.err_text + vm.err_len - 100 : vm.err_text);
		finish(actor, first->what, false);
		results[0] = UNTRIED;
		return 1;
	}
	core = vm_process(&vm, "bulkhead-core", 0);
	broker = vm_process(&vm, "bulkhead-broker", 0);
	count_fds(before);
	tell(actor);
	r = judged_outside(first) ? judge(first, actor) : watch(actor);
	done = vm_page->next;
	for (unsigned i = 0; i < done && i < n; i++)
		results[i] = vm_page->todo[i].result;
	if (judged_outside(first)) {
		results[0] = r;
		done = 1;
	} else if (done < n) {
		results[done++] = r; /* at which it ended */
	}
	check_others(actor, attempts[list[done - 1]].what, results[done - 1], before);
	finish(actor, attempts[list[done - 1]].what, !takes_vm_along(actor, r));
	if (results[done - 1] == KILLED - SIGSYS)
		check_record(actor, &attempts[list[done - 1]], vm_page->todo[done - 1].call);
	return done;
}

/* Those that others judge have a VM for themselves. */
static unsigned batch(const int *list, unsigned n)
{
	unsigned i;

	if (judged_outside(&attempts[list[0]]))
		return 1;
	for (i = 1; i < n && !judged_outside(&attempts[list[i]]); i++)
		;
	return i < TODO_MAX ? i : TODO_MAX;
}

void trial(enum who actor, unsigned removed, const int *list, unsigned n, int *results)
{
	for (unsigned i = 0; i < n;)
		i += run(actor, removed, list + i, batch(list + i, n - i), results + i);
}
