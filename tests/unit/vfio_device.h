/* SPDX-License-Identifier: Apache-2.0
 *
 * A PCI device as VFIO has it: config space and BARs are a memfd, which is read and written where
 * VFIO's descriptor would be; its requests for information are answered by a double of ioctl(2).
 */
#pragma once

#include <errno.h>
#include <linux/vfio.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ipc/describe.h"

enum { REGIONS = VFIO_PCI_CONFIG_REGION_INDEX + 1, REGION_SHIFT = 40 /* vfio_pci_core.h */ };

static struct vfio_double {
	int fd;
	bool can_reset, atomics, no_resize;
	uint64_t size[REGIONS];
	bool mappable[REGIONS];
	unsigned irqs[VFIO_PCI_NUM_IRQS];
} device;

static inline uint64_t region_at(unsigned index)
{
	return (uint64_t)index << REGION_SHIFT;
}

static inline int device_info(struct vfio_device_info *info)
{
	struct atomic_info {
		struct vfio_device_info info;
		uint32_t pad, id_version, next, flags;
	} *with = (void *)info;

	info->flags = VFIO_DEVICE_FLAGS_PCI | (device.can_reset ? VFIO_DEVICE_FLAGS_RESET : 0);
	if (!device.atomics)
		return 0;
	info->flags |= VFIO_DEVICE_FLAGS_CAPS;
	info->cap_offset = offsetof(struct atomic_info, id_version);
	with->id_version = 5 | 1 << 16; /* VFIO_DEVICE_INFO_CAP_PCI_ATOMIC_COMP */
	with->next = 0;
	with->flags = 3;
	return 0;
}

static inline int region_info(struct vfio_region_info *info)
{
	if (info->index >= REGIONS) {
		errno = EINVAL;
		return -1;
	}
	info->size = device.size[info->index];
	info->offset = region_at(info->index);
	info->flags = VFIO_REGION_INFO_FLAG_READ |
		(device.mappable[info->index] ? VFIO_REGION_INFO_FLAG_MMAP : 0);
	return 0;
}

static inline int irq_info(struct vfio_irq_info *info)
{
	info->count = info->index < VFIO_PCI_NUM_IRQS ? device.irqs[info->index] : 0;
	info->flags = VFIO_IRQ_INFO_EVENTFD |
		(device.no_resize ? VFIO_IRQ_INFO_NORESIZE : 0);
	return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (fd == device.fd && request == VFIO_DEVICE_GET_INFO)
		return device_info(arg);
	if (fd == device.fd && request == VFIO_DEVICE_GET_REGION_INFO)
		return region_info(arg);
	if (fd == device.fd && request == VFIO_DEVICE_GET_IRQ_INFO)
		return irq_info(arg);
	errno = ENOTTY;
	return -1;
}

/* A device without anything; config space of `size` bytes as in raw. False: the host has no
 * memory. */
static inline bool device_make(const uint8_t *raw, unsigned size)
{
	int fd = device.fd > 0 ? device.fd : memfd_create("device", MFD_CLOEXEC);

	device = (struct vfio_double){.fd = fd};
	device.size[VFIO_PCI_CONFIG_REGION_INDEX] = size;
	return ftruncate(fd, (off_t)region_at(REGIONS)) == 0 &&
		pwrite(fd, raw, size, (off_t)region_at(VFIO_PCI_CONFIG_REGION_INDEX)) ==
			(ssize_t)size;
}

/* What the device has in config space now. */
static inline uint32_t device_config(unsigned at, unsigned size)
{
	uint32_t value = 0;

	if (pread(device.fd, &value, size,
		    (off_t)(region_at(VFIO_PCI_CONFIG_REGION_INDEX) + at)) != (ssize_t)size)
		return ~0u;
	return value;
}
