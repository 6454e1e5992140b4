/* SPDX-License-Identifier: Apache-2.0
 *
 * The state of a vCPU: at boot, remembered, and put back for a reset in place.
 *
 * Core process, main thread, while the vCPU does not run. A reset restores everything KVM calls
 * state, as it was right after creation; so KVM's own writes into guest memory (kvm-clock, steal
 * time, async page faults, PV EOI: MSRs that were 0) stop before the next kernel is loaded.
 */
#include "vmm/kvm/vcpu.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

enum {
	MSR_TSC = 0x10, MSR_MISC_ENABLE = 0x1a0, MSR_TSC_DEADLINE = 0x6e0,
	MSR_MTRR_DEF_TYPE = 0x2ff,
	MISC_ENABLE_FAST_STRING = 1,
	MTRR_ON_WRITE_BACK = 0xc06, /* on, fixed ranges too, default write-back (SDM 3A 12.11.2.1) */
	CR0_PE = 1, CR0_ET = 0x10, CR4_PAE = 0x20,
	EFER_LME = 0x100, EFER_LMA = 0x400,
	RFLAGS_ALWAYS = 2,
	SELECTOR_CODE = 0x10, SELECTOR_DATA = 0x18, GDT_ENTRIES = 4,
	MSRS_MAX = 512,
};

#define CR0_PG 0x80000000u

/* In use, and not in KVM_GET_MSR_INDEX_LIST. */
static const struct {
	uint32_t first, n;
} mtrrs[] = {{0x200, 16}, {0x250, 1}, {0x258, 2}, {0x268, 8}, {MSR_MTRR_DEF_TYPE, 1}};

struct vcpu_state {
	struct kvm_sregs sregs;
	struct kvm_xsave xsave;
	struct kvm_xcrs xcrs;
	struct kvm_debugregs debugregs;
	struct kvm_lapic_state lapic;
	struct kvm_mp_state mp_state;
	struct kvm_vcpu_events events;
	struct kvm_msrs *msrs;
};

/* In the order they are put back: special registers hold the APIC's mode, so before the APIC; MSRs
 * too, so that a deadline timer is disarmed while the APIC still knows that it is one. */
#define PART(get_it, set_it, field)                                                                \
	{KVM_GET_##get_it, KVM_SET_##set_it, offsetof(struct vcpu_state, field), #get_it}
static const struct {
	unsigned long get, set;
	size_t offset;
	const char *name;
} parts[] = {
	PART(SREGS, SREGS, sregs),
	PART(XCRS, XCRS, xcrs),
	PART(XSAVE, XSAVE, xsave),
	PART(DEBUGREGS, DEBUGREGS, debugregs),
	PART(LAPIC, LAPIC, lapic),
	PART(VCPU_EVENTS, VCPU_EVENTS, events),
	PART(MP_STATE, MP_STATE, mp_state),
};

enum { PARTS = sizeof(parts) / sizeof(parts[0]), PARTS_BEFORE_MSRS = 4 };

static int failed(const struct vcpu *vcpu, struct err *err, const char *what)
{
	int code = -errno;

	return err_set(err, code, BLAME_HOST, "vcpu%u: %s: %s", vcpu->index, what, strerror(-code));
}

static struct kvm_msrs *msrs_alloc(void)
{
	return calloc(1, sizeof(struct kvm_msrs) + MSRS_MAX * sizeof(struct kvm_msr_entry));
}

/* Is it there, and may it be written? Then it is state. */
static void try_msr(const struct vcpu *vcpu, struct kvm_msrs *msrs, uint32_t index)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} one = {.head.nmsrs = 1, .entry.index = index};

	if (msrs->nmsrs == MSRS_MAX || index == MSR_TSC ||
		ioctl(vcpu->fd.n, KVM_GET_MSRS, &one) != 1 ||
		ioctl(vcpu->fd.n, KVM_SET_MSRS, &one) != 1)
		return;
	msrs->entries[msrs->nmsrs++] = one.entry;
}

static int find_msrs(const struct vcpu *vcpu, struct kvm_msrs *msrs, struct err *err)
{
	struct kvm_msr_list *list = calloc(1, sizeof(*list) + MSRS_MAX * sizeof(uint32_t));
	int r;

	if (!list)
		return err_set(err, -ENOMEM, BLAME_HOST, "out of memory");
	/* The TSC starts at 0 again; KVM then keeps those of all vCPUs in step. */
	msrs->entries[msrs->nmsrs++] = (struct kvm_msr_entry){.index = MSR_TSC, .data = 0};
	list->nmsrs = MSRS_MAX;
	r = ioctl(vcpu->vm->kvm.n, KVM_GET_MSR_INDEX_LIST, list);
	if (r < 0)
		r = failed(vcpu, err, "KVM_GET_MSR_INDEX_LIST");
	for (unsigned i = 0; r == 0 && i < list->nmsrs; i++)
		try_msr(vcpu, msrs, list->indices[i]);
	for (unsigned i = 0; r == 0 && i < sizeof(mtrrs) / sizeof(mtrrs[0]); i++) {
		for (unsigned k = 0; k < mtrrs[i].n; k++)
			try_msr(vcpu, msrs, mtrrs[i].first + k);
	}
	free(list);
	return r;
}

