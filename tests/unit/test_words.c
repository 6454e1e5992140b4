/* SPDX-License-Identifier: Apache-2.0
 *
 * Words of the launcher and to it: who may say which, what is no word, and that no descriptor stays.
 *
 * links: tests/census.c
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "ipc/frame.h"
#include "ipc/operate.h"
#include "ipc/words.h"
#include "tests/census.h"

static struct fd near_end, far_end;
static struct word_msg msg;

static void begin(void)
{
	cr_assert_eq(frame_pair(&near_end, &far_end), 0);
}

TestSuite(words, .init = begin, .timeout = 30);

static const struct word deal = {.op = WORD_DEAL, .kind = KIND_VFIO, .slot = 3, .generation = 7};

static int to_core(void)
{
	return word_recv(far_end.n, WORDS_LAUNCHER, WORDS_CORE, &msg);
}

Test(words, a_deal_brings_its_descriptors)
{
	int before = census_fds(0);

	cr_assert_eq(to_core(), -EAGAIN);
	cr_assert_eq(word_send(near_end.n, &deal, (const int[]){1, 2}, 2), 0);
	cr_assert_eq(to_core(), 0);
	cr_assert_eq(memcmp(&msg.word, &deal, sizeof(deal)), 0);
	cr_assert_eq(msg.n_fds, 2);
	cr_assert(msg.fds[0].n >= 0 && msg.fds[1].n >= 0);
	word_done(&msg);
	cr_assert_eq(census_fds(0), before);
}

/* The kernel tells of the reset before it gives out what came. */
Test(words, last_words_of_who_leaves_something_unread)
{
	cr_assert_eq(word_send(far_end.n, &deal, (const int[]){1}, 1), 0);
	cr_assert_eq(word_send(near_end.n, &deal, (const int[]){1}, 1), 0);
	fd_close(&near_end);
	cr_assert_eq(to_core(), 0);
	word_done(&msg);
	cr_assert_eq(to_core(), -EPIPE);
}

Test(words, who_may_say_what)
{
	static const enum word_actor actors[] = {WORDS_LAUNCHER, WORDS_OPENER, WORDS_API, WORDS_CORE,
		WORDS_BROKER, WORDS_HELPER};
	unsigned allowed = 0;

	for (unsigned op = 0; op < 256; op++) {
		struct word word = {.op = (uint8_t)op};
		unsigned fds = op == WORD_DEAL;

		for (unsigned i = 0; i < 36; i++) {
			enum word_actor from = actors[i / 6], to = actors[i % 6];
			bool ok = word_allowed(&word, from, to, fds);

			allowed += ok;
			cr_assert(!ok || from == WORDS_LAUNCHER || to == WORDS_LAUNCHER);
			cr_assert(!ok || from != to);
			cr_assert(!ok || from == WORDS_LAUNCHER || from == WORDS_OPENER || (from == WORDS_CORE &&
				(op == WORD_CUT || op == WORD_RUNS)), "api, broker and helper say nothing");
			cr_assert_not(word_allowed(&word, from, to, fds ? 0 : 1));
			cr_assert_not(word_allowed(&word, from, to, WORD_FDS + 1));
		}
	}
	cr_assert_eq(allowed, 5 + 4 + 4 + 2 + 4);
}

Test(words, numbers_out_of_range)
{
	struct word word = {.op = WORD_ENDED, .kind = WORD_KINDS - 1, .slot = VM_SLOTS - 1};

	cr_assert(word_allowed(&word, WORDS_LAUNCHER, WORDS_CORE, 0));
	word.kind = WORD_KINDS;
	cr_assert_not(word_allowed(&word, WORDS_LAUNCHER, WORDS_CORE, 0));
	word.kind = KIND_NULL;
	word.slot = VM_SLOTS;
	cr_assert_not(word_allowed(&word, WORDS_LAUNCHER, WORDS_CORE, 0));
	word.slot = 0;
	word.spare = 1;
	cr_assert_not(word_allowed(&word, WORDS_LAUNCHER, WORDS_CORE, 0));
}

Test(words, what_is_none_is_refused_and_its_descriptors_closed)
{
	static const uint8_t bytes[64];
	int before = census_fds(0);

	for (size_t len = 1; len < sizeof(bytes); len++) {
		cr_assert_eq(frame_send(near_end.n, bytes, len, (const int[]){0, 1, 2}, 3,
			&(int){10}), 0);
		cr_assert_eq(to_core(), -EBADMSG, "%zu bytes", len);
	}
	cr_assert_eq(word_send(near_end.n, &deal, NULL, 0), 0);
	cr_assert_eq(to_core(), -EBADMSG, "a deal of nothing");
	cr_assert_eq(census_fds(0), before);
	fd_close(&near_end);
	cr_assert_eq(to_core(), -EPIPE);
}

Test(words, a_full_queue_is_not_waited_for)
{
	const struct word word = {.op = WORD_POWER};
	int r = 0;

	for (unsigned i = 0; i < 100000 && r == 0; i++)
		r = word_send(near_end.n, &word, NULL, 0);
	cr_assert_eq(r, -EAGAIN);
	cr_assert_eq(to_core(), 0);
	cr_assert_eq(msg.word.op, WORD_POWER);
}
