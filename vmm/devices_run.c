/* SPDX-License-Identifier: Apache-2.0
 *
 * Devices once the guest runs: what broker and launcher are told of them, and tell.
 *
 * Core process, main thread, but for devices_bar_fault. Nothing waits for the broker here: it may be
 * closing a device, which takes as long as the device needs, so it is told and tells.
 */
#include <errno.h>
#include <string.h>

#include "ipc/log.h"
#include "seccomp/birth.h"
#include "vmm/devices.h"

void devices_broker_gone(struct devices *devices, const char *why)
{
	chan_close(&devices->ask);
	chan_close(&devices->event);
	if (!devices->failed.code)
		err_set(&devices->failed, -EPIPE, BLAME_PEER, "broker: %s", why);
	if (devices->sealed && devices->expected)
		log_error("broker: %s; every passed-through device is failed, the guest goes on", why);
	for (unsigned i = 0; i < VM_SLOTS; i++) {
		if (devices->slots[i].step == SLOT_HERE)
			remote_gone(&devices->slots[i].remote, "the broker is gone");
	}
}

/* The slot's device, if it is here and of that generation. */
static struct remote *remote_at(struct devices *devices, uint32_t slot, uint32_t generation)
{
	struct slot *s = slot < VM_SLOTS ? &devices->slots[slot] : NULL;

	return s && s->step == SLOT_HERE && s->generation == generation ? &s->remote : NULL;
}

static void on_released(struct remote *fn, bool held)
{
	if (held)
		log_error("%s: the device is not closed: its helper does not end", fn->peer.name);
	else
		remote_released(fn);
}

static void on_news(struct devices *devices, const Bulkhead__Packet *packet)
{
	const Bulkhead__Released *released = packet->released;
	const Bulkhead__DeviceWanted *wanted = packet->device_wanted;
	struct remote *fn;

	if (packet->body_case == BULKHEAD__PACKET__BODY_RELEASED) {
		fn = remote_at(devices, released->slot, released->generation);
		if (fn)
			on_released(fn, released->held);
	} else {
		fn = remote_at(devices, wanted->slot, wanted->generation);
		if (fn)
			remote_wanted(fn);
		else if (wanted->slot < VM_SLOTS &&
			devices->slots[wanted->slot].generation == wanted->generation)
			devices->slots[wanted->slot].wanted = true; /* it is on its way here */
	}
}

void devices_on_event(struct devices *devices)
{
	struct err err = {0};
	struct msg msg;
	int r;

	if (!chan_is_open(&devices->event))
		return;
	r = chan_recv(&devices->event, &msg, 0, &err);
	if (r == -ETIMEDOUT)
		return;
	if (r < 0) {
		devices_broker_gone(devices, r == -EPIPE ? "it ended unexpectedly" : err.msg);
		return;
	}
	on_news(devices, msg.packet);
	msg_done(&msg);
}

/* The launcher ends a helper at our word; that it has ended it tells. */
static void cut(const struct devices *devices, const struct slot *slot)
{
	const struct word word = {.op = WORD_CUT, .kind = (uint8_t)slot->config.kind,
		.slot = (uint8_t)(slot - devices->slots), .generation = slot->generation};
	int r = word_send(BIRTH_FD_WORDS, &word, NULL, 0);

	if (r < 0)
		log_warn("launcher: it takes no word: %s", strerror(-r));
}

static void tell_release(struct devices *devices, const struct slot *slot)
{
	Bulkhead__Release body = BULKHEAD__RELEASE__INIT;
	int r;

	cut(devices, slot);
	if (!chan_is_open(&devices->ask))
		return;
	body.slot = (uint32_t)(slot - devices->slots);
	body.generation = slot->generation;
	r = chan_tell(&devices->ask, &PACKET(RELEASE, release, &body));
	if (r < 0)
		log_warn("broker: it takes no message: %s", strerror(-r));
}

static void tend(struct devices *devices, struct slot *slot)
{
	struct remote *fn = &slot->remote;

	if (remote_to_be_ended(fn))
		cut(devices, slot);
	if (remote_take_in_ms(fn) == 0) {
		remote_take(fn);
		if (remote_to_be_released(fn))
			tell_release(devices, slot);
	}
}

void devices_tend(struct devices *devices)
{
	for (unsigned i = 0; i < VM_SLOTS; i++) {
		if (devices->slots[i].step == SLOT_HERE)
			tend(devices, &devices->slots[i]);
	}
}

int devices_tend_in_ms(const struct devices *devices)
{
	int first = -1;

	for (unsigned i = 0; i < VM_SLOTS; i++) {
		const struct slot *slot = &devices->slots[i];
		int ms = slot->step == SLOT_HERE ? remote_take_in_ms(&slot->remote) : -1;

		if (ms >= 0 && (first < 0 || ms < first))
			first = ms;
	}
	return first;
}

void devices_release_failed(struct devices *devices)
{
	for (unsigned i = 0; i < VM_SLOTS; i++) {
		struct slot *slot = &devices->slots[i];

		if (slot->step == SLOT_HERE && remote_state(&slot->remote) != PEER_SERVES &&
			remote_to_be_released(&slot->remote))
			tell_release(devices, slot);
	}
}

/* A broker that is gone has closed its devices when its process has ended, and helpers end with it: the
 * launcher sees to that. */
const char *devices_unreleased(struct devices *devices)
{
	for (unsigned i = 0; i < VM_SLOTS; i++) {
		struct slot *slot = &devices->slots[i];

		if (slot->step == SLOT_HERE && (devices->broker_over ? !slot->over
				: remote_state(&slot->remote) == PEER_RELEASING))
			return slot->remote.peer.name;
	}
	return NULL;
}

/* Takes the BARs of the function in that slot out of the guest. */
static bool fault(struct devices *devices, unsigned index, bool doorbells)
{
	struct slot *slot = &devices->slots[index];

	return slot->step == SLOT_HERE && remote_bar_fault(&slot->remote, doorbells);
}

/* KVM does not say whose memory was gone. One device after the other is taken out of the guest, and put
 * back if it was not that; doorbell pages last, which never go away by themselves; and then all. */
bool devices_bar_fault(void *opaque, unsigned *suspect)
{
	struct devices *devices = opaque;
	bool any = false;

	if (*suspect > 0 && *suspect <= 2 * VM_SLOTS &&
		devices->slots[(*suspect - 1) % VM_SLOTS].step == SLOT_HERE)
		remote_bar_back(&devices->slots[(*suspect - 1) % VM_SLOTS].remote);
	for (; *suspect < 2 * VM_SLOTS && !any; ++*suspect)
		any = fault(devices, *suspect % VM_SLOTS, *suspect >= VM_SLOTS);
	if (any || *suspect > 2 * VM_SLOTS)
		return any;
	++*suspect;
	for (unsigned i = 0; i < 2 * VM_SLOTS; i++)
		any |= fault(devices, i % VM_SLOTS, i >= VM_SLOTS);
	return any;
}
