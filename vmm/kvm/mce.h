/* SPDX-License-Identifier: Apache-2.0
 *
 * An uncorrectable error in the host's memory, in a page of guest RAM: the guest gets a machine
 * check, as it would on hardware.
 *
 * Core process; each function says which thread.
 */
#pragma once

#include "vmm/kvm/vcpu.h"

struct kvm_cpuid2;

/* Main thread, once, before guest RAM is touched: SIGBUS, and that the kernel tells us of an error
 * before somebody has touched it. */
void mce_watch(struct vm *vm);

/* Main thread: what a new vCPU has for it. */
int mce_setup(const struct vcpu *vcpu, bool amd, struct err *err);

/* A vCPU's thread, first thing: SIGBUS in it is this vCPU's. */
void mce_thread(struct vcpu *vcpu);
/* And whenever KVM_RUN has returned EINTR. False: it cannot be told to the guest. */
bool mce_deliver(struct vcpu *vcpu);
