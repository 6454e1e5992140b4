/* SPDX-License-Identifier: Apache-2.0
 *
 * The VM's DMA authority by the legacy way, a type1 container (linux/vfio.h, "IOMMU API"). The
 * seam: everything of the broker that differs with cdev and iommufd is behind these functions.
 *
 * Broker process. Guest RAM is mapped here for the moment of VFIO_IOMMU_MAP_DMA only: the kernel
 * pins the pages, and a group that joins later takes its mappings from the container's existing
 * domain (vfio_iommu_replay), not from our addresses. So nobody keeps RAM mapped, but the core.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "helpers/broker/broker.h"

int type1_open(struct broker *broker, struct err *err)
{
	fd_owned fd = {open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC)};

	if (fd.n < 0 && (errno == ENOENT || errno == ENODEV))
		return err_set(err, -errno, BLAME_HOST,
			"/dev/vfio/vfio is not there: VFIO is not loaded; `modprobe vfio-pci`");
	if (fd.n < 0)
		return err_set(err, -errno, BLAME_HOST, "/dev/vfio/vfio: %s", strerror(errno));
	if (ioctl(fd.n, VFIO_GET_API_VERSION) != VFIO_API_VERSION ||
		ioctl(fd.n, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU) != 1)
		return err_set(err, -ENOTSUP, BLAME_HOST,
			"/dev/vfio/vfio has no type1 IOMMU: `modprobe vfio_iommu_type1`");
	broker->container = fd_take(&fd);
	return 0;
}

/* Does one of the ranges hold all of the region? */
static bool inside(const struct vfio_iommu_type1_info_cap_iova_range *cap,
	const struct ram_region *ram)
{
	for (unsigned i = 0; i < cap->nr_iovas; i++)
		if (ram->gpa >= cap->iova_ranges[i].start &&
			ram->gpa + ram->size - 1 <= cap->iova_ranges[i].end)
			return true;
	return false;
}

/* Guest RAM must lie where the IOMMU can translate: not above its width, not in a hole. */
static int check_ranges(struct broker *broker, struct err *err)
{
	static union {
		struct vfio_iommu_type1_info info;
		char space[8192];
	} all;
	const struct vfio_info_cap_header *cap;
	uint32_t at;

	memset(&all, 0, sizeof(all));
	all.info.argsz = sizeof(all);
	if (ioctl(broker->container.n, VFIO_IOMMU_GET_INFO, &all) < 0)
		return err_set(err, -errno, BLAME_HOST, "VFIO_IOMMU_GET_INFO: %s",
			strerror(errno));
	if (!(all.info.flags & VFIO_IOMMU_INFO_CAPS) || all.info.argsz > sizeof(all))
		return 0; /* an old kernel; mapping will tell */
	for (at = all.info.cap_offset; at; at = cap->next) {
		cap = (const void *)(all.space + at);
		if (cap->id != VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE)
			continue;
		for (unsigned i = 0; i < broker->n_ram; i++)
			if (!inside((const void *)cap, &broker->ram[i]))
				return err_set(err, -ERANGE, BLAME_HOST,
					"guest RAM at 0x%llx (%llu MiB) is outside what this "
					"host's IOMMU can translate; give the guest less memory",
					(unsigned long long)broker->ram[i].gpa,
					(unsigned long long)broker->ram[i].size >> 20);
	}
	return 0;
}

static int map_region(struct broker *broker, const struct ram_region *ram, struct err *err)
{
	struct vfio_iommu_type1_dma_map map = {.argsz = sizeof(map), .iova = ram->gpa,
		.size = ram->size, .flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE};
	void *at = mmap(NULL, ram->size, PROT_READ | PROT_WRITE, MAP_SHARED, broker->memfd.n,
		(off_t)ram->offset);
	int r = 0;

	if (at == MAP_FAILED)
		return err_set(err, -errno, BLAME_HOST, "mapping guest RAM: %s", strerror(errno));
	map.vaddr = (uintptr_t)at;
	if (ioctl(broker->container.n, VFIO_IOMMU_MAP_DMA, &map) < 0)
		r = -errno;
	munmap(at, ram->size);
	if (r == -ENOMEM)
		return err_set(err, r, BLAME_HOST,
			"guest RAM cannot be locked for DMA: out of memory, or RLIMIT_MEMLOCK; "
			"raise it to the guest's memory size (`ulimit -l`)");
	if (r < 0)
		return err_set(err, r, BLAME_HOST, "VFIO_IOMMU_MAP_DMA at 0x%llx: %s",
			(unsigned long long)ram->gpa, strerror(-r));
	return 0;
}

static int map_ram(struct broker *broker, struct err *err)
{
	int r = check_ranges(broker, err);

	for (unsigned i = 0; i < broker->n_ram && r == 0; i++)
		r = map_region(broker, &broker->ram[i], err);
	if (r == 0)
		broker->mapped = true;
	return r;
}

/* Says why a group cannot join: by SET_CONTAINER, or, the first one, by SET_IOMMU. */
static int no_entry(const struct device *device, const char *call, struct err *err)
{
	int code = -errno;

	if (code == -EPERM)
		return err_set(err, code, BLAME_HOST,
			"%s: the host has no interrupt remapping, so a guest could forge interrupts "
			"with it; enable it in the firmware (VT-d, AMD-Vi, x2APIC) and remove "
			"`intremap=off` from the kernel's command line", device->name);
	if (code == -EBUSY)
		return err_set(err, code, BLAME_HOST,
			"%s: its IOMMU group is in use by a host driver or another process",
			device->name);
	return err_set(err, code, BLAME_HOST, "%s: %s: %s", device->name, call, strerror(-code));
}

int type1_attach(struct broker *broker, const struct device *device, struct err *err)
{
	struct vfio_group_status status = {.argsz = sizeof(status)};
	struct group *group = &broker->groups[device->group];

	if (!group->claimed) {
		if (ioctl(group->fd.n, VFIO_GROUP_GET_STATUS, &status) < 0 ||
			!(status.flags & VFIO_GROUP_FLAGS_VIABLE))
			return err_set(err, -EPERM, BLAME_HOST,
				"%s: IOMMU group %d is not viable: bind all its devices to vfio-pci",
				device->name, group->number);
		if (ioctl(group->fd.n, VFIO_GROUP_SET_CONTAINER, &broker->container.n) < 0)
			return no_entry(device, "VFIO_GROUP_SET_CONTAINER", err);
		group->claimed = true;
	}
	if (broker->mapped)
		return 0;
	if (ioctl(broker->container.n, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) < 0)
		return no_entry(device, "VFIO_SET_IOMMU", err);
	return map_ram(broker, err);
}

void type1_release(struct broker *broker)
{
	for (unsigned i = 0; i < broker->n_ram && broker->mapped; i++) {
		struct vfio_iommu_type1_dma_unmap unmap = {.argsz = sizeof(unmap),
			.iova = broker->ram[i].gpa, .size = broker->ram[i].size};

		if (ioctl(broker->container.n, VFIO_IOMMU_UNMAP_DMA, &unmap) < 0)
			log_warn("VFIO_IOMMU_UNMAP_DMA: %s", strerror(errno));
	}
	broker->mapped = false;
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
