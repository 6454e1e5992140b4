/* SPDX-License-Identifier: Apache-2.0
 *
 * A helper's channels, and the steps of its life: what peer_state.h says comes of an event is carried out
 * here. Core process, with the function's lock held.
 */
#include "vmm/peer.h"

#include <errno.h>
#include <stdio.h>

void peer_init(struct peer *peer, const char *name, struct fd ask, struct fd event)
{
	*peer = (struct peer){.state = PEER_SERVES};
	snprintf(peer->name, sizeof(peer->name), "%s", name);
	chan_init(&peer->ask, ask, ACTOR_CORE, ACTOR_HELPER, peer->name);
	chan_init(&peer->event, event, ACTOR_CORE, ACTOR_HELPER, peer->name);
}

int peer_describes(struct peer *peer, struct function_desc *ret, struct fd *ret_device,
	struct err *err)
{
	struct msg msg;
	int r = chan_recv(&peer->event, &msg, 0, err);

	if (r < 0)
		return r;
	if (msg.packet->body_case == BULKHEAD__PACKET__BODY_DESCRIPTION)
		r = describe_from_wire(msg.packet->description, ret, err);
	else
		r = err_set(err, -EBADMSG, BLAME_PEER, "sent %s in place of a description",
			msg.rule->name);
	if (r == 0)
		*ret_device = msg_fd(&msg, 0);
	else
		err_prefix(err, "%s", peer->name);
	msg_done(&msg);
	peer->ask.phase = peer->event.phase = PHASE_RUN;
	return r;
}

bool peer_serves(const struct peer *peer)
{
	return peer->state == PEER_SERVES;
}

void peer_step(struct peer *peer, enum peer_event event, const char *why)
{
	bool news = peer_news(peer->state, event);

	peer->state = peer_next(peer->state, event);
	if (peer_serves(peer))
		return;
	chan_close(&peer->ask);
	chan_close(&peer->event);
	if (news)
		log_error("%s: %s; the device is failed: reads give all-ones, writes are dropped, "
			"the guest goes on", peer->name, why);
}

void peer_fail(struct peer *peer, const char *why)
{
	peer_step(peer, PEER_FAILS, why);
}

void peer_begin(struct peer *peer)
{
	peer->access_from = peer->ask.waited_ms;
}
