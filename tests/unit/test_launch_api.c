/* SPDX-License-Identifier: Apache-2.0
 *
 * The launcher of a VM with an API: lives that end and begin, an api that is started anew or is not, and
 * who is introduced to whom.
 *
 * links: helpers/launch/life.c helpers/launch/children.c helpers/launch/rebirth.c
 */
#include "tests/unit/launcher.h"

static struct fd opener_words, api_words; /* the other ends */

/* A VM that runs, as a client had it booted. */
static void begin_api(void)
{
	begin();
	launch.api = true;
	launch.opts.shutdown_timeout_s = 0;
	fd_close(&opener_words);
	fd_close(&api_words);
	live(KIND_API, 0);
	cr_assert_eq(frame_pair(&child_at(&launch, KIND_OPENER, 0)->words, &opener_words), 0);
	cr_assert_eq(frame_pair(&child_at(&launch, KIND_API, 0)->words, &api_words), 0);
	launch.nothing.n = 43; /* what it is made of is birth's */
	born = (struct birth_plan){.kind = KIND_LAUNCHER};
}

static void begin_first_api(void)
{
	core_words = broker_words = opener_words = api_words = FD_NONE_INIT;
	ours = true;
	begin_api();
}
TestSuite(launch_api, .init = begin_first_api, .fini = end);

/* No VM; opener and api are there. */
static void without_vm(void)
{
	for (unsigned i = 0; i < CHILDREN; i++) {
		struct child *child = &launch.children[i];

		if (child->kind == KIND_OPENER || child->kind == KIND_API)
			continue;
		child->pid = 0;
		fd_close(&child->words);
	}
	launch.stage = STAGE_NO_GUEST;
}

static void dies(enum word_kind kind, unsigned slot, int wait_status)
{
	life_ended(&launch, child_at(&launch, kind, slot), wait_status);
}

/* ---- a life ends -------------------------------------------------------------------------------- */

Test(launch_api, a_guest_that_is_to_end_ends_in_order)
{
	struct child *core = child_at(&launch, KIND_CORE, 0);

	word(WORD_END_LIFE, KIND_LAUNCHER, 0, 0);
	cr_expect_eq(core_told(), WORD_CUT_OFF);
	cr_expect(core->kill_at > now_ms() && core->kill_at <= now_ms() + 25000);
	for (unsigned i = 0; i < CHILDREN; i++)
		cr_expect_eq(killed[i], 0, "child %u", i);
	cr_expect_eq(launch.stage, STAGE_RUNNING);
	core->kill_at = now_ms() - 1;
	life_tick(&launch);
	cr_expect_eq(killed[place(KIND_CORE, 0)], 1, "nobody waits for ever");
	cr_expect_neq(launch.stage, STAGE_ENDING);
}

Test(launch_api, where_no_guest_runs_yet_the_core_is_simply_ended)
{
	launch.stage = STAGE_NO_GUEST; /* until it says that it runs */
	word(WORD_END_LIFE, KIND_LAUNCHER, 0, 0);
	cr_expect_eq(core_told(), 0);
	cr_expect_eq(killed[place(KIND_CORE, 0)], 1);
}

Test(launch_api, what_is_left_of_a_life_without_a_core_is_ended)
{
	child_at(&launch, KIND_CORE, 0)->pid = 0;
	launch.stage = STAGE_NO_GUEST;
	word(WORD_END_LIFE, KIND_LAUNCHER, 0, 0);
	cr_expect_eq(killed[place(KIND_VFIO, 0)], 1);
	cr_expect_eq(killed[place(KIND_VDPA, 29)], 1);
	cr_expect_eq(killed[place(KIND_BROKER, 0)], 0, "it gives devices back");
	cr_expect_neq(child_at(&launch, KIND_BROKER, 0)->kill_at, 0, "within a time");
	cr_expect(!killed[place(KIND_OPENER, 0)] && !killed[place(KIND_API, 0)]);
}

