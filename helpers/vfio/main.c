/* SPDX-License-Identifier: Apache-2.0
 *
 * The VFIO helper: hands one PCI device to the core, bit by bit of what the core may ask for.
 *
 * VFIO helper process, one thread. Holds the device descriptor and its channels, nothing else (but
 * its group, if reset.c needs that); it was confined before it read the first message
 * (helpers/helper.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "helpers/vfio/vfio.h"
#include "ipc/log.h"

static struct vfio vfio = {.device = {-1}, .resets.group = {-1}, .irqs = {.error = {-1},
	.request = {-1}, .trigger = {-1}, .resample = {-1}}};

static int duplicate(struct fd *ret, struct err *err)
{
	int fd = fcntl(vfio.device.n, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return err_set(err, -errno, BLAME_HOST, "dup: %s", strerror(errno));
	ret->n = fd;
	return 0;
}

/* The kernel's word first, then the device's, which is held against it. */
static int learn(struct err *err)
{
	struct notes notes = {0};
	int r = facts_read(vfio.device.n, &vfio.facts, err);

	if (r == 0)
		r = regions_read(&vfio, &notes, err);
	for (unsigned i = 0; i < notes.n; i++)
		log_warn("config space at 0x%x: %s", notes.list[i].at, notes.list[i].what);
	return r;
}

static int on_open(struct helper_open *open, struct fd *ret_store, struct err *err)
{
	int r = open_device(open, &vfio.device, err);

	if (r < 0)
		return r;
	snprintf(vfio.name, sizeof(vfio.name), "%s", open->name);
	r = learn(err);
	if (r == 0)
		r = irq_setup(&vfio, err);
	if (r < 0)
		return err_prefix(err, "%s", open->name);
	reset_setup(&vfio, fd_take(&open->device));
	known_warn(get16(vfio.config.shown), get16(vfio.config.shown + 2));
	return open->bound ? 0 : duplicate(ret_store, err);
}

static int on_describe(struct function_desc *ret, struct fd *ret_device, struct err *err)
{
	int r = duplicate(ret_device, err);

	return r < 0 ? r : describe(&vfio, ret, err);
}

static void on_settled(void)
{
	reset_settled(&vfio);
}

static int on_config_read(unsigned offset, unsigned size, uint32_t *ret, struct err *err)
{
	return access_config_read(&vfio, offset, size, ret, err);
}

static int on_config_write(unsigned offset, unsigned size, uint32_t value, struct err *err)
{
	return access_config_write(&vfio, offset, size, value, err);
}

static int on_region_read(unsigned index, uint64_t offset, unsigned size, uint64_t *ret,
	struct err *err)
{
	return access_region_read(&vfio, index, offset, size, ret, err);
}

static int on_region_write(unsigned index, uint64_t offset, unsigned size, uint64_t value,
	struct err *err)
{
	return access_region_write(&vfio, index, offset, size, value, err);
}

static int on_intx_arm(struct fd trigger, struct fd resample, struct err *err)
{
	return irq_intx_arm(&vfio, trigger, resample, err);
}

static int on_msi_enable(unsigned count, struct err *err)
{
	return irq_msi_enable(&vfio, count, err);
}

static int on_msi_disable(struct err *err)
{
	return irq_disable(&vfio, IRQ_MSI, err);
}

static int on_msi_arm(unsigned vector, struct fd eventfd, struct err *err)
{
	return irq_arm(&vfio, IRQ_MSI, vector, eventfd, err);
}

static int on_msix_enable(struct err *err)
{
	return irq_msix_enable(&vfio, err);
}

static int on_msix_disable(struct err *err)
{
	return irq_disable(&vfio, IRQ_MSIX, err);
}

static int on_msix_arm(unsigned vector, struct fd eventfd, struct err *err)
{
	return irq_arm(&vfio, IRQ_MSIX, vector, eventfd, err);
}

static int on_reset(bool whole, struct err *err)
{
	return reset_device(&vfio, whole, err);
}

static void event_fds(int ret_fds[HELPER_EVENTS])
{
	ret_fds[0] = vfio.irqs.error.n;
	ret_fds[1] = vfio.irqs.request.n;
}

static void on_event(unsigned which, struct chan *events)
{
	Bulkhead__DeviceError error = BULKHEAD__DEVICE_ERROR__INIT;
	Bulkhead__DeviceRequest request = BULKHEAD__DEVICE_REQUEST__INIT;
	uint64_t count = 0;
	int r;

	if (read(which ? vfio.irqs.request.n : vfio.irqs.error.n, &count, sizeof(count)) < 0)
		return; /* nothing there after all */
	request.count = count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
	r = which ? chan_tell(events, &PACKET(DEVICE_REQUEST, device_request, &request))
		  : chan_tell(events, &PACKET(DEVICE_ERROR, device_error, &error));
	if (r < 0)
		log_warn("the core takes no events: %s", strerror(-r));
}

static const struct helper_ops ops = {
	.kind = "vfio",
	.setup = &policy_vfio_setup,
	.run = &policy_vfio_run,
	.open = on_open,
	.settled = on_settled,
	.describe = on_describe,
	.config_read = on_config_read,
	.config_write = on_config_write,
	.region_read = on_region_read,
	.region_write = on_region_write,
	.intx_arm = on_intx_arm,
	.msi_enable = on_msi_enable,
	.msi_disable = on_msi_disable,
	.msi_arm = on_msi_arm,
	.msix_enable = on_msix_enable,
	.msix_disable = on_msix_disable,
	.msix_arm = on_msix_arm,
	.reset = on_reset,
	.event_fds = event_fds,
	.on_event = on_event,
};

int main(int argc, char **argv)
{
	return helper_run(&ops, argc, argv);
}
