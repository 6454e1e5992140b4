/* SPDX-License-Identifier: Apache-2.0
 *
 * What a guest could do to the processors of others: a locked access that stops every memory bus, and
 * an instruction that lets no interrupt in. KVM exits for both where the CPU can.
 *
 * Core process: enabled by the main thread before there are vCPUs; exits in vCPU threads.
 */
#pragma once

#include "vmm/kvm/vcpu.h"

int guard_enable(struct vm *vm, struct err *err);

/* KVM_EXIT_NOTIFY. False: what the CPU knew of the guest is lost, and it cannot go on. */
bool guard_notify(struct vcpu *vcpu);

/* KVM_RUN returned with KVM_RUN_X86_BUS_LOCK, by whatever reason. Sleeps a moment. */
void guard_bus_lock(struct vcpu *vcpu);
