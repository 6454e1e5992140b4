/* SPDX-License-Identifier: Apache-2.0
 *
 * The guest's processors: how many, and how they are arranged in threads, cores, dies and packages.
 *
 * Every process. Pure. An APIC id is those four numbers side by side, each in as many bits as it
 * needs (SDM 3A 9.9.1), so it grows with the vCPU's index and has gaps where a count is no power of
 * two. It is KVM's vcpu_id as well: KVM has no other x2APIC id.
 */
#pragma once

/* As many as Linux's KVM takes by default (KVM_MAX_VCPUS). */
enum { VCPUS_MAX = 1024 };

/* What an interrupt message's eight bits of destination reach; 255 is not one vCPU but all. */
enum { MSI_DEST_MAX = 254 };

struct cpus {
	unsigned boot; /* there are so many */
	unsigned max;  /* threads * cores * dies * packages; never less than boot */
	unsigned threads, cores, dies, packages; /* a core, a die, a package, the guest */
};

/* Bits of an APIC id below the core's number, the die's, the package's. */
struct cpus_shifts {
	unsigned core, die, package;
};
struct cpus_shifts cpus_shifts(const struct cpus *cpus);

unsigned cpus_apic_id(const struct cpus *cpus, unsigned index);
/* Of those that are there. */
unsigned cpus_max_apic_id(const struct cpus *cpus);
