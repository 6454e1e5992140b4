/* SPDX-License-Identifier: Apache-2.0
 *
 * Giving devices back to the host: one that failed or is wanted while the VM runs, or all at its end.
 *
 * Broker process, one thread. Order: the helper ends, what other devices map of it goes, it leaves the
 * address space, and last its stored descriptor is closed, which resets it. A helper inside a reset
 * cannot be killed before the kernel has given the device up, which takes a minute. The last close of a
 * vDPA node resets the device as well, and VDUSE waits for a daemon that may be gone, up to its
 * msg_timeout: then the launcher ends us, and everything closes with us.
 */
#include "helpers/broker/broker.h"

enum { ENDING_MS = 65000 /* PCIE_RESET_READY_POLL_MS, and a little */ };

static void tell(struct broker *broker, struct device *device, bool held)
{
	Bulkhead__Released body = BULKHEAD__RELEASED__INIT;

	device->release_until = 0;
	body.slot = (uint32_t)(device - broker->devices);
	body.generation = device->generation;
	body.held = held;
	if (chan_tell(&broker->events, &PACKET(RELEASED, released, &body)) < 0)
		log_warn("%s: it is given back, and the core takes no news", device->name);
}

/* Its slot may be another's then, with a generation of its own. */
static void forget(struct device *device)
{
	fd_close(&device->node);
	fd_close(&device->watch);
	fd_close(&device->store);
	device->told = device->attached = false;
}

/* Of one that was held the core has been told what it is to know. */
static void finish(struct broker *broker, struct device *device)
{
	bar_dma_unmap(broker, device);
	dma_let_go(broker, device);
	forget(device);
	if (!device->held)
		tell(broker, device, false);
	device->held = false;
	device->generation = 0;
}

void release_device(struct broker *broker, struct device *device)
{
	device->release_until = now_ms() + ENDING_MS;
	if (!device->lives)
		finish(broker, device);
}

void release_helper_ended(struct broker *broker, struct device *device)
{
	if (device->release_until || device->held)
		finish(broker, device);
}

int release_left_ms(const struct broker *broker)
{
	int64_t first = -1;

	for (unsigned i = 0; i < VM_SLOTS; i++) {
		int64_t left = broker->devices[i].release_until - now_ms();

		if (broker->devices[i].release_until && (first < 0 || left < first))
			first = left > 0 ? left : 0;
	}
	return (int)first;
}

void release_tick(struct broker *broker)
{
	for (unsigned i = 0; i < VM_SLOTS; i++) {
		struct device *device = &broker->devices[i];

		if (!device->release_until || now_ms() < device->release_until)
			continue;
		log_error("%s: its helper does not end; the device stays busy until it does",
			device->name);
		tell(broker, device, true);
		device->held = true;
	}
}

void release_all(struct broker *broker)
{
	for (unsigned i = 0; i < VM_SLOTS; i++)
		bar_dma_unmap(broker, &broker->devices[i]);
	for (unsigned i = 0; i < VM_SLOTS; i++)
		forget(&broker->devices[i]);
	dma_release(broker);
}
