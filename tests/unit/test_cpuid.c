/* SPDX-License-Identifier: Apache-2.0
 *
 * links: vmm/kvm/cpuid.c ipc/cpus.c
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/kvm/cpuid.h"

static struct kvm_cpuid2 *cpuid;

static void make(void)
{
	cpuid = calloc(1, sizeof(*cpuid) + CPUID_ENTRIES * sizeof(cpuid->entries[0]));
}

static void add(uint32_t function, uint32_t index, uint32_t eax, uint32_t ebx, uint32_t ecx,
	uint32_t edx)
{
	cpuid->entries[cpuid->nent++] = (struct kvm_cpuid_entry2){
		.function = function, .index = index, .eax = eax, .ebx = ebx, .ecx = ecx, .edx = edx};
}

/* What a Xeon's KVM says, as far as it matters: 64-core host, hyperthreads. */
static void intel(void)
{
	make();
	add(0, 0, 0x1f, 0x756e6547, 0x6c65746e, 0x49656e69);
	add(1, 0, 0x806f8, 0x2a800800, 0xfffa3203 | 1 << 5 | 1 << 27, 0x0f8bfbff);
	add(4, 0, 0xfc004121, 0x02c0003f, 0x3f, 0);
	add(4, 1, 0xfc004122, 0x01c0003f, 0x3f, 0);
	add(4, 2, 0xfc01c143, 0x03c0003f, 0x7ff, 0);
	add(4, 3, 0xfc1fc163, 0x0380003f, 0x1bfff, 4);
	add(4, 4, 0, 0, 0, 0);
	add(6, 0, 0, 0, 0, 0);
	add(7, 0, 2, 0xf1bf07ff, 0x5b417f5e, 0xbfc14410);
	add(0xb, 0, 1, 2, 0x100, 42);
	add(0xb, 1, 7, 128, 0x201, 42);
	add(0x12, 0, 3, 1, 0, 0x241f);
	add(0x1f, 0, 1, 2, 0x100, 42);
	add(0x1f, 1, 7, 128, 0x201, 42);
	add(0x1f, 2, 9, 512, 0x502, 42);
	add(0x80000000, 0, 0x80000008, 0, 0, 0);
	add(0x80000001, 0, 0, 0, 0x121, 0x2c100800);
	add(0x80000008, 0, 0x3034, 0, 0, 0);
	add(0x40000000, 0, 0x40000001, 0x4b4d564b, 0x564b4d56, 0x4d);
	add(0x40000001, 0, 0x0103fefb, 0, 0, 0);
}

static void amd(void)
{
	make();
	add(0, 0, 0x10, 0x68747541, 0x444d4163, 0x69746e65);
	add(1, 0, 0xa10f11, 0x03040800, 0x81202000, 0x078bfbff);
	add(0x80000001, 0, 0xa10f11, 0x40000000, 0x400397, 0x23d3fbff);
	add(0x80000007, 0, 0, 0, 0, 0x100);
	add(0x80000008, 0, 0x302f3030, 0x50020005, 0x7003, 0);
	add(0x8000000a, 0, 1, 0x8000, 0, 0x1ff);
	add(0x8000001d, 0, 0x4121, 0x01c0003f, 0x3f, 0);
	add(0x8000001d, 3, 0xc163, 0x03c0003f, 0x7fff, 1);
	add(0x8000001e, 0, 9, 0x109, 0x301, 0);
	add(0x8000001f, 0, 0x1f, 0, 0, 0);
	add(0x80000026, 0, 1, 2, 0x100, 42);
}

static const struct kvm_cpuid_entry2 *leaf(uint32_t function, uint32_t index)
{
	for (unsigned i = 0; i < cpuid->nent; i++) {
		if (cpuid->entries[i].function == function && cpuid->entries[i].index == index)
			return &cpuid->entries[i];
	}
	cr_assert(false, "leaf 0x%x.%u is not there", function, index);
	return NULL;
}

