/* SPDX-License-Identifier: Apache-2.0
 *
 * Where BARs go at start: the windows, alignment, gaps, and what is said when there is no room.
 *
 * links: vmm/pci/pci.c vmm/pci/bus.c
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "vmm/pci/pci.h"

static struct vm vm;
static struct pci pci;
static struct err err;

void vm_ask(struct vm *v, enum vm_request want)
{
	(void)v, (void)want;
}

static void setup(void)
{
	vm.ram.layout.mmio64_base = 1ull << 39;
	vm.ram.layout.mmio64_end = HT_HOLE_BASE;
	bus_init(&vm.mmio);
	bus_init(&vm.pio);
	cr_assert_eq(pci_init(&pci, &vm, &err), 0);
}

TestSuite(pci, .init = setup);

static uint64_t memory(uint64_t size, bool is_64)
{
	uint64_t at = 0;

	cr_assert_eq(pci_place_bar(&pci, size, false, is_64, &at, &err), 0, "%s", err.msg);
	return at;
}

Test(pci, gaps_between_large_ones_are_for_small_ones)
{
	cr_assert_eq(memory(256 * MiB, false), 0xc0000000u);
	cr_assert_eq(memory(4 * KiB, false), 0xd0000000u);
	cr_assert_eq(memory(256 * MiB, false), 0xe0000000u);
	cr_assert_eq(memory(256, false), 0xd0001000u, "a page of its own");
	cr_assert_eq(memory(128 * MiB, false), 0xd8000000u);
	cr_assert_eq(memory(4 * KiB, false), 0xd0002000u);
	cr_assert_eq(memory(64 * MiB, false), 0xd4000000u);
}

Test(pci, a_full_window_names_the_sizes)
{
	uint64_t at = 42;

	memory(256 * MiB, false);
	memory(256 * MiB, false);
	memory(4 * KiB, false);
	cr_assert_eq(pci_place_bar(&pci, 256 * MiB, false, false, &at, &err), -ENOSPC);
	cr_expect_eq(at, 42u);
	cr_expect(strstr(err.msg, "32-bit BAR of 262144 KiB"), "%s", err.msg);
	cr_expect(strstr(err.msg, "524292 KiB of the window's 768 MiB"), "%s", err.msg);
}

Test(pci, sixty_four_bits_go_up_and_come_down_only_when_that_is_full)
{
	cr_assert_eq(memory(4 * GiB, true), 1ull << 39);
	cr_assert_eq(memory(16 * KiB, true), (1ull << 39) + 4 * GiB);
	pci.mmio64.end = (1ull << 39) + 5 * GiB;
	cr_assert_eq(memory(512 * MiB, true), (1ull << 39) + 9 * GiB / 2);
	cr_assert_eq(memory(512 * MiB, true), 0xc0000000u);
}

Test(pci, no_size_wraps_around)
{
	uint64_t at = 42;

	for (unsigned bit = 40; bit < 64; bit++)
		cr_expect_eq(pci_place_bar(&pci, 1ull << bit, false, true, &at, &err), -ENOSPC);
	cr_expect_eq(at, 42u);
	cr_expect_eq(pci.mmio64.n + pci.mmio32.n, 0u);
}

Test(pci, ports_run_out)
{
	uint64_t at = 0;
	unsigned n = 0;

	while (n < 192 && pci_place_bar(&pci, 1024, true, false, &at, &err) == 0)
		n++;
	cr_expect_eq(n, 60u);
	cr_expect(strstr(err.msg, "1024 ports: 61440 of 61440"), "%s", err.msg);
}

/* More BARs than devices can have do not overrun the table. */
Test(pci, the_table_of_a_window_has_an_end)
{
	uint64_t at = 0;
	unsigned n = 0;

	while (n < 1000 && pci_place_bar(&pci, 4096, false, false, &at, &err) == 0)
		n++;
	cr_expect_eq(n, 224u);
}
