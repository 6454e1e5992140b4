/* SPDX-License-Identifier: Apache-2.0
 *
 * The config space of a hostile device, made of patches on zeros, through the helper's filter: a
 * guest's walk of both lists ends and meets only what is meant to be shown, no write reaches what
 * is the core's, and what the helper makes of it survives its way to the core.
 *
 * fuzzes: helpers/vfio/config.c helpers/vfio/ranges.c
 * links: helpers/vfio/config.c helpers/vfio/ranges.c
 * max_len: 256
 */
#include "tests/fuzz/fuzz.h"

#include "helpers/vfio/config.h"
#include "helpers/vfio/ranges.h"

static uint8_t raw[PCI_CONFIG_MAX];
static struct config_map map;

static uint32_t guest(unsigned at, unsigned size)
{
	uint32_t value = 0;

	memcpy(&value, raw + at, size);
	return config_map_read(&map, at, size, value);
}

static void walk(void)
{
	unsigned n = 0;

	for (unsigned at = guest(0x34, 1); at; at = guest(at + 1, 1)) {
		unsigned id = guest(at, 1);

		require(n++ < 48 && at >= 0x40 && at % 4 == 0);
		require(id == 0x01 || id == 0x03 || id == 0x05 || id == 0x09 || id == 0x10 ||
			id == 0x11);
	}
	n = 0;
	for (unsigned at = 0x100; map.size == PCI_CONFIG_MAX && at; at = guest(at, 4) >> 20) {
		unsigned id = guest(at, 2);

		require(n++ < 960 && at >= 0x100 && at % 4 == 0);
		require(id == 0x01 || id == 0x03 || id == 0x0b || id == 0x23 || (id == 0 && n == 1));
	}
}

static void check_writes(void)
{
	uint32_t out = 0;

	for (unsigned at = 0x08; at < 0x3c; at += 4)
		require(!config_map_write(&map, at, 4, ~0u, &out));
	require(guest(0x0e, 1) == 0 && guest(0x3d, 1) == 0 && guest(0x30, 4) == 0);
	if (config_map_write(&map, 0x04, 2, 0xffff, &out))
		require((out & ~0x0557u) == 0);
	if (!map.msix.vectors)
		return;
	require(map.msix.cap >= 0x40 && map.msix.cap <= 0xf4 && map.msix.vectors <= MSIX_MAX);
	for (unsigned at = 0; at < 12; at += 4)
		require(!config_map_write(&map, map.msix.cap + at, 4, ~0u, &out));
}

/* A BAR as VFIO might describe it, cut around the table, over to the core. */
static void describe(struct input *in)
{
	static struct describe_wire wire;
	static struct function_desc desc, got;
	struct region_desc *region = &desc.regions[map.msix.table_bar % PCI_BARS];
	struct err err;

	memset(desc.regions, 0, sizeof(desc.regions));
	desc.config_size = 256; /* all that the core looks at */
	for (unsigned at = 0; at < desc.config_size; at += 4)
		memcpy(desc.config + at, &(uint32_t){guest(at, 4)}, 4);
	desc.msix = map.msix;
	region->size = 1ull << take(in, 1) % 32;
	ranges_add(region, 0, region->size);
	while (input_left(in) && take(in, 1) & 1)
		ranges_add(region, take_number(in), take_number(in));
	ranges_cut(region, map.msix.table_offset, map.msix.vectors * 16ull);
	ranges_cut(region, map.msix.pba_offset, (map.msix.vectors + 63) / 64 * 8ull);
	for (unsigned i = 0; i < region->n_ranges; i++)
		require(region->ranges[i].size && region->ranges[i].offset +
			region->ranges[i].size <= region->size);
	describe_to_wire(&desc, &wire);
	describe_from_wire(&wire.description, &got, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = input_of(data, size);
	struct err err;
	unsigned flags = (unsigned)take(&in, 1), patches = flags >> 3;

	memset(raw, 0, sizeof(raw));
	raw[0x06] = flags & 1 ? 0x10 : 0;
	for (unsigned i = 0; i < patches; i++) {
		unsigned at = (unsigned)take(&in, flags & 2 ? 2 : 1) % (PCI_CONFIG_MAX - 3);
		uint32_t value = (uint32_t)take(&in, 4);

		memcpy(raw + at, &value, 4);
	}
	if (config_map_build(raw, flags & 4 ? 256 : PCI_CONFIG_MAX, &map, &err) < 0)
		return 0;
	walk();
	check_writes();
	describe(&in);
	return 0;
}
