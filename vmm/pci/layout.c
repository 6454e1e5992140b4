/* SPDX-License-Identifier: Apache-2.0
 *
 * Where RAM and the 64-bit PCI window lie, from the size of the one and the host's addresses.
 *
 * Core process, main thread, once at start. Pure arithmetic on the operator's size and the CPU's
 * width; every sum is checked to stay below 2^52.
 *
 * The window is the upper half of 46 bits where RAM leaves room: a Linux guest with four levels of
 * page tables can have struct pages for no more (arch/x86/include/asm/sparsemem.h), which P2PDMA
 * and device memory need. Nothing goes above 48 bits: five levels of nested tables are not on every
 * host whose addresses have 52 bits, and before Linux 6.10 KVM did not tell.
 */
#include "vmm/pci/layout.h"

#include <errno.h>
#include <stddef.h>

enum { PHYS_BITS_MIN = 36, PHYS_BITS_MAX = 52, REACHED_BITS = 48, WINDOW_BITS = 46 };

#define RAM_MIN	 (16 * MiB)
#define RAM_UNIT (2 * MiB)

static uint64_t window_base(unsigned bits)
{
	return 1ull << (bits - 1);
}

/* RAM that ends below the window of an address space of so many bits. */
static uint64_t ram_max(unsigned bits, bool ht)
{
	uint64_t high = window_base(bits) - HIGH_RAM_BASE;

	if (ht && window_base(bits) >= HT_HOLE_END)
		high -= HT_SIZE;
	return LOW_RAM_MAX + high;
}

static void place_window(struct layout *layout, unsigned bits, bool ht)
{
	layout->mmio64_base = window_base(bits);
	layout->mmio64_end = 1ull << bits;
	/* With 40 bits the top and the hole below 1 TiB are the same. */
	if (ht && layout->mmio64_end >= HT_HOLE_END)
		layout->mmio64_end -= HT_SIZE;
}

/* From `gpa` on what is left of RAM, at most `room`. */
static void add_ram(struct layout *layout, uint64_t gpa, uint64_t room)
{
	const struct ram_region *last = layout->n_ram ? &layout->ram[layout->n_ram - 1] : NULL;
	uint64_t offset = last ? last->offset + last->size : 0, left = layout->ram_size - offset;

	if (left)
		layout->ram[layout->n_ram++] = (struct ram_region){
			.gpa = gpa, .size = left < room ? left : room, .offset = offset};
}

int layout_plan(uint64_t ram_size, struct phys_space phys, struct layout *ret, struct err *err)
{
	unsigned most = phys.bits < REACHED_BITS ? phys.bits : REACHED_BITS;
	unsigned bits = most < WINDOW_BITS ? most : WINDOW_BITS;
	struct layout layout = {.ram_size = ram_size};

	if (phys.bits < PHYS_BITS_MIN || phys.bits > PHYS_BITS_MAX)
		return err_set(err, -ENOTSUP, BLAME_HOST,
			"the CPU's physical addresses have %u bits; %d to %d are supported",
			phys.bits, PHYS_BITS_MIN, PHYS_BITS_MAX);
	if (ram_size < RAM_MIN)
		return err_set(err, -EINVAL, BLAME_HOST,
			"--memory size: %llu bytes is too small for a guest; give 16M or more",
			(unsigned long long)ram_size);
	if (ram_size % RAM_UNIT)
		return err_set(err, -EINVAL, BLAME_HOST,
			"--memory size: %llu bytes is not a multiple of 2 MiB; give %lluM",
			(unsigned long long)ram_size,
			(unsigned long long)(ram_size / RAM_UNIT * RAM_UNIT / MiB));
	if (ram_size > ram_max(bits, phys.ht))
		bits = most;
	if (ram_size > ram_max(bits, phys.ht))
		return err_set(err, -E2BIG, BLAME_HOST,
			"--memory size: %llu MiB does not fit a guest of this host, whose physical "
			"addresses have %u bits, half of them for devices; give at most %lluM",
			(unsigned long long)(ram_size / MiB), most,
			(unsigned long long)(ram_max(bits, phys.ht) / MiB));
	place_window(&layout, bits, phys.ht);
	add_ram(&layout, 0, LOW_RAM_MAX);
	add_ram(&layout, HIGH_RAM_BASE, phys.ht ? HT_HOLE_BASE - HIGH_RAM_BASE : UINT64_MAX);
	add_ram(&layout, HT_HOLE_END, UINT64_MAX);
	*ret = layout;
	return 0;
}
