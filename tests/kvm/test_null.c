/* SPDX-License-Identifier: Apache-2.0
 *
 * The whole program with a guest that drives the null device: its BAR, its MSI-X table, an
 * interrupt from its doorbell. What the core, its vCPU threads and a helper do for a device with
 * vectors, without one; `make check-rows-here` counts what of the policies that takes.
 */
#include "tests/kvm/process.h"

enum { DEV = 0x80000800, BOOTS = 0x300000, LAPIC = (int)0xfee00000, VECTOR = 0x41 };

/* mov eax, register; dx = CF8; out; dx = CFC */
#define CONFIG(reg) 0xb8, LE32(DEV + (reg)), 0x66, 0xba, 0xf8, 0x0c, 0xef, 0x66, 0xba, 0xfc, 0x0c
#define CONFIG_WRITE(reg, value) CONFIG(reg), 0xb8, LE32(value), 0xef
/* mov dword [ebx + offset], value; mov dword [address], value */
#define BAR_WRITE(offset, value) 0xc7, 0x83, LE32(offset), LE32(value)
#define WRITE(address, value)	 0xc7, 0x05, LE32(address), LE32(value)

/* PCI 3.0 §6.8.2: the capability with its control word; its table's first entry. */
#define MSIX(control)  CONFIG_WRITE(0x40, 0x11 | (control) << 16)
#define MSIX_ON		(0x8000 | 7)
#define MSIX_OFF	7
#define ENTRY_0                                                                                    \
	BAR_WRITE(0x1000, LAPIC), BAR_WRITE(0x1004, 0), BAR_WRITE(0x1008, VECTOR), BAR_WRITE(0x100c, 0)

/* The second boot powers off. ebx = BAR 0; the local APIC takes interrupts (SVR), the processor
 * none, so that one which arrives stays in IRR. */
#define BEGIN                                                                                      \
	0xff, 0x05, LE32(BOOTS), 0x83, 0x3d, LE32(BOOTS), 0x02, 0x75, 13, POWEROFF,                \
		CONFIG_WRITE(0x04, 0x06), CONFIG(0x10), 0xed, 0x83, 0xe0, 0xf0, 0x89, 0xc3,        \
		WRITE(LAPIC + 0xf0, 0x1ff)
/* mov eax, [IRR of 0x40-0x5f]; test al, 2; jz back */
#define AWAIT_VECTOR 0xa1, LE32(LAPIC + 0x220), 0xa8, 0x02, 0x74, 0xf7

/* An interrupt, MSI-X off and on again, and a reset with a vector in use: its interrupt is taken
 * down by the main thread. */
Test(null, interrupts_and_is_reset, .init = needs_a_vm, .timeout = 60)
{
	static const uint8_t code[] = {
		BEGIN,
		MSIX(MSIX_ON), ENTRY_0,
		BAR_WRITE(0x100, 0), AWAIT_VECTOR, OUTB(0x3f8, 'i'),
		MSIX(MSIX_OFF), MSIX(MSIX_ON),
		OUTB(0xcf9, 0x02), OUTB(0xcf9, 0x06), 0xeb, 0xfe,
	};

	make_kernel(code, sizeof(code));
	start("--null", -1, 0);
	finish(0);
	cr_expect(strcmp(run.out_text, "i") == 0, "«%s»: %s", run.out_text, run.err_text);
}

/* A vector whose entry is masked stays silent, and its doorbell is no error. */
Test(null, a_masked_vector_is_silent, .init = needs_a_vm, .timeout = 60)
{
	static const uint8_t code[] = {
		BEGIN,
		MSIX(MSIX_ON), ENTRY_0, BAR_WRITE(0x100c, 1),
		BAR_WRITE(0x100, 0),
		0xa1, LE32(LAPIC + 0x220), 0xa8, 0x02, 0x75, 7, OUTB(0x3f8, '-'),
		BAR_WRITE(0x100c, 0), AWAIT_VECTOR, OUTB(0x3f8, 'i'), /* what was pending comes now */
		POWEROFF,
	};

	make_kernel(code, sizeof(code));
	start("--null", -1, 0);
	finish(0);
	cr_expect(strcmp(run.out_text, "-i") == 0, "«%s»: %s", run.out_text, run.err_text);
}
