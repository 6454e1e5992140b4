/* SPDX-License-Identifier: Apache-2.0
 *
 * Giving devices back to the host: one that failed or is wanted while the VM runs, or all at its end.
 *
 * Broker process, one thread. Order: the helper ends, what other devices map of it goes, it leaves the
 * address space, and last its stored descriptor is closed, which resets it. A helper inside a reset
 * cannot be killed before the kernel has given the device up, which takes a minute.
 */
#include "helpers/broker/broker.h"

#include <unistd.h>

enum {
	ENDING_MS = 65000, /* PCIE_RESET_READY_POLL_MS, and a little */
	CLOSING_S = 75,    /* the same while the VM runs: the close resets it once more */
	STOP_MS = 1500, STOP_CLOSE_S = 5,
};

/* The last close of a vDPA node resets the device, and VDUSE waits for a daemon that may be gone, up
 * to its msg_timeout; only the end of this process cuts that short, and everything closes with it.
 * (PR_SET_PDEATHSIG does not end it: a core that let no signal out lets that one out neither.) */
static void close_store(struct device *device, unsigned within_s)
{
	alarm(within_s);
	fd_close(&device->store);
	alarm(0);
}

static void tell(struct broker *broker, unsigned index, bool held)
{
	Bulkhead__Released body = BULKHEAD__RELEASED__INIT;

	broker->devices[index].release_until = 0;
	body.index = index;
	body.held = held;
	if (chan_tell(&broker->events, &PACKET(RELEASED, released, &body)) < 0)
		log_warn("%s: it is given back, and the core takes no news",
			broker->devices[index].name);
}

static void finish(struct broker *broker, unsigned index)
{
	struct device *device = &broker->devices[index];

	bar_dma_unmap(broker, device);
	dma_let_go(broker, device);
	close_store(device, CLOSING_S);
	tell(broker, index, false);
}

void release_device(struct broker *broker, unsigned index)
{
	struct device *device = &broker->devices[index];

	helper_kill(device);
	device->release_until = now_ms() + ENDING_MS;
	if (!device->pid)
		finish(broker, index);
}

void release_helper_ended(struct broker *broker, unsigned index)
{
	if (broker->devices[index].release_until)
		finish(broker, index);
}

int release_left_ms(const struct broker *broker)
{
	int64_t first = -1;

	for (unsigned i = 0; i < broker->n_devices; i++) {
		int64_t left = broker->devices[i].release_until - now_ms();

		if (broker->devices[i].release_until && (first < 0 || left < first))
			first = left > 0 ? left : 0;
	}
	return (int)first;
}

void release_tick(struct broker *broker)
{
	for (unsigned i = 0; i < broker->n_devices; i++) {
		struct device *device = &broker->devices[i];

		if (!device->release_until || now_ms() < device->release_until)
			continue;
		log_error("%s: its helper does not end; the device stays busy until it does",
			device->name);
		tell(broker, i, true);
	}
}

void release_all(struct broker *broker)
{
	const int64_t deadline = now_ms() + STOP_MS;

	for (unsigned i = 0; i < broker->n_devices; i++) {
		bar_dma_unmap(broker, &broker->devices[i]);
		helper_kill(&broker->devices[i]);
	}
	for (unsigned i = 0; i < broker->n_devices; i++) {
		struct device *device = &broker->devices[i];
		const int64_t left = deadline - now_ms();
		char cause[64];

		if (device->pid &&
			helper_reap(device, left > 0 ? (int)left : 0, cause, sizeof(cause)) < 0)
			log_error("%s: its helper does not end; the device stays busy until it does",
				device->name);
		if (device->log.n >= 0)
			relay_lines(device);
		fd_close(&device->log);
		close_store(device, STOP_CLOSE_S);
		fd_close(&device->node);
	}
	dma_release(broker);
}