static void edit_cpus(unsigned index, const struct cpus *cpus)
{
	cpuid_for_vcpu(cpuid, &(struct cpuid_vcpu){.index = index, .cpus = cpus, .tsc_deadline = true});
}

static void edit(unsigned index, unsigned n)
{
	edit_cpus(index, &(struct cpus){n, n, 1, n, 1, 1});
}

Test(cpuid, features, .init = intel)
{
	uint32_t ecx;

	edit(0, 1);
	ecx = leaf(1, 0)->ecx;
	cr_expect(ecx >> 31 == 1, "hypervisor");
	cr_expect(ecx & 1 << 21, "x2APIC");
	cr_expect(ecx & 1 << 24, "TSC deadline");
	cr_expect(!(ecx & 1 << 5), "no VMX");
	cr_expect(!(ecx & 1 << 27), "OSXSAVE is the guest's to turn on");
	cr_expect(leaf(6, 0)->eax & 4, "ARAT");
	cr_expect(!(leaf(7, 0)->ebx & 4) && !(leaf(7, 0)->ecx & 1 << 30), "no SGX");
	cr_expect(leaf(0x12, 0)->eax == 0);
	cr_expect(leaf(0x40000000, 0)->ebx == 0x4b4d564b, "KVMKVMKVM");
	cr_expect((leaf(0x40000001, 0)->eax & 0x38000) == 0);
	cr_expect(leaf(0x40000001, 0)->eax & 1 << 24, "stable clock");
}

/* Nobody asked the kernel for AMX's state: nothing of it may be told. */
Test(cpuid, no_amx, .init = intel)
{
	add(7, 1, 0x00201c30, 0, 0, 0x4100);
	add(0xd, 0, 0x602e7, 0x988, 0x2b08, 0);
	add(0xd, 1, 0x1f, 0x988, 0x1900, 0);
	add(0xd, 17, 0x40, 0xac0, 2, 0);
	add(0xd, 18, 0x2000, 0xb00, 6, 0);
	add(0x1d, 0, 1, 0, 0, 0);
	add(0x1d, 1, 0x4002000, 0x80040, 0x10, 0);
	add(0x1e, 0, 0, 0x4010, 0, 0);
	edit(0, 1);
	cr_expect_eq(leaf(7, 0)->edx, 0xbfc14410 & ~(1u << 22 | 1u << 24 | 1u << 25));
	cr_expect(leaf(7, 1)->eax == 0x1c30 && leaf(7, 1)->edx == 0x4000);
	cr_expect(leaf(0xd, 0)->eax == 0x2e7 && leaf(0xd, 1)->eax == 0xf);
	cr_expect(!leaf(0xd, 17)->eax && !leaf(0xd, 18)->eax && !leaf(0x1d, 0)->eax);
	cr_expect(!leaf(0x1d, 1)->eax && !leaf(0x1e, 0)->ebx);
}

Test(cpuid, no_deadline_timer_without_kvm, .init = intel)
{
	const struct cpus one = {1, 1, 1, 1, 1, 1};

	cpuid_for_vcpu(cpuid, &(struct cpuid_vcpu){.index = 0, .cpus = &one});
	cr_expect(!(leaf(1, 0)->ecx & 1 << 24));
}

