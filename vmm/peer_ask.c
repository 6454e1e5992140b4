/* SPDX-License-Identifier: Apache-2.0
 *
 * The asking side of every message a helper answers.
 *
 * Core process, with the function's lock held. No call here waits longer than the deadline in the
 * message's row of ipc/rules.c. What a helper answers was checked by its row and, for a
 * description, by describe_from_wire; values are just bits the guest gets.
 */
#include <errno.h>
#include <string.h>

#include "vmm/peer.h"

/* Sends an ask of which the caller is told how it went. */
static int ask_told(struct peer *peer, Bulkhead__Packet *packet, const int *fds, unsigned n_fds,
	struct msg *ret, struct err *err)
{
	int r;

	if (peer_serves(peer) && peer->ask.waited_ms - peer->access_from > PEER_ACCESS_MS)
		peer_fail(peer, "its helper took too long over one access of the guest's");
	if (!peer_serves(peer))
		return err_set(err, -EPIPE, BLAME_PEER, "%s: is failed", peer->name);
	r = chan_ask(&peer->ask, packet, fds, n_fds, ret, err);
	if (r == -EPIPE)
		peer_step(peer, PEER_HANGS_UP, NULL);
	else if (r < 0 && !chan_is_open(&peer->ask))
		peer_fail(peer, err->msg);
	return r;
}

/* Sends an ask. A refusal is the helper's right and only logged; anything else that goes wrong is
 * a breach or the end of the helper. */
static int ask(struct peer *peer, Bulkhead__Packet *packet, const int *fds, unsigned n_fds,
	struct msg *ret)
{
	struct err err = {0};
	int r = ask_told(peer, packet, fds, n_fds, ret, &err);

	if (r < 0 && peer_serves(peer) && log_allowed(&peer->refusals))
		log_warn("%s: %s", peer->name, err.msg);
	return r;
}

int ask_kick_arm(struct peer *peer, unsigned queue, int eventfd, struct err *err)
{
	Bulkhead__KickArm body = BULKHEAD__KICK_ARM__INIT;
	Bulkhead__Packet packet = PACKET(KICK_ARM, kick_arm, &body);

	body.queue = queue;
	return chan_ask(&peer->ask, &packet, &eventfd, 1, NULL, err);
}

int ask_intx_arm(struct peer *peer, int trigger, int resample, struct err *err)
{
	Bulkhead__IntxArm body = BULKHEAD__INTX_ARM__INIT;
	Bulkhead__Packet packet = PACKET(INTX_ARM, intx_arm, &body);
	const int fds[] = {trigger, resample};

	return chan_ask(&peer->ask, &packet, fds, 2, NULL, err);
}

void tell_settled(struct peer *peer)
{
	Bulkhead__Settled body = BULKHEAD__SETTLED__INIT;
	int r = peer_serves(peer) ? chan_tell(&peer->ask, &PACKET(SETTLED, settled, &body)) : 0;

	if (r < 0 && r != -EPIPE)
		log_warn("%s: its helper takes no message: %s", peer->name, strerror(-r));
}

static int ask_value(struct peer *peer, Bulkhead__Packet *packet, uint64_t *ret)
{
	struct msg msg;
	int r = ask(peer, packet, NULL, 0, &msg);

	*ret = ~0ull;
	if (r < 0)
		return r;
	*ret = msg.packet->value->value;
	msg_done(&msg);
	return 0;
}

int ask_config_read(struct peer *peer, unsigned offset, unsigned size, uint32_t *ret)
{
	Bulkhead__ConfigRead body = BULKHEAD__CONFIG_READ__INIT;
	Bulkhead__Packet packet = PACKET(CONFIG_READ, config_read, &body);
	uint64_t value;
	int r;

	body.offset = offset;
	body.size = size;
	r = ask_value(peer, &packet, &value);
	*ret = (uint32_t)value;
	return r;
}

int ask_config_write(struct peer *peer, unsigned offset, unsigned size, uint32_t value)
{
	Bulkhead__ConfigWrite body = BULKHEAD__CONFIG_WRITE__INIT;
	Bulkhead__Packet packet = PACKET(CONFIG_WRITE, config_write, &body);

	body.offset = offset;
	body.size = size;
	body.value = value;
	return ask(peer, &packet, NULL, 0, NULL);
}

