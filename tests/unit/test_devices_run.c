/* SPDX-License-Identifier: Apache-2.0
 *
 * What the core's main thread does for helpers and devices while the guest runs: whose BARs are taken out
 * when memory is gone, and how a device that failed, or that the host wants, is given back.
 *
 * links: vmm/devices_run.c vmm/peer.c vmm/peer_state.c
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ipc/log.h"
#include "seccomp/birth.h"
#include "vmm/devices.h"

enum { DEVICES = 3, FIRST = 7 /* its generation; the next has another */ };

static struct devices devices;
static int launcher;     /* the launcher's end of our words */
static struct chan peer; /* the broker's end of what it is told */
static struct chan news; /* and of what it tells */
static bool bars_in[DEVICES], has_doorbells[DEVICES];
static unsigned taken[DEVICES];
static int take_in_ms[DEVICES];

static unsigned index_of(const struct remote *fn)
{
	unsigned i = 0;

	while (fn != &devices.slots[i].remote)
		i++;
	return i;
}

static struct remote *remote(unsigned i)
{
	return &devices.slots[i].remote;
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
	(void)cause;
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

static void begin(void)
{
	struct fd a, b, c, d, words, theirs;

	log_init("", LOG_SAY, -1);
	cr_assert(frame_pair(&a, &b) == 0 && frame_pair(&c, &d) == 0 && frame_pair(&words, &theirs) == 0);
	dup2(words.n, BIRTH_FD_WORDS);
	fd_close(&words);
	launcher = theirs.n;
	devices = (struct devices){.told_all = true, .expected = DEVICES};
	chan_init(&devices.ask, a, ACTOR_CORE, ACTOR_BROKER, "broker");
	chan_init(&peer, b, ACTOR_BROKER, ACTOR_CORE, "core");
	chan_init(&devices.event, c, ACTOR_CORE, ACTOR_BROKER, "broker");
	chan_init(&news, d, ACTOR_BROKER, ACTOR_CORE, "core");
	devices.ask.phase = peer.phase = PHASE_RUN;
	for (unsigned i = 0; i < DEVICES; i++) {
		bars_in[i] = true;
		take_in_ms[i] = -1;
		devices.slots[i].step = SLOT_HERE;
		devices.slots[i].generation = FIRST + i;
		devices.slots[i].config.kind = KIND_NULL;
		peer_init(&remote(i)->peer, "dev", FD_NONE_INIT, FD_NONE_INIT);
	}
}

TestSuite(devices_run, .init = begin, .timeout = 20);

/* The slot the broker was told to release, or -1. */
static int released(void)
{
	static struct msg msg;
	struct err err;
	int slot;

	if (chan_recv(&peer, &msg, 0, &err) < 0)
		return -1;
	cr_assert_eq(msg.packet->body_case, BULKHEAD__PACKET__BODY_RELEASE);
	slot = (int)msg.packet->release->slot;
	cr_expect_eq(msg.packet->release->generation, FIRST + (unsigned)slot);
	msg_done(&msg);
	return slot;
}

/* The slot whose helper the launcher was told to end, or -1. */
static int cut_off(void)
{
	struct word_msg msg;

	if (word_recv(launcher, WORDS_CORE, WORDS_LAUNCHER, &msg) < 0)
		return -1;
	cr_expect(msg.word.op == WORD_CUT && msg.word.kind == KIND_NULL &&
		msg.word.generation == FIRST + (unsigned)msg.word.slot, "%u", msg.word.op);
	return msg.word.slot;
}

/* ---- whose memory is gone? ---------------------------------------------------------------------- */

/* The vCPU fails until the device `gone` is out; with what that costs the others. */
static void find(unsigned gone)
{
	unsigned suspect = 0;

	for (unsigned i = 0; bars_in[gone]; i++) {
		unsigned out = 0;

		cr_assert(devices_bar_fault(&devices, &suspect), "given up");
		for (unsigned k = 0; k < DEVICES; k++)
			out += !bars_in[k];
		cr_assert_leq(out, 1u, "more than one at a time");
		cr_assert_lt(i, 2u * VM_SLOTS);
	}
	for (unsigned k = 0; k < DEVICES; k++)
		cr_expect_eq(bars_in[k], k != gone, "device %u", k);
}

Test(devices_run, only_the_device_whose_memory_is_gone_is_taken_out)
{
	for (unsigned gone = 0; gone < DEVICES; gone++) {
		for (unsigned k = 0; k < DEVICES; k++)
			bars_in[k] = true;
		find(gone);
	}
}

Test(devices_run, doorbells_come_last)
{
	unsigned suspect = 0;

	has_doorbells[0] = true;
	cr_assert(devices_bar_fault(&devices, &suspect));
	cr_expect(bars_in[0] && !bars_in[1]);
	bars_in[1] = true;
	find(0);
}

Test(devices_run, an_instruction_that_needs_two_of_them)
{
	unsigned suspect = 0, tries = 0;

	while (bars_in[0] || bars_in[2]) {
		cr_assert(devices_bar_fault(&devices, &suspect));
		cr_assert_lt(tries++, 3u * VM_SLOTS);
	}
	cr_expect(!devices_bar_fault(&devices, &suspect), "and there is no end to it");
}

Test(devices_run, without_a_suspect_it_says_so)
{
	unsigned suspect = 0;

	memset(bars_in, 0, sizeof(bars_in));
	cr_expect(!devices_bar_fault(&devices, &suspect));
	for (unsigned i = 0; i < DEVICES; i++)
		devices.slots[i].step = SLOT_FREE;
	suspect = 0;
	cr_expect(!devices_bar_fault(&devices, &suspect));
}

/* ---- given back --------------------------------------------------------------------------------- */

Test(devices_run, a_helper_that_hung_up_is_ended_once)
{
	step(remote(1), PEER_HANGS_UP);
	devices_tend(&devices);
	devices_tend(&devices);
	cr_expect_eq(cut_off(), 1);
	cr_expect_eq(cut_off(), -1);
	cr_expect_eq(released(), -1);
}

static void tell_wanted(unsigned slot, uint32_t generation)
{
	Bulkhead__DeviceWanted wanted = BULKHEAD__DEVICE_WANTED__INIT;

	wanted.slot = slot;
	wanted.generation = generation;
	cr_assert_eq(chan_tell(&news, &PACKET(DEVICE_WANTED, device_wanted, &wanted)), 0);
	devices_on_event(&devices);
}

static void tell_released(unsigned slot, uint32_t generation, bool held)
{
	Bulkhead__Released body = BULKHEAD__RELEASED__INIT;

	body.slot = slot;
	body.generation = generation;
	body.held = held;
	cr_assert_eq(chan_tell(&news, &PACKET(RELEASED, released, &body)), 0);
	devices_on_event(&devices);
}

Test(devices_run, what_the_host_wants_it_gets)
{
	cr_assert_eq(devices_tend_in_ms(&devices), -1);
	tell_wanted(2, FIRST + 2);
	cr_assert_eq(devices_tend_in_ms(&devices), 0);
	devices_tend(&devices);
	cr_expect(taken[2] == 1 && taken[0] == 0 && taken[1] == 0);
	cr_expect_eq(cut_off(), 2, "its helper has it open");
	cr_expect_eq(released(), 2);
	cr_expect_str_eq(devices_unreleased(&devices), "dev");
	tell_released(2, FIRST + 2, false);
	cr_expect_null(devices_unreleased(&devices));
	cr_expect_eq(remote(2)->peer.state, PEER_FREE);
	cr_expect(peer_serves(&remote(0)->peer));
}

Test(devices_run, what_the_host_wants_before_it_is_here_is_kept)
{
	devices.slots[2].step = SLOT_WAITS;
	tell_wanted(2, FIRST + 1);
	cr_expect(!devices.slots[2].wanted);
	tell_wanted(2, FIRST + 2);
	cr_expect(devices.slots[2].wanted);
	cr_expect_eq(taken[2], 0);
}

/* What is said of a device that had the slot before, or of no slot at all, is of none that is here. */
Test(devices_run, of_another_generation_it_is_nothing)
{
	tell_wanted(2, FIRST);
	tell_wanted(VM_SLOTS, FIRST);
	tell_wanted(~0u, FIRST);
	tell_wanted(3, 0);
	cr_expect_eq(devices_tend_in_ms(&devices), -1);
	peer_fail(&remote(0)->peer, "late");
	devices_release_failed(&devices);
	tell_released(0, FIRST + 1, false);
	tell_released(VM_SLOTS, FIRST, false);
	cr_expect_str_eq(devices_unreleased(&devices), "dev");
	cr_expect(chan_is_open(&devices.event));
}

Test(devices_run, at_a_reset_the_failed_are_released_and_nobody_else)
{
	peer_fail(&remote(0)->peer, "late");
	devices_release_failed(&devices);
	devices_release_failed(&devices);
	cr_expect_eq(cut_off(), 0);
	cr_expect_eq(cut_off(), -1);
	cr_expect_eq(released(), 0);
	cr_expect_eq(released(), -1);
}

Test(devices_run, a_device_that_is_held_is_not_free)
{
	peer_fail(&remote(0)->peer, "late");
	devices_release_failed(&devices);
	tell_released(0, FIRST, true);
	cr_expect_str_eq(devices_unreleased(&devices), "dev");
}

/* A broker that is gone has closed all its devices, once its process has ended. */
Test(devices_run, without_a_broker_every_device_is_failed)
{
	peer_fail(&remote(0)->peer, "late");
	devices_release_failed(&devices);
	chan_close(&news);
	devices_on_event(&devices);
	for (unsigned i = 1; i < DEVICES; i++)
		cr_expect_eq(remote(i)->peer.state, PEER_ENDED);
	cr_expect(!chan_is_open(&devices.ask) && !chan_is_open(&devices.event));
	cr_expect_str_eq(devices_unreleased(&devices), "dev", "that its process is gone is not told yet");
	devices.broker_over = true;
	cr_expect_str_eq(devices_unreleased(&devices), "dev", "nor that its helpers' are");
	for (unsigned i = 0; i < DEVICES; i++)
		devices.slots[i].over = true;
	cr_expect_null(devices_unreleased(&devices));
	devices_tend(&devices);
	devices_release_failed(&devices);
}

/* Descriptors, or what is not its to say: it is one that breaks rules. */
Test(devices_run, a_broker_that_breaks_a_rule_is_gone)
{
	cr_assert_eq(frame_send(news.sock.n, "garbage", 7, NULL, 0, &(int){100}), 0);
	devices_on_event(&devices);
	cr_expect_eq(remote(0)->peer.state, PEER_ENDED);
	cr_expect(!chan_is_open(&devices.ask));
	cr_expect_eq(devices.failed.code, -EPIPE);
}
