/* SPDX-License-Identifier: Apache-2.0
 *
 * Resetting the device: by a reset of its own, or else by that of the slot or bus it is on, which
 * reaches every function there (linux/vfio.h, VFIO_DEVICE_PCI_HOT_RESET).
 *
 * VFIO helper. The kernel does the second only for who owns all that it reaches: by cdev, all of
 * them are bound to one iommufd; by group, the groups of all of them are shown. We keep that of our
 * device for it, and no other: what reaches into a second group is not reset that way.
 *
 * The core asks when the guest is rebooted, every device in turn, so what a hot reset does to the
 * others is about to happen to them anyway.
 */
#include <errno.h>
#include <linux/vfio.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "helpers/host/address.h"
#include "helpers/vfio/vfio.h"
#include "ipc/log.h"
#include "seccomp/iommufd.h"

enum { REACH_MAX = 256 /* functions of a bus */, BUSY_MS = 2000, AGAIN_MS = 20 };

#define LEFT_AS_IT_IS                                                                              \
	"a reboot of the guest finds it as the guest left it, but for DMA, which is off"

static union {
	struct vfio_pci_hot_reset_info info;
	struct {
		struct vfio_pci_hot_reset_info head;
		struct vfio_pci_dependent_device devices[REACH_MAX];
	} with;
} reach;

static void bdf(const struct vfio_pci_dependent_device *d, char ret[static 32])
{
	snprintf(ret, 32, "%04x:%02x:%02x.%x", d->segment, d->bus, d->devfn >> 3, d->devfn & 7);
}

/* Ours: bound to our iommufd, or in the group of our device. */
static bool is_ours(const struct vfio_pci_dependent_device *d)
{
	/* The same field: an id, 0 for ours without one, or -1. */
	if (reach.info.flags & VFIO_PCI_HOT_RESET_FLAG_DEV_ID)
		return d->group_id != (uint32_t)VFIO_PCI_DEVID_NOT_OWNED;
	for (unsigned i = 0; i < reach.info.count; i++) {
		const struct vfio_pci_dependent_device *self = &reach.with.devices[i];

		if (pci_address_is(vfio.name, self->segment, self->bus, self->devfn))
			return d->group_id == self->group_id;
	}
	return false;
}

/* Fills `reach`; false: the bus cannot be reset. */
static bool read_reach(void)
{
	reach.info.argsz = sizeof(reach);
	return ioctl(vfio.device.n, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, &reach.info) == 0 &&
		reach.info.count <= REACH_MAX;
}

void reset_setup(struct fd group, bool own_reset)
{
	fd_owned owned = group;

	vfio.own_reset = own_reset;
	vfio.can_reset = own_reset || read_reach();
	if (vfio.can_reset && !own_reset)
		vfio.group = fd_take(&owned);
}

void vfio_ready(void)
{
	char others[120] = "", text[32];
	size_t used = 0;

	if (vfio.own_reset)
		return;
	if (!vfio.can_reset || !read_reach()) {
		log_warn("it has no reset, nor has its bus; " LEFT_AS_IT_IS);
		return;
	}
	for (unsigned i = 0; i < reach.info.count; i++) {
		if (is_ours(&reach.with.devices[i]) || used >= sizeof(others))
			continue;
		bdf(&reach.with.devices[i], text);
		used += (size_t)snprintf(others + used, sizeof(others) - used, "%s%s",
			used ? ", " : "", text);
	}
	if (!used) {
		log_info("it has no reset of its own: its bus is reset, %u functions",
			reach.info.count);
		return;
	}
	vfio.can_reset = false;
	log_warn("it has no reset of its own, and that of its bus would reach what this VM does not "
		 "have, or has in another IOMMU group: %s; " LEFT_AS_IT_IS, others);
}

/* The kernel does not wait for the device's lock (pci_try_reset_function), which whoever reads of it
 * in sysfs may have for a moment. */
static int own_reset(struct err *err)
{
	const int64_t end = now_ms() + BUSY_MS;

	while (ioctl(vfio.device.n, VFIO_DEVICE_RESET) < 0) {
		if (errno != EAGAIN || now_ms() >= end)
			return err_set(err, -errno, BLAME_HOST, "VFIO_DEVICE_RESET: %s",
				strerror(errno));
		ppoll(NULL, 0, &(struct timespec){.tv_nsec = AGAIN_MS * 1000000}, NULL);
	}
	return 0;
}

static int hot_reset(struct err *err)
{
	union {
		struct vfio_pci_hot_reset reset;
		struct {
			struct vfio_pci_hot_reset head;
			int32_t group;
		} with;
	} ask = {.reset = {.argsz = sizeof(ask), .count = vfio.group.n >= 0}};

	ask.with.group = vfio.group.n;
	if (ioctl(vfio.device.n, VFIO_DEVICE_PCI_HOT_RESET, &ask.reset) == 0) {
		log_debug("its bus is reset");
		return 0;
	}
	if (errno != EINVAL)
		return err_set(err, -errno, BLAME_HOST, "VFIO_DEVICE_PCI_HOT_RESET: %s",
			strerror(errno));
	/* Of a group the kernel tells only now that one of its functions is not with VFIO. */
	vfio.can_reset = false;
	log_warn("its bus cannot be reset, as a function on it is not on vfio-pci; " LEFT_AS_IT_IS);
	return 0;
}

/* The core took its mappings away. Interrupts become what they are at power-on, also where there is
 * no reset (which was said at the start): no vector is armed, and INTx, which may have been raised
 * and never ended, is on. */
int vfio_reset(struct err *err)
{
	int r = irq_off(err);

	if (r == 0 && vfio.can_reset)
		r = vfio.own_reset ? own_reset(err) : hot_reset(err);
	return r < 0 ? r : irq_reset(err);
}