Test(launch_api, the_end_of_a_core_is_that_of_its_life_only)
{
	static const int ends[] = {EXITED(0), EXITED(2), SIGKILL, SIGSYS};

	for (unsigned i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct word word;

		begin_api();
		asked_restore = false;
		dies(KIND_CORE, 0, ends[i]);
		cr_expect_eq(launch.stage, STAGE_NO_GUEST);
		cr_expect(asked_restore && !launch.asked);
		cr_expect_eq(killed[place(KIND_VFIO, 0)], 1);
		cr_expect_eq(killed[place(KIND_VDPA, 29)], 1);
		cr_expect_neq(child_at(&launch, KIND_BROKER, 0)->kill_at, 0);
		cr_expect(!killed[place(KIND_OPENER, 0)] && !killed[place(KIND_API, 0)]);
		cr_expect(child_at(&launch, KIND_API, 0)->kill_at == 0);
		/* Whoever counts on it hears of it. */
		cr_expect_eq(told(opener_words, WORDS_OPENER, &word), WORD_ENDED);
		cr_expect(word.kind == KIND_CORE && word.value == ends[i] && word.generation == GENERATION);
		cr_expect_eq(told(api_words, WORDS_API, &word), WORD_ENDED);
		cr_expect_eq(told(broker_words, WORDS_BROKER, &word), WORD_ENDED);
		cr_expect(!life_over(&launch));
	}
}

Test(launch_api, a_next_life_begins_and_runs)
{
	struct word told_word;

	without_vm();
	word(WORD_START, KIND_CORE, 0, 32);
	cr_expect_eq(born.kind, KIND_CORE);
	cr_expect_eq(launch.stage, STAGE_NO_GUEST);
	cr_expect_eq(told(opener_words, WORDS_OPENER, &told_word), WORD_DEAL);
	word(WORD_RUNS, KIND_LAUNCHER, 0, 0);
	cr_expect_eq(launch.stage, STAGE_RUNNING);
	cr_expect(!terminal, "of a client's VM it is nobody's");
}

/* The opener counts on an end for every start. */
Test(launch_api, what_cannot_be_started_is_told_to_the_opener)
{
	struct word told_word;

	without_vm();
	no_birth = -EAGAIN;
	word(WORD_START, KIND_CORE, 0, 32);
	cr_expect_eq(launch.stage, STAGE_NO_GUEST);
	cr_expect_eq(told(opener_words, WORDS_OPENER, &told_word), WORD_ENDED);
	cr_expect(told_word.kind == KIND_CORE && told_word.slot == 0 && told_word.generation == GENERATION &&
		told_word.value == EXITED(1));
	/* A helper whose broker does not live. */
	no_birth = 0;
	word(WORD_START, KIND_NULL, 7, 32);
	cr_expect_eq(told(opener_words, WORDS_OPENER, &told_word), WORD_ENDED);
	cr_expect(told_word.kind == KIND_NULL && told_word.slot == 7);
	cr_expect_eq(born.kind, KIND_CORE, "it is not even tried");
	cr_expect_lt(child_at(&launch, KIND_NULL, 7)->words.n, 0);
}

/* ---- everything ends ----------------------------------------------------------------------------- */

Test(launch_api, the_opener_ends_everything_with_its_status)
{
	word(WORD_QUIT, KIND_LAUNCHER, 0, 0);
	cr_expect(launch.stage == STAGE_ENDING && launch.status == 0);
	for (unsigned i = 0; i < CHILDREN; i++) {
		const struct child *child = &launch.children[i];

		cr_expect_eq(killed[i], child->pid && child->kind != KIND_BROKER && child->kind != KIND_API,
			"child %u", i);
	}
	cr_expect(child_at(&launch, KIND_API, 0)->kill_at > now_ms(), "it has yet to tell its clients");
	dies(KIND_API, 0, SIGKILL);
	cr_expect_eq(born.kind, KIND_LAUNCHER, "nobody is started any more");
	word(WORD_START, KIND_CORE, 0, 32);
	cr_expect_eq(born.kind, KIND_LAUNCHER);
	begin_api();
	without_vm();
	word(WORD_QUIT, KIND_LAUNCHER, 0, 0x102);
	cr_expect_eq(launch.status, 2, "a byte of it");
}

