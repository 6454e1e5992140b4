/* SPDX-License-Identifier: Apache-2.0
 *
 * CPUID edits (Intel SDM 2A, CPUID; AMD APM 3, appendix E; Linux virt/kvm/x86/cpuid.rst).
 *
 * Core process, main thread. KVM_GET_SUPPORTED_CPUID is the host CPU less what KVM cannot do, with
 * the topology of the host CPU it was asked on: everything that speaks of ids, counts and sharing
 * is replaced. A Linux guest cross-checks leaves 1, 4, 0xb, 0x1f, 0x80000008, 0x8000001d and
 * 0x8000001e and complains when they disagree.
 */
#include "vmm/kvm/cpuid.h"

#include <errno.h>
#include <linux/kvm_para.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

enum {
	PHYS_BITS_DEFAULT = 36,
	LEAF_TOPOLOGY = 0xb, LEAF_TOPOLOGY_V2 = 0x1f,
	LEVEL_SMT = 1, LEVEL_CORE = 2, LEVEL_DIE = 5,
};

#define BIT(n) (1u << (n))

#define L1_ECX_VMX	    BIT(5)
#define L1_ECX_X2APIC	    BIT(21)
#define L1_ECX_TSC_DEADLINE BIT(24)
#define L1_ECX_OSXSAVE	    BIT(27) /* KVM mirrors CR4 */
#define L1_ECX_HYPERVISOR   BIT(31)
#define L1_EDX_HTT	    BIT(28)
#define L6_EAX_ARAT	    BIT(2)
#define L7_EBX_SGX	    BIT(2)
#define L7_ECX_SGX_LC	    BIT(30)
#define L7_EDX_AMX	    (BIT(22) | BIT(24) | BIT(25)) /* BF16, TILE, INT8 */
#define L71_EAX_AMX_FP16    BIT(21)
#define L71_EDX_AMX_COMPLEX BIT(8)
#define LD_EAX_XTILE	    (BIT(17) | BIT(18)) /* XTILECFG, XTILEDATA */
#define LD1_EAX_XFD	    BIT(4)
#define L81_ECX_CMP_LEGACY  BIT(1)
#define L81_ECX_SVM	    BIT(2)
#define L87_EBX_RECOVERS    (BIT(0) | BIT(1)) /* MCA overflow recovery, SUCCOR */

/* Paravirtual features that need a helping hand from user space: given where needed (irq.c), and
 * never. */
#define PV_MSI_EXT_DEST_ID BIT(KVM_FEATURE_MSI_EXT_DEST_ID)
#define PV_NOT_OURS	   (BIT(KVM_FEATURE_HC_MAP_GPA_RANGE) | BIT(KVM_FEATURE_MIGRATION_CONTROL))

int cpuid_supported(int kvm_fd, struct kvm_cpuid2 **ret, struct err *err)
{
	struct kvm_cpuid2 *cpuid = calloc(1,
		sizeof(*cpuid) + CPUID_ENTRIES * sizeof(cpuid->entries[0]));

	if (!cpuid)
		return err_set(err, -ENOMEM, BLAME_HOST, "out of memory");
	cpuid->nent = CPUID_ENTRIES;
	if (ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, cpuid) < 0) {
		int code = -errno;

		free(cpuid);
		return err_set(err, code, BLAME_HOST, "/dev/kvm: KVM_GET_SUPPORTED_CPUID: %s",
			strerror(-code));
	}
	*ret = cpuid;
	return 0;
}

static struct kvm_cpuid_entry2 *find(struct kvm_cpuid2 *cpuid, uint32_t function, uint32_t index)
{
	for (unsigned i = 0; i < cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *e = &cpuid->entries[i];

		if (e->function == function && e->index == index)
			return e;
	}
	return NULL;
}

/* The entry, made if there is none: zeroed, or NULL when the table is full. */
static struct kvm_cpuid_entry2 *make(struct kvm_cpuid2 *cpuid, uint32_t function, uint32_t index)
{
	struct kvm_cpuid_entry2 *e = find(cpuid, function, index);

	if (e || cpuid->nent >= CPUID_ENTRIES)
		return e;
	e = &cpuid->entries[cpuid->nent++];
	*e = (struct kvm_cpuid_entry2){.function = function, .index = index};
	return e;
}

static void clear_leaf(struct kvm_cpuid2 *cpuid, uint32_t function)
{
	for (unsigned i = 0; i < cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *e = &cpuid->entries[i];

		if (e->function == function)
			e->eax = e->ebx = e->ecx = e->edx = 0;
	}
}

bool cpuid_is_amd(struct kvm_cpuid2 *cpuid)
{
	const struct kvm_cpuid_entry2 *e = find(cpuid, 0, 0);

	/* AuthenticAMD, HygonGenuine: the first four letters are enough. */
	return e && (e->ebx == 0x68747541 || e->ebx == 0x6f677948);
}