int ask_region_read(struct peer *peer, unsigned index, uint64_t offset, unsigned size,
	uint64_t *ret)
{
	Bulkhead__RegionRead body = BULKHEAD__REGION_READ__INIT;
	Bulkhead__Packet packet = PACKET(REGION_READ, region_read, &body);

	body.index = index;
	body.offset = offset;
	body.size = size;
	return ask_value(peer, &packet, ret);
}

int ask_region_write(struct peer *peer, unsigned index, uint64_t offset, unsigned size,
	uint64_t value)
{
	Bulkhead__RegionWrite body = BULKHEAD__REGION_WRITE__INIT;
	Bulkhead__Packet packet = PACKET(REGION_WRITE, region_write, &body);

	body.index = index;
	body.offset = offset;
	body.size = size;
	body.value = value;
	return ask(peer, &packet, NULL, 0, NULL);
}

int ask_msix_mode(struct peer *peer, bool enable)
{
	Bulkhead__MsixEnable on = BULKHEAD__MSIX_ENABLE__INIT;
	Bulkhead__MsixDisable off = BULKHEAD__MSIX_DISABLE__INIT;
	Bulkhead__Packet packet = enable ? PACKET(MSIX_ENABLE, msix_enable, &on)
					 : PACKET(MSIX_DISABLE, msix_disable, &off);

	return ask(peer, &packet, NULL, 0, NULL);
}

int ask_msix_arm(struct peer *peer, unsigned vector, int eventfd)
{
	Bulkhead__MsixArm body = BULKHEAD__MSIX_ARM__INIT;
	Bulkhead__Packet packet = PACKET(MSIX_ARM, msix_arm, &body);

	body.vector = vector;
	return ask(peer, &packet, &eventfd, 1, NULL);
}

int ask_msi_mode(struct peer *peer, unsigned vectors)
{
	Bulkhead__MsiEnable on = BULKHEAD__MSI_ENABLE__INIT;
	Bulkhead__MsiDisable off = BULKHEAD__MSI_DISABLE__INIT;
	Bulkhead__Packet packet = vectors ? PACKET(MSI_ENABLE, msi_enable, &on)
					  : PACKET(MSI_DISABLE, msi_disable, &off);

	on.vectors = vectors;
	return ask(peer, &packet, NULL, 0, NULL);
}

int ask_msi_arm(struct peer *peer, unsigned vector, int eventfd)
{
	Bulkhead__MsiArm body = BULKHEAD__MSI_ARM__INIT;
	Bulkhead__Packet packet = PACKET(MSI_ARM, msi_arm, &body);

	body.vector = vector;
	return ask(peer, &packet, &eventfd, 1, NULL);
}

int ask_reset(struct peer *peer, bool whole)
{
	Bulkhead__Reset body = BULKHEAD__RESET__INIT;
	Bulkhead__Packet packet = PACKET(RESET, reset, &body);

	body.whole = whole;
	return ask(peer, &packet, NULL, 0, NULL);
}

int ask_suspend(struct peer *peer, struct err *err)
{
	Bulkhead__Suspend body = BULKHEAD__SUSPEND__INIT;
	Bulkhead__Packet packet = PACKET(SUSPEND, suspend, &body);

	return ask_told(peer, &packet, NULL, 0, NULL, err);
}

int ask_resume(struct peer *peer, struct err *err)
{
	Bulkhead__Resume body = BULKHEAD__RESUME__INIT;
	Bulkhead__Packet packet = PACKET(RESUME, resume, &body);

	return ask_told(peer, &packet, NULL, 0, NULL, err);
}

bool peer_on_event(struct peer *peer)
{
	struct msg msg;
	struct err err = {0};
	bool wanted;
	int r;

	if (!peer_serves(peer))
		return false;
	r = chan_recv(&peer->event, &msg, 0, &err);
	if (r == -ETIMEDOUT)
		return false;
	if (r < 0) {
		peer_step(peer, r == -EPIPE ? PEER_HANGS_UP : PEER_FAILS, err.msg);
		return false;
	}
	wanted = msg.packet->body_case == BULKHEAD__PACKET__BODY_DEVICE_REQUEST;
	if (!wanted && log_allowed(&peer->refusals))
		log_error("%s: the device reported an error it cannot recover from (AER); the guest "
			  "has to reset it", peer->name);
	msg_done(&msg);
	return wanted;
}
