/* SPDX-License-Identifier: Apache-2.0
 *
 * A guest with more vCPUs than an interrupt message's eight bits reach.
 *
 * links: vmm/kvm/vm.c vmm/kvm/gate.c vmm/kvm/kick.c vmm/kvm/kvm_vfio.c vmm/kvm/guard.c vmm/kvm/mce.c vmm/kvm/vcpu.c vmm/kvm/vcpu_state.c vmm/kvm/vcpu_report.c vmm/kvm/cpuid.c ipc/cpus.c vmm/pci/bus.c vmm/kvm/irq.c vmm/platform/serial.c vmm/platform/serial_out.c vmm/platform/platform.c vmm/kvm/ram.c vmm/pci/layout.c vmm/pci/pci.c seccomp/core.c
 */
#include <sys/eventfd.h>

#include <linux/kvm.h>

#include "tests/kvm/machine.h"

enum { VCPUS = 300, LAST = VCPUS - 1, AP_CODE = 0x8000, AP_DATA = 0xf0000, VECTOR = 0x40 };

/* x2APIC on, then INIT and SIPI to the last; ends when that has stored its id. */
static const uint8_t boot[] = {
	0xb9, LE32(0x1b), 0x0f, 0x32, 0x0d, LE32(0xc00), 0x0f, 0x30, /* IA32_APIC_BASE */
	0xb9, LE32(0x830), 0xba, LE32(LAST),			      /* ICR: to the last */
	0xb8, LE32(0x4500), 0x0f, 0x30,			      /* INIT, assert */
	0xb8, LE32(0x4608), 0x0f, 0x30,			      /* SIPI to AP_CODE */
	0x83, 0x3d, LE32(AP_DATA), 0x00, 0x74, 0xf7,
	POWEROFF,
};

/* 16-bit: x2APIC on, says that it is there, waits; its interrupt handler stores its APIC id. */
static const uint8_t ap[] = {
	0x66, 0xb9, LE32(0x1b), 0x0f, 0x32, 0x66, 0x0d, LE32(0xc00), 0x0f, 0x30,
	0x66, 0xb9, LE32(0x80f), 0x66, 0xb8, LE32(0x1ff), 0x66, 0x31, 0xd2, 0x0f, 0x30, /* SVR */
	0xbb, 0x00, 0xf0, 0x8e, 0xdb,			      /* mov bx, 0xf000; mov ds, bx */
	0xc7, 0x06, 0x04, 0x00, 0x01, 0x00, 0xfb, 0xf4, 0xeb, 0xfd, /* mov word [4], 1; sti; hlt */
	[0x60] = 0x66, 0xb9, LE32(0x802), 0x0f, 0x32,	      /* rdmsr: APIC id */
	0x66, 0xa3, 0x00, 0x00, 0xf4, 0xeb, 0xfd,	      /* mov [0], eax; hlt */
};

Test(many, an_msi_reaches_an_id_above_255, .timeout = 60)
{
	struct machine *m = machine_make(VCPUS);
	int fd = eventfd(0, EFD_NONBLOCK), gsi = irq_gsi_alloc(&m->vm.irq);
	const uint64_t to_last = 0xfee00000 | (LAST & 0xff) << 12 | LAST >> 8 << 5;

	cr_assert(irq_route(&m->vm.irq, (uint32_t)gsi, to_last, VECTOR) == 0);
	cr_assert(irqfd_on(&m->vm.irq, fd, (uint32_t)gsi) == 0);
	memcpy(ram_at(&m->vm.ram, AP_CODE, sizeof(ap)), ap, sizeof(ap));
	*guest_word(m, VECTOR * 4) = AP_CODE >> 4 << 16 | 0x60;
	machine_load(m, boot, sizeof(boot));
	machine_start(m);
	for (unsigned i = 0; i < 1000 && !*(volatile uint32_t *)guest_word(m, AP_DATA + 4); i++)
		poll(NULL, 0, 10);
	cr_assert_eq(*guest_word(m, AP_DATA + 4), 1, "the last vCPU did not start");
	cr_assert(eventfd_write(fd, 1) == 0);
	cr_expect_eq(machine_wait(m), VM_POWEROFF);
	cr_expect_eq(*guest_word(m, AP_DATA), LAST);
}

/* Offered only where it is needed: without, those bits mean nothing, as on hardware. */
Test(many, few_have_no_extended_destinations)
{
	struct machine *m = machine_make(2);
	int gsi = irq_gsi_alloc(&m->vm.irq);

	cr_expect(!m->vm.irq.ext_dest_id);
	cr_expect_eq(irq_route(&m->vm.irq, (uint32_t)gsi, 0xfee00fe0, VECTOR), 0);
	cr_expect_eq(m->vm.irq.table->entries[m->vm.irq.table->nr - 1].u.msi.address_hi, 0);
}

/* A format for a remapper, and an upper half, stay as they are. */
Test(many, what_is_not_translated)
{
	static const struct {
		uint64_t addr;
		uint32_t hi, lo;
	} cases[] = {
		{0xfee00020, 0x100, 0xfee00000},
		{0xfee00fe0, 0x7f00, 0xfee00000},
		{0xfee00030, 0, 0xfee00030},
		{0x100fee00020, 0x100, 0xfee00020},
	};
	struct machine *m = machine_make(2);
	int gsi = irq_gsi_alloc(&m->vm.irq);

	m->vm.irq.ext_dest_id = true;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct kvm_irq_routing_entry *e;

		cr_expect_eq(irq_route(&m->vm.irq, (uint32_t)gsi, cases[i].addr, VECTOR), 0);
		e = &m->vm.irq.table->entries[m->vm.irq.table->nr - 1];
		cr_expect(e->u.msi.address_hi == cases[i].hi && e->u.msi.address_lo == cases[i].lo,
			"%u: %x %x", i, e->u.msi.address_hi, e->u.msi.address_lo);
	}
}
