/* SPDX-License-Identifier: Apache-2.0
 *
 * What the broker may call while it claims devices, and once it is sealed.
 *
 * It opens nothing and starts nothing in either.
 */
#include <fcntl.h>
#include <linux/vfio.h>
#include <sys/mman.h>

#include "seccomp/iommufd.h"
#include "seccomp/rows.h"

#define ROWS_RUN                                                                                   \
	ROWS_WIRE, ROW_LOG,                                                                        \
		ALLOW_MASKED(read, 0, ~31ull, 160 /* NODES_FLOOR */, "node_changed: inotify"),          \
		ALLOW(fstat, "node_changed: is a node gone?"),                                     \
		ALLOW_IOCTL(VFIO_IOMMU_UNMAP_DMA, "type1_release"),                                \
		ALLOW_IOCTL(VFIO_GROUP_UNSET_CONTAINER, "type1_release"),                          \
		ALLOW_IOCTL(VFIO_DEVICE_DETACH_IOMMUFD_PT, "iommufd_let_go")

static const struct policy_row setup[] = {
	ROWS_RUN,
	ROWS_NEXT_FILTER,
	ROW_REFUSE_FDS,
	ROW_KIND_RAM,
	ROW_KIND_ANON,
	ALLOW_IF(fcntl, 1, F_DUPFD_CLOEXEC, "watch_of: to where it may be read"),
	ALLOW_IF(prlimit64, 0, 0, "ram_allow_lock, confine_limits: of our own"),
	ALLOW_IOCTL(VFIO_GET_API_VERSION, "check_container"),
	ALLOW_IOCTL(VFIO_CHECK_EXTENSION, "check_container"),
	ALLOW_IOCTL(VFIO_GROUP_GET_STATUS, "type1_attach"),
	ALLOW_IOCTL(VFIO_GROUP_SET_CONTAINER, "type1_attach"),
	ALLOW_IOCTL(VFIO_SET_IOMMU, "type1_attach"),
	ALLOW_IOCTL(VFIO_IOMMU_GET_INFO, "type1_check_ranges"),
	ALLOW_IF(madvise, 2, MADV_POPULATE_READ, "ram_map_here"),
	ALLOW_IOCTL(VFIO_IOMMU_MAP_DMA, "type1_map_at"),
	ALLOW_IOCTL(VFIO_DEVICE_GET_REGION_INFO, "bar_dma_map"),
	ALLOW_IOCTL(IOMMU_IOAS_ALLOC, "make_ioas"),
	ALLOW_IOCTL(VFIO_DEVICE_BIND_IOMMUFD, "bind_node"),
	ALLOW_IOCTL(VFIO_DEVICE_ATTACH_IOMMUFD_PT, "iommufd_attach"),
	ALLOW_IOCTL(IOMMU_IOAS_IOVA_RANGES, "iommufd_check_ranges"),
	ALLOW_IOCTL(IOMMU_IOAS_MAP_FILE, "iommufd_map"),
	ALLOW_IOCTL(IOMMU_IOAS_MAP, "map_by_address, before Linux 6.13"),
};

static const struct policy_row run[] = {
	ROWS_RUN,
};

const struct policy policy_broker_setup = POLICY("broker", "setup", setup);
const struct policy policy_broker_run = POLICY("broker", "run", run);
