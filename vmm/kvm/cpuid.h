/* SPDX-License-Identifier: Apache-2.0
 *
 * What CPUID tells the guest: what this host's KVM supports, less what we do not, with the
 * guest's own topology.
 *
 * Core process, main thread, at start. Pure but for cpuid_supported.
 */
#pragma once

#include <linux/kvm.h>
#include <stdbool.h>

#include "ipc/err.h"
#include "ipc/cpus.h"
#include "vmm/pci/layout.h"

enum { CPUID_ENTRIES = 256 }; /* KVM takes no more */

struct cpuid_vcpu {
	unsigned index;
	const struct cpus *cpus;
	bool tsc_deadline; /* KVM_CAP_TSC_DEADLINE_TIMER */
	bool amd;          /* cpuid_is_amd */
};

/* KVM_GET_SUPPORTED_CPUID; *ret has room for CPUID_ENTRIES and is the caller's to free. */
int cpuid_supported(int kvm_fd, struct kvm_cpuid2 **ret, struct err *err);

/* Makes what one vCPU gets of what is supported, in place. cpuid has room for CPUID_ENTRIES; a leaf
 * there is no room for is left out. */
void cpuid_for_vcpu(struct kvm_cpuid2 *cpuid, const struct cpuid_vcpu *vcpu);

/* An AMD's, or a Hygon's. */
bool cpuid_is_amd(struct kvm_cpuid2 *cpuid);

/* What a guest physical address can be. Its width: leaf 0x80000008, EAX[23:16] (what KVM can map)
 * where given, else EAX[7:0]; 36 without the leaf. */
struct phys_space cpuid_phys_space(struct kvm_cpuid2 *cpuid);
