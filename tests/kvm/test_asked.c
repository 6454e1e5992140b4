/* SPDX-License-Identifier: Apache-2.0
 *
 * What the core asks of KVM when it makes a machine: requests that cannot be seen in what KVM then
 * tells. ioctl(2) is this file's, and passes everything on.
 *
 * links: vmm/kvm/vm.c vmm/kvm/vcpu.c vmm/kvm/vcpu_state.c vmm/kvm/vcpu_report.c vmm/kvm/cpuid.c vmm/kvm/cpus.c vmm/pci/bus.c vmm/kvm/irq.c vmm/platform/serial.c vmm/platform/platform.c vmm/kvm/ram.c vmm/pci/layout.c vmm/pci/pci.c seccomp/core.c
 */
#include <stdarg.h>
#include <sys/syscall.h>

#include <linux/kvm.h>

#include "tests/kvm/machine.h"

enum { ASKED_MAX = 8192, MORE_MSRS = 300, PAT = 0x277 };

static struct {
	unsigned long request;
	void *arg;
	uint64_t first; /* eight bytes of what arg points to, where it is a structure */
} asked[ASKED_MAX];
static unsigned n_asked;
static bool more_msrs;		 /* KVM lists one of them MORE_MSRS times more */
static unsigned msrs_in_one_call; /* the most */
static unsigned long few_msrs;	 /* this request does the first three only */

static int list_more(int fd, struct kvm_msr_list *list)
{
	unsigned room = list->nmsrs;
	int r = (int)syscall(SYS_ioctl, fd, KVM_GET_MSR_INDEX_LIST, list);

	for (unsigned i = 0; i < MORE_MSRS && r == 0 && list->nmsrs < room; i++)
		list->indices[list->nmsrs++] = PAT;
	if (r < 0)
		list->nmsrs += MORE_MSRS;
	return r;
}

static int do_some_msrs(int fd, unsigned long request, struct kvm_msrs *msrs)
{
	uint32_t n = msrs->nmsrs;
	int r;

	msrs_in_one_call = n > msrs_in_one_call ? n : msrs_in_one_call;
	if (few_msrs == request && n > 3)
		msrs->nmsrs = 3;
	r = (int)syscall(SYS_ioctl, fd, request, msrs);
	msrs->nmsrs = n;
	if (r >= 0)
		errno = EAGAIN; /* KVM leaves it as it is: something old */
	return r;
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (n_asked < ASKED_MAX) {
		asked[n_asked].request = request;
		asked[n_asked].arg = arg;
		/* Declared without a direction, as the oldest are. */
		if (_IOC_DIR(request) & _IOC_WRITE || request == KVM_REINJECT_CONTROL)
			memcpy(&asked[n_asked].first, arg, sizeof(asked[0].first));
		n_asked++;
	}
	if (request == KVM_GET_MSR_INDEX_LIST && more_msrs)
		return list_more(fd, arg);
	if (request == KVM_GET_MSRS || request == KVM_SET_MSRS)
		return do_some_msrs(fd, request, arg);
	return (int)syscall(SYS_ioctl, fd, request, arg);
}

/* Where in the order, or -1. */
static int when(unsigned long request)
{
	for (unsigned i = 0; i < n_asked; i++) {
		if (asked[i].request == request)
			return (int)i;
	}
	return -1;
}

/* With it on AVIC is inhibited, and no interrupt is ever posted. */
Test(asked, pit_ticks_are_not_injected_again)
{
	int pit, reinject;

	machine_make(1);
	pit = when(KVM_CREATE_PIT2);
	reinject = when(KVM_REINJECT_CONTROL);
	cr_assert(pit >= 0 && reinject > pit, "PIT %d, re-injection %d", pit, reinject);
	cr_expect_eq((uint8_t)asked[reinject].first, 0, "pit_reinject");
}

/* KVM takes 255 in a call. */
Test(asked, many_msrs_go_in_several_calls)
{
	struct machine *m;
	struct err err = {0};

	more_msrs = true;
	m = machine_make(2);
	cr_expect_eq(vcpus_reset(&m->vm, &(struct vcpu_entry){.rip = CODE}, &err), 0, "%s", err.msg);
	cr_expect(msrs_in_one_call > 100 && msrs_in_one_call < 256, "%u", msrs_in_one_call);
}

/* What KVM stopped at is named, and the cause is no errno of something else. */
Test(asked, an_msr_that_is_refused_is_named)
{
	struct machine *m = machine_make(1);
	struct err err = {0};
	int r;

	few_msrs = KVM_SET_MSRS;
	r = vcpus_reset(&m->vm, &(struct vcpu_entry){.rip = CODE}, &err);
	cr_expect_eq(r, -EINVAL, "%d, %s", r, err.msg);
	cr_expect(strstr(err.msg, "KVM_SET_MSRS: KVM refuses MSR 0x"), "%s", err.msg);
}

static uint64_t msr(int vcpu, uint32_t index)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} one = {.head.nmsrs = 1, .entry.index = index};

	cr_assert(ioctl(vcpu, KVM_GET_MSRS, &one) == 1, "0x%x", index);
	return one.entry.data;
}

/* No fixed ranges, which would be uncacheable; and what KVM says of its PMU stays. */
Test(asked, msrs_of_a_bios)
{
	struct machine *m = machine_make(1);
	int bare = ioctl(m->vm.kvm.n, KVM_CREATE_VM, 0), vcpu = ioctl(bare, KVM_CREATE_VCPU, 0);

	cr_assert(bare >= 0 && vcpu >= 0);
	cr_expect_eq(msr(m->vm.vcpus[0].fd.n, 0x2ff), 0x806, "MTRR default type");
	cr_expect(msr(vcpu, 0x1a0) != 0, "nothing to keep here");
	cr_expect_eq(msr(m->vm.vcpus[0].fd.n, 0x1a0), msr(vcpu, 0x1a0) | 1, "MISC_ENABLE");
}