/* As an opener says that hears of the core's end before its own. */
Test(launch_api, an_end_of_everything_is_not_taken_back)
{
	life_signal(&launch, SIGTERM);
	dies(KIND_CORE, 0, EXITED(3));
	word(WORD_END_LIFE, KIND_LAUNCHER, 0, 0);
	dies(KIND_OPENER, 0, SIGKILL);
	cr_expect(launch.stage == STAGE_ENDING && launch.status == 0, "%d", launch.status);
}

Test(launch_api, without_the_opener_nothing_goes_on)
{
	static const int ends[] = {EXITED(0), EXITED(1), SIGKILL, SIGSYS};

	for (unsigned i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		begin_api();
		dies(KIND_OPENER, 0, ends[i]);
		cr_expect(launch.stage == STAGE_ENDING && launch.status == 1);
	}
}

/* An api sees that its opener is gone, and ends by that, before we have reaped it. */
Test(launch_api, an_api_that_ends_by_its_openers_end_is_not_started_again)
{
	fd_close(&opener_words);
	dies(KIND_API, 0, 1 << 8);
	cr_expect_eq(born.kind, KIND_LAUNCHER, "none is started");
	cr_expect_neq(launch.stage, STAGE_ENDING);
	dies(KIND_OPENER, 0, SIGKILL);
	cr_expect(launch.stage == STAGE_ENDING && launch.status == 1);
}

Test(launch_api, a_signal_ends_everything_well)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGQUIT};

	for (unsigned i = 0; i < 3; i++) {
		begin_api();
		life_signal(&launch, signals[i]);
		cr_expect_eq(core_told(), WORD_CUT_OFF, "it is not asked unless it was given a time");
		cr_expect_eq(launch.stage, STAGE_RUNNING);
		dies(KIND_CORE, 0, EXITED(3));
		cr_expect(launch.stage == STAGE_ENDING && launch.status == 0 && launch.signal == 0);
		begin_api();
		without_vm();
		life_signal(&launch, signals[i]);
		cr_expect(launch.stage == STAGE_ENDING && launch.status == 0 && launch.signal == 0);
	}
	begin_api();
	launch.opts.shutdown_timeout_s = 60;
	life_signal(&launch, SIGTERM);
	cr_expect_eq(core_told(), WORD_POWER);
	dies(KIND_CORE, 0, EXITED(0));
	cr_expect(launch.stage == STAGE_ENDING && launch.status == 0);
}

/* The time that all stood still in is added to every deadline, and gives nobody one. */
Test(launch_api, time_that_is_lost_is_nobodys)
{
	struct child *core = child_at(&launch, KIND_CORE, 0);
	int64_t at;

	word(WORD_END_LIFE, KIND_LAUNCHER, 0, 0);
	at = core->kill_at;
	life_lost(&launch, 12000);
	cr_expect_eq(core->kill_at, at + 12000);
	cr_expect_eq(child_at(&launch, KIND_BROKER, 0)->kill_at, 0);
}

/* ---- the api ------------------------------------------------------------------------------------ */

Test(launch_api, by_what_an_api_ended_another_is_started)
{
	static const struct {
		int wait_status;
		bool again;
	} rows[] = {
		{SIGKILL, true}, {SIGTERM, true}, {SIGSEGV, true}, {SIGABRT, true}, {EXITED(1), true},
		{EXITED(127), true}, {SIGSYS, false}, {EXITED(0), false},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin_api();
		dies(KIND_API, 0, rows[i].wait_status);
		cr_expect_eq(born.kind, rows[i].again ? KIND_API : KIND_LAUNCHER, "0x%x",
			rows[i].wait_status);
		cr_expect_eq(launch.stage, STAGE_RUNNING, "the VM goes on");
		if (rows[i].again)
			cr_expect_eq(child_at(&launch, KIND_API, 0)->generation, GENERATION + 1u);
	}
}

