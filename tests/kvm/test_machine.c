/* SPDX-License-Identifier: Apache-2.0
 *
 * The KVM machine with guests of a few instructions: ports, MMIO, power, reset, SMP, interrupts.
 *
 * links: vmm/kvm/vm.c vmm/kvm/gate.c vmm/kvm/guard.c vmm/kvm/kick.c vmm/kvm/kvm_vfio.c vmm/kvm/mce.c vmm/kvm/vcpu.c vmm/kvm/vcpu_state.c
 * links: vmm/kvm/vcpu_report.c vmm/kvm/cpuid.c ipc/cpus.c vmm/pci/bus.c vmm/kvm/irq.c vmm/platform/serial.c
 * links: vmm/platform/serial_out.c vmm/platform/platform.c vmm/kvm/ram.c
 * links: vmm/pci/layout.c vmm/pci/pci.c seccomp/core.c
 */
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>

#include <linux/kvm.h>

#include "tests/kvm/machine.h"

Test(machine, prints_and_powers_off)
{
	static const uint8_t code[] = {OUTB(0x3f8, 'o'), OUTB(0x3f8, 'k'), POWEROFF};
	struct machine *m = machine_make(1);

	cr_expect(machine_run(m, code, sizeof(code)) == VM_POWEROFF);
	expect_output(m, "ok");
	cr_expect(m->vm.vcpus[0].counts.by_reason[KVM_EXIT_IO] == 3);
}

Test(machine, ports_and_memory_nobody_has_read_all_ones)
{
	static const uint8_t code[] = {
		0x66, 0xba, 0x34, 0x12,			     /* mov dx, 0x1234 */
		0xed, 0xa3, LE32(DATA),			     /* in eax, dx; mov [DATA], eax */
		0x31, 0xc0, 0xec, 0xa3, LE32(DATA + 4),	     /* xor eax, eax; in al, dx; … */
		0xa1, LE32(0xd0000000), 0xa3, LE32(DATA + 8), /* mov eax, [0xd0000000]; … */
		0x31, 0xc0, 0xa0, LE32(0xfed40003),	     /* xor eax, eax; mov al, [0xfed40003] */
		0xa3, LE32(DATA + 12),
		0xa3, LE32(0xd0000ffe),			     /* mov [0xd0000ffe], eax: across pages */
		0xa1, LE32(0xd0000ffd), 0xa3, LE32(DATA + 16),
		POWEROFF,
	};
	struct machine *m = machine_make(1);

	cr_expect(machine_run(m, code, sizeof(code)) == VM_POWEROFF);
	cr_expect(*guest_word(m, DATA) == 0xffffffff);
	cr_expect(*guest_word(m, DATA + 4) == 0xff);
	cr_expect(*guest_word(m, DATA + 8) == 0xffffffff);
	cr_expect(*guest_word(m, DATA + 12) == 0xff);
	cr_expect(*guest_word(m, DATA + 16) == 0xffffffff);
}

Test(machine, string_instructions)
{
	static const uint8_t code[] = {
		0xfc, 0xbe, LE32(CODE + 64),		     /* cld; mov esi, text */
		0xb9, LE32(5), 0x66, 0xba, 0xf8, 0x03,	     /* mov ecx, 5; mov dx, 0x3f8 */
		0xf3, 0x6e,				     /* rep outsb */
		0xbf, LE32(DATA), 0xb9, LE32(8),	     /* mov edi, DATA; mov ecx, 8 */
		0x66, 0xba, 0x00, 0x20, 0xf3, 0x6c,	     /* mov dx, 0x2000; rep insb */
		POWEROFF,
		[64] = 'h', 'e', 'l', 'l', 'o',
	};
	struct machine *m = machine_make(1);

	cr_expect(machine_run(m, code, sizeof(code)) == VM_POWEROFF);
	expect_output(m, "hello");
	cr_expect(*guest_word(m, DATA + 4) == 0xffffffff && *guest_word(m, DATA + 8) == 0);
}

