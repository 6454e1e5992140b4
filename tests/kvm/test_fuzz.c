/* SPDX-License-Identifier: Apache-2.0
 *
 * Nonsense to every emulated register, with a fixed seed: by a guest, and over the buses directly.
 * Whatever it did, the machine boots again after a reset.
 *
 * links: vmm/kvm/vm.c vmm/kvm/gate.c vmm/kvm/guard.c vmm/kvm/kick.c vmm/kvm/kvm_vfio.c vmm/kvm/mce.c vmm/kvm/vcpu.c vmm/kvm/vcpu_state.c
 * links: vmm/kvm/vcpu_report.c vmm/kvm/cpuid.c ipc/cpus.c vmm/pci/bus.c vmm/kvm/irq.c vmm/platform/serial.c
 * links: vmm/platform/serial_out.c vmm/platform/platform.c vmm/kvm/ram.c
 * links: vmm/pci/layout.c vmm/pci/pci.c seccomp/core.c
 */
#include "tests/kvm/machine.h"

static const uint8_t says_ok[] = {OUTB(0x3f8, 'o'), OUTB(0x3f8, 'k'), POWEROFF};

static void drain(struct machine *m)
{
	char text[4096];

	while (read(m->out, text, sizeof(text)) > 0)
		;
}

static void expect_boots(struct machine *m)
{
	drain(m);
	machine_reset(m, says_ok, sizeof(says_ok));
	cr_expect(machine_wait(m) == VM_POWEROFF);
	expect_output(m, "ok");
}

static uint64_t lcg(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return *state >> 11;
}

/* Mostly where something is. */
static uint64_t any_port(uint64_t *state)
{
	static const uint16_t known[] = {0x3f8, 0x600, 0xcf8, 0xcfc, 0x64, 0x92};

	if (lcg(state) % 4 == 0)
		return lcg(state) & 0xffff;
	return known[lcg(state) % (sizeof(known) / sizeof(known[0]))] + lcg(state) % 8;
}

static uint64_t any_address(uint64_t *state)
{
	switch (lcg(state) % 4) {
	case 0: return lcg(state) << 20 ^ lcg(state);
	case 1: return MMIO32_BASE + lcg(state) % (MMIO32_END - MMIO32_BASE);
	default: return ECAM_BASE + lcg(state) % (ECAM_SIZE + 16);
	}
}

Test(fuzz, nonsense_over_the_buses)
{
	struct machine *m = machine_make(1);
	uint64_t state = 20260101;

	machine_load(m, says_ok, sizeof(says_ok));
	machine_start(m);
	cr_assert(machine_wait(m) == VM_POWEROFF);
	for (unsigned i = 0; i < 400000; i++) {
		bool mmio = lcg(&state) % 2, is_write = lcg(&state) % 2;
		struct bus *bus = mmio ? &m->vm.mmio : &m->vm.pio;
		uint64_t addr = mmio ? any_address(&state) : any_port(&state);
		unsigned size = 1 + lcg(&state) % 8;
		uint64_t value = lcg(&state) << 32 ^ lcg(&state);

		if (is_write)
			bus_write(bus, addr, (uint8_t *)&value, size);
		else
			bus_read(bus, addr, (uint8_t *)&value, size);
		if (i % 1024 == 0)
			drain(m);
	}
	expect_boots(m);
}

Test(fuzz, every_port_in_every_size)
{
	struct machine *m = machine_make(1);

	machine_load(m, says_ok, sizeof(says_ok));
	machine_start(m);
	cr_assert(machine_wait(m) == VM_POWEROFF);
	for (unsigned port = 0; port < 0x10000; port++) {
		for (unsigned size = 1; size <= 4; size *= 2) {
			uint8_t data[4] = {0};

			bus_read(&m->vm.pio, port, data, size);
			memset(data, (int)(port * size), sizeof(data));
			bus_write(&m->vm.pio, port, data, size);
		}
	}
	expect_boots(m);
}

/* for (ecx = 600; ecx; ecx--) { ebx = ebx * 1664525 + 1013904223; port or ECAM access by ebx } */
static const uint8_t guest[] = {
	0x8b, 0x1d, LE32(DATA), 0xb9, LE32(600),	       /* 00 mov ebx, [DATA]; mov ecx, 600 */
	0x69, 0xdb, LE32(1664525), 0x81, 0xc3, LE32(1013904223), /* 11 imul; add */
	0x89, 0x1d, LE32(DATA),				       /* 23 mov [DATA], ebx */
	0x89, 0xda, 0xc1, 0xea, 0x10,			       /* 29 mov edx, ebx; shr edx, 16 */
	0x89, 0xd8,					       /* 34 mov eax, ebx */
	0xee, 0xed, 0x66, 0xef,				       /* 36 out dx, al; in eax, dx; out dx, ax */
	0x89, 0xd6, 0x81, 0xce, LE32(0xf0000000),	       /* 40 mov esi, edx; or esi, ECAM */
	0x89, 0x06, 0x8a, 0x46, 0x01, 0x66, 0x89, 0x46, 0x06,  /* 48 [esi]=eax; al=[esi+1]; [esi+6]=ax */
	0x49, 0x75, 0xcf,				       /* 57 dec ecx; jnz 11 */
	POWEROFF,
};

Test(fuzz, nonsense_by_a_guest, .timeout = 60)
{
	struct machine *m = machine_make(1);

	machine_load(m, guest, sizeof(guest));
	*guest_word(m, DATA) = 4711;
	machine_start(m);
	for (unsigned i = 0; i < 12; i++) {
		enum vm_request request = machine_wait(m);

		cr_expect(request == VM_POWEROFF || request == VM_RESET);
		drain(m);
		machine_reset(m, guest, sizeof(guest));
	}
	machine_wait(m);
	expect_boots(m);
}
