/* SPDX-License-Identifier: Apache-2.0
 *
 * What becomes of the VM by a word, a signal, or the end of one of its processes.
 *
 * Launcher process. Whoever ends, the others that have to do with it are told. When the core ends, the
 * guest has: helpers are ended, then the broker closes their devices and ends by itself, as an api does
 * once its opener has, and last we do. No end is waited for longer than a bound.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "helpers/launch/launch.h"
#include "helpers/launch/terminal.h"
#include "ipc/frame.h"
#include "ipc/log.h"
#include "seccomp/birth.h"

enum {
	STATUS_OK = 0, STATUS_REFUSED = 1, STATUS_FAULT = 2,
	CUT_MS = 25000,   /* a core that was told to end: it waits 16 s for a vCPU (vmm/kvm/vcpu.h) */
	CLOSE_MS = 10000, /* a broker whose core has ended: devices close */
	KILLED_MS = 10000, /* and who was killed, with all of guest RAM to be let go of */
	ANSWER_MS = 5000, /* an api: it tells its clients and who reads its events */
};

/* ---- ends ------------------------------------------------------------------------------------ */

/* Never later than it was to end already. */
static void end_by(struct child *child, int64_t ms)
{
	const int64_t at = now_ms() + ms;

	if (child->pid && (!child->kill_at || at < child->kill_at))
		child->kill_at = at;
}

/* A broker closes devices in order, but for one that still maps RAM for them and hears nobody. */
void life_end(struct launch *launch, int status)
{
	const bool starting = launch->stage == STAGE_STARTING;

	if (launch->stage == STAGE_ENDING)
		return;
	launch->stage = STAGE_ENDING;
	launch->status = status;
	terminal_restore();
	for (unsigned i = 0; i < CHILDREN; i++) {
		struct child *child = &launch->children[i];
		const bool closes = child->kind == KIND_BROKER && !starting;

		if (!closes && child->kind != KIND_API)
			child_kill(child);
		end_by(child, closes ? CLOSE_MS : child->kind == KIND_API ? ANSWER_MS : KILLED_MS);
	}
}

/* What is left of a life whose core has ended: the broker gives devices back and ends by itself. */
static void end_of_guest(struct launch *launch)
{
	launch->stage = STAGE_NO_GUEST;
	launch->asked = false;
	terminal_restore();
	for (unsigned i = 0; i < CHILDREN; i++) {
		struct child *child = &launch->children[i];

		if (is_helper(child->kind)) {
			child_kill(child);
			end_by(child, KILLED_MS);
		} else if (child->kind == KIND_BROKER) {
			end_by(child, CLOSE_MS);
		}
	}
}

/* Who was killed could not say why. Of helpers the core does, and of a broker without which there is no
 * start; later it may only have seen that one hang up. What an api's end leads to is said with it. */
static void say_end(const struct launch *launch, const struct child *child, int wait_status)
{
	char how[64];

	if (WIFEXITED(wait_status) || is_helper(child->kind) || child->kind == KIND_API ||
		launch->stage == STAGE_ENDING)
		return;
	if (child->kind == KIND_BROKER && launch->stage == STAGE_STARTING)
		return;
	wait_status_text(wait_status, how, sizeof(how));
	log_error("bulkhead-%s was %s%s", word_kind_name(child->kind), how,
		child->kind == KIND_CORE ? "; the VM has ended" : "");
}

/* The core's own status is the VM's. */
static void core_ended(struct launch *launch, int wait_status)
{
	if (launch->api && !launch->quits && launch->stage != STAGE_ENDING)
		end_of_guest(launch);
	else
		life_end(launch, launch->quits ? STATUS_OK : WIFEXITED(wait_status)
			? WEXITSTATUS(wait_status) : STATUS_FAULT);
}

/* Its end is on its way to us. */
static bool hangs_up(const struct child *child)
{
	struct pollfd words = {.fd = child->words.n};

	return child->words.n < 0 || (poll(&words, 1, 0) > 0 && words.revents & POLLHUP);
}

/* Another, with the same sockets; what it has to know it asks the opener. One that ends in order was asked
 * to, by a client, and the opener ends the rest; one whose opener has ended all end with. */