/* Counts its boots at DATA; the first boot leaves marks all over the vCPU and jumps to the way of
 * resetting at CODE + 0x80, the second powers off. */
static const uint8_t boots[] = {
	0xff, 0x05, LE32(DATA),			     /* inc dword [DATA] */
	0x83, 0x3d, LE32(DATA), 0x02,		     /* cmp dword [DATA], 2 */
	0x75, 13, POWEROFF,			     /* jne over it */
	0xb9, LE32(0x4b564d01), 0xb8, LE32(DATA + 0x1001), /* kvm-clock into guest memory */
	0x31, 0xd2, 0x0f, 0x30,			     /* xor edx, edx; wrmsr */
	0xb9, LE32(0x1b), 0x0f, 0x32,		     /* mov ecx, APIC_BASE; rdmsr */
	0x0d, LE32(0xc00), 0x0f, 0x30,		     /* or eax, x2APIC; wrmsr */
	0xb9, LE32(0x277), 0x31, 0xc0, 0x31, 0xd2, 0x0f, 0x30, /* PAT: all UC */
	0xb8, LE32(0x401), 0x0f, 0x23, 0xf8,	     /* mov dr7, eax */
	0xb0, 0xff, 0xe6, 0x21,			     /* PIC: all masked */
	0xe9, LE32(0x80 - 84),			     /* jmp CODE + 0x80 */
};
_Static_assert(sizeof(boots) == 84, "the jump goes to CODE + 0x80");

static void expect_reset(const uint8_t *way, size_t len)
{
	struct machine *m = machine_make(1);
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entries[2];
	} msrs = {.head.nmsrs = 2, .entries = {{.index = 0x4b564d01}, {.index = 0x277}}};
	struct kvm_irqchip pic = {.chip_id = KVM_IRQCHIP_PIC_MASTER};
	struct kvm_debugregs debug;
	struct kvm_sregs sregs;
	uint8_t code[256] = {0};
	enum vm_request request;
	int vcpu;

	memcpy(code, boots, sizeof(boots));
	memcpy(code + 0x80, way, len);
	request = machine_run(m, code, sizeof(code));
	cr_expect(request == VM_RESET, "request %d", request);
	cr_expect(*guest_word(m, DATA) == 1);
	machine_reset(m, code, sizeof(code));
	cr_expect(machine_wait(m) == VM_POWEROFF);
	cr_expect(*guest_word(m, DATA) == 2);

	vcpu = m->vm.vcpus[0].fd.n;
	cr_assert(ioctl(vcpu, KVM_GET_MSRS, &msrs) == 2);
	cr_expect(msrs.entries[0].data == 0, "kvm-clock still writes into guest memory");
	cr_expect(msrs.entries[1].data == 0x0007040600070406, "PAT");
	cr_assert(ioctl(vcpu, KVM_GET_SREGS, &sregs) == 0);
	cr_expect(sregs.apic_base == 0xfee00900, "APIC base 0x%llx", sregs.apic_base);
	cr_assert(ioctl(vcpu, KVM_GET_DEBUGREGS, &debug) == 0);
	cr_expect(debug.dr7 == 0x400);
	cr_assert(ioctl(m->vm.fd.n, KVM_GET_IRQCHIP, &pic) == 0);
	cr_expect(pic.chip.pic.imr == 0);
}

Test(machine, resets_by_cf9)
{
	static const uint8_t way[] = {OUTB(0xcf9, 0x02), OUTB(0xcf9, 0x06), 0xf4, 0xeb, 0xfd};

	expect_reset(way, sizeof(way));
}

Test(machine, resets_by_i8042)
{
	static const uint8_t way[] = {
		0xe4, 0x64, 0xa8, 0x02, 0x75, 0xfa, /* in al, 0x64; test al, IBF; jnz: kb_wait */
		0xb0, 0xfe, 0xe6, 0x64, 0xf4, 0xeb, 0xfd, /* mov al, 0xfe; out 0x64, al; hlt */
	};

	expect_reset(way, sizeof(way));
}

