/* SPDX-License-Identifier: Apache-2.0
 *
 * What the core asks of KVM when it makes a machine: requests that cannot be seen in what KVM then
 * tells. ioctl(2) is this file's, and passes everything on.
 *
 * links: vmm/kvm/vm.c vmm/kvm/gate.c vmm/kvm/kick.c vmm/kvm/kvm_vfio.c vmm/kvm/guard.c vmm/kvm/mce.c vmm/kvm/vcpu.c vmm/kvm/vcpu_state.c vmm/kvm/vcpu_report.c vmm/kvm/cpuid.c ipc/cpus.c vmm/pci/bus.c vmm/kvm/irq.c vmm/platform/serial.c vmm/platform/serial_out.c vmm/platform/platform.c vmm/kvm/ram.c vmm/pci/layout.c vmm/pci/pci.c seccomp/core.c
 */
#include <stdarg.h>
#include <sys/syscall.h>

#include <linux/kvm.h>

#include "ipc/frame.h"
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

/* A host with both guards, which this one may lack: what is enabled, and exits in place of KVM_RUN's
 * own, of vCPU 0. */
static bool guards;
static uint64_t bus_lock_mode, notify_mode;
static struct machine *exiting;
static unsigned exits_left;
static uint32_t exit_reason, exit_flags;

static int check_extension(int fd, long cap)
{
	if (guards && cap == KVM_CAP_X86_BUS_LOCK_EXIT)
		return KVM_BUS_LOCK_DETECTION_OFF | KVM_BUS_LOCK_DETECTION_EXIT;
	if (guards && cap == KVM_CAP_X86_NOTIFY_VMEXIT)
		return 1;
	return (int)syscall(SYS_ioctl, fd, KVM_CHECK_EXTENSION, cap);
}

static int enable_cap(int fd, const struct kvm_enable_cap *cap)
{
	if (cap->cap == KVM_CAP_X86_BUS_LOCK_EXIT)
		bus_lock_mode = cap->args[0];
	else if (cap->cap == KVM_CAP_X86_NOTIFY_VMEXIT)
		notify_mode = cap->args[0];
	else
		return (int)syscall(SYS_ioctl, fd, KVM_ENABLE_CAP, cap);
	return 0;
}

static int run(int fd)
{
	struct kvm_run *run = exiting ? exiting->vm.vcpus[0].run : NULL;

	if (!run || exits_left == 0 || run->immediate_exit)
		return (int)syscall(SYS_ioctl, fd, KVM_RUN, 0);
	exits_left--;
	run->exit_reason = exit_reason;
	run->flags = exit_reason == KVM_EXIT_NOTIFY ? 0 : (uint16_t)exit_flags;
	run->notify.flags = exit_flags;
	return 0;
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
	if (request == KVM_CHECK_EXTENSION)
		return check_extension(fd, (long)arg);
	if (request == KVM_ENABLE_CAP)
		return enable_cap(fd, arg);
	if (request == KVM_RUN)
		return run(fd);
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

Test(asked, guards_are_on_where_the_host_has_them)
{
	guards = true;
	machine_make(1);
	cr_expect_eq(bus_lock_mode, KVM_BUS_LOCK_DETECTION_EXIT);
	cr_expect_eq(notify_mode, KVM_X86_NOTIFY_VMEXIT_ENABLED | KVM_X86_NOTIFY_VMEXIT_USER);
}

/* A guest that exits so often before it powers off. */
static enum vm_request exits(unsigned n, uint32_t reason, uint32_t flags, int64_t *ret_ms)
{
	static const uint8_t code[] = {POWEROFF};
	const int64_t began = now_ms();
	enum vm_request request;

	exiting = machine_make(1);
	exits_left = n;
	exit_reason = reason;
	exit_flags = flags;
	request = machine_run(exiting, code, sizeof(code));
	*ret_ms = now_ms() - began;
	return request;
}

/* 200 of them take 200 ms, whatever they come with. */
Test(asked, bus_locks_are_slowed_down_and_counted)
{
	int64_t ms;

	cr_expect_eq(exits(200, KVM_EXIT_X86_BUS_LOCK, KVM_RUN_X86_BUS_LOCK, &ms), VM_POWEROFF);
	cr_expect(ms >= 200 && ms < 2000, "%lld ms", (long long)ms);
	cr_expect_eq(exiting->vm.vcpus[0].counts.by_reason[KVM_EXIT_X86_BUS_LOCK], 200);
}

Test(asked, bus_locks_with_another_exit_are_counted)
{
	int64_t ms;

	cr_expect_eq(exits(200, KVM_EXIT_IRQ_WINDOW_OPEN, KVM_RUN_X86_BUS_LOCK, &ms), VM_POWEROFF);
	cr_expect(ms >= 200, "%lld ms", (long long)ms);
	cr_expect_eq(exiting->vm.vcpus[0].counts.by_reason[KVM_EXIT_X86_BUS_LOCK], 200);
	cr_expect_eq(exiting->vm.vcpus[0].counts.by_reason[KVM_EXIT_IRQ_WINDOW_OPEN], 200);
}

Test(asked, a_guest_that_lets_no_interrupt_in_goes_on)
{
	int64_t ms;

	cr_expect_eq(exits(3, KVM_EXIT_NOTIFY, 0, &ms), VM_POWEROFF);
	cr_expect_eq(exiting->vm.vcpus[0].counts.by_reason[KVM_EXIT_NOTIFY], 3);
}

Test(asked, a_guest_whose_state_is_lost_does_not)
{
	int64_t ms;

	cr_expect_eq(exits(1, KVM_EXIT_NOTIFY, KVM_NOTIFY_CONTEXT_INVALID, &ms), VM_FATAL);
}
