/* SPDX-License-Identifier: Apache-2.0
 *
 * The launcher's table of processes and what becomes of the VM by their ends, by words and by signals:
 * whose end leads to which exit status, who is told, who is ended, and how long that is waited for. No
 * process is started: birth, kill(2), raise(3) and the terminal are doubles.
 *
 * links: helpers/launch/life.c helpers/launch/children.c helpers/launch/rebirth.c
 */
#include "tests/unit/launcher.h"

TestSuite(launch, .init = begin_first, .fini = end);

/* ---- ends -------------------------------------------------------------------------------------- */

#define GOES_ON -1

Test(launch, whose_end_leads_to_which_status)
{
	static const struct {
		enum stage stage;
		enum word_kind kind;
		int wait_status, status; /* GOES_ON: it does */
	} rows[] = {
		{STAGE_RUNNING, KIND_CORE, EXITED(0), 0},
		{STAGE_RUNNING, KIND_CORE, EXITED(2), 2},
		{STAGE_RUNNING, KIND_CORE, EXITED(3), 3},
		{STAGE_RUNNING, KIND_CORE, SIGKILL, 2},
		{STAGE_RUNNING, KIND_CORE, SIGSYS, 2},
		{STAGE_STARTING, KIND_CORE, EXITED(1), 1},
		{STAGE_STARTING, KIND_CORE, SIGSEGV, 2},
		{STAGE_STARTING, KIND_OPENER, EXITED(0), GOES_ON},
		{STAGE_STARTING, KIND_OPENER, EXITED(1), 1},
		{STAGE_STARTING, KIND_OPENER, EXITED(127), 1},
		{STAGE_STARTING, KIND_OPENER, SIGKILL, 1},
		{STAGE_RUNNING, KIND_OPENER, EXITED(0), GOES_ON},
		{STAGE_STARTING, KIND_BROKER, EXITED(1), GOES_ON}, /* the core says what that means */
		{STAGE_RUNNING, KIND_BROKER, SIGSYS, GOES_ON},
		{STAGE_RUNNING, KIND_VFIO, EXITED(1), GOES_ON},
		{STAGE_RUNNING, KIND_VFIO, SIGSYS, GOES_ON},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct child *child;

		begin();
		launch.stage = rows[i].stage;
		child = child_at(&launch, rows[i].kind, 0);
		life_ended(&launch, child, rows[i].wait_status);
		cr_expect(child->pid == 0 && child->words.n < 0, "row %u", i);
		if (rows[i].status == GOES_ON)
			cr_expect(launch.stage == rows[i].stage, "row %u", i);
		else
			cr_expect(launch.stage == STAGE_ENDING && launch.status == rows[i].status,
				"row %u: %d", i, launch.status);
		cr_expect(!life_over(&launch), "row %u: others live", i);
		for (unsigned k = 0; k < CHILDREN; k++) {
			const struct child *other = &launch.children[k];
			bool ends = other->pid && rows[i].status != GOES_ON;
			bool closes = other->kind == KIND_BROKER && rows[i].stage == STAGE_RUNNING;
			bool orphan = other->pid && rows[i].kind == KIND_BROKER && is_helper(other->kind);

			cr_expect_eq(killed[k], (ends && !closes) || orphan, "row %u, child %u", i, k);
			cr_expect_eq(other->kill_at != 0, ends, "row %u, child %u", i, k);
		}
	}
}

/* It was decided before: by a signal, or by what ended first. */
Test(launch, the_first_status_stays)
{
	launch.stage = STAGE_RUNNING;
	life_end(&launch, 3);
	life_ended(&launch, child_at(&launch, KIND_CORE, 0), SIGKILL);
	life_ended(&launch, child_at(&launch, KIND_OPENER, 0), EXITED(1));
	life_end(&launch, 1);
	cr_expect_eq(launch.status, 3);
	cr_expect(asked_restore);
	life_ended(&launch, child_at(&launch, KIND_VFIO, 0), SIGKILL);
	life_ended(&launch, child_at(&launch, KIND_VDPA, 29), SIGKILL);
	cr_expect(!life_over(&launch), "the broker gives devices back");
	life_ended(&launch, child_at(&launch, KIND_BROKER, 0), EXITED(0));
	cr_expect(life_over(&launch));
}