Test(machine, resets_by_port_92)
{
	static const uint8_t way[] = {0xb0, 0x01, 0xe6, 0x92, 0xf4, 0xeb, 0xfd};

	expect_reset(way, sizeof(way));
}

Test(machine, resets_by_triple_fault)
{
	static const uint8_t way[] = {
		0x0f, 0x01, 0x1d, LE32(DATA + 0x100), /* lidt [DATA + 0x100]: limit 0 */
		0x66, 0xb8, 0xf8, 0xff, 0x8e, 0xd8,   /* mov ax, 0xfff8; mov ds, ax: #GP */
	};

	expect_reset(way, sizeof(way));
}

Test(machine, second_vcpu_starts_by_sipi)
{
	static const uint8_t boot[] = {
		0xc7, 0x05, LE32(0xfee000f0), LE32(0x1ff),	  /* APIC on */
		0xc7, 0x05, LE32(0xfee00310), LE32(0x01000000),	  /* ICR high: to APIC 1 */
		0xc7, 0x05, LE32(0xfee00300), LE32(0x4500),	  /* INIT, assert */
		0xc7, 0x05, LE32(0xfee00300), LE32(0x4608),	  /* SIPI to 0x8000 */
		0x83, 0x3d, LE32(DATA), 0x00, 0x74, 0xf7,	  /* cmp dword [DATA], 0; je there */
		POWEROFF,
	};
	static const uint8_t ap[] = { /* 16-bit */
		0x66, 0xb8, LE32(1), 0x31, 0xdb, 0x0f, 0xa2,	  /* mov eax, 1; xor bx, bx; cpuid */
		0x66, 0x89, 0xd8,				  /* mov eax, ebx */
		0xbb, 0x00, 0xf0, 0x8e, 0xdb,			  /* mov bx, 0xf000; mov ds, bx */
		0x66, 0xa3, 0x00, 0x00,				  /* mov [0xf0000], eax */
		0xf4, 0xeb, 0xfd,
	};
	struct machine *m = machine_make(2);
	uint8_t code[sizeof(boot)];

	/* The AP writes below 1 MiB: look there. */
	memcpy(code, boot, sizeof(boot));
	memcpy(code + 42, (const uint8_t[]){LE32(0xf0000)}, 4);
	memcpy(ram_at(&m->vm.ram, 0x8000, sizeof(ap)), ap, sizeof(ap));
	cr_expect(machine_run(m, code, sizeof(code)) == VM_POWEROFF);
	cr_expect(*guest_word(m, 0xf0000) >> 24 == 1, "APIC id of vCPU 1: EBX is 0x%x",
		*guest_word(m, 0xf0000));
}

/* APIC on, interrupts on, "!" when ready, hlt; vector 0x40 writes 1 to DATA and powers off. */
static void load_interrupt_guest(struct machine *m)
{
	static const uint8_t code[] = {
		0x0f, 0x01, 0x1d, LE32(CODE + 0x70),	   /* lidt [CODE + 0x70] */
		0xc7, 0x05, LE32(0xfee000f0), LE32(0x1ff),
		0xfb, OUTB(0x3f8, '!'), 0xf4, 0xeb, 0xfd,  /* sti; print; hlt */
		[0x40] = 0xc7, 0x05, LE32(DATA), LE32(1), POWEROFF,
		[0x70] = 0xff, 0x07, LE32(CODE + 0x800),   /* IDT: limit, base */
	};
	/* Gate: offset CODE + 0x40, selector 0x10, 32-bit interrupt gate. */
	static const uint32_t gate[2] = {0x10 << 16 | 0x40, CODE | 0x8e00};
	/* The GDT the loader would have written. */
	static const uint64_t gdt[] = {0, 0, 0x00cf9b000000ffff, 0x00cf93000000ffff};

	memcpy(ram_at(&m->vm.ram, BOOT_GDT, sizeof(gdt)), gdt, sizeof(gdt));
	memcpy(ram_at(&m->vm.ram, CODE + 0x800 + 8 * 0x40, 8), gate, 8);
	machine_load(m, code, sizeof(code));
	machine_start(m);
}

