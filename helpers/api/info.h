/* SPDX-License-Identifier: Apache-2.0
 *
 * Bodies of what is only looked at: vmm.ping, vm.info, vm.counters, and of a device that was added.
 * bulkhead-api. Each returns its length, or -ENOSPC.
 */
#pragma once

#include <stddef.h>

#include "helpers/api/vm.h"
#include "ipc/bulkhead.pb-c.h"

/* pid: of the process that was started, the launcher. */
int info_ping(char *to, size_t size);
int info_vm(char *to, size_t size);
int info_counters(char *to, size_t size, const Bulkhead__LifeCountersAre *counters);
int info_device(char *to, size_t size, const struct vm_device *device);
