/* SPDX-License-Identifier: Apache-2.0
 *
 * What the core's main thread does for helpers and devices while the guest runs: whose BARs are taken out
 * when memory is gone, and how a device that failed, or that the host wants, is given back.
 *
 * links: vmm/broker_run.c vmm/peer.c vmm/peer_state.c
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ipc/log.h"
#include "vmm/broker.h"

enum { DEVICES = 3 };

static struct broker broker;
static struct chan peer; /* the broker's end of what it is told */
static struct chan news; /* and of what it tells */
static bool bars_in[DEVICES], has_doorbells[DEVICES];
static unsigned taken[DEVICES], gone_index = ~0u;
static int take_in_ms[DEVICES];
static char gone_cause[64];

static unsigned index_of(const struct remote *fn)
{
	return (unsigned)(fn - broker.remotes);
}

bool remote_bar_fault(struct remote *fn, bool doorbells)
{
	bool was = bars_in[index_of(fn)] && doorbells == has_doorbells[index_of(fn)];

	if (was)
		bars_in[index_of(fn)] = false;
	return was;
}

void remote_bar_back(struct remote *fn)
{
	bars_in[index_of(fn)] = true;
}

static bool step(struct remote *fn, enum peer_event event)
{
	enum peer_state before = fn->peer.state;

	peer_step(&fn->peer, event, "said");
	return fn->peer.state != before;
}

bool remote_to_be_ended(struct remote *fn)
{
	return step(fn, PEER_TO_END);
}

bool remote_to_be_released(struct remote *fn)
{
	return step(fn, PEER_TO_RELEASE);
}

void remote_gone(struct remote *fn, const char *cause)
{
	gone_index = index_of(fn);
	snprintf(gone_cause, sizeof(gone_cause), "%s", cause);
	step(fn, PEER_IS_GONE);
}

void remote_released(struct remote *fn)
{
	step(fn, PEER_RELEASED);
}

enum peer_state remote_state(const struct remote *fn)
{
	return fn->peer.state;
}

void remote_wanted(struct remote *fn)
{
	take_in_ms[index_of(fn)] = 0;
}

int remote_take_in_ms(const struct remote *fn)
{
	return take_in_ms[index_of(fn)];
}

void remote_take(struct remote *fn)
{
	taken[index_of(fn)]++;
	take_in_ms[index_of(fn)] = -1;
	peer_fail(&fn->peer, "taken");
}

void remote_drop(struct remote *fn)
{
	step(fn, PEER_GIVEN_BACK);
}

static void begin(void)
{
	struct fd a, b, c, d;

	log_init("", LOG_SAY, -1);
	cr_assert(frame_pair(&a, &b) == 0 && frame_pair(&c, &d) == 0);
	broker = (struct broker){.pidfd = FD_NONE_INIT, .n = DEVICES};
	chan_init(&broker.ask, a, ACTOR_CORE, ACTOR_BROKER, "broker");
	chan_init(&peer, b, ACTOR_BROKER, ACTOR_CORE, "core");
	chan_init(&broker.event, c, ACTOR_CORE, ACTOR_BROKER, "broker");
	chan_init(&news, d, ACTOR_BROKER, ACTOR_CORE, "core");
	broker.ask.phase = peer.phase = PHASE_RUN;
	for (unsigned i = 0; i < DEVICES; i++) {
		bars_in[i] = true;
		take_in_ms[i] = -1;
		peer_init(&broker.remotes[i].peer, "dev", FD_NONE_INIT, FD_NONE_INIT);
	}
}

TestSuite(broker_run, .init = begin, .timeout = 20);

/* One message the broker was told; its case, or 0. */
static int told(unsigned *ret_index)
{
	static struct msg msg;
	struct err err;
	int body;

	if (chan_recv(&peer, &msg, 0, &err) < 0)
		return 0;
	body = (int)msg.packet->body_case;
	*ret_index = body == BULKHEAD__PACKET__BODY_RELEASE ? msg.packet->release->index
							     : msg.packet->end_helper->index;
	msg_done(&msg);
	return body;
}

/* ---- whose memory is gone? ---------------------------------------------------------------------- */

/* The vCPU fails until the device `gone` is out; with what that costs the others. */
static void find(unsigned gone)
{
	unsigned suspect = 0;

	for (unsigned i = 0; bars_in[gone]; i++) {
		unsigned out = 0;

		cr_assert(broker_bar_fault(&broker, &suspect), "given up");
		for (unsigned k = 0; k < DEVICES; k++)
			out += !bars_in[k];
		cr_assert_leq(out, 1u, "more than one at a time");
		cr_assert_lt(i, 2u * DEVICES);
	}
	for (unsigned k = 0; k < DEVICES; k++)
		cr_expect_eq(bars_in[k], k != gone, "device %u", k);
}

Test(broker_run, only_the_device_whose_memory_is_gone_is_taken_out)
{
	for (unsigned gone = 0; gone < DEVICES; gone++) {
		for (unsigned k = 0; k < DEVICES; k++)
			bars_in[k] = true;
		find(gone);
	}
}

