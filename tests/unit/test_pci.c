/* SPDX-License-Identifier: Apache-2.0
 *
 * links: vmm/pci/pci.c vmm/pci/bus.c
 *
 * Where functions are on bus 0, and what of them a guest sees by ECAM and by CF8/CFC.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "vmm/pci/pci.h"

static struct vm vm;
static struct pci pci;
static unsigned resets;

void vm_ask(struct vm *v, enum vm_request request)
{
	(void)v, (void)request;
}

/* A function whose config space repeats one byte; its header type is 0. */
static uint32_t on_read(void *opaque, unsigned offset, unsigned size)
{
	uint8_t bytes[4];

	memset(bytes, *(const uint8_t *)opaque, sizeof(bytes));
	if (offset <= 0x0e && offset + size > 0x0e)
		bytes[0x0e - offset] = 0;
	return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
		(uint32_t)bytes[3] << 24;
}

static void on_write(void *opaque, unsigned offset, unsigned size, uint32_t value)
{
	(void)offset, (void)size;
	*(uint8_t *)opaque = (uint8_t)value;
}

static void on_reset(void *opaque)
{
	(void)opaque;
	resets++;
}

static const struct pci_function_ops ops = {
	.config_read = on_read, .config_write = on_write, .reset = on_reset};
static uint8_t a = 0xa, b = 0xb, c = 0xc;

static void fill(void)
{
	struct err err;

	bus_init(&vm.pio);
	bus_init(&vm.mmio);
	cr_assert(pci_init(&pci, &vm, &err) == 0);
}

static uint32_t ecam(unsigned devfn, unsigned offset, unsigned size)
{
	uint8_t data[8] = {0};
	uint32_t value;

	bus_read(&vm.mmio, ECAM_BASE + (devfn << 12) + offset, data, size);
	memcpy(&value, data, 4);
	return value;
}

Test(pci, free_devices_in_order, .init = fill)
{
	cr_expect_eq(pci_add(&pci, 0, &ops, &a), 1 << 3);
	cr_expect_eq(pci_add(&pci, 0, &ops, &b), 2 << 3);
	cr_expect_eq(ecam(1 << 3, 0, 4), 0x0a0a0a0a);
	cr_expect_eq(ecam(2 << 3, 0, 4), 0x0b0b0b0b);
	cr_expect_eq(ecam(3 << 3, 0, 4), 0xffffffff);
	cr_expect_eq(ecam(1 << 3 | 1, 0, 4), 0xffffffff);
}

Test(pci, a_place_asked_for_is_nobody_elses, .init = fill)
{
	pci_reserve(&pci, 1 << 3 | 1);
	cr_expect_eq(pci_add(&pci, 0, &ops, &a), 2 << 3);
	cr_expect_eq(pci_add(&pci, 1 << 3 | 1, &ops, &b), 1 << 3 | 1);
	cr_expect_eq(pci_add(&pci, 1 << 3 | 1, &ops, &c), -EEXIST);
	cr_expect_eq(ecam(1 << 3 | 1, 4, 2), 0x0b0b);
}

Test(pci, a_full_bus_says_so, .init = fill)
{
	for (int i = 1; i < PCI_DEVICES; i++)
		cr_assert_eq(pci_add(&pci, 0, &ops, &a), i << 3);
	cr_expect_eq(pci_add(&pci, 0, &ops, &a), -ENOSPC);
}

/* Whatever the width of the read. */
Test(pci, function_0_tells_of_the_others, .init = fill)
{
	pci_add(&pci, 5 << 3, &ops, &a);
	cr_expect_eq(ecam(5 << 3, 0x0e, 1), 0);
	pci_add(&pci, 5 << 3 | 3, &ops, &b);
	cr_expect_eq(ecam(5 << 3, 0x0e, 1), 0x80);
	cr_expect_eq(ecam(5 << 3, 0x0e, 2), 0x0a80);
	cr_expect_eq(ecam(5 << 3, 0x0c, 4), 0x0a800a0a);
	cr_expect_eq(ecam(5 << 3, 0x0c, 2), 0x0a0a);
	cr_expect_eq(ecam(5 << 3, 0x0f, 1), 0x0a);
	cr_expect_eq(ecam(5 << 3, 0x8c, 4), 0x0a0a0a0a);
	cr_expect_eq(ecam(5 << 3 | 3, 0x0e, 1), 0, "only function 0 has the bit");
}

Test(pci, ports_reach_functions_of_bus_0, .init = fill)
{
	uint32_t address = 0x80000000u | (5 << 3 | 3) << 8 | 0x10, value;
	uint8_t data[4] = {0x77};

	pci_add(&pci, 5 << 3 | 3, &ops, &b);
	bus_write(&vm.pio, 0xcf8, (uint8_t *)&address, 4);
	bus_read(&vm.pio, 0xcfc, (uint8_t *)&value, 4);
	cr_expect_eq(value, 0x0b0b0b0b);
	bus_write(&vm.pio, 0xcfd, data, 1);
	cr_expect_eq(b, 0x77);
	address |= 1 << 16; /* bus 1 */
	bus_write(&vm.pio, 0xcf8, (uint8_t *)&address, 4);
	bus_read(&vm.pio, 0xcfc, (uint8_t *)&value, 4);
	cr_expect_eq(value, 0xffffffff);
}

Test(pci, reset_reaches_every_function, .init = fill)
{
	pci_add(&pci, 5 << 3, &ops, &a);
	pci_add(&pci, 5 << 3 | 7, &ops, &b);
	pci_reset(&pci);
	cr_expect_eq(resets, 2);
}
