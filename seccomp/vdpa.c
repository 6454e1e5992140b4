/* SPDX-License-Identifier: Apache-2.0
 *
 * What the vDPA helper may call. Loaded by helper_run.
 *
 * At run time it can reset and start its own device and say where the queues are; it cannot map
 * memory, so the device reaches what was mapped at set-up and no more.
 */
#include <fcntl.h>

#include "seccomp/rows.h"
#include "seccomp/vdpa.h"

static const struct policy_row setup[] = {
	ROWS_WIRE, ALLOW(write, "log_line, IOTLB messages, eventfds"),
	ROW_KIND_ANON,
	ALLOW(read, "virtio_irq_on_event: own eventfds, resample"),
	ROWS_VDPA_RUN,
	ROWS_VDPA_SETUP,
	ROWS_NEXT_FILTER,
	ROW_KIND_CHARDEV,
	ROW_KIND_RAM,
	ALLOW_IF(eventfd2, 0, 0, "virtio_irq_init"),
	ALLOW_IF(prlimit64, 2, 0, "iotlb_setup: RLIMIT_MEMLOCK, to read"),
	ALLOW_IF(fcntl, 1, F_DUPFD_CLOEXEC, "a duplicate for the core, to map doorbell pages"),
};

static const struct policy_row run[] = {
	ROWS_WIRE, ALLOW(write, "log_line, IOTLB messages, eventfds"),
	ROW_KIND_ANON,
	ALLOW(read, "virtio_irq_on_event: own eventfds, resample"),
	ROWS_VDPA_RUN,
};

const struct policy policy_vdpa_setup = POLICY("vdpa", "setup", setup);
const struct policy policy_vdpa_run = POLICY("vdpa", "run", run);