Test(cpuid, intel_topology, .init = intel)
{
	edit(2, 3);
	cr_expect(leaf(1, 0)->ebx == (2u << 24 | 4u << 16 | 0x0800));
	cr_expect(leaf(1, 0)->edx & 1 << 28, "HTT");
	for (uint32_t f = 0xb;; f = 0x1f) {
		cr_expect(leaf(f, 0)->eax == 0 && leaf(f, 0)->ebx == 1 && leaf(f, 0)->ecx == 0x100);
		cr_expect(leaf(f, 1)->eax == 2 && leaf(f, 1)->ebx == 3 && leaf(f, 1)->ecx == 0x201);
		cr_expect(leaf(f, 2)->eax == 0 && leaf(f, 2)->ebx == 0 && leaf(f, 2)->ecx == 2);
		for (uint32_t i = 0; i < 3; i++)
			cr_expect(leaf(f, i)->edx == 2 && leaf(f, i)->flags == 1);
		if (f == 0x1f)
			break;
	}
	for (uint32_t i = 0; i < 4; i++) {
		uint32_t eax = leaf(4, i)->eax;

		cr_expect(eax >> 26 == 3, "cores");
		cr_expect((eax >> 14 & 0xfff) == (i == 3 ? 3 : 0), "sharing of %u", i);
	}
	cr_expect(leaf(4, 4)->eax == 0);
	cr_expect(leaf(0x80000008, 0)->ecx == 0, "reserved on Intel");
}

Test(cpuid, one_vcpu, .init = intel)
{
	edit(0, 1);
	cr_expect(leaf(1, 0)->ebx == (1u << 16 | 0x0800));
	cr_expect(!(leaf(1, 0)->edx & 1 << 28), "no HTT");
	cr_expect(leaf(0xb, 1)->eax == 0 && leaf(0xb, 1)->ebx == 1);
	cr_expect(leaf(4, 3)->eax == (0xfc1fc163 & 0x3fff));
}

Test(cpuid, amd_topology, .init = amd)
{
	edit(31, 32);
	cr_expect(leaf(0, 0)->eax == 0x10);
	cr_expect(leaf(0xb, 1)->eax == 5 && leaf(0xb, 1)->ebx == 32 && leaf(0xb, 1)->edx == 31);
	cr_expect(leaf(0x80000008, 0)->ecx == 0x501f);
	cr_expect(leaf(0x80000001, 0)->ecx & 2, "CmpLegacy");
	cr_expect(!(leaf(0x80000001, 0)->ecx & 4), "no SVM");
	cr_expect(leaf(0x8000000a, 0)->eax == 0 && leaf(0x8000001f, 0)->eax == 0);
	cr_expect(leaf(0x8000001e, 0)->eax == 31 && leaf(0x8000001e, 0)->ebx == 31 &&
		leaf(0x8000001e, 0)->ecx == 0);
	cr_expect((leaf(0x8000001d, 0)->eax >> 14 & 0xfff) == 0);
	cr_expect((leaf(0x8000001d, 3)->eax >> 14 & 0xfff) == 31);
	cr_expect(leaf(0x80000026, 0)->ebx == 0);
	cr_expect(leaf(0x80000007, 0)->ebx == 3, "recovers from a machine check");
}

/* Two threads, three cores, two dies, two packages: vCPU 23 is the last of each. */
static const struct cpus four_levels = {24, 24, 2, 3, 2, 2};

Test(cpuid, intel_threads_and_dies, .init = intel)
{
	edit_cpus(23, &four_levels);
	cr_expect_eq(leaf(1, 0)->ebx, 29u << 24 | 16u << 16 | 0x0800);
	for (uint32_t f = 0xb;; f = 0x1f) {
		cr_expect(leaf(f, 0)->eax == 1 && leaf(f, 0)->ebx == 2 && leaf(f, 0)->ecx == 0x100);
		cr_expect(leaf(f, 0)->edx == 29);
		if (f == 0x1f)
			break;
		cr_expect(leaf(f, 1)->eax == 4 && leaf(f, 1)->ebx == 12 && leaf(f, 1)->ecx == 0x201);
		cr_expect(leaf(f, 2)->eax == 0 && leaf(f, 2)->ebx == 0 && leaf(f, 2)->ecx == 2);
	}
	cr_expect(leaf(0x1f, 1)->eax == 3 && leaf(0x1f, 1)->ebx == 6 && leaf(0x1f, 1)->ecx == 0x201);
	cr_expect(leaf(0x1f, 2)->eax == 4 && leaf(0x1f, 2)->ebx == 12 && leaf(0x1f, 2)->ecx == 0x502);
	cr_expect(leaf(0x1f, 3)->ebx == 0 && leaf(0x1f, 3)->ecx == 3);
	for (uint32_t i = 0; i < 4; i++) {
		uint32_t eax = leaf(4, i)->eax;

		cr_expect(eax >> 26 == 7, "cores");
		cr_expect((eax >> 14 & 0xfff) == (i == 3 ? 7 : 1), "sharing of %u", i);
	}
}