Test(broker_run, doorbells_come_last)
{
	unsigned suspect = 0;

	has_doorbells[0] = true;
	cr_assert(broker_bar_fault(&broker, &suspect));
	cr_expect(bars_in[0] && !bars_in[1]);
	bars_in[1] = true;
	find(0);
}

Test(broker_run, an_instruction_that_needs_two_of_them)
{
	unsigned suspect = 0, tries = 0;

	while (bars_in[0] || bars_in[2]) {
		cr_assert(broker_bar_fault(&broker, &suspect));
		cr_assert_lt(tries++, 3u * DEVICES);
	}
	cr_expect(!broker_bar_fault(&broker, &suspect), "and there is no end to it");
}

Test(broker_run, without_a_suspect_it_says_so)
{
	unsigned suspect = 0;

	memset(bars_in, 0, sizeof(bars_in));
	cr_expect(!broker_bar_fault(&broker, &suspect));
	broker.n = 0;
	suspect = 0;
	cr_expect(!broker_bar_fault(&broker, &suspect));
}

/* ---- given back --------------------------------------------------------------------------------- */

Test(broker_run, a_helper_that_hung_up_is_ended_once)
{
	unsigned index = ~0u;

	step(&broker.remotes[1], PEER_HANGS_UP);
	broker_tend(&broker);
	broker_tend(&broker);
	cr_expect(told(&index) == BULKHEAD__PACKET__BODY_END_HELPER && index == 1);
	cr_expect(told(&index) == 0);
}

Test(broker_run, what_the_host_wants_it_gets)
{
	Bulkhead__DeviceWanted wanted = BULKHEAD__DEVICE_WANTED__INIT;
	Bulkhead__Released released = BULKHEAD__RELEASED__INIT;
	unsigned index = ~0u;

	wanted.index = released.index = 2;
	cr_assert_eq(broker_tend_in_ms(&broker), -1);
	cr_assert_eq(chan_tell(&news, &PACKET(DEVICE_WANTED, device_wanted, &wanted)), 0);
	broker_on_event(&broker);
	cr_assert_eq(broker_tend_in_ms(&broker), 0);
	broker_tend(&broker);
	cr_expect(taken[2] == 1 && taken[0] == 0 && taken[1] == 0);
	cr_expect(told(&index) == BULKHEAD__PACKET__BODY_RELEASE && index == 2);
	cr_expect_str_eq(broker_unreleased(&broker), "dev");
	cr_assert_eq(chan_tell(&news, &PACKET(RELEASED, released, &released)), 0);
	broker_on_event(&broker);
	cr_expect_null(broker_unreleased(&broker));
	cr_expect_eq(broker.remotes[2].peer.state, PEER_FREE);
	cr_expect(peer_serves(&broker.remotes[0].peer));
}

Test(broker_run, at_a_reset_the_failed_are_released_and_nobody_else)
{
	unsigned index = ~0u;

	peer_fail(&broker.remotes[0].peer, "late");
	broker_release_failed(&broker);
	broker_release_failed(&broker);
	cr_expect(told(&index) == BULKHEAD__PACKET__BODY_RELEASE && index == 0);
	cr_expect(told(&index) == 0);
}

Test(broker_run, a_device_that_is_held_is_not_free)
{
	Bulkhead__Released released = BULKHEAD__RELEASED__INIT;

	peer_fail(&broker.remotes[0].peer, "late");
	broker_release_failed(&broker);
	released.held = true;
	cr_assert_eq(chan_tell(&news, &PACKET(RELEASED, released, &released)), 0);
	broker_on_event(&broker);
	cr_expect_str_eq(broker_unreleased(&broker), "dev");
}

Test(broker_run, the_end_of_a_helper_reaches_its_function)
{
	Bulkhead__HelperGone gone = BULKHEAD__HELPER_GONE__INIT;
	char cause[] = "killed by signal 9 (KILL)";

	gone.cause = cause;
	gone.index = 99;
	cr_assert_eq(chan_tell(&news, &PACKET(HELPER_GONE, helper_gone, &gone)), 0);
	broker_on_event(&broker);
	cr_expect_eq(gone_index, ~0u, "of no device");
	gone.index = 1;
	cr_assert_eq(chan_tell(&news, &PACKET(HELPER_GONE, helper_gone, &gone)), 0);
	broker_on_event(&broker);
	cr_expect_eq(gone_index, 1);
	cr_expect_str_eq(gone_cause, cause);
}

Test(broker_run, without_a_broker_every_device_is_failed)
{
	chan_close(&news);
	broker_on_event(&broker);
	for (unsigned i = 0; i < DEVICES; i++)
		cr_expect_eq(broker.remotes[i].peer.state, PEER_ENDED);
	cr_expect(!chan_is_open(&broker.ask));
	broker_tend(&broker);
	broker_release_failed(&broker);
}