/* A field of a leaf that is narrower than what it counts says its most. */
static uint32_t at_most(uint32_t value, uint32_t most)
{
	return value < most ? value : most;
}

static uint32_t per_package(const struct cpus *cpus)
{
	return cpus->threads * cpus->cores * cpus->dies;
}

static void set_bits(uint32_t *reg, uint32_t bits, bool on)
{
	*reg = on ? *reg | bits : *reg & ~bits;
}

static void edit_features(struct kvm_cpuid2 *cpuid, const struct cpuid_vcpu *vcpu)
{
	struct kvm_cpuid_entry2 *e = find(cpuid, 1, 0);
	uint32_t ids = 1u << cpus_shifts(vcpu->cpus).package;

	if (e) {
		e->ebx = (e->ebx & 0xffff) | at_most(ids, 0xff) << 16 |
			cpus_apic_id(vcpu->cpus, vcpu->index) << 24;
		e->ecx |= L1_ECX_HYPERVISOR | L1_ECX_X2APIC;
		e->ecx &= ~(L1_ECX_VMX | L1_ECX_OSXSAVE);
		set_bits(&e->ecx, L1_ECX_TSC_DEADLINE, vcpu->tsc_deadline);
		set_bits(&e->edx, L1_EDX_HTT, per_package(vcpu->cpus) > 1);
	}
	e = make(cpuid, 6, 0);
	if (e)
		e->eax |= L6_EAX_ARAT; /* the timer of a virtual APIC never stops */
	e = find(cpuid, 7, 0);
	if (e) {
		e->ebx &= ~L7_EBX_SGX;
		e->ecx &= ~L7_ECX_SGX_LC;
	}
	e = find(cpuid, KVM_CPUID_FEATURES, 0);
	if (e) {
		e->eax &= ~PV_NOT_OURS;
		set_bits(&e->eax, PV_MSI_EXT_DEST_ID, cpus_max_apic_id(vcpu->cpus) > MSI_DEST_MAX);
	}
	clear_leaf(cpuid, 0x12);	/* SGX */
	clear_leaf(cpuid, 0x8000000a); /* SVM */
	clear_leaf(cpuid, 0x8000001f); /* SEV */
}

static void clear_bits(struct kvm_cpuid2 *cpuid, uint32_t function, uint32_t index, uint32_t eax,
	uint32_t edx)
{
	struct kvm_cpuid_entry2 *e = find(cpuid, function, index);

	if (e) {
		e->eax &= ~eax;
		e->edx &= ~edx;
	}
}

/* AMX needs a state of 8 KiB that the kernel keeps for nobody who has not asked (Linux
 * Documentation/arch/x86/xstate.rst, ARCH_REQ_XCOMP_GUEST_PERM), which we do not. Leaf 0xd is without
 * it then, and the features alone would be a guest's #UD. XFD is for AMX and nothing else. */
static void hide_amx(struct kvm_cpuid2 *cpuid)
{
	clear_bits(cpuid, 7, 0, 0, L7_EDX_AMX);
	clear_bits(cpuid, 7, 1, L71_EAX_AMX_FP16, L71_EDX_AMX_COMPLEX);
	clear_bits(cpuid, 0xd, 0, LD_EAX_XTILE, 0);
	clear_bits(cpuid, 0xd, 1, LD1_EAX_XFD, 0);
	for (uint32_t i = 0; i < cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *e = &cpuid->entries[i];

		if (e->function == 0xd && (e->index == 17 || e->index == 18))
			e->eax = e->ebx = e->ecx = e->edx = 0;
	}
	clear_leaf(cpuid, 0x1d); /* tiles */
	clear_leaf(cpuid, 0x1e); /* their multiplication */
}

/* Leaf 4 and its AMD twin 0x8000001d share EAX[25:14], the number of ids that share a cache less
 * one: a die its third level, a core its first and second. Leaf 4 has the ids of a package's cores,
 * too. */
static void edit_caches(struct kvm_cpuid2 *cpuid, const struct cpuid_vcpu *vcpu)
{
	struct cpus_shifts shifts = cpus_shifts(vcpu->cpus);

	for (unsigned i = 0; i < cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *e = &cpuid->entries[i];
		bool leaf4 = e->function == 4;

		if ((!leaf4 && e->function != 0x8000001d) || (e->eax & 0x1f) == 0)
			continue;
		e->eax &= leaf4 ? 0x3fff : ~0x03ffc000u;
		e->eax |= at_most((1u << ((e->eax >> 5 & 7) >= 3 ? shifts.die : shifts.core)) - 1,
			0xfff) << 14;
		if (leaf4)
			e->eax |= at_most((1u << (shifts.package - shifts.core)) - 1, 0x3f) << 26;
	}
}

