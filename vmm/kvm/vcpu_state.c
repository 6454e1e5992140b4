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
	MSR_MTRR_DEF_TYPE = 0x2ff, MSR_FEATURE_CONTROL = 0x3a, MSR_MC0_CTL = 0x400, MSRS_A_BANK = 4,
	FEATURE_LOCKED = 1 << 0, FEATURE_LMCE = 1 << 20,
	MISC_ENABLE_FAST_STRING = 1,
	/* On, default write-back, fixed ranges off (SDM 3A 12.11.2.1): all of the first MiB is RAM here,
	 * and what is not RAM anywhere is no cacheable mapping of the guest's. */
	MTRR_ON_WRITE_BACK = 0x806,
	CR0_PE = 1, CR0_ET = 0x10, CR4_PAE = 0x20,
	EFER_LME = 0x100, EFER_LMA = 0x400,
	RFLAGS_ALWAYS = 2,
	SELECTOR_CODE = 0x10, SELECTOR_DATA = 0x18, GDT_ENTRIES = 4,
	MSRS_A_CALL = 128, /* Linux takes 255 (arch/x86/kvm/msrs.c, MAX_IO_MSRS) */
};

#define CR0_PG 0x80000000u

/* In use, and not in KVM_GET_MSR_INDEX_LIST. */
static const struct {
	uint32_t first, n;
} unlisted[] = {{0x200, 16}, {0x250, 1}, {0x258, 2}, {0x268, 8}, {MSR_MTRR_DEF_TYPE, 1},
	{MSR_MC0_CTL, MCE_BANKS * MSRS_A_BANK}};

struct vcpu_state {
	struct kvm_sregs sregs;
	struct kvm_xsave xsave;
	struct kvm_xcrs xcrs;
	struct kvm_debugregs debugregs;
	struct kvm_lapic_state lapic;
	struct kvm_mp_state mp_state;
	struct kvm_vcpu_events events;
	unsigned n_msrs;
	struct kvm_msr_entry *msrs;
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

/* KVM_GET_MSRS or KVM_SET_MSRS of n entries, in as many calls as it takes. KVM says how many it did: it
 * stops at the first it refuses, which is not an error to it, and leaves errno alone. */
static int do_msrs(const struct vcpu *vcpu, unsigned long request, struct kvm_msr_entry *entries,
	unsigned n, struct err *err)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entries[MSRS_A_CALL];
	} some;
	const char *name = request == KVM_SET_MSRS ? "KVM_SET_MSRS" : "KVM_GET_MSRS";

	for (unsigned at = 0; at < n; at += some.head.nmsrs) {
		int done;

		some.head.nmsrs = n - at < MSRS_A_CALL ? n - at : MSRS_A_CALL;
		memcpy(some.entries, entries + at, some.head.nmsrs * sizeof(entries[0]));
		done = ioctl(vcpu->fd.n, request, &some);
		if (done < 0)
			return failed(vcpu, err, name);
		if ((unsigned)done < some.head.nmsrs)
			return err_set(err, -EINVAL, BLAME_HOST, "vcpu%u: %s: KVM refuses MSR 0x%x",
				vcpu->index, name, some.entries[done].index);
		if (request == KVM_GET_MSRS)
			memcpy(entries + at, some.entries, some.head.nmsrs * sizeof(entries[0]));
	}
	return 0;
}

/* Is it there, and may it be written? Then it is state. */
static bool is_state(const struct vcpu *vcpu, struct kvm_msr_entry *entry)
{
	return do_msrs(vcpu, KVM_GET_MSRS, entry, 1, NULL) == 0 &&
		do_msrs(vcpu, KVM_SET_MSRS, entry, 1, NULL) == 0;
}

static void try_msr(const struct vcpu *vcpu, struct vcpu_state *state, uint32_t index)
{
	struct kvm_msr_entry entry = {.index = index};

	if (index != MSR_TSC && is_state(vcpu, &entry))
		state->msrs[state->n_msrs++] = entry;
}