Test(launch, ends_are_told_to_core_and_broker)
{
	struct word word;

	life_ended(&launch, child_at(&launch, KIND_VDPA, 29), SIGSYS);
	for (unsigned i = 0; i < 2; i++) {
		cr_expect_eq(told(i ? core_words : broker_words, i ? WORDS_CORE : WORDS_BROKER, &word),
			WORD_ENDED);
		cr_expect(word.kind == KIND_VDPA && word.slot == 29 && word.generation == GENERATION &&
			word.value == SIGSYS);
	}
	life_ended(&launch, child_at(&launch, KIND_BROKER, 0), EXITED(1));
	cr_expect_eq(told(core_words, WORDS_CORE, &word), WORD_ENDED);
	cr_expect(word.kind == KIND_BROKER && word.value == EXITED(1));
	cr_expect_eq(core_told(), 0);
}

/* Whoever does not end is ended, and what no signal ends is not waited for. */
Test(launch, no_end_is_waited_for_for_ever)
{
	struct child *broker = child_at(&launch, KIND_BROKER, 0);

	launch.stage = STAGE_RUNNING;
	cr_expect_eq(life_due_ms(&launch), -1);
	life_end(&launch, 0);
	cr_expect(life_due_ms(&launch) > 0 && life_due_ms(&launch) <= 10000);
	for (unsigned i = 0; i < CHILDREN; i++) {
		if (&launch.children[i] != broker)
			launch.children[i].pid = 0;
	}
	cr_expect(life_due_ms(&launch) > 0 && life_due_ms(&launch) <= 10000, "devices close");
	life_tick(&launch);
	cr_expect_eq(killed[place(KIND_BROKER, 0)], 0);
	broker->kill_at = now_ms() - 1;
	cr_expect_eq(life_due_ms(&launch), 0);
	life_tick(&launch);
	cr_expect_eq(killed[place(KIND_BROKER, 0)], 1);
	cr_expect(!life_over(&launch));
	broker->kill_at = now_ms() - 1;
	life_tick(&launch);
	cr_expect_eq(killed[place(KIND_BROKER, 0)], 1, "it is inside the kernel");
	cr_expect(life_over(&launch));
}

/* A core that no signal ends takes the VM with it all the same. */
Test(launch, a_core_that_does_not_end)
{
	struct child *core = child_at(&launch, KIND_CORE, 0);

	life_signal(&launch, SIGTERM);
	core->kill_at = now_ms() - 1;
	life_tick(&launch);
	cr_expect_eq(killed[place(KIND_CORE, 0)], 1);
	cr_expect_eq(launch.stage, STAGE_RUNNING);
	core->kill_at = now_ms() - 1;
	life_tick(&launch);
	cr_expect(launch.stage == STAGE_ENDING && launch.status == 2);
	cr_expect_eq(killed[place(KIND_VFIO, 0)], 1);
}

/* Who has a minute to power off in has none once all else ends. */
Test(launch, a_longer_deadline_is_cut_short)
{
	struct child *core = child_at(&launch, KIND_CORE, 0);

	life_signal(&launch, SIGTERM);
	cr_expect_gt(core->kill_at - now_ms(), 80000);
	life_end(&launch, 1);
	cr_expect_leq(core->kill_at - now_ms(), 10000);
}

/* ---- signals ----------------------------------------------------------------------------------- */

Test(launch, before_the_guest_runs_a_signal_simply_ends_us)
{
	launch.stage = STAGE_STARTING;
	life_signal(&launch, SIGTERM);
	cr_expect(launch.stage == STAGE_ENDING && launch.signal == SIGTERM);
	cr_expect_eq(killed[place(KIND_CORE, 0)], 1);
	cr_expect_eq(core_told(), 0);
}

Test(launch, the_first_presses_the_button_and_the_second_cuts_off)
{
	struct child *core = child_at(&launch, KIND_CORE, 0);
	int64_t left;

	life_signal(&launch, SIGTERM);
	cr_expect_eq(core_told(), WORD_POWER);
	left = core->kill_at - now_ms();
	cr_expect(left > 80000 && left <= 85000, "the guest's minute, and the core's: %ld", (long)left);
	life_signal(&launch, SIGINT);
	cr_expect_eq(core_told(), WORD_CUT_OFF);
	left = core->kill_at - now_ms();
	cr_expect(left > 20000 && left <= 25000, "%ld", (long)left);
	cr_expect(launch.stage == STAGE_RUNNING && !launch.signal && !killed[place(KIND_CORE, 0)]);
	life_end(&launch, 3);
	life_signal(&launch, SIGTERM);
	cr_expect(!launch.signal && core_told() == 0);
}