static void wait_ready(struct machine *m)
{
	struct pollfd p = {.fd = m->out, .events = POLLIN};

	cr_assert(poll(&p, 1, 10000) == 1);
	expect_output(m, "!");
}

Test(machine, irqfd_reaches_the_guests_handler)
{
	struct machine *m = machine_make(1);
	int fd = eventfd(0, EFD_NONBLOCK), gsi = irq_gsi_alloc(&m->vm.irq);

	cr_assert(gsi >= IRQ_PINS);
	cr_assert(irq_route(&m->vm.irq, (uint32_t)gsi, 0xfee00000, 0x40) == 0);
	cr_assert(irqfd_on(&m->vm.irq, fd, (uint32_t)gsi) == 0);
	load_interrupt_guest(m);
	wait_ready(m);
	cr_assert(eventfd_write(fd, 1) == 0);
	cr_expect(machine_wait(m) == VM_POWEROFF);
	cr_expect(*guest_word(m, DATA) == 1);
}

Test(machine, a_signal_while_masked_is_injected_later)
{
	struct machine *m = machine_make(1);
	int fd = eventfd(0, EFD_NONBLOCK), gsi = irq_gsi_alloc(&m->vm.irq);
	struct timespec moment = {.tv_nsec = 20000000};

	cr_assert(irq_route(&m->vm.irq, (uint32_t)gsi, 0xfee00000, 0x41) == 0);
	cr_assert(irqfd_on(&m->vm.irq, fd, (uint32_t)gsi) == 0);
	load_interrupt_guest(m);
	wait_ready(m);
	cr_assert(irqfd_off(&m->vm.irq, fd, (uint32_t)gsi) == 0);
	cr_assert(eventfd_write(fd, 1) == 0);
	nanosleep(&moment, NULL);
	cr_expect(m->vm.request == VM_RUN && *guest_word(m, DATA) == 0);
	cr_assert(irq_route(&m->vm.irq, (uint32_t)gsi, 0xfee00000, 0x40) == 0);
	cr_assert(irqfd_on(&m->vm.irq, fd, (uint32_t)gsi) == 0);
	cr_expect(machine_wait(m) == VM_POWEROFF);
}

Test(machine, gsis_and_routes_have_bounds)
{
	struct machine *m = machine_make(1);
	int gsi, last = -1, n = 0;

	for (; (gsi = irq_gsi_alloc(&m->vm.irq)) >= 0; n++)
		last = gsi;
	cr_expect(gsi == -ENOSPC && n > 4000 && last < IRQ_GSIS);
	cr_expect(irq_route(&m->vm.irq, (uint32_t)last, 0xfee00000, 0x40) == 0);
	cr_expect(irq_route(&m->vm.irq, (uint32_t)last, 0x1fee00000, 0x40) == -EINVAL,
		"a destination KVM refuses");
	cr_expect(irq_route(&m->vm.irq, 4, 0xfee00000, 0x40) == -EINVAL, "a pin");
	cr_expect(irq_route(&m->vm.irq, IRQ_GSIS, 0xfee00000, 0x40) == -EINVAL);
	irq_gsi_free(&m->vm.irq, (uint32_t)last);
	cr_expect(irq_gsi_alloc(&m->vm.irq) == last);
}

static int bar_slot, bar_faults;

static bool drop_slot(void *opaque, unsigned *suspect)
{
	bool was = bar_slot >= 0;

	bar_faults++;
	++*suspect;
	vm_slot_del(opaque, bar_slot);
	bar_slot = -1;
	return was;
}

