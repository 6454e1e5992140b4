/* SPDX-License-Identifier: Apache-2.0
 *
 * What VFIO says of the device, beside its config space: the kernel's word, not the device's.
 *
 * VFIO helper, at set-up.
 */
#pragma once

#include <stdbool.h>

#include "ipc/err.h"

struct facts {
	bool can_reset; /* VFIO_DEVICE_RESET works */
	bool atomics;   /* the host's memory completes its AtomicOps (PCIe 6.15) */
	bool no_resize; /* all MSI-X vectors are allocated when MSI-X is enabled */
	unsigned intx, msi, msix; /* interrupts of each kind */
};

int facts_read(int device, struct facts *ret, struct err *err);