Test(cpuid, amd_threads_and_dies, .init = amd)
{
	edit_cpus(23, &four_levels);
	cr_expect_eq(leaf(0x80000008, 0)->ecx, 0x400b);
	cr_expect_eq(leaf(0x8000001e, 0)->eax, 29);
	cr_expect_eq(leaf(0x8000001e, 0)->ebx, 0x102);
	cr_expect_eq(leaf(0x8000001e, 0)->ecx, 0x103);
	cr_expect((leaf(0x8000001d, 0)->eax >> 14 & 0xfff) == 1);
	cr_expect((leaf(0x8000001d, 3)->eax >> 14 & 0xfff) == 7);
}

/* Fields that are too narrow say their most, and no bit beside them changes. */
Test(cpuid, a_thousand_vcpus, .init = intel)
{
	edit(1023, 1024);
	cr_expect_eq(leaf(1, 0)->ebx, 0xffff0800);
	cr_expect(leaf(0xb, 1)->eax == 10 && leaf(0xb, 1)->ebx == 1024 && leaf(0xb, 1)->edx == 1023);
	cr_expect_eq(leaf(4, 3)->eax, 0x3fu << 26 | 1023 << 14 | (0xfc1fc163 & 0x3fff));
	cr_expect(leaf(0x40000001, 0)->eax & 1 << 15, "MSIs reach APIC ids above 255");
}

Test(cpuid, a_thousand_vcpus_of_amd, .init = amd)
{
	edit(1023, 1024);
	cr_expect_eq(leaf(0x80000008, 0)->ecx, 0xa0ff);
	cr_expect_eq(leaf(0x8000001e, 0)->eax, 1023);
	cr_expect_eq(leaf(0x8000001d, 3)->eax >> 14 & 0xfff, 1023);
}

Test(cpuid, old_cpus_get_the_topology_leaf, .init = make)
{
	add(0, 0, 7, 0x68747541, 0x444d4163, 0x69746e65);
	add(1, 0, 0, 0, 0, 0);
	edit(1, 2);
	cr_expect(leaf(0, 0)->eax == 0xb);
	cr_expect(leaf(0xb, 1)->ebx == 2);
}

Test(cpuid, dies_need_a_leaf_of_their_own, .init = make)
{
	add(0, 0, 0x16, 0x756e6547, 0x6c65746e, 0x49656e69);
	add(1, 0, 0, 0, 0, 0);
	edit_cpus(0, &four_levels);
	cr_expect(leaf(0, 0)->eax == 0x1f);
	cr_expect(leaf(0x1f, 2)->ecx == 0x502);
}

Test(cpuid, a_full_table_is_survived, .init = make)
{
	for (uint32_t i = 0; i < CPUID_ENTRIES; i++)
		add(0xd, i, 0, 0, 0, 0);
	edit(0, 4);
	cr_expect(cpuid->nent == CPUID_ENTRIES);
}

Test(cpuid, physical_address_width, .init = intel)
{
	struct phys_space phys = cpuid_phys_space(cpuid);

	cr_expect(phys.bits == 52 && !phys.ht, "EAX[7:0]");
	amd();
	phys = cpuid_phys_space(cpuid);
	cr_expect(phys.bits == 47 && phys.ht, "what KVM can map");
	make();
	cr_expect(cpuid_phys_space(cpuid).bits == 36);
}
