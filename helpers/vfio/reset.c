/* SPDX-License-Identifier: Apache-2.0
 *
 * Resetting the device: by a reset of its own (VFIO_DEVICE_RESET), or by that of the slot or bus it
 * is on, which reaches every function there (linux/vfio.h, VFIO_DEVICE_PCI_HOT_RESET).
 *
 * VFIO helper. The kernel resets a bus only for who owns all that it reaches: by cdev, all of them
 * are bound to one iommufd; by group, the groups of all of them are shown. We keep that of our
 * device for it, and no other: what reaches into a second group is not reset that way.
 *
 * Its own reset comes first and the bus where that fails; but a device whose only reset is to leave
 * D3hot keeps much of what it was, and often does not come back from what a guest left it in, so
 * there the bus comes first (as in QEMU, vfio_pci_compute_needs_reset).
 *
 * The core asks when a guest resets this function, which must leave the others on the bus alone,
 * and when the guest is rebooted, every device in turn; what a hot reset does to the others is
 * about to happen to them anyway, then.
 */
#include <errno.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "helpers/host/address.h"
#include "helpers/retry.h"
#include "helpers/vfio/vfio.h"
#include "ipc/log.h"
#include "seccomp/iommufd.h"

enum { REACH_MAX = 256 /* functions of a bus */ };

#define LEFT_AS_IT_IS                                                                              \
	"a reboot of the guest finds it as the guest left it, but for DMA, which is off"

union reach {
	struct vfio_pci_hot_reset_info info;
	struct {
		struct vfio_pci_hot_reset_info head;
		struct vfio_pci_dependent_device devices[REACH_MAX];
	} with;
};

static void bdf(const struct vfio_pci_dependent_device *d, char ret[static 32])
{
	snprintf(ret, 32, "%04x:%02x:%02x.%x", d->segment, d->bus, d->devfn >> 3, d->devfn & 7);
}

/* Ours: bound to our iommufd, or in the group of our device. */
static bool is_ours(const struct vfio *v, const union reach *reach,
	const struct vfio_pci_dependent_device *d)
{
	/* The same field: an id, 0 for ours without one, or -1. */
	if (reach->info.flags & VFIO_PCI_HOT_RESET_FLAG_DEV_ID)
		return d->group_id != (uint32_t)VFIO_PCI_DEVID_NOT_OWNED;
	for (unsigned i = 0; i < reach->info.count; i++) {
		const struct vfio_pci_dependent_device *self = &reach->with.devices[i];

		if (pci_address_is(v->name, self->segment, self->bus, self->devfn))
			return d->group_id == self->group_id;
	}
	return false;
}

/* What a reset of the bus reaches; false: there is none. */
static bool read_reach(const struct vfio *v, union reach *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->info.argsz = sizeof(*ret);
	return ioctl(v->device.n, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, &ret->info) == 0 &&
		ret->info.count <= REACH_MAX;
}

void reset_setup(struct vfio *v, struct fd group)
{
	static union reach reach;
	fd_owned owned = group;

	v->resets = (struct resets){.own = v->facts.can_reset, .group = FD_NONE_INIT,
		.power_only = v->facts.can_reset && !v->config.has_flr && v->config.power_resets,
		.has_bus = read_reach(v, &reach)};
	if (v->resets.has_bus)
		v->resets.group = fd_take(&owned);
}

/* Those of the bus that are not the VM's, or in another group: "0000:05:02.0, ...". */
static void name_others(const struct vfio *v, const union reach *reach, char *ret, size_t size)
{
	size_t used = 0;
	char text[32];

	*ret = '\0';
	for (unsigned i = 0; i < reach->info.count; i++) {
		if (is_ours(v, reach, &reach->with.devices[i]) || used >= size)
			continue;
		bdf(&reach->with.devices[i], text);
		used += (size_t)snprintf(ret + used, size - used, "%s%s", used ? ", " : "", text);
	}
}

