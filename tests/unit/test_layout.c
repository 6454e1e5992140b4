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

Test(layout, small_ram_is_one_piece)
{
	struct layout layout;

	cr_assert_eq(layout_plan(512 * MiB, 40, &layout, NULL), 0);
	cr_assert_eq(layout.n_ram, 1);
	cr_assert_eq(layout.ram[0].gpa, 0);
	cr_assert_eq(layout.ram[0].size, 512 * MiB);
	cr_assert_eq(layout_plan(3 * GiB, 40, &layout, NULL), 0);
	cr_assert_eq(layout.n_ram, 1);
}

Test(layout, large_ram_goes_around_the_hole)
{
	struct layout layout;

	cr_assert_eq(layout_plan(3 * GiB + 2 * MiB, 40, &layout, NULL), 0);
	cr_assert_eq(layout.n_ram, 2);
	cr_assert_eq(layout.ram[0].size, 3 * GiB);
	cr_assert_eq(layout.ram[1].gpa, 4 * GiB);
	cr_assert_eq(layout.ram[1].size, 2 * MiB);
	cr_assert_eq(layout.ram[1].offset, 3 * GiB);
	cr_assert_eq(layout_plan(64 * GiB, 39, &layout, NULL), 0);
	cr_assert_eq(layout.ram[0].size + layout.ram[1].size, 64 * GiB);
}

Test(layout, every_width)
{
	for (unsigned bits = 36; bits <= 52; bits++) {
		struct layout layout;
		struct err err = {0};
		const char *limit;
		uint64_t most;

		cr_assert_eq(layout_plan(16 * MiB, bits, &layout, &err), 0, "%s", err.msg);
		cr_assert_eq(layout.mmio64_base, 1ull << (bits - 1));
		cr_assert(layout.mmio64_end <= 1ull << bits);
		cr_assert(layout.mmio64_end <= HT_HOLE_BASE || layout.mmio64_base >= HT_HOLE_END);
		cr_assert(layout.mmio64_end - layout.mmio64_base >= 32 * GiB);
		/* The size that the message names fits, the next does not. */
		cr_assert_eq(layout_plan(1ull << 52, bits, &layout, &err), -E2BIG);
		limit = strstr(err.msg, "at most ");
		cr_assert(limit);
		most = strtoull(limit + strlen("at most "), NULL, 10) * MiB;
		cr_assert_eq(layout_plan(most, bits, &layout, &err), 0, "%s", err.msg);
		cr_assert(layout.ram[1].gpa + layout.ram[1].size <= layout.mmio64_base);
		cr_assert(layout.ram[1].gpa + layout.ram[1].size <= HT_HOLE_BASE);
		cr_assert_eq(layout_plan(most + 2 * MiB, bits, &layout, &err), -E2BIG);
	}
}

Test(layout, bad_sizes_leave_the_output_alone)
{
	const uint64_t sizes[] = {0, 1, 2 * MiB, 16 * MiB - 1, 16 * MiB + 1, 17 * MiB, UINT64_MAX,
		UINT64_MAX - 2 * MiB + 1, 1ull << 63};
	struct layout layout, before;
	struct err err;

	memset(&layout, 0x5a, sizeof(layout));
	before = layout;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		cr_assert(layout_plan(sizes[i], 46, &layout, &err) < 0);
		cr_assert(strstr(err.msg, "give"), "%s", err.msg);
	}
	cr_assert_eq(layout_plan(GiB, 35, &layout, &err), -ENOTSUP);
	cr_assert_eq(layout_plan(GiB, 53, &layout, &err), -ENOTSUP);
	cr_assert(!memcmp(&layout, &before, sizeof(layout)));
}
