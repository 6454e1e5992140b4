/* SPDX-License-Identifier: Apache-2.0
 *
 * links: vmm/pci/bus.c vmm/platform/platform.c
 */
#include <criterion/criterion.h>
#include <string.h>

#include "vmm/platform/platform.h"

static struct vm vm;
static struct platform platform;
static int asked = -1, sci = -1;

void vm_ask(struct vm *which, enum vm_request request)
{
	cr_expect(which == &vm);
	asked = request;
}

int irq_line(struct irq *irq, uint32_t gsi, int level)
{
	cr_expect(irq == &vm.irq && gsi == SCI_IRQ);
	sci = level;
	return 0;
}

static void make(void)
{
	bus_init(&vm.pio);
	cr_assert(platform_init(&platform, &vm) == 0);
}

static uint32_t in(uint16_t port, unsigned size)
{
	uint32_t value = 0;

	bus_read(&vm.pio, port, (uint8_t *)&value, size);
	return value;
}

static void out(uint16_t port, uint32_t value, unsigned size)
{
	bus_write(&vm.pio, port, (const uint8_t *)&value, size);
}

Test(platform, s5_powers_off_and_nothing_else_does, .init = make)
{
	for (uint32_t type = 0; type < 8; type++) {
		out(PM1A_CNT_PORT, type << 10, 2);
		cr_expect(asked == -1, "without SLP_EN");
		if (type != PM1_CNT_S5)
			out(PM1A_CNT_PORT, type << 10 | 0x2000, 2);
		cr_expect(asked == -1, "another sleep state");
	}
	out(PM1A_CNT_PORT, 0x34, 1);
	out(PM1A_CNT_PORT, 0x3400, 4);
	cr_expect(asked == -1, "the other byte, an odd size");
	out(PM1A_CNT_PORT + 1, 0x34, 1);
	cr_expect(asked == VM_POWEROFF, "the byte that has it all");
	asked = -1;
	out(PM1A_CNT_PORT, 0x3401, 2);
	cr_expect(asked == VM_POWEROFF);
	cr_expect(in(PM1A_CNT_PORT, 2) == 1, "SCI_EN, and SLP_EN reads 0");
}

Test(platform, enable_bits_are_kept_and_no_write_sets_status, .init = make)
{
	out(PM1A_EVT_PORT + 2, 0xffff, 2);
	cr_expect(in(PM1A_EVT_PORT + 2, 2) == 0x4721);
	cr_expect(in(PM1A_EVT_PORT, 4) == 0x47210000);
	cr_expect(in(PM1A_EVT_PORT + 3, 1) == 0x47);
	out(PM1A_EVT_PORT, 0x01000000 | 0xffff, 4);
	cr_expect(in(PM1A_EVT_PORT, 4) == 0x01000000);
	out(PM1A_EVT_PORT, 0xffff, 2);
	out(PM1A_EVT_PORT + 1, 0xff, 1);
	cr_expect(in(PM1A_EVT_PORT, 4) == 0x01000000, "status only");
	platform_reset(&platform);
	cr_expect(in(PM1A_EVT_PORT, 4) == 0);
}

enum { BUTTON = 0x100 };

Test(platform, the_power_button_is_a_level_until_it_is_cleared, .init = make)
{
	out(PM1A_EVT_PORT + 2, BUTTON, 2);
	cr_expect(sci == 0);
	cr_expect(platform_press_power(&platform));
	cr_expect(sci == 1 && in(PM1A_EVT_PORT, 2) == BUTTON);
	out(PM1A_EVT_PORT, (uint32_t)~BUTTON & 0xffff, 2);
	cr_expect(sci == 1, "other bits clear nothing of it");
	out(PM1A_EVT_PORT, BUTTON, 2);
	cr_expect(sci == 0 && in(PM1A_EVT_PORT, 2) == 0, "a one clears");
	cr_expect(platform_press_power(&platform));
	out(PM1A_EVT_PORT, (uint32_t)BUTTON << 16 | BUTTON, 4);
	cr_expect(sci == 0, "as both registers at once, too");
}

/* ACPI 4.8.3.1.1: by bytes or words. */
Test(platform, events_by_bytes, .init = make)
{
	out(PM1A_EVT_PORT + 2, 0x20, 1);
	out(PM1A_EVT_PORT + 3, BUTTON >> 8, 1);
	cr_expect(in(PM1A_EVT_PORT, 4) == 0x01200000, "the other byte stays");
	cr_expect(platform_press_power(&platform) && sci == 1);
	out(PM1A_EVT_PORT, 0xff, 1);
	cr_expect(sci == 1);
	out(PM1A_EVT_PORT + 1, BUTTON >> 8, 1);
	cr_expect(sci == 0 && in(PM1A_EVT_PORT, 4) == 0x01200000);
}

Test(platform, a_guest_that_does_not_listen_finds_the_event_later, .init = make)
{
	cr_expect(!platform_press_power(&platform));
	cr_expect(sci == 0 && in(PM1A_EVT_PORT, 2) == BUTTON);
	out(PM1A_EVT_PORT + 2, BUTTON, 2);
	cr_expect(sci == 1);
	out(PM1A_EVT_PORT + 2, 0, 2);
	cr_expect(sci == 0);
	platform_reset(&platform);
	cr_expect(in(PM1A_EVT_PORT, 4) == 0 && sci == 0);
}

Test(platform, resets, .init = make)
{
	cr_expect((in(0x64, 1) & 2) == 0, "kb_wait would not end");
	out(0x64, 0xff, 1);
	cr_expect(asked == -1);
	out(0x64, 0xfe, 1);
	cr_expect(asked == VM_RESET);
	asked = -1;
	out(0x92, 0x02, 1);
	cr_expect(asked == -1, "A20 only");
	out(0x92, 0x03, 1);
	cr_expect(asked == VM_RESET);
	cr_expect(in(0x92, 1) == 2);
}

Test(platform, other_ports_are_nobodys, .init = make)
{
	cr_expect(in(0x60, 1) == 0xff);
	cr_expect(in(0x80, 1) == 0xff);
	cr_expect(in(0x64, 2) == 0xffff);
	cr_expect(in(PM1A_EVT_PORT - 1, 4) == 0xffffffff);
	cr_expect(in(PM1A_CNT_PORT, 4) == 0xffffffff);
}
