/* SPDX-License-Identifier: Apache-2.0
 *
 * VFIO_DEVICE_GET_INFO and VFIO_DEVICE_GET_IRQ_INFO (linux/vfio.h, "DEVICE API"). VFIO helper, at
 * set-up.
 */
#include <errno.h>
#include <linux/vfio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "helpers/vfio/facts.h"

/* Linux 6.5; Debian 12's headers (6.1) have neither. */
enum { INFO_CAP_ATOMIC = 5, ATOMIC_SIZES = 7 /* 32, 64, 128 bits */ };
struct atomic_cap {
	struct vfio_info_cap_header header;
	__u32 flags;
};

/* The answer with room for its capabilities. */
union info {
	struct vfio_device_info info;
	uint8_t space[1024];
};

/* The kernel looks whether every bridge up to the root port passes AtomicOps on and the root port
 * completes them (pci_enable_atomic_ops_to_root). */
static bool has_atomics(const union info *info)
{
	uint32_t at = info->info.flags & VFIO_DEVICE_FLAGS_CAPS ? info->info.cap_offset : 0;
	const struct vfio_info_cap_header *cap;

	for (; at && at <= sizeof(*info) - sizeof(struct atomic_cap); at = cap->next) {
		cap = (const void *)(info->space + at);
		if (cap->id == INFO_CAP_ATOMIC)
			return ((const struct atomic_cap *)(const void *)cap)->flags & ATOMIC_SIZES;
	}
	return false;
}

static int count(int device, unsigned index, struct vfio_irq_info *ret, struct err *err)
{
	*ret = (struct vfio_irq_info){.argsz = sizeof(*ret), .index = index};
	if (ioctl(device, VFIO_DEVICE_GET_IRQ_INFO, ret) < 0)
		return err_set(err, -errno, BLAME_HOST, "VFIO_DEVICE_GET_IRQ_INFO %u: %s", index,
			strerror(errno));
	return 0;
}

int facts_read(int device, struct facts *ret, struct err *err)
{
	static union info info;
	struct vfio_irq_info intx, msi, msix;
	int r;

	memset(&info, 0, sizeof(info));
	info.info.argsz = sizeof(info);
	if (ioctl(device, VFIO_DEVICE_GET_INFO, &info) < 0)
		return err_set(err, -errno, BLAME_HOST, "VFIO_DEVICE_GET_INFO: %s",
			strerror(errno));
	if (!(info.info.flags & VFIO_DEVICE_FLAGS_PCI))
		return err_set(err, -ENOTSUP, BLAME_HOST, "it is not a PCI device to VFIO");
	r = count(device, VFIO_PCI_INTX_IRQ_INDEX, &intx, err);
	if (r == 0)
		r = count(device, VFIO_PCI_MSI_IRQ_INDEX, &msi, err);
	if (r == 0)
		r = count(device, VFIO_PCI_MSIX_IRQ_INDEX, &msix, err);
	if (r < 0)
		return r;
	*ret = (struct facts){.can_reset = info.info.flags & VFIO_DEVICE_FLAGS_RESET,
		.atomics = has_atomics(&info), .no_resize = msix.flags & VFIO_IRQ_INFO_NORESIZE,
		.intx = intx.count, .msi = msi.count, .msix = msix.count};
	return 0;
}
