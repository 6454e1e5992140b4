/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of KVM that a PCI function of the core uses, as doubles of vm.c and irq.c: memslots,
 * doorbells, GSIs, routes and irqfds. The input decides what KVM refuses; whatever is asked of it
 * must be inside the PCI windows, disjoint, and of something that is there.
 */
#pragma once

#include "tests/fuzz/fuzz.h"

/* Where refusals are read from. */
void kvm_begin(struct input *in);

/* Everything has been taken away again. */
void kvm_end(void);
