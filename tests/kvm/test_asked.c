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

enum { ASKED_MAX = 8192 };

static struct {
	unsigned long request;
	void *arg;
	uint64_t first; /* eight bytes of what arg points to, where it is a structure */
} asked[ASKED_MAX];
static unsigned n_asked;

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
