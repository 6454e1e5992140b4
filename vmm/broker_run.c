/* SPDX-License-Identifier: Apache-2.0
 *
 * The broker once the guest runs: what it tells of helpers and devices, what it is told, and its end.
 *
 * Core process, main thread, but for broker_bar_fault. Nothing waits for the broker here before the end:
 * it may be closing a device, which takes as long as the device needs, so it is told and tells.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "ipc/log.h"
#include "vmm/broker.h"

enum { STOP_S = 2 };

static void broker_gone(struct broker *broker, const char *why)
{
	chan_close(&broker->ask);
	chan_close(&broker->event);
	log_error("broker: %s; every passed-through device is failed, the guest goes on", why);
	for (unsigned i = 0; i < broker->n; i++)
		remote_gone(&broker->remotes[i], "the broker is gone, and its helpers with it");
}

static void on_released(struct remote *fn, bool held)
{
	if (held)
		log_error("%s: the device is not closed: its helper does not end", fn->peer.name);
	else
		remote_released(fn);
}

static void on_news(struct broker *broker, const Bulkhead__Packet *packet)
{
	const Bulkhead__HelperGone *gone = packet->helper_gone;
	const Bulkhead__Released *released = packet->released;
	const Bulkhead__DeviceWanted *wanted = packet->device_wanted;

	switch (packet->body_case) {
	case BULKHEAD__PACKET__BODY_HELPER_GONE:
		if (gone->index < broker->n)
			remote_gone(&broker->remotes[gone->index], gone->cause);
		break;
	case BULKHEAD__PACKET__BODY_RELEASED:
		if (released->index < broker->n)
			on_released(&broker->remotes[released->index], released->held);
		break;
	default:
		if (wanted->index < broker->n)
			remote_wanted(&broker->remotes[wanted->index]);
	}
}

void broker_on_event(struct broker *broker)
{
	struct err err = {0};
	struct msg msg;
	int r;

	if (!chan_is_open(&broker->event))
		return;
	r = chan_recv(&broker->event, &msg, 0, &err);
	if (r == -ETIMEDOUT)
		return;
	if (r < 0) {
		broker_gone(broker, r == -EPIPE ? "it ended unexpectedly" : err.msg);
		return;
	}
	on_news(broker, msg.packet);
	msg_done(&msg);
}

static void tell(struct broker *broker, Bulkhead__Packet *packet)
{
	int r = chan_is_open(&broker->ask) ? chan_tell(&broker->ask, packet) : 0;

	if (r < 0)
		log_warn("broker: it takes no message: %s", strerror(-r));
}

static void tell_release(struct broker *broker, unsigned index)
{
	Bulkhead__Release body = BULKHEAD__RELEASE__INIT;

	body.index = index;
	tell(broker, &PACKET(RELEASE, release, &body));
}

static void tend(struct broker *broker, unsigned index)
{
	struct remote *fn = &broker->remotes[index];
	Bulkhead__EndHelper body = BULKHEAD__END_HELPER__INIT;

	if (remote_to_be_ended(fn)) {
		body.index = index;
		tell(broker, &PACKET(END_HELPER, end_helper, &body));
	}
	if (remote_take_in_ms(fn) == 0) {
		remote_take(fn);
		if (remote_to_be_released(fn))
			tell_release(broker, index);
	}
}

void broker_tend(struct broker *broker)
{
	for (unsigned i = 0; i < broker->n; i++)
		tend(broker, i);
}

int broker_tend_in_ms(const struct broker *broker)
{
	int first = -1;

	for (unsigned i = 0; i < broker->n; i++) {
		int ms = remote_take_in_ms(&broker->remotes[i]);

		if (ms >= 0 && (first < 0 || ms < first))
			first = ms;
	}
	return first;
}

void broker_release_failed(struct broker *broker)
{
	for (unsigned i = 0; i < broker->n; i++)
		if (remote_state(&broker->remotes[i]) != PEER_SERVES &&
			remote_to_be_released(&broker->remotes[i]))
			tell_release(broker, i);
}

/* A broker that is gone has closed its devices when its process has ended. */
const char *broker_unreleased(struct broker *broker)
{
	struct pollfd ended = {.fd = broker->pidfd.n, .events = POLLIN};
	const struct timespec now = {0};

	if (!chan_is_open(&broker->event) && ppoll(&ended, 1, &now, NULL) == 1)
		return NULL;
	for (unsigned i = 0; i < broker->n; i++)
		if (remote_state(&broker->remotes[i]) == PEER_RELEASING)
			return broker->remotes[i].peer.name;
	return NULL;
}

/* KVM does not say whose memory was gone. One device after the other is taken out of the guest, and put
 * back if it was not that; doorbell pages last, which never go away by themselves; and then all. */
bool broker_bar_fault(void *opaque, unsigned *suspect)
{
	struct broker *broker = opaque;
	bool any = false;

	if (*suspect > 0 && *suspect <= 2 * broker->n)
		remote_bar_back(&broker->remotes[(*suspect - 1) % broker->n]);
	for (; *suspect < 2 * broker->n && !any; ++*suspect)
		any = remote_bar_fault(&broker->remotes[*suspect % broker->n],
			*suspect >= broker->n);
	if (any || *suspect > 2 * broker->n)
		return any;
	++*suspect;
	for (unsigned i = 0; i < 2 * broker->n; i++)
		any |= remote_bar_fault(&broker->remotes[i % broker->n], i >= broker->n);
	return any;
}

/* The devices are free when the broker has answered; it ends by itself after that. */
void broker_stop(struct broker *broker)
{
	Bulkhead__Stop body = BULKHEAD__STOP__INIT;
	Bulkhead__Packet packet = PACKET(STOP, stop, &body);
	struct err err = {0};

	for (unsigned i = 0; i < broker->n; i++)
		remote_drop(&broker->remotes[i]);
	broker->n = 0;
	if (broker->pid == 0)
		return;
	if (chan_is_open(&broker->ask) && chan_ask(&broker->ask, &packet, NULL, 0, NULL, &err) < 0)
		log_warn("%s; a device did not close in time, as one of VDUSE does not whose daemon "
			"is gone; the kernel lets go of it", err.msg);
	chan_close(&broker->ask);
	chan_close(&broker->event);
	if (broker->pidfd.n >= 0) {
		struct pollfd p = {.fd = broker->pidfd.n, .events = POLLIN};
		struct timespec patience = {.tv_sec = STOP_S};

		if (ppoll(&p, 1, &patience, NULL) == 0)
			log_error("broker: did not end within %d s; its devices are busy until it does",
				STOP_S);
	}
	fd_close(&broker->pidfd);
	broker->pid = 0;
}