static const uint8_t reads_bar[] = {
	0xa1, LE32(0xd0000000), 0xa3, LE32(DATA), POWEROFF,
};

/* A KVM that emulates guest code takes an access it cannot carry out as MMIO, without EFAULT. */
static void skip_if_emulated(const struct machine *m)
{
	const struct exit_counts *counts = &m->vm.vcpus[0].counts;

	if (counts->bar_gone == 0 && counts->by_reason[KVM_EXIT_MMIO] > 0)
		cr_skip_test("this KVM has no hardware virtualization, so no EFAULT");
}

/* A slot over memory that cannot be had: what a BAR of a device in reset is to KVM. */
static struct machine *machine_with_lost_bar(void)
{
	struct machine *m = machine_make(1);
	void *gone = mmap(NULL, PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	bar_slot = vm_slot_add(&m->vm, 0xd0000000, PAGE_SIZE, gone);
	cr_assert(bar_slot >= 0);
	return m;
}

Test(machine, a_bar_that_is_gone_reads_all_ones)
{
	struct machine *m = machine_with_lost_bar();

	m->vm.bar_fault = drop_slot;
	m->vm.bar_fault_opaque = &m->vm;
	cr_expect(machine_run(m, reads_bar, sizeof(reads_bar)) == VM_POWEROFF);
	cr_expect(*guest_word(m, DATA) == 0xffffffff);
	skip_if_emulated(m);
	cr_expect(bar_faults == 1 && m->vm.vcpus[0].counts.bar_gone == 1);
}

Test(machine, lost_memory_that_is_no_bar_ends_the_vm)
{
	struct machine *m = machine_with_lost_bar();
	enum vm_request request = machine_run(m, reads_bar, sizeof(reads_bar));

	skip_if_emulated(m);
	cr_expect(request == VM_FATAL);
	cr_expect(m->vm.vcpus[0].faulted);
}

Test(machine, running_into_a_hole_ends_the_vm)
{
	static const uint8_t code[] = {0xb8, LE32(0xd0000000), 0xff, 0xe0}; /* jmp 0xd0000000 */
	struct machine *m = machine_make(1);

	cr_expect(machine_run(m, code, sizeof(code)) == VM_FATAL);
}

Test(machine, parks_and_resumes)
{
	/* inc dword [DATA]; in al, 0xee (nobody's): sometimes in the guest, sometimes out of it */
	static const uint8_t code[] = {0xff, 0x05, LE32(DATA), 0xe4, 0xee, 0xeb, 0xf6};
	struct machine *m = machine_make(2);
	uint32_t before, parked;

	machine_load(m, code, sizeof(code));
	machine_start(m);
	for (unsigned i = 0; i < 300; i++) {
		struct timespec pause = {.tv_nsec = (long)(i * 7919 % 100000)};

		nanosleep(&pause, NULL);
		cr_assert(vcpus_park(&m->vm));
		parked = *guest_word(m, DATA);
		nanosleep(&pause, NULL);
		cr_assert(*guest_word(m, DATA) == parked, "it runs while parked");
		vcpus_resume(&m->vm);
	}
	before = *guest_word(m, DATA);
	for (unsigned i = 0; i < 2000 && *guest_word(m, DATA) == before; i++)
		nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
	cr_expect(*guest_word(m, DATA) != before, "it does not run after resume");
	vcpus_park(&m->vm);
}

Test(machine, slots_are_used_again)
{
	struct machine *m = machine_make(1);
	void *page = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int first = vm_slot_add(&m->vm, 0xd0000000, PAGE_SIZE, page);

	cr_assert(first >= 0);
	cr_expect(vm_slot_add(&m->vm, 0xd0000000, PAGE_SIZE, page) == -EEXIST);
	vm_slot_del(&m->vm, first);
	cr_expect(vm_slot_add(&m->vm, 0xd0000000, PAGE_SIZE, page) == first);
}
