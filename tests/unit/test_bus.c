/* SPDX-License-Identifier: Apache-2.0
 *
 * links: vmm/pci/bus.c
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "vmm/pci/bus.h"

static struct bus bus;
static uint64_t last_offset;
static unsigned last_size;

static void on_read(void *opaque, uint64_t offset, uint8_t *data, unsigned size)
{
	last_offset = offset;
	last_size = size;
	memset(data, *(const uint8_t *)opaque, size);
}

static void on_write(void *opaque, uint64_t offset, const uint8_t *data, unsigned size)
{
	(void)size;
	last_offset = offset;
	*(uint8_t *)opaque = data[0];
}

static const struct bus_ops ops = {.read = on_read, .write = on_write};

static void fill(void)
{
	static uint8_t a = 0xa, b = 0xb;

	bus_init(&bus);
	cr_assert(bus_add(&bus, 0x2000, 0x100, &ops, &b) == 0);
	cr_assert(bus_add(&bus, 0x1000, 0x1000, &ops, &a) == 0);
}

Test(bus, finds_the_range_and_its_ends, .init = fill)
{
	uint8_t data[8];

	cr_expect(bus_read(&bus, 0x1000, data, 1) && data[0] == 0xa && last_offset == 0);
	cr_expect(bus_read(&bus, 0x1ffc, data, 4) && last_offset == 0xffc && last_size == 4);
	cr_expect(bus_read(&bus, 0x2000, data, 8) && data[7] == 0xb);
	cr_expect(bus_write(&bus, 0x20ff, (const uint8_t[]){7}, 1) && last_offset == 0xff);
	cr_expect(bus_read(&bus, 0x2000, data, 1) && data[0] == 7);
}

Test(bus, nobody_is_all_ones, .init = fill)
{
	static const struct {
		uint64_t addr;
		unsigned size;
	} nobody[] = {{0, 4}, {0xfff, 1}, {0xfff, 2}, {0x1fff, 2}, {0x20fd, 4}, {0x2100, 1},
		{~0ull, 1}, {~0ull - 3, 8}, {0x1000, 3}, {0x1000, 5}, {0x1000, 7}};

	for (size_t i = 0; i < sizeof(nobody) / sizeof(nobody[0]); i++) {
		uint8_t data[8] = {0};

		cr_expect(!bus_read(&bus, nobody[i].addr, data, nobody[i].size), "%zu", i);
		for (unsigned k = 0; k < 8; k++)
			cr_expect(data[k] == (k < nobody[i].size ? 0xff : 0), "%zu", i);
		cr_expect(!bus_write(&bus, nobody[i].addr, data, nobody[i].size), "%zu", i);
	}
}

Test(bus, refuses_overlap_and_nonsense, .init = fill)
{
	cr_expect(bus_add(&bus, 0x5000, 0, &ops, NULL) == -EINVAL);
	cr_expect(bus_add(&bus, ~0ull, 2, &ops, NULL) == -EINVAL);
	cr_expect(bus_add(&bus, 0x0fff, 2, &ops, NULL) == -EEXIST);
	cr_expect(bus_add(&bus, 0x1800, 1, &ops, NULL) == -EEXIST);
	cr_expect(bus_add(&bus, 0, 0x10000, &ops, NULL) == -EEXIST);
	cr_expect(bus_add(&bus, 0x20ff, 1, &ops, NULL) == -EEXIST);
	cr_expect(bus_add(&bus, 0x2100, 1, &ops, NULL) == 0);
	cr_expect(bus_add(&bus, ~0ull, 1, &ops, NULL) == 0, "the very last byte");
}

Test(bus, removes_by_base, .init = fill)
{
	uint8_t data[1];

	cr_expect(bus_remove(&bus, 0x1001) == -ENOENT);
	cr_expect(bus_remove(&bus, 0x1000) == 0);
	cr_expect(bus_remove(&bus, 0x1000) == -ENOENT);
	cr_expect(!bus_read(&bus, 0x1000, data, 1));
	cr_expect(bus_read(&bus, 0x2000, data, 1));
}

Test(bus, is_bounded)
{
	bus_init(&bus);
	for (unsigned i = 0; i < BUS_RANGES; i++)
		cr_assert(bus_add(&bus, (BUS_RANGES - i) * 2ull, 1, &ops, NULL) == 0);
	cr_expect(bus_add(&bus, 0, 1, &ops, NULL) == -ENOSPC);
	for (unsigned i = 1; i < BUS_RANGES; i++)
		cr_expect(bus.ranges[i - 1].base < bus.ranges[i].base);
}
