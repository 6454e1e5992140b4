/* SPDX-License-Identifier: Apache-2.0
 *
 * What the broker may call once it is sealed, and before.
 *
 * The set-up policy is inherited by the helpers it starts, so it also holds what their start
 * (dynamic linker, confine_process) needs; each of them then narrows it down for itself.
 */
#include <fcntl.h>
#include <linux/vfio.h>
#include <sys/mman.h>

#include "seccomp/rows.h"

static const struct policy_row run[] = {
	ROWS_WIRE,
	ALLOW(waitid, "helper_cause: how a helper ended"),
	ALLOW(pidfd_send_signal, "helpers_stop"),
	ALLOW_IOCTL(VFIO_IOMMU_UNMAP_DMA, "type1_release"),
	ALLOW_IOCTL(VFIO_GROUP_UNSET_CONTAINER, "type1_release"),
};

const struct policy policy_broker_run = POLICY("broker", "run", run);
