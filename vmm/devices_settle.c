/* SPDX-License-Identifier: Apache-2.0
 *
 * Every device that was to be there is: what is done once for all of them, and the end of set-up.
 *
 * Core process, main thread, before the guest runs: here the broker is waited for.
 */
#include <string.h>

#include "ipc/log.h"
#include "seccomp/layers.h"
#include "vmm/devices.h"

static void ask_map_bar(struct devices *devices, struct slot *slot, unsigned bar,
	const struct region_range *range)
{
	const struct remote *fn = &slot->remote;
	Bulkhead__MapBar body = BULKHEAD__MAP_BAR__INIT;
	struct err err = {0};

	body.slot = (uint32_t)(slot - devices->slots);
	body.generation = slot->generation;
	body.bar = bar;
	body.offset = range->offset;
	body.size = range->size;
	body.gpa = fn->bars[bar].placed + range->offset;
	if (chan_ask(&devices->ask, &PACKET(MAP_BAR, map_bar, &body), NULL, 0, NULL, &err) < 0)
		log_warn("%s: x_p2p=on: no device reaches its BAR %u by DMA: %s", fn->peer.name, bar,
			err.msg);
	else
		log_info("%s: BAR %u is reached by DMA at 0x%llx (%llu KiB)", fn->peer.name, bar,
			(unsigned long long)body.gpa, (unsigned long long)body.size >> 10);
}

/* x_p2p=on. BARs are where they were put just now, and where a guest that has no reason to move
 * them, as Linux has not, leaves them. Without it the VM is complete. */
static void map_bars(struct devices *devices, struct slot *slot)
{
	const struct remote *fn = &slot->remote;
	unsigned n = 0;

	for (unsigned i = 0; i < PCI_BARS; i++)
		for (unsigned k = 0; k < fn->desc.regions[i].n_ranges; k++, n++)
			ask_map_bar(devices, slot, i, &fn->desc.regions[i].ranges[k]);
	if (n == 0)
		log_warn("%s: x_p2p=on: it has no BAR that can be mapped", fn->peer.name);
}

int devices_settle(struct devices *devices, struct err *err)
{
	int r = 0;

	for (unsigned i = 0; i < VM_SLOTS && r == 0; i++) {
		struct slot *slot = &devices->slots[i];

		if (slot->step != SLOT_HERE)
			continue;
		r = rom_place(&slot->remote, &slot->config, err);
		if (r == 0 && slot->config.p2p)
			map_bars(devices, slot);
	}
	for (unsigned i = 0; i < VM_SLOTS && r == 0; i++) {
		if (devices->slots[i].step == SLOT_HERE)
			r = remote_settle(&devices->slots[i].remote, err);
	}
	return r;
}

/* From here on eventfds flow from us to the helpers, and nothing flows to us. */
static int refuse_fds(struct devices *devices, struct err *err)
{
	int r = frame_refuse_fds(devices->ask.sock.n);

	if (r == 0)
		r = frame_refuse_fds(devices->event.sock.n);
	for (unsigned i = 0; i < VM_SLOTS && r == 0; i++) {
		const struct peer *peer = &devices->slots[i].remote.peer;

		if (devices->slots[i].step != SLOT_HERE)
			continue;
		r = frame_refuse_fds(peer->ask.sock.n);
		if (r == 0)
			r = frame_refuse_fds(peer->event.sock.n);
	}
	if (r < 0)
		return layer_missing(LAYER_PASSRIGHTS, r, err, "%s", strerror(-r));
	layer_holds(LAYER_PASSRIGHTS, "no descriptor comes from broker or helper any more");
	return 0;
}

int devices_seal(struct devices *devices, struct err *err)
{
	Bulkhead__Seal body = BULKHEAD__SEAL__INIT;
	Bulkhead__Packet packet = PACKET(SEAL, seal, &body);
	int r = 0;

	*err = devices->failed;
	if (err->code)
		return err->code;
	if (chan_is_open(&devices->ask)) {
		r = refuse_fds(devices, err);
		if (r == 0)
			r = chan_ask(&devices->ask, &packet, NULL, 0, NULL, err);
	}
	devices->sealed = r == 0;
	return r;
}