static unsigned born_again(int wait_status, unsigned tries)
{
	unsigned n = 0;

	begin_api();
	launch.rebirth = (struct rebirth){.minute_from = now_ms()};
	for (unsigned i = 0; i < tries; i++) {
		born.kind = KIND_LAUNCHER;
		dies(KIND_API, 0, wait_status);
		n += born.kind == KIND_API;
	}
	return n;
}

Test(launch_api, an_api_is_started_so_often_and_no_more)
{
	cr_expect_eq(born_again(SIGSEGV, 30), 3, "crashes");
	cr_expect_eq(born_again(SIGKILL, 30), 20, "within a minute");
	cr_expect_eq(born_again(SIGSYS, 30), 0);
}

Test(launch_api, a_hundred_in_all_however_slowly)
{
	struct rebirth rebirth = {0};
	unsigned n = 0;

	for (unsigned i = 0; i < 200; i++)
		n += rebirth_allowed(&rebirth, SIGKILL, i * 60000ll);
	cr_expect_eq(n, 100);
}

Test(launch_api, an_api_that_cannot_be_started_again_ends_no_vm)
{
	no_birth = -EAGAIN;
	dies(KIND_API, 0, SIGKILL);
	cr_expect_eq(launch.stage, STAGE_RUNNING);
	cr_expect_eq(child_at(&launch, KIND_API, 0)->pid, 0);
	no_birth = 0;
	launch.quits = true;
	dies(KIND_API, 0, SIGKILL);
	cr_expect_eq(launch.stage, STAGE_RUNNING);
}

/* ---- introductions ------------------------------------------------------------------------------ */

static void skip(struct fd words, enum word_actor to, unsigned n)
{
	struct word word;

	while (n--)
		cr_assert_neq(told(words, to, &word), 0);
}

/* The one that was there. The newborn's word lies in its own socket, whose end birth was given. */
static void expect_introduced(struct fd words, enum word_actor to, enum word_kind newborn)
{
	struct word_msg msg;

	cr_assert_eq(word_recv(words.n, WORDS_LAUNCHER, to, &msg), 0);
	cr_expect(msg.word.op == WORD_DEAL && msg.word.kind == newborn && msg.n_fds == 1);
	word_done(&msg);
}

Test(launch_api, a_core_is_introduced_to_the_api_that_is_there)
{
	without_vm();
	cr_assert_eq(child_start(&launch, KIND_CORE, 0, 9, 0, &err), 0, "%s", err.msg);
	expect_introduced(opener_words, WORDS_OPENER, KIND_CORE);
	expect_introduced(api_words, WORDS_API, KIND_CORE);
	cr_expect_eq(n_planned(), 3u, "words, orders, log; the api by a word");
}

Test(launch_api, an_api_is_introduced_to_the_core_that_is_there)
{
	dies(KIND_API, 0, SIGKILL);
	skip(core_words, WORDS_CORE, 1); /* of its end */
	skip(opener_words, WORDS_OPENER, 1);
	expect_introduced(core_words, WORDS_CORE, KIND_API);
	expect_introduced(opener_words, WORDS_OPENER, KIND_API);
	cr_expect_eq(n_planned(), 6u, "words, orders, log, two sockets and the events");
}

Test(launch_api, an_api_without_a_core_is_introduced_to_nobody_else)
{
	without_vm();
	dies(KIND_API, 0, SIGKILL);
	skip(opener_words, WORDS_OPENER, 1);
	expect_introduced(opener_words, WORDS_OPENER, KIND_API);
	cr_expect_eq(core_told(), 0);
}

Test(launch_api, what_the_api_is_born_with)
{
	dies(KIND_API, 0, EXITED(1));
	cr_expect_eq(born.fds[BIRTH_FD_LOG], STDERR_FILENO);
	begin_api();
	launch.listeners = (struct listeners){.api = {40}, .status = FD_NONE_INIT, .events = {42}};
	launch.nothing.n = 43;
	dies(KIND_API, 0, SIGKILL);
	cr_expect(born.fds[BIRTH_FD_LOG + 1] == 40 && born.fds[BIRTH_FD_LOG + 2] == 43 &&
		born.fds[BIRTH_FD_LOG + 3] == 42, "/dev/null for what there is not");
}
