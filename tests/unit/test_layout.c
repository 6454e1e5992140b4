/* SPDX-License-Identifier: Apache-2.0
 *
 * RAM split, 64-bit window, and what does not fit.
 *
 * links: vmm/pci/layout.c
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/pci/layout.h"

#define TiB (1024 * GiB)

static const struct phys_space intel39 = {.bits = 39}, intel46 = {.bits = 46},
	amd48 = {.bits = 48, .ht = true};
static struct layout layout;
static struct err err;

static int plan(uint64_t ram_size, struct phys_space phys)
{
	err = (struct err){0};
	return layout_plan(ram_size, phys, &layout, &err);
}

Test(layout, small_ram_is_one_piece)
{
	cr_assert_eq(plan(512 * MiB, intel39), 0);
	cr_assert_eq(layout.n_ram, 1);
	cr_assert_eq(layout.ram[0].gpa, 0);
	cr_assert_eq(layout.ram[0].size, 512 * MiB);
	cr_assert_eq(plan(3 * GiB, intel39), 0);
	cr_assert_eq(layout.n_ram, 1);
}

Test(layout, large_ram_goes_around_the_hole)
{
	cr_assert_eq(plan(3 * GiB + 2 * MiB, intel39), 0);
	cr_assert_eq(layout.n_ram, 2);
	cr_assert_eq(layout.ram[0].size, 3 * GiB);
	cr_assert_eq(layout.ram[1].gpa, 4 * GiB);
	cr_assert_eq(layout.ram[1].size, 2 * MiB);
	cr_assert_eq(layout.ram[1].offset, 3 * GiB);
	cr_assert_eq(plan(64 * GiB, intel39), 0);
	cr_assert_eq(layout.ram[0].size + layout.ram[1].size, 64 * GiB);
}

/* Only AMD has a hole below 1 TiB, and RAM goes on above it. */
Test(layout, more_than_a_tebibyte)
{
	cr_assert_eq(plan(2 * TiB, intel46), 0, "%s", err.msg);
	cr_assert_eq(layout.n_ram, 2);
	cr_expect_eq(layout.ram[1].size, 2 * TiB - 3 * GiB);
	cr_assert_eq(plan(1011 * GiB, amd48), 0, "%s", err.msg);
	cr_assert_eq(layout.n_ram, 2, "up to the hole");
	cr_assert_eq(plan(2 * TiB, amd48), 0, "%s", err.msg);
	cr_assert_eq(layout.n_ram, 3);
	cr_expect_eq(layout.ram[1].gpa + layout.ram[1].size, 0xfd00000000);
	cr_expect_eq(layout.ram[2].gpa, 1 * TiB);
	cr_expect_eq(layout.ram[2].offset, 1011 * GiB);
	cr_expect_eq(layout.ram[2].size, 2 * TiB - 1011 * GiB);
}

Test(layout, windows)
{
	static const struct {
		struct phys_space phys;
		uint64_t ram, base, end;
	} cases[] = {
		{{39, false}, GiB, 1ull << 38, 1ull << 39},
		{{40, true}, GiB, 1ull << 39, 0xfd00000000},
		{{46, false}, GiB, 1ull << 45, 1ull << 46},
		{{48, true}, GiB, 1ull << 45, (1ull << 46) - 12 * GiB},
		{{52, false}, GiB, 1ull << 45, 1ull << 46},
		{{52, false}, 32 * TiB - GiB, 1ull << 45, 1ull << 46},
		{{52, false}, 32 * TiB, 1ull << 47, 1ull << 48},
		{{48, true}, 40 * TiB, 1ull << 47, (1ull << 48) - 12 * GiB},
		{{47, false}, 40 * TiB, 1ull << 46, 1ull << 47},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_assert_eq(plan(cases[i].ram, cases[i].phys), 0, "%zu: %s", i, err.msg);
		cr_expect_eq(layout.mmio64_base, cases[i].base, "%zu: 0x%llx", i,
			(unsigned long long)layout.mmio64_base);
		cr_expect_eq(layout.mmio64_end, cases[i].end, "%zu: 0x%llx", i,
			(unsigned long long)layout.mmio64_end);
	}
}