Test(launch, without_time_or_by_sigquit_it_is_cut_off_at_once)
{
	life_signal(&launch, SIGQUIT);
	cr_expect_eq(core_told(), WORD_CUT_OFF);
	begin();
	launch.opts.shutdown_timeout_s = 0;
	life_signal(&launch, SIGTERM);
	cr_expect_eq(core_told(), WORD_CUT_OFF);
}

Test(launch, counts)
{
	life_signal(&launch, SIGUSR1);
	cr_expect_eq(core_told(), WORD_COUNTS);
}

/* Processes that are first in their pid namespace would ignore SIGTSTP; and the time that all stood still
 * is nobody's to end in. */
Test(launch, a_job_stops_and_goes_on_whole)
{
	struct child *core = child_at(&launch, KIND_CORE, 0);
	int64_t left;

	life_signal(&launch, SIGCONT);
	cr_expect_eq(sent[place(KIND_CORE, 0)], 0, "nobody was stopped");
	cr_expect(looked);
	life_signal(&launch, SIGTERM);
	left = core->kill_at - now_ms();
	stands_still_ms = 300;
	life_signal(&launch, SIGTSTP);
	cr_expect(raised == SIGSTOP && asked_restore);
	for (unsigned i = 0; i < CHILDREN; i++) {
		cr_expect_eq(stopped[i], launch.children[i].pid ? 1u : 0u);
		cr_expect_eq(sent[i], launch.children[i].pid ? SIGCONT : 0);
	}
	cr_expect_gt(core->kill_at - now_ms(), left - 200, "it has lost %ld ms",
		(long)(left - (core->kill_at - now_ms())));
}

/* ---- words ------------------------------------------------------------------------------------- */

Test(launch, the_guest_runs)
{
	launch.stage = STAGE_STARTING;
	launch.opts.serial = CONSOLE_TTY;
	word(WORD_RUNS, KIND_LAUNCHER, 0, 0);
	cr_expect(launch.stage == STAGE_RUNNING && terminal);
	tell_terminal(&launch, true);
	cr_expect_eq(core_told(), WORD_CONSOLE);
	terminal = false;
	word(WORD_RUNS, KIND_LAUNCHER, 0, 0);
	cr_expect(!terminal, "once");
	begin();
	launch.stage = STAGE_STARTING;
	word(WORD_RUNS, KIND_LAUNCHER, 0, 0);
	cr_expect(launch.stage == STAGE_RUNNING && !terminal, "it has no terminal");
	life_end(&launch, 1);
	word(WORD_RUNS, KIND_LAUNCHER, 0, 0);
	cr_expect_eq(launch.stage, STAGE_ENDING);
}

Test(launch, what_cannot_be_started_ends_the_vm)
{
	no_birth = -EACCES;
	launch.stage = STAGE_STARTING;
	word(WORD_START, KIND_NULL, 7, 0);
	cr_expect(launch.stage == STAGE_ENDING && launch.status == 1);
	cr_expect_lt(child_at(&launch, KIND_NULL, 7)->words.n, 0);
	begin();
	word(WORD_START, KIND_VFIO, 0, 0);
	cr_expect(launch.stage == STAGE_ENDING, "there is one");
	begin();
	life_end(&launch, 3);
	no_birth = 0;
	born.kind = KIND_LAUNCHER;
	word(WORD_START, KIND_NULL, 7, 0);
	cr_expect_eq(born.kind, KIND_LAUNCHER, "nothing starts any more");
}

/* ---- the table and what is dealt --------------------------------------------------------------- */

