/* SPDX-License-Identifier: Apache-2.0
 *
 * BARs that the VM's other devices reach by DMA (x_p2p=on).
 *
 * Broker process, before it is sealed: BARs are mapped where the core has put them, and stay there;
 * no address of a guest's comes here. By type1 the mapping is of page frames (vfio_iommu_type1.c,
 * follow_fault_pfn): it outlives the address they were looked up at, and it would outlive the
 * device. So it is taken away before the stored descriptor is closed, by which the device is ours.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "helpers/broker/broker.h"

static bool well_formed(const Bulkhead__MapBar *ask)
{
	return ask->bar < PCI_BARS && ask->size && (ask->offset | ask->size | ask->gpa) % 4096 == 0 &&
		ask->offset + ask->size > ask->offset && ask->gpa + ask->size > ask->gpa;
}

/* What lies where at that address, RAM, other BARs and what the IOMMU reserves, the kernel knows, and
 * says no. */
static int map_region(const struct broker *broker, const struct device *device,
	const Bulkhead__MapBar *ask)
{
	struct vfio_region_info info = {.argsz = sizeof(info), .index = ask->bar};
	void *at;
	int r;

	if (ioctl(device->store.n, VFIO_DEVICE_GET_REGION_INFO, &info) < 0)
		return -errno;
	if (ask->offset + ask->size > info.size || !(info.flags & VFIO_REGION_INFO_FLAG_MMAP))
		return -ERANGE;
	at = mmap(NULL, ask->size, PROT_READ | PROT_WRITE, MAP_SHARED, device->store.n,
		(off_t)(info.offset + ask->offset));
	if (at == MAP_FAILED)
		return -errno;
	r = type1_map_at(broker, at, ask->gpa, ask->size);
	munmap(at, ask->size);
	return r;
}

int bar_dma_map(struct broker *broker, struct device *device, const Bulkhead__MapBar *ask,
	struct err *err)
{
	int r;

	if (!well_formed(ask) || device->n_bar_maps == BAR_MAPS_MAX)
		return err_set(err, -EBADMSG, BLAME_PEER, "core: MapBar");
	/* As a dma-buf the kernel could, and would take it away at each reset and each time decoding
	 * is switched off, for good. */
	if (broker->iommufd.n >= 0)
		return err_set(err, -EOPNOTSUPP, BLAME_HOST,
			"BARs are not mapped for DMA by iommufd; give --platform iommufd=off");
	r = map_region(broker, device, ask);
	if (r < 0)
		return err_set(err, r == -EBADMSG ? -EIO : r, BLAME_HOST, "at 0x%llx (%llu KiB): %s",
			(unsigned long long)ask->gpa, (unsigned long long)ask->size >> 10,
			strerror(-r));
	device->bar_maps[device->n_bar_maps++] = (struct bar_map){ask->gpa, ask->size};
	return 0;
}

void bar_dma_unmap(const struct broker *broker, struct device *device)
{
	while (device->n_bar_maps) {
		const struct bar_map *map = &device->bar_maps[--device->n_bar_maps];

		type1_unmap(broker, map->gpa, map->size);
	}
}