/* A level of the topology: bits below the next one's number, processors in one of it. */
static void set_level(struct kvm_cpuid2 *cpuid, uint32_t function, uint32_t index, uint32_t type,
	uint32_t shift, uint32_t count, uint32_t apic_id)
{
	struct kvm_cpuid_entry2 *e = make(cpuid, function, index);

	if (e)
		*e = (struct kvm_cpuid_entry2){.function = function, .index = index,
			.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
			.eax = shift, .ebx = count, .ecx = index | type << 8, .edx = apic_id};
}

/* Leaves 0xb and 0x1f. 0xb knows no dies: its last level is the package all the same. */
static void edit_x2apic_topology(struct kvm_cpuid2 *cpuid, uint32_t function,
	const struct cpuid_vcpu *vcpu)
{
	bool dies = function == LEAF_TOPOLOGY_V2 && vcpu->cpus->dies > 1;
	struct cpus_shifts shifts = cpus_shifts(vcpu->cpus);
	uint32_t id = cpus_apic_id(vcpu->cpus, vcpu->index), n = 0;

	clear_leaf(cpuid, function);
	set_level(cpuid, function, n++, LEVEL_SMT, shifts.core, vcpu->cpus->threads, id);
	if (dies)
		set_level(cpuid, function, n++, LEVEL_CORE, shifts.die,
			vcpu->cpus->threads * vcpu->cpus->cores, id);
	set_level(cpuid, function, n++, dies ? LEVEL_DIE : LEVEL_CORE, shifts.package,
		per_package(vcpu->cpus), id);
	set_level(cpuid, function, n, 0, 0, 0, id);
}

static void edit_amd(struct kvm_cpuid2 *cpuid, const struct cpuid_vcpu *vcpu)
{
	struct kvm_cpuid_entry2 *e = find(cpuid, 0x80000008, 0);
	const struct cpus *cpus = vcpu->cpus;
	uint32_t core = vcpu->index / cpus->threads, die = core / cpus->cores;

	if (e)
		e->ecx = (e->ecx & ~0xf0ffu) | cpus_shifts(cpus).package << 12 |
			at_most(per_package(cpus) - 1, 0xff);
	e = find(cpuid, 0x8000001e, 0);
	if (e) {
		e->eax = cpus_apic_id(cpus, vcpu->index); /* extended APIC id */
		e->ebx = (core % cpus->cores & 0xff) | (cpus->threads - 1) << 8;
		e->ecx = (die & 0xff) | at_most(cpus->dies - 1, 7) << 8; /* node, nodes a package */
	}
	e = find(cpuid, 0x80000007, 0);
	if (e)
		e->ebx |= L87_EBX_RECOVERS; /* as mce.c has it, which KVM does not know of */
	clear_leaf(cpuid, 0x80000026); /* topology again, with core types */
}

void cpuid_for_vcpu(struct kvm_cpuid2 *cpuid, const struct cpuid_vcpu *vcpu)
{
	struct kvm_cpuid_entry2 *max = find(cpuid, 0, 0);
	struct kvm_cpuid_entry2 *e = find(cpuid, 0x80000001, 0);

	edit_features(cpuid, vcpu);
	hide_amx(cpuid);
	edit_caches(cpuid, vcpu);
	if (max && max->eax < LEAF_TOPOLOGY)
		max->eax = LEAF_TOPOLOGY;
	if (max && max->eax < LEAF_TOPOLOGY_V2 && vcpu->cpus->dies > 1 && !cpuid_is_amd(cpuid))
		max->eax = LEAF_TOPOLOGY_V2;
	edit_x2apic_topology(cpuid, LEAF_TOPOLOGY, vcpu);
	if (max && max->eax >= LEAF_TOPOLOGY_V2)
		edit_x2apic_topology(cpuid, LEAF_TOPOLOGY_V2, vcpu);
	if (e)
		e->ecx &= ~L81_ECX_SVM;
	if (!cpuid_is_amd(cpuid))
		return;
	if (e)
		set_bits(&e->ecx, L81_ECX_CMP_LEGACY, per_package(vcpu->cpus) > 1);
	edit_amd(cpuid, vcpu);
}

struct phys_space cpuid_phys_space(struct kvm_cpuid2 *cpuid)
{
	const struct kvm_cpuid_entry2 *e = find(cpuid, 0x80000008, 0);
	struct phys_space phys = {.bits = PHYS_BITS_DEFAULT, .ht = cpuid_is_amd(cpuid)};

	if (e)
		phys.bits = e->eax >> 16 & 0xff ? e->eax >> 16 & 0xff : e->eax & 0xff;
	return phys;
}