static void api_ended(struct launch *launch, const struct child *child, int wait_status)
{
	struct err err = {0};
	char how[64];

	if (launch->stage == STAGE_ENDING || launch->quits || wait_status == 0 ||
		hangs_up(child_at(launch, KIND_OPENER, 0)))
		return;
	wait_status_text(wait_status, how, sizeof(how));
	if (!rebirth_allowed(&launch->rebirth, wait_status, now_ms())) {
		log_error("bulkhead-api was %s, and is not started again; the VM goes on without its API, "
			"SIGTERM ends it", how);
		return;
	}
	log_error("bulkhead-api %s%s: it is started again", WIFEXITED(wait_status) ? "" : "was ", how);
	if (child_start(launch, KIND_API, 0, child->generation + 1, 0, &err) < 0)
		log_error("%s", err.msg);
}

/* What a helper has of its device is no better than what the broker held of it. */
static void broker_ended(struct launch *launch)
{
	for (unsigned i = 0; i < CHILDREN; i++) {
		if (is_helper(launch->children[i].kind))
			child_kill(&launch->children[i]);
	}
}

static void opener_ended(struct launch *launch, int wait_status)
{
	if (launch->api || !WIFEXITED(wait_status) || WEXITSTATUS(wait_status) != 0)
		life_end(launch, STATUS_REFUSED);
}

void life_ended(struct launch *launch, struct child *child, int wait_status)
{
	static const enum word_kind told[] = {KIND_CORE, KIND_BROKER, KIND_OPENER, KIND_API};
	const struct word word = {.op = WORD_ENDED, .kind = (uint8_t)child->kind,
		.slot = (uint8_t)child->slot, .generation = child->generation, .value = wait_status};

	say_end(launch, child, wait_status);
	child->pid = 0;
	child->kill_at = 0;
	fd_close(&child->words);
	for (unsigned i = 0; i < (launch->api ? 4 : 2); i++)
		child_tell(child_at(launch, told[i], 0), &word, NULL, 0);
	if (child->kind == KIND_CORE)
		core_ended(launch, wait_status);
	if (child->kind == KIND_BROKER)
		broker_ended(launch);
	if (child->kind == KIND_API)
		api_ended(launch, child, wait_status);
	if (child->kind == KIND_OPENER)
		opener_ended(launch, wait_status);
}

bool life_over(const struct launch *launch)
{
	for (unsigned i = 0; i < CHILDREN; i++) {
		if (launch->children[i].pid)
			return false;
	}
	return launch->stage == STAGE_ENDING;
}

int life_due_ms(const struct launch *launch)
{
	int64_t first = terminal_look_in_ms();

	for (unsigned i = 0; i < CHILDREN; i++) {
		int64_t left = launch->children[i].kill_at - now_ms();

		left = left > 0 ? left : 0;
		if (launch->children[i].pid && launch->children[i].kill_at && (first < 0 || left < first))
			first = left;
	}
	return (int)first;
}

/* What no signal ends is inside the kernel, with the device; nobody can wait for that here, and without
 * it there is no VM. */
static void overdue(struct launch *launch, struct child *child)
{
	if (!child->killed) {
		log_warn("bulkhead-%s has not ended in time%s; it is killed", word_kind_name(child->kind),
			child->kind != KIND_BROKER ? "" : ": a device does not close, as one of VDUSE does "
			"not whose daemon is gone");
		child->kill_at = now_ms() + KILLED_MS;
		child_kill(child);
		return;
	}
	log_error("bulkhead-%s (pid %d) does not end; its devices are busy until it does",
		word_kind_name(child->kind), (int)child->pid);
	child->pid = 0;
	life_end(launch, STATUS_FAULT);
}

void life_lost(struct launch *launch, int64_t ms)
{
	for (unsigned i = 0; i < CHILDREN; i++) {
		if (launch->children[i].kill_at)
			launch->children[i].kill_at += ms;
	}
}

void life_tick(struct launch *launch)
{
	for (unsigned i = 0; i < CHILDREN; i++) {
		struct child *child = &launch->children[i];

		if (child->pid && child->kill_at && now_ms() >= child->kill_at)
			overdue(launch, child);
	}
	if (terminal_look_in_ms() >= 0 && launch->stage == STAGE_RUNNING)
		terminal_look();
}

/* ---- words ----------------------------------------------------------------------------------- */

/* The opener counts on its end. */
static void refused(struct launch *launch, const struct word *start)
{
	const struct word word = {.op = WORD_ENDED, .kind = start->kind, .slot = start->slot,
		.generation = start->generation, .value = STATUS_REFUSED << 8};

	child_tell(child_at(launch, KIND_OPENER, 0), &word, NULL, 0);
}

