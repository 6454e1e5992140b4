/* SPDX-License-Identifier: Apache-2.0
 *
 * Standing still: vCPUs parked and devices suspended, and on from there.
 *
 * Core process, main thread. A device that offers no suspend may finish what it has begun, in guest
 * RAM too; nothing new reaches it, as no vCPU runs.
 */
#pragma once

#include "vmm/devices.h"

/* 0, or -errno with everything running as before. */
int vm_pause(struct vm *vm, struct devices *devices, struct err *err);

/* The vCPUs run on in any case; -errno: the first device that did not go on with them. */
int vm_resume(struct vm *vm, struct devices *devices, struct err *err);
