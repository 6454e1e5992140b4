/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of a helper, over every short sequence of events and many long ones: it goes forward only,
 * a device that is failed is said to be once, its helper is ended once, it is free only once released.
 *
 * links: vmm/peer_state.c
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "vmm/peer_state.h"

/* What a life was, so far. */
struct life {
	enum peer_state state;
	unsigned told, ended, released, freed;
	bool given_back;
};

static void live(struct life *life, enum peer_event event)
{
	enum peer_state before = life->state;

	life->told += peer_news(before, event);
	life->state = peer_next(before, event);
	cr_assert_lt(life->state, PEER_STATES);
	cr_assert_geq(life->state, before, "from %d by %d back to %d", before, event, life->state);
	if (life->state == before)
		return;
	life->ended += event == PEER_TO_END;
	life->released += event == PEER_TO_RELEASE || event == PEER_GIVEN_BACK;
	life->freed += event == PEER_RELEASED;
	life->given_back |= event == PEER_GIVEN_BACK;
}

static void check(const struct life *life)
{
	bool failed = life->state >= PEER_FAILED;

	cr_assert_leq(life->told, 1u);
	cr_assert(life->told == failed || (life->given_back && life->told == 0),
		"told %u in state %d", life->told, life->state);
	cr_assert(life->ended <= 1 && life->released <= 1 && life->freed <= life->released);
	cr_assert_eq(life->state == PEER_FREE, life->freed == 1);
	cr_assert_eq(life->state >= PEER_RELEASING, life->released == 1);
}

Test(peer_state, every_short_life)
{
	enum { LENGTH = 5 };
	unsigned lives = 1;

	for (unsigned i = 0; i < LENGTH; i++)
		lives *= PEER_EVENTS;
	for (unsigned n = 0; n < lives; n++) {
		struct life life = {0};

		for (unsigned i = 0, rest = n; i < LENGTH; i++, rest /= PEER_EVENTS) {
			live(&life, (enum peer_event)(rest % PEER_EVENTS));
			check(&life);
		}
	}
}

Test(peer_state, long_lives)
{
	srandom(20261127);
	for (unsigned n = 0; n < 20000; n++) {
		struct life life = {0};

		for (unsigned i = 0; i < 40; i++) {
			live(&life, (enum peer_event)((unsigned)random() % PEER_EVENTS));
			check(&life);
		}
	}
}

Test(peer_state, a_helper_that_is_killed)
{
	struct life life = {0};

	live(&life, PEER_HANGS_UP);
	cr_expect(peer_to_be_ended(life.state) && life.told == 0, "the broker knows how it ended");
	live(&life, PEER_TO_END);
	cr_expect(!peer_to_be_ended(life.state));
	live(&life, PEER_IS_GONE);
	cr_expect(life.state == PEER_ENDED && life.told == 1);
	live(&life, PEER_TO_RELEASE);
	live(&life, PEER_RELEASED);
	cr_expect(life.state == PEER_FREE && life.told == 1);
}

Test(peer_state, a_device_nobody_wants_any_more_is_no_news)
{
	struct life life = {0};

	live(&life, PEER_GIVEN_BACK);
	cr_expect(life.state == PEER_RELEASING && life.told == 0);
	live(&life, PEER_HANGS_UP);
	live(&life, PEER_IS_GONE);
	cr_expect(life.state == PEER_RELEASING && life.told == 0);
}