Test(launch, places)
{
	cr_expect_eq(child_at(&launch, KIND_VFIO, 3), child_at(&launch, KIND_NULL, 3), "a slot is one device's");
	cr_expect_neq(child_at(&launch, KIND_VFIO, 3), child_at(&launch, KIND_VFIO, 4));
	cr_expect_neq(child_at(&launch, KIND_VFIO, 0), child_at(&launch, KIND_BROKER, 0));
	cr_expect_null(child_at(&launch, KIND_LAUNCHER, 0));
	cr_expect_null(child_at(&launch, WORD_KINDS, 0));
	cr_expect_null(child_at(&launch, KIND_VFIO, VM_SLOTS));
	cr_expect_eq(child_at(&launch, KIND_VDPA, VM_SLOTS - 1), &launch.children[CHILDREN - 1]);
	cr_expect_eq(child_of_pid(&launch, PID + (pid_t)place(KIND_VDPA, 29)),
		child_at(&launch, KIND_VDPA, 29));
	cr_expect_null(child_of_pid(&launch, PID + 500));
	cr_expect(is_helper(KIND_VFIO) && is_helper(KIND_NULL) && !is_helper(KIND_BROKER) &&
		!is_helper(WORD_KINDS));
}

Test(launch, a_helper_is_dealt_to_broker_and_core)
{
	struct word word;

	cr_assert_eq(child_start(&launch, KIND_NULL, 4, 9, 64 << 20, &err), 0, "%s", err.msg);
	cr_expect_eq(n_planned(), 5u, "words, orders, log, ask, event");
	cr_expect(born.kind == KIND_NULL && born.slot == 4 && born.memlock == 0);
	cr_expect_eq(told(broker_words, WORDS_BROKER, &word), WORD_DEAL);
	cr_expect(word.kind == KIND_NULL && word.slot == 4 && word.generation == 9);
	cr_expect_eq(told(core_words, WORDS_CORE, &word), WORD_DEAL);
	cr_expect(word.kind == KIND_NULL && word.slot == 4 && word.generation == 9);
	cr_expect_eq(child_at(&launch, KIND_NULL, 4)->pid, PID + 999);
	/* Guest RAM is pinned in who owns a vhost device, and in no other helper. */
	cr_assert_eq(child_start(&launch, KIND_VDPA, 5, 9, 64 << 20, &err), 0, "%s", err.msg);
	cr_expect_eq(born.memlock, 64u << 20);
}

Test(launch, who_is_born_with_what)
{
	child_at(&launch, KIND_OPENER, 0)->pid = 0;
	cr_assert_eq(child_start(&launch, KIND_OPENER, 0, 1, 0, &err), 0, "%s", err.msg);
	cr_expect(n_planned() == 5 && born.memlock == UINT64_MAX);
	cr_expect(born.fds[BIRTH_FD_ORDERS] == STDERR_FILENO && born.fds[BIRTH_FD_LOG] == STDERR_FILENO &&
		born.fds[3] == STDIN_FILENO && born.fds[4] == STDOUT_FILENO);
	child_at(&launch, KIND_CORE, 0)->pid = 0;
	cr_assert_eq(child_start(&launch, KIND_CORE, 0, 1, 0, &err), 0, "%s", err.msg);
	cr_expect(n_planned() == 3 && born.fds[BIRTH_FD_ORDERS] > STDERR_FILENO &&
		born.fds[BIRTH_FD_LOG] == STDERR_FILENO);
	child_at(&launch, KIND_BROKER, 0)->pid = 0;
	cr_assert_eq(child_start(&launch, KIND_BROKER, 0, 1, 0, &err), 0, "%s", err.msg);
	cr_expect(n_planned() == 5 && born.memlock == UINT64_MAX);
}

/* It holds up nobody: what it can do without is dropped, and without the rest it is ended. */
Test(launch, a_child_that_reads_no_words_is_ended)
{
	for (unsigned i = 0; i < 100000; i++)
		life_signal(&launch, SIGUSR1);
	cr_expect_eq(killed[place(KIND_CORE, 0)], 0);
	life_ended(&launch, child_at(&launch, KIND_VDPA, 29), EXITED(0));
	cr_expect_eq(killed[place(KIND_CORE, 0)], 1);
	fd_close(&broker_words);
	life_ended(&launch, child_at(&launch, KIND_VFIO, 0), EXITED(0));
	cr_expect_eq(killed[place(KIND_BROKER, 0)], 0, "one that is ending is not told, and no more");
}