static bool overlap(uint64_t base, uint64_t end, uint64_t other, uint64_t other_end)
{
	return base < other_end && other < end;
}

/* What is true of every plan. */
static void check(uint64_t size, struct phys_space phys)
{
	uint64_t top = 1ull << (phys.bits < 48 ? phys.bits : 48), sum = 0, end = 0;

	for (unsigned i = 0; i < layout.n_ram; i++) {
		const struct ram_region *r = &layout.ram[i];

		cr_assert(r->size && r->size % (2 * MiB) == 0 && r->gpa % GiB == 0);
		cr_assert(r->gpa >= end && r->offset == sum);
		end = r->gpa + r->size;
		sum += r->size;
		cr_assert(!overlap(r->gpa, end, LOW_RAM_MAX, HIGH_RAM_BASE));
		cr_assert(!phys.ht || !overlap(r->gpa, end, HT_HOLE_BASE, HT_HOLE_END));
	}
	cr_assert_eq(sum, size);
	cr_assert(end <= layout.mmio64_base && layout.mmio64_end <= top);
	cr_assert(layout.mmio64_end - layout.mmio64_base >= 32 * GiB - (phys.ht ? HT_SIZE : 0));
	cr_assert(!phys.ht || !overlap(layout.mmio64_base, layout.mmio64_end, HT_HOLE_BASE,
		HT_HOLE_END));
	cr_assert(!phys.ht || phys.bits <= 40 || layout.mmio64_end <= top - HT_SIZE);
	/* In reach of every guest, unless RAM is in the way. */
	cr_assert(layout.mmio64_end <= 1ull << 46 || end > 1ull << 45);
	if (phys.bits < 46)
		cr_assert_eq(layout.mmio64_base, top / 2);
}

Test(layout, every_width_vendor_and_size, .timeout = 60)
{
	uint64_t random = 88172645463325252;

	for (unsigned n = 0; n < 34 * 2000; n++) {
		const struct phys_space phys = {.bits = 36 + n % 17, .ht = n / 17 % 2};
		uint64_t size;
		int r;

		random ^= random << 13, random ^= random >> 7, random ^= random << 17; /* xorshift */
		size = (random >> (16 + random % 34)) / (2 * MiB) * (2 * MiB);
		if (n % 5 == 0) /* around the edges */
			size = (1ull << (30 + random % 18)) + (random >> 8) % 17 * GiB - 8 * GiB;
		r = plan(size, phys);
		if (r == 0)
			check(size, phys);
		else
			cr_assert(r == -E2BIG || size < 16 * MiB, "%u bits, %llu MiB: %s", phys.bits,
				(unsigned long long)(size / MiB), err.msg);
	}
}

/* The size that the message names fits, the next does not. */
Test(layout, the_largest)
{
	for (unsigned n = 0; n < 2 * 17; n++) {
		const struct phys_space phys = {.bits = 36 + n % 17, .ht = n >= 17};
		const char *limit;
		uint64_t most;

		cr_assert_eq(plan(1ull << 52, phys), -E2BIG);
		limit = strstr(err.msg, "at most ");
		cr_assert(limit);
		most = strtoull(limit + strlen("at most "), NULL, 10) * MiB;
		cr_assert_eq(plan(most, phys), 0, "%s", err.msg);
		check(most, phys);
		cr_assert_eq(plan(most + 2 * MiB, phys), -E2BIG);
	}
}

Test(layout, bad_sizes_leave_the_output_alone)
{
	const uint64_t sizes[] = {0, 1, 2 * MiB, 16 * MiB - 1, 16 * MiB + 1, 17 * MiB, UINT64_MAX,
		UINT64_MAX - 2 * MiB + 1, 1ull << 63};
	struct layout before;

	memset(&layout, 0x5a, sizeof(layout));
	before = layout;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		cr_assert(plan(sizes[i], intel46) < 0);
		cr_assert(strstr(err.msg, "give"), "%s", err.msg);
	}
	cr_assert_eq(plan(GiB, (struct phys_space){.bits = 35}), -ENOTSUP);
	cr_assert_eq(plan(GiB, (struct phys_space){.bits = 53}), -ENOTSUP);
	cr_assert(!memcmp(&layout, &before, sizeof(layout)));
}