/* KVM_GET_MSR_INDEX_LIST; *ret is the caller's to free. */
static int list_msrs(const struct vcpu *vcpu, struct kvm_msr_list **ret, struct err *err)
{
	struct kvm_msr_list none = {0}, *list;

	/* Said to be too short, and how long it would be. */
	if (ioctl(vcpu->vm->kvm.n, KVM_GET_MSR_INDEX_LIST, &none) < 0 && errno != E2BIG)
		return failed(vcpu, err, "KVM_GET_MSR_INDEX_LIST");
	list = calloc(1, sizeof(*list) + none.nmsrs * sizeof(list->indices[0]));
	if (!list)
		return err_set(err, -ENOMEM, BLAME_HOST, "out of memory");
	list->nmsrs = none.nmsrs;
	if (ioctl(vcpu->vm->kvm.n, KVM_GET_MSR_INDEX_LIST, list) < 0) {
		int code = failed(vcpu, err, "KVM_GET_MSR_INDEX_LIST");

		free(list);
		return code;
	}
	*ret = list;
	return 0;
}

static int find_msrs(const struct vcpu *vcpu, struct vcpu_state *state, struct err *err)
{
	struct kvm_msr_list *list = NULL;
	int r = list_msrs(vcpu, &list, err);
	unsigned most;

	if (r < 0)
		return r;
	most = 1 + list->nmsrs;
	for (unsigned i = 0; i < sizeof(unlisted) / sizeof(unlisted[0]); i++)
		most += unlisted[i].n;
	state->msrs = calloc(most, sizeof(state->msrs[0]));
	if (!state->msrs) {
		free(list);
		return err_set(err, -ENOMEM, BLAME_HOST, "out of memory");
	}
	/* The TSC starts at 0 again; KVM then keeps those of all vCPUs in step. */
	state->msrs[state->n_msrs++] = (struct kvm_msr_entry){.index = MSR_TSC, .data = 0};
	for (unsigned i = 0; i < list->nmsrs; i++)
		try_msr(vcpu, state, list->indices[i]);
	for (unsigned i = 0; i < sizeof(unlisted) / sizeof(unlisted[0]); i++) {
		for (unsigned k = 0; k < unlisted[i].n; k++)
			try_msr(vcpu, state, unlisted[i].first + k);
	}
	free(list);
	return 0;
}

/* What an earlier vCPU has found out is true for this one. */
static int copy_msrs(const struct vcpu *vcpu, const struct vcpu_state *like,
	struct vcpu_state *state, struct err *err)
{
	int r;

	state->msrs = calloc(like->n_msrs, sizeof(state->msrs[0]));
	if (!state->msrs)
		return err_set(err, -ENOMEM, BLAME_HOST, "out of memory");
	state->n_msrs = like->n_msrs;
	memcpy(state->msrs, like->msrs, state->n_msrs * sizeof(state->msrs[0]));
	r = do_msrs(vcpu, KVM_GET_MSRS, state->msrs, state->n_msrs, err);
	state->msrs[0].data = 0; /* the TSC */
	return r;
}

int vcpu_state_save(const struct vcpu *vcpu, const struct vcpu_state *like,
	struct vcpu_state **ret, struct err *err)
{
	struct vcpu_state *state = calloc(1, sizeof(*state));
	int r;

	if (!state)
		return err_set(err, -ENOMEM, BLAME_HOST, "out of memory");
	r = like ? copy_msrs(vcpu, like, state, err) : find_msrs(vcpu, state, err);
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
			r = do_msrs(vcpu, KVM_SET_MSRS, state.msrs, state.n_msrs, err);
		if (r == 0 && ioctl(vcpu->fd.n, parts[i].set, (uint8_t *)&state + parts[i].offset) < 0)
			r = failed(vcpu, err, parts[i].name);
	}
	if (entry)
		set_regs(vcpu, entry);
	return r;
}

int vcpu_state_boot_msrs(const struct vcpu *vcpu, struct err *err)
{
	struct kvm_msr_entry misc = {.index = MSR_MISC_ENABLE};
	struct kvm_msr_entry mtrr = {.index = MSR_MTRR_DEF_TYPE, .data = MTRR_ON_WRITE_BACK};
	int r = do_msrs(vcpu, KVM_GET_MSRS, &misc, 1, err);

	/* The other bits are KVM's word on what its PMU lacks (BTS, PEBS). */
	misc.data |= MISC_ENABLE_FAST_STRING;
	if (r == 0)
		r = do_msrs(vcpu, KVM_SET_MSRS, &misc, 1, err);
	return r < 0 ? r : do_msrs(vcpu, KVM_SET_MSRS, &mtrr, 1, err);
}

int vcpu_state_allow_lmce(const struct vcpu *vcpu, struct err *err)
{
	struct kvm_msr_entry feature = {.index = MSR_FEATURE_CONTROL,
		.data = FEATURE_LOCKED | FEATURE_LMCE};

	return do_msrs(vcpu, KVM_SET_MSRS, &feature, 1, err);
}
