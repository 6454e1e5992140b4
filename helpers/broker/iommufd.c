/* SPDX-License-Identifier: Apache-2.0
 *
 * The VM's DMA authority by iommufd: one I/O address space a VM, devices by their own nodes
 * (linux/iommufd.h; Documentation/userspace-api/iommufd.rst, Documentation/driver-api/vfio.rst).
 *
 * Broker process. It binds and attaches a device before the helper gets the descriptor: the helper
 * never holds the iommufd, and its filter has neither BIND nor ATTACH nor DETACH, so it cannot
 * leave the address space it was put into. Guest RAM is mapped by file where the kernel can
 * (Linux 6.13): then nobody but the core has it mapped, not even for a moment.
 *
 * KVM keeps the device open, by the descriptor it was told of, until the core ends. A device that
 * has to end its DMA before that is taken out of the address space.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "helpers/broker/broker.h"
#include "helpers/retry.h"
#include "seccomp/iommufd.h"

static int make_ioas(struct broker *broker, struct err *err)
{
	struct iommu_ioas_alloc alloc = {.size = sizeof(alloc)};

	if (broker->ioas)
		return 0;
	if (ioctl(broker->iommufd.n, IOMMU_IOAS_ALLOC, &alloc) < 0)
		return err_set(err, -errno, BLAME_HOST, "/dev/iommu: IOMMU_IOAS_ALLOC: %s",
			strerror(errno));
	broker->ioas = alloc.out_ioas_id;
	return 0;
}

/* 0 or -errno. It opens the device, which resets it. */
static int bind_node(const struct broker *broker, const struct device *device,
	const struct vf_token *token)
{
	struct vfio_bind bind = {.argsz = offsetof(struct vfio_bind, token_uuid_ptr),
		.iommufd = broker->iommufd.n};

	if (token->given) {
		bind.argsz = sizeof(bind);
		bind.flags = VFIO_BIND_TOKEN;
		bind.token_uuid_ptr = (uintptr_t)token->uuid;
	}
	return ioctl_retry(device->node.n, VFIO_DEVICE_BIND_IOMMUFD, &bind, 0);
}

/* A kernel that knows no token says EINVAL, which has other reasons; those stay without one. From
 * Linux 6.17 on some took the pointer for bytes beyond the structure: E2BIG. */
static bool takes_no_token(const struct broker *broker, const struct device *device, int code)
{
	static const struct vf_token none;

	return device->token.given && (code == -E2BIG ||
		(code == -EINVAL && bind_node(broker, device, &none) == 0));
}

static int explain_bind(const struct broker *broker, const struct device *device, int code,
	struct err *err)
{
	if (code == -EACCES)
		return token_explain(device->name, &device->token, code, err);
	if (takes_no_token(broker, device, code))
		return err_set(err, -ENOTSUP, BLAME_HOST,
			"%s: the kernel takes no VF token for it by iommufd: its physical function is "
			"not on vfio-pci, then leave vf_token= out; or Linux is older than 6.17 or has "
			"it wrong, then give --platform iommufd=off", device->name);
	/* EINVAL: open by its cdev; EBUSY: by its group, or the group is not all ours. */
	return device_refused(device, code == -EINVAL ? -EBUSY : code, "VFIO_DEVICE_BIND_IOMMUFD", err);
}

int iommufd_attach(struct broker *broker, const struct device *device, struct err *err)
{
	struct vfio_device_attach_iommufd_pt attach = {.argsz = sizeof(attach)};
	int r = make_ioas(broker, err);

	if (r < 0)
		return r;
	attach.pt_id = broker->ioas;
	r = bind_node(broker, device, &device->token);
	if (r < 0)
		return explain_bind(broker, device, r, err);
	if (ioctl(device->node.n, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach) == 0)
		return 0;
	if (errno == EADDRINUSE)
		return err_set(err, -errno, BLAME_HOST,
			"%s: its firmware or IOMMU reserves addresses where the guest's RAM is; see "
			"/sys/kernel/iommu_groups/%d/reserved_regions, and give the guest less memory",
			device->name, broker->groups[device->group].number);
	return device_refused(device, -errno, "VFIO_DEVICE_ATTACH_IOMMUFD_PT", err);
}

int iommufd_check_ranges(struct broker *broker, struct err *err)
{
	static struct vfio_iova_range ranges[256];
	struct iommu_ioas_iova_ranges ask = {.size = sizeof(ask), .ioas_id = broker->ioas,
		.num_iovas = sizeof(ranges) / sizeof(ranges[0]),
		.allowed_iovas = (uintptr_t)ranges};

	if (ioctl(broker->iommufd.n, IOMMU_IOAS_IOVA_RANGES, &ask) < 0)
		return err_set(err, -errno, BLAME_HOST, "IOMMU_IOAS_IOVA_RANGES: %s",
			strerror(errno));
	return ram_check_ranges(broker, ranges, ask.num_iovas, err);
}

/* Before Linux 6.13: by address, which the kernel needs for the moment of pinning only. */
static int map_by_address(struct broker *broker, const struct ram_region *ram)
{
	struct iommu_ioas_map map = {.size = sizeof(map), .ioas_id = broker->ioas,
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			IOMMU_IOAS_MAP_WRITEABLE,
		.length = ram->size, .iova = ram->gpa};
	void *at = ram_map_here(broker, ram);
	int r = 0;

	if (!at)
		return -errno;
	map.user_va = (uintptr_t)at;
	if (ioctl(broker->iommufd.n, IOMMU_IOAS_MAP, &map) < 0)
		r = -errno;
	munmap(at, ram->size);
	return r;
}

int iommufd_map(struct broker *broker, const struct ram_region *ram)
{
	struct iommu_ioas_map_file map = {.size = sizeof(map), .ioas_id = broker->ioas,
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			IOMMU_IOAS_MAP_WRITEABLE,
		.fd = broker->memfd.n, .start = ram->offset, .length = ram->size,
		.iova = ram->gpa};

	if (broker->by_address)
		return map_by_address(broker, ram);
	if (ioctl(broker->iommufd.n, IOMMU_IOAS_MAP_FILE, &map) == 0)
		return 0;
	if (errno != ENOTTY)
		return -errno;
	broker->by_address = true;
	log_info("guest RAM is mapped for DMA by address: this kernel has no IOMMU_IOAS_MAP_FILE "
		 "(Linux 6.13)");
	return map_by_address(broker, ram);
}

void iommufd_let_go(const struct device *device)
{
	struct vfio_device_detach_iommufd_pt detach = {.argsz = sizeof(detach)};

	if (device->store.n >= 0 &&
		ioctl(device->store.n, VFIO_DEVICE_DETACH_IOMMUFD_PT, &detach) < 0)
		log_warn("%s: VFIO_DEVICE_DETACH_IOMMUFD_PT: %s", device->name, strerror(errno));
}
