/* SPDX-License-Identifier: Apache-2.0
 *
 * The VM's DMA authority by the legacy way, groups in a type1 container (linux/vfio.h, "IOMMU
 * API"), for kernels without iommufd.
 *
 * Broker process. Guest RAM is mapped here for the moment of VFIO_IOMMU_MAP_DMA only: the kernel
 * pins the pages, and a group that joins later takes its mappings from the container's existing
 * domain (vfio_iommu_replay), not from our addresses. So nobody keeps RAM mapped, but the core.
 */
#include <errno.h>
#include <linux/vfio.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "helpers/broker/broker.h"

static int check_container(const struct broker *broker, struct err *err)
{
	if (ioctl(broker->container.n, VFIO_GET_API_VERSION) == VFIO_API_VERSION &&
		ioctl(broker->container.n, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU) == 1)
		return 0;
	return err_set(err, -ENOTSUP, BLAME_HOST,
		"/dev/vfio/vfio has no type1 IOMMU: `modprobe vfio_iommu_type1`");
}

/* Guest RAM must lie where the IOMMU can translate: not above its width, not in a hole. */
int type1_check_ranges(struct broker *broker, struct err *err)
{
	static union {
		struct vfio_iommu_type1_info info;
		char space[8192];
	} all;
	const struct vfio_iommu_type1_info_cap_iova_range *ranges;
	const struct vfio_info_cap_header *cap;
	uint32_t at;

	memset(&all, 0, sizeof(all));
	all.info.argsz = sizeof(all);
	if (ioctl(broker->container.n, VFIO_IOMMU_GET_INFO, &all) < 0)
		return err_set(err, -errno, BLAME_HOST, "VFIO_IOMMU_GET_INFO: %s",
			strerror(errno));
	if (!(all.info.flags & VFIO_IOMMU_INFO_CAPS) || all.info.argsz > sizeof(all))
		return 0; /* an old kernel; mapping will tell */
	for (at = all.info.cap_offset; at && at <= sizeof(all) - sizeof(*ranges); at = cap->next) {
		cap = (const void *)(all.space + at);
		if (cap->id != VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE)
			continue;
		ranges = (const void *)cap;
		if (ranges->nr_iovas <= (sizeof(all) - at - sizeof(*ranges)) /
				sizeof(ranges->iova_ranges[0]))
			return ram_check_ranges(broker, ranges->iova_ranges, ranges->nr_iovas, err);
	}
	return 0;
}

int type1_map_at(const struct broker *broker, void *at, uint64_t gpa, uint64_t size)
{
	struct vfio_iommu_type1_dma_map map = {.argsz = sizeof(map), .vaddr = (uintptr_t)at,
		.iova = gpa, .size = size,
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE};

	return ioctl(broker->container.n, VFIO_IOMMU_MAP_DMA, &map) < 0 ? -errno : 0;
}

void type1_unmap(const struct broker *broker, uint64_t gpa, uint64_t size)
{
	struct vfio_iommu_type1_dma_unmap unmap = {.argsz = sizeof(unmap), .iova = gpa, .size = size};

	if (ioctl(broker->container.n, VFIO_IOMMU_UNMAP_DMA, &unmap) < 0)
		log_warn("VFIO_IOMMU_UNMAP_DMA of 0x%llx: %s", (unsigned long long)gpa, strerror(errno));
}

int type1_map(struct broker *broker, const struct ram_region *ram)
{
	void *at = ram_map_here(broker, ram);
	int r;

	if (!at)
		return -errno;
	r = type1_map_at(broker, at, ram->gpa, ram->size);
	munmap(at, ram->size);
	return r;
}

int type1_attach(struct broker *broker, const struct device *device, struct err *err)
{
	struct vfio_group_status status = {.argsz = sizeof(status)};
	struct group *group = &broker->groups[device->group];
	int r = broker->mapped ? 0 : check_container(broker, err);

	if (r < 0)
		return r;
	if (!group->claimed) {
		if (ioctl(group->fd.n, VFIO_GROUP_GET_STATUS, &status) < 0 ||
			!(status.flags & VFIO_GROUP_FLAGS_VIABLE))
			return device_refused(device, -EBUSY, "its group is not viable", err);
		if (ioctl(group->fd.n, VFIO_GROUP_SET_CONTAINER, &broker->container.n) < 0)
			return device_refused(device, -errno, "VFIO_GROUP_SET_CONTAINER", err);
		group->claimed = true;
	}
	if (broker->mapped)
		return 0;
	if (ioctl(broker->container.n, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) < 0)
		return device_refused(device, -errno, "VFIO_SET_IOMMU", err);
	return 0;
}

void type1_release(struct broker *broker)
{
	for (unsigned i = 0; i < broker->n_ram && broker->mapped; i++)
		type1_unmap(broker, broker->ram[i].gpa, broker->ram[i].size);
	for (unsigned i = 0; i < broker->n_groups; i++) {
		struct group *group = &broker->groups[i];

		/* Busy while the core still has the device mapped; closing it does the rest. */
		if (group->claimed && ioctl(group->fd.n, VFIO_GROUP_UNSET_CONTAINER) < 0)
			log_debug("group %d: VFIO_GROUP_UNSET_CONTAINER: %s", group->number,
				strerror(errno));
		group->claimed = false;
		fd_close(&group->fd);
	}
	fd_close(&broker->container);
}
