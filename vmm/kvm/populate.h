/* SPDX-License-Identifier: Apache-2.0
 *
 * Guest RAM made resident by several threads at once, before the broker pins it for DMA in one:
 * faulting in and zeroing is most of the time that takes.
 *
 * Core process, set-up. Threads of its own, which are gone before the first vCPU's.
 */
#pragma once

#include "vmm/kvm/ram.h"

enum { POPULATE_THREADS = 8 };

/* By half as many threads as this process has processors, at most POPULATE_THREADS. Tells the operator
 * how far it is. 0 when all is resident, or when the kernel cannot (before Linux 5.14): then pinning does
 * it. */
int populate(const struct ram *ram, struct err *err);
