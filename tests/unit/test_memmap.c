/* SPDX-License-Identifier: Apache-2.0
 *
 * The memory map: sorted, disjoint, RAM where RAM is and nowhere else.
 *
 * links: vmm/pci/layout.c vmm/boot/memmap.c
 */
#include <criterion/criterion.h>

#include "vmm/boot/boot.h"

static const struct phys_space intel = {.bits = 46}, amd = {.bits = 48, .ht = true};

static uint64_t covered(const struct layout *layout)
{
	struct memmap_entry map[MEMMAP_MAX];
	unsigned n = boot_memmap(layout, map);
	uint64_t end = 0, ram = 0;

	cr_assert(n <= MEMMAP_MAX);
	for (unsigned i = 0; i < n; i++) {
		bool inside = false;

		cr_assert(map[i].size && map[i].addr >= end, "entry %u", i);
		end = map[i].addr + map[i].size;
		cr_assert(end <= layout->mmio64_base);
		cr_assert(end <= MMIO32_BASE || map[i].addr >= MMIO32_END, "in the PCI window");
		if (map[i].type != 1)
			continue;
		for (unsigned j = 0; j < layout->n_ram; j++)
			inside |= map[i].addr >= layout->ram[j].gpa &&
				end <= layout->ram[j].gpa + layout->ram[j].size;
		cr_assert(inside, "entry %u is no RAM", i);
		ram += map[i].size;
	}
	return ram;
}

Test(memmap, all_of_ram_but_the_bios_area)
{
	const uint64_t sizes[] = {16 * MiB, 512 * MiB, 3 * GiB, 3 * GiB + 2 * MiB, 5 * GiB,
		64 * GiB, 1008 * GiB, 1011 * GiB, 1012 * GiB, 4096 * GiB};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct layout layout;

		cr_assert_eq(layout_plan(sizes[i], intel, &layout, NULL), 0);
		cr_assert_eq(covered(&layout), sizes[i] - (HIMEM_START - LOW_RAM_TOP));
		cr_assert_eq(layout_plan(sizes[i], amd, &layout, NULL), 0);
		cr_assert_eq(covered(&layout), sizes[i] - (HIMEM_START - LOW_RAM_TOP));
	}
}

Test(memmap, tables_are_reserved)
{
	struct memmap_entry map[MEMMAP_MAX];
	struct layout layout;
	unsigned n;
	const uint64_t reserved[] = {ACPI_BASE, ACPI_BASE + ACPI_SIZE - 1, ECAM_BASE,
		ECAM_BASE + ECAM_SIZE - 1, KVM_IDENTITY_MAP, KVM_TSS, KVM_TSS + 3 * PAGE_SIZE - 1};

	cr_assert_eq(layout_plan(GiB, intel, &layout, NULL), 0);
	n = boot_memmap(&layout, map);
	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
		bool found = false;

		for (unsigned j = 0; j < n; j++)
			found |= map[j].type == 2 && reserved[i] >= map[j].addr &&
				reserved[i] - map[j].addr < map[j].size;
		cr_assert(found, "0x%llx", (unsigned long long)reserved[i]);
	}
}
