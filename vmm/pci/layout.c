/* SPDX-License-Identifier: Apache-2.0
 *
 * Where RAM and the 64-bit PCI window lie, from the size of the one and the width of an address.
 *
 * Core process, main thread, once at start. Pure arithmetic on the operator's size and the CPU's
 * width; every sum is checked to stay below 2^52.
 */
#include "vmm/pci/layout.h"

#include <errno.h>

enum { PHYS_BITS_MIN = 36, PHYS_BITS_MAX = 52 };

#define RAM_MIN	 (16 * MiB)
#define RAM_UNIT (2 * MiB)

static void place_window(struct layout *layout)
{
	layout->mmio64_base = 1ull << (layout->phys_bits - 1);
	layout->mmio64_end = 1ull << layout->phys_bits;
	/* A 40-bit window would hold AMD's HyperTransport hole, which devices cannot reach. */
	if (layout->mmio64_base < HT_HOLE_END && layout->mmio64_end > HT_HOLE_BASE)
		layout->mmio64_end = HT_HOLE_BASE;
}

static uint64_t ram_max(const struct layout *layout)
{
	uint64_t limit = layout->mmio64_base;

	if (limit > HT_HOLE_BASE)
		limit = HT_HOLE_BASE;
	return LOW_RAM_MAX + (limit - HIGH_RAM_BASE);
}

static void split_ram(struct layout *layout)
{
	uint64_t low = layout->ram_size < LOW_RAM_MAX ? layout->ram_size : LOW_RAM_MAX;

	layout->ram[layout->n_ram++] = (struct ram_region){.gpa = 0, .size = low, .offset = 0};
	if (layout->ram_size > low)
		layout->ram[layout->n_ram++] = (struct ram_region){
			.gpa = HIGH_RAM_BASE, .size = layout->ram_size - low, .offset = low};
}

int layout_plan(uint64_t ram_size, unsigned phys_bits, struct layout *ret, struct err *err)
{
	struct layout layout = {.phys_bits = phys_bits, .ram_size = ram_size};

	if (phys_bits < PHYS_BITS_MIN || phys_bits > PHYS_BITS_MAX)
		return err_set(err, -ENOTSUP, BLAME_HOST,
			"the CPU's physical addresses have %u bits; %d to %d are supported",
			phys_bits, PHYS_BITS_MIN, PHYS_BITS_MAX);
	if (ram_size < RAM_MIN)
		return err_set(err, -EINVAL, BLAME_HOST,
			"--memory size: %llu bytes is too small for a guest; give 16M or more",
			(unsigned long long)ram_size);
	if (ram_size % RAM_UNIT)
		return err_set(err, -EINVAL, BLAME_HOST,
			"--memory size: %llu bytes is not a multiple of 2 MiB; give %lluM",
			(unsigned long long)ram_size,
			(unsigned long long)(ram_size / RAM_UNIT * RAM_UNIT / MiB));
	place_window(&layout);
	if (ram_size > ram_max(&layout))
		return err_set(err, -E2BIG, BLAME_HOST,
			"--memory size: %llu MiB does not fit a guest with %u-bit physical "
			"addresses; give at most %lluM",
			(unsigned long long)(ram_size / MiB), phys_bits,
			(unsigned long long)(ram_max(&layout) / MiB));
	split_ram(&layout);
	*ret = layout;
	return 0;
}