/* What an earlier vCPU has found out is true for this one. */
static int copy_msrs(const struct vcpu *vcpu, const struct vcpu_state *like, struct kvm_msrs *msrs,
	struct err *err)
{
	msrs->nmsrs = like->msrs->nmsrs;
	memcpy(msrs->entries, like->msrs->entries, msrs->nmsrs * sizeof(msrs->entries[0]));
	if (ioctl(vcpu->fd.n, KVM_GET_MSRS, msrs) != (int)msrs->nmsrs)
		return failed(vcpu, err, "KVM_GET_MSRS");
	msrs->entries[0].data = 0; /* the TSC */
	return 0;
}

int vcpu_state_save(const struct vcpu *vcpu, const struct vcpu_state *like,
	struct vcpu_state **ret, struct err *err)
{
	struct vcpu_state *state = calloc(1, sizeof(*state));
	int r;

	if (!state || !(state->msrs = msrs_alloc())) {
		free(state);
		return err_set(err, -ENOMEM, BLAME_HOST, "out of memory");
	}
	r = like ? copy_msrs(vcpu, like, state->msrs, err) : find_msrs(vcpu, state->msrs, err);
	for (unsigned i = 0; i < PARTS && r == 0; i++) {
		if (ioctl(vcpu->fd.n, parts[i].get, (uint8_t *)state + parts[i].offset) < 0)
			r = failed(vcpu, err, parts[i].name);
	}
	if (r < 0) {
		free(state->msrs);
		free(state);
		return r;
	}
	*ret = state;
	return 0;
}

static int set_msrs(const struct vcpu *vcpu, const struct kvm_msrs *msrs, struct err *err)
{
	if (ioctl(vcpu->fd.n, KVM_SET_MSRS, msrs) != (int)msrs->nmsrs)
		return failed(vcpu, err, "KVM_SET_MSRS");
	return 0;
}

static struct kvm_segment flat(uint16_t selector, uint8_t type, bool long_mode)
{
	return (struct kvm_segment){
		.limit = 0xffffffff,
		.selector = selector,
		.type = type,
		.present = 1,
		.db = !long_mode,
		.s = 1,
		.l = long_mode,
		.g = 1,
	};
}

/* Linux: Documentation/arch/x86/boot.rst, 64-bit boot protocol; Xen: docs/misc/pvh.pandoc. */
static void set_entry(struct vcpu_state *state, const struct vcpu_entry *entry)
{
	struct kvm_sregs *s = &state->sregs;

	s->cs = flat(SELECTOR_CODE, 0xb, !entry->protected_mode);
	s->ds = s->es = s->fs = s->gs = s->ss = flat(SELECTOR_DATA, 0x3, false);
	s->tr = (struct kvm_segment){.limit = 0x67, .type = 0xb, .present = 1};
	s->gdt.base = BOOT_GDT;
	s->gdt.limit = GDT_ENTRIES * 8 - 1;
	s->idt.base = 0;
	s->idt.limit = 0;
	s->cr0 = CR0_PE | CR0_ET;
	s->cr4 = 0;
	s->efer = 0;
	if (!entry->protected_mode) {
		s->cr0 |= CR0_PG;
		s->cr3 = entry->cr3;
		s->cr4 = CR4_PAE;
		s->efer = EFER_LME | EFER_LMA;
	}
}

/* The general registers of the first vCPU go by its run page, with its next KVM_RUN; those of the
 * others are set by the INIT that wakes them. */
static void set_regs(const struct vcpu *vcpu, const struct vcpu_entry *entry)
{
	vcpu->run->s.regs.regs = (struct kvm_regs){
		.rip = entry->rip,
		.rsi = entry->rsi,
		.rbx = entry->rbx,
		.rsp = entry->rsp,
		.rflags = RFLAGS_ALWAYS,
	};
	vcpu->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
}

int vcpu_state_restore(const struct vcpu *vcpu, const struct vcpu_entry *entry, struct err *err)
{
	struct vcpu_state state = *vcpu->initial;
	int r = 0;

	if (entry)
		set_entry(&state, entry);
	for (unsigned i = 0; i < PARTS && r == 0; i++) {
		if (i == PARTS_BEFORE_MSRS)
			r = set_msrs(vcpu, state.msrs, err);
		if (r == 0 && ioctl(vcpu->fd.n, parts[i].set, (uint8_t *)&state + parts[i].offset) < 0)
			r = failed(vcpu, err, parts[i].name);
	}
	if (entry)
		set_regs(vcpu, entry);
	return r;
}

int vcpu_state_boot_msrs(const struct vcpu *vcpu, struct err *err)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entries[2];
	} msrs = {
		.head.nmsrs = 2,
		.entries = {
			{.index = MSR_MTRR_DEF_TYPE, .data = MTRR_ON_WRITE_BACK},
			{.index = MSR_MISC_ENABLE, .data = MISC_ENABLE_FAST_STRING},
		},
	};

	return set_msrs(vcpu, &msrs.head, err);
}
