/* SPDX-License-Identifier: Apache-2.0
 *
 * What the VFIO helper may call. Loaded by helper_run.
 *
 * At run time there are four VFIO requests. None of them maps memory, none opens a device, none
 * touches DMA: those are the broker's, which holds the iommufd or container. (A hot reset has the
 * number of VFIO_IOMMU_MAP_DMA, and what it reaches that of VFIO_IOMMU_GET_INFO: both need a container
 * to be asked of.)
 */
#include <fcntl.h>
#include <linux/vfio.h>

#include "seccomp/rows.h"

#define ROWS_RUN                                                                                   \
	ROWS_WIRE, ROW_LOG, ROW_KIND_ANON, ALLOW(pread64, "config space, trapped BAR reads"),               \
		ALLOW(pwrite64, "config space, trapped BAR writes"),                               \
		ALLOW_IOCTL(VFIO_DEVICE_SET_IRQS, "irq.c: INTx, MSI, MSI-X, ERR, REQ"),               \
		ALLOW_IOCTL(VFIO_DEVICE_RESET, "reset.c by_itself"),                                      \
		ALLOW_IOCTL(VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, "reset.c read_reach: as devices come"), \
		ALLOW_IOCTL(VFIO_DEVICE_PCI_HOT_RESET, "reset.c by_bus"),                               \
		ALLOW(read, "on_event: ERR and REQ")

static const struct policy_row setup[] = {
	ROWS_RUN,
	ROWS_NEXT_FILTER,
	ROW_KIND_CHARDEV,
	ALLOW_IOCTL(VFIO_GROUP_GET_DEVICE_FD, "open_device"),
	ALLOW_IOCTL(VFIO_DEVICE_GET_INFO, "facts_read: reset, AtomicOps"),
	ALLOW_IOCTL(VFIO_DEVICE_GET_REGION_INFO, "regions_read: BARs and config space"),
	ALLOW_IOCTL(VFIO_DEVICE_GET_IRQ_INFO, "facts_read: vectors, NORESIZE"),
	ALLOW_IF(eventfd2, 0, 0, "irq_setup: ERR and REQ"),
	ALLOW_IF(fcntl, 1, F_DUPFD_CLOEXEC, "a duplicate for broker and core"),
};

static const struct policy_row run[] = {
	ROWS_RUN,
};

const struct policy policy_vfio_setup = POLICY("vfio", "setup", setup);
const struct policy policy_vfio_run = POLICY("vfio", "run", run);