/* What it is about its own reset, if there is more to say than that there is one. */
static const char *own_reset(const struct resets *resets)
{
	if (!resets->own)
		return "it has no reset of its own";
	return resets->power_only ? "its own reset is by power state alone" : NULL;
}

/* What is with us on the bus changes as devices come and go. */
void reset_settled(struct vfio *v)
{
	const char *own = own_reset(&v->resets);
	static union reach reach;
	char others[120] = "";

	v->resets.bus = v->resets.has_bus && read_reach(v, &reach);
	if (v->resets.bus)
		name_others(v, &reach, others, sizeof(others));
	if (*others)
		v->resets.bus = false;
	v->resets.alone = v->resets.bus && reach.info.count == 1;
	if (v->resets.bus && own)
		log_info("%s: its bus is reset, %u functions", own, reach.info.count);
	else if (*others && !v->resets.own)
		log_warn("%s, and that of its bus would reach what this VM does not have, or has "
			 "in another IOMMU group: %s; " LEFT_AS_IT_IS, own, others);
	else if (!v->resets.own)
		log_warn("%s, nor has its bus; " LEFT_AS_IT_IS, own);
	else if (own)
		log_info("%s, and its bus cannot be reset%s%s", own, *others ? ": it reaches " : "",
			others);
}

static int by_itself(const struct vfio *v, struct err *err)
{
	int r = ioctl_retry(v->device.n, VFIO_DEVICE_RESET, NULL, 0);

	return r < 0 ? err_set(err, r, BLAME_HOST, "VFIO_DEVICE_RESET: %s", strerror(-r)) : 0;
}

/* EBUSY: a vCPU is just faulting a BAR in, of this or another function on the bus. */
static int by_bus(struct vfio *v, struct err *err)
{
	struct {
		struct vfio_pci_hot_reset head;
		int32_t group;
	} ask = {.head = {.argsz = sizeof(ask), .count = v->resets.group.n >= 0},
		.group = v->resets.group.n};
	int r = ioctl_retry(v->device.n, VFIO_DEVICE_PCI_HOT_RESET, &ask, EBUSY);

	if (r >= 0)
		log_debug("its bus is reset");
	if (r == -EINVAL) {
		/* Of a group the kernel tells only now that one of its functions is not with
		 * VFIO. */
		v->resets.bus = v->resets.alone = false;
		log_warn("its bus cannot be reset, as a function on it is not on vfio-pci%s",
			v->resets.own ? "" : "; " LEFT_AS_IT_IS);
	}
	return r < 0 ? err_set(err, r, BLAME_HOST, "VFIO_DEVICE_PCI_HOT_RESET: %s",
		strerror(-r)) : 0;
}

/* Each way there is, until one works. */
static int reset(struct vfio *v, bool whole, struct err *err)
{
	enum way { ITSELF, BUS };
	const enum way ways[] = {v->resets.power_only ? BUS : ITSELF,
		v->resets.power_only ? ITSELF : BUS};
	const bool there[] = {[ITSELF] = v->resets.own,
		[BUS] = v->resets.bus && (whole || v->resets.alone)};
	int r = 0;

	for (unsigned i = 0; i < 2; i++) {
		if (!there[ways[i]])
			continue;
		if (r < 0)
			log_warn("%s: %s is tried", err->msg,
				ways[i] == BUS ? "its bus" : "its own reset");
		r = ways[i] == BUS ? by_bus(v, err) : by_itself(v, err);
		if (r == 0)
			return 0;
	}
	/* Without a way there is nothing to fail. */
	return v->resets.own || v->resets.bus ? r : 0;
}

/* The core took its mappings away. Interrupts become what they are at power-on, also where there is
 * no reset (which was said at the start): no vector is armed, and INTx, which may have been raised
 * and never ended, is on. */
int reset_device(struct vfio *v, bool whole, struct err *err)
{
	int r = irq_off(v, err);

	if (r == 0)
		r = reset(v, whole, err);
	return r < 0 ? r : irq_reset(v, err);
}
