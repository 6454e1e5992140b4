/* SPDX-License-Identifier: Apache-2.0
 *
 * The VFIO helper: hands one PCI device to the core, bit by bit of what the core may ask for.
 *
 * VFIO helper process, one thread. Holds the device descriptor and its channels, nothing else (but
 * its group, if reset.c needs that); it was confined before it read the first message (helpers/helper.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "helpers/vfio/vfio.h"
#include "ipc/log.h"

struct vfio vfio = {.device = {-1}, .group = {-1}, .error = {-1}, .request = {-1}, .trigger = {-1},
	.resample = {-1}};

static int duplicate(struct fd *ret, struct err *err)
{
	int fd = fcntl(vfio.device.n, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return err_set(err, -errno, BLAME_HOST, "dup: %s", strerror(errno));
	ret->n = fd;
	return 0;
}

static int vfio_open(struct helper_open *open, struct fd *ret_store, struct err *err)
{
	struct vfio_device_info info = {.argsz = sizeof(info)};
	const char *name = open->name;
	int r = open_device(open, &vfio.device, err);

	if (r < 0)
		return r;
	if (ioctl(vfio.device.n, VFIO_DEVICE_GET_INFO, &info) < 0)
		return err_set(err, -errno, BLAME_HOST, "%s: VFIO_DEVICE_GET_INFO: %s", name,
			strerror(errno));
	if (!(info.flags & VFIO_DEVICE_FLAGS_PCI))
		return err_set(err, -ENOTSUP, BLAME_HOST, "%s is not a PCI device to VFIO", name);
	snprintf(vfio.name, sizeof(vfio.name), "%s", name);
	reset_setup(fd_take(&open->device), info.flags & VFIO_DEVICE_FLAGS_RESET);
	r = regions_read(&vfio, err);
	if (r == 0)
		r = irq_setup(&vfio, err);
	if (r < 0)
		return err_prefix(err, "%s", name);
	return open->bound ? 0 : duplicate(ret_store, err);
}

static int vfio_describe(struct function_desc *ret, struct fd *ret_device, struct err *err)
{
	int r = duplicate(ret_device, err);

	if (r < 0)
		return r;
	*ret = (struct function_desc){.config_size = vfio.config.size,
		.msix = vfio.config.msix, .msi_cap = vfio.config.msi_cap,
		.intx = vfio.has_intx,
		.rom_size = vfio.rom_size, .rom_fd_offset = vfio.rom_at};
	memcpy(ret->regions, vfio.regions, sizeof(ret->regions));
	for (unsigned at = 0; at < vfio.config.size; at += 4) {
		uint32_t value;

		r = vfio_config_read(at, 4, &value, err);
		if (r < 0)
			return r;
		memcpy(ret->config + at, &value, 4);
	}
	return 0;
}

static void vfio_event_fds(int ret_fds[HELPER_EVENTS])
{
	ret_fds[0] = vfio.error.n;
	ret_fds[1] = vfio.request.n;
}

static void vfio_on_event(unsigned which, struct chan *events)
{
	Bulkhead__DeviceError error = BULKHEAD__DEVICE_ERROR__INIT;
	Bulkhead__DeviceRequest request = BULKHEAD__DEVICE_REQUEST__INIT;
	uint64_t count = 0;
	int r;

	if (read(which ? vfio.request.n : vfio.error.n, &count, sizeof(count)) < 0)
		return; /* nothing there after all */
	request.count = count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
	r = which ? chan_tell(events, &PACKET(DEVICE_REQUEST, device_request, &request))
		  : chan_tell(events, &PACKET(DEVICE_ERROR, device_error, &error));
	if (r < 0)
		log_warn("the core takes no events: %s", strerror(-r));
}

static const struct helper_ops vfio_ops = {
	.kind = "vfio",
	.setup = &policy_vfio_setup,
	.run = &policy_vfio_run,
	.open = vfio_open,
	.ready = vfio_ready,
	.describe = vfio_describe,
	.config_read = vfio_config_read,
	.config_write = vfio_config_write,
	.region_read = vfio_region_read,
	.region_write = vfio_region_write,
	.intx_arm = vfio_intx_arm,
	.msi_enable = vfio_msi_enable,
	.msi_disable = vfio_msi_disable,
	.msi_arm = vfio_msi_arm,
	.msix_enable = vfio_msix_enable,
	.msix_disable = vfio_msix_disable,
	.msix_arm = vfio_msix_arm,
	.reset = vfio_reset,
	.event_fds = vfio_event_fds,
	.on_event = vfio_on_event,
};

int main(int argc, char **argv)
{
	return helper_run(&vfio_ops, argc, argv);
}