static void start(struct launch *launch, const struct word *word)
{
	struct err err = {0};
	uint64_t ram = (uint64_t)(uint32_t)word->value << 20;

	if (launch->stage == STAGE_ENDING)
		return;
	if (child_start(launch, (enum word_kind)word->kind, word->slot, word->generation, ram, &err) == 0)
		return;
	log_error("%s", err.msg);
	if (launch->api)
		refused(launch, word);
	else
		life_end(launch, STATUS_REFUSED);
}

/* Of that generation and no other: its successor is none of the sender's business. */
static void cut(struct launch *launch, const struct word *word)
{
	struct child *child = child_at(launch, (enum word_kind)word->kind, word->slot);

	if (child && is_helper(child->kind) && child->generation == word->generation)
		child_kill(child);
}

/* The core ends in order, and the rest of its life with it; where no guest runs there is no order to keep. */
static void end_life(struct launch *launch)
{
	struct child *core = child_at(launch, KIND_CORE, 0);
	const struct word word = {.op = WORD_CUT_OFF};

	if (launch->stage == STAGE_ENDING)
		return;
	if (!core->pid) {
		end_of_guest(launch);
		return;
	}
	if (launch->stage == STAGE_RUNNING)
		child_tell(core, &word, NULL, 0);
	else
		child_kill(core);
	end_by(core, CUT_MS);
}

static void tell_console(void *opaque, bool ours)
{
	const struct word word = {.op = WORD_CONSOLE, .value = ours};

	child_tell(child_at(opaque, KIND_CORE, 0), &word, NULL, 0);
}

static void runs(struct launch *launch)
{
	if (launch->stage != STAGE_STARTING && launch->stage != STAGE_NO_GUEST)
		return;
	launch->stage = STAGE_RUNNING;
	if (!launch->api && launch->opts.serial == CONSOLE_TTY)
		terminal_begin(tell_console, launch);
}

void life_word(struct launch *launch, const struct word *word)
{
	switch (word->op) {
	case WORD_START: start(launch, word); break;
	case WORD_CUT: case WORD_END: cut(launch, word); break;
	case WORD_END_LIFE: end_life(launch); break;
	case WORD_QUIT: life_end(launch, word->value & 0xff); break;
	case WORD_RUNS: runs(launch); break;
	}
}

/* ---- signals --------------------------------------------------------------------------------- */

static void tell_core(struct launch *launch, enum word_op op, int signal)
{
	const struct word word = {.op = (uint8_t)op, .value = signal};

	child_tell(child_at(launch, KIND_CORE, 0), &word, NULL, 0);
}

/* The first presses the guest's power button, another, or SIGQUIT, ends it. */
static void stop_guest(struct launch *launch, int signal)
{
	bool now = launch->asked || signal == SIGQUIT || launch->opts.shutdown_timeout_s == 0;

	if (launch->stage == STAGE_NO_GUEST) {
		life_end(launch, STATUS_OK);
		return;
	}
	if (launch->stage == STAGE_STARTING) {
		launch->signal = signal; /* however long a step takes, it simply ends us */
		life_end(launch, STATUS_REFUSED);
		return;
	}
	if (launch->stage != STAGE_RUNNING)
		return;
	launch->asked = true;
	launch->quits = launch->api;
	tell_core(launch, now ? WORD_CUT_OFF : WORD_POWER, signal);
	end_by(child_at(launch, KIND_CORE, 0),
		CUT_MS + (now ? 0 : launch->opts.shutdown_timeout_s * 1000ll));
}

static void signal_all(const struct launch *launch, int signal)
{
	for (unsigned i = 0; i < CHILDREN; i++) {
		if (launch->children[i].pid)
			kill(launch->children[i].pid, signal);
	}
}

/* The terminal may be ours again. */
static void look(const struct launch *launch)
{
	if (launch->stage == STAGE_RUNNING)
		terminal_continued();
}

/* A job that is to stop stops whole, and goes on whole. Processes that are first in their pid namespace
 * would ignore SIGTSTP. The time it stood still is not theirs to end in. */
static void stop_job(struct launch *launch)
{
	const int64_t since = now_ms();

	terminal_restore();
	signal_all(launch, SIGSTOP);
	raise(SIGSTOP);
	signal_all(launch, SIGCONT);
	life_lost(launch, now_ms() - since);
	look(launch);
}

void life_signal(struct launch *launch, int signal)
{
	switch (signal) {
	case SIGUSR1: tell_core(launch, WORD_COUNTS, signal); break;
	case SIGTSTP: stop_job(launch); break;
	case SIGCONT: look(launch); break;
	default: stop_guest(launch, signal);
	}
}
