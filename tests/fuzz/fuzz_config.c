/* SPDX-License-Identifier: Apache-2.0
 *
 * A hostile device's config space, made of patches on zeros, with BARs and interrupts as VFIO might
 * know of them, through all that the helper makes of it: a guest's walk of both lists ends and
 * meets only what is meant to be shown, no write reaches what is the core's or changes what is the
 * host's, and the core takes every description. The corpus has the devices of
 * tests/unit/config_spaces/ (tests/unit/test_config_spaces.c writes them).
 *
 * fuzzes: helpers/vfio/config.c helpers/vfio/caps.c helpers/vfio/ext_caps.c helpers/vfio/msix.c
 * fuzzes: helpers/vfio/map.c helpers/vfio/regions.c helpers/vfio/ranges.c helpers/vfio/facts.c
 * links: helpers/vfio/config.c helpers/vfio/caps.c helpers/vfio/ext_caps.c helpers/vfio/msix.c
 * links: helpers/vfio/map.c helpers/vfio/regions.c helpers/vfio/ranges.c helpers/vfio/facts.c
 * links: helpers/vfio/access.c helpers/vfio/describe.c
 * max_len: 512
 */
#include "tests/fuzz/fuzz.h"

#include "helpers/vfio/vfio.h"
#include "tests/fuzz/config_input.h"
#include "tests/unit/vfio_device.h"

static uint8_t raw[PCI_CONFIG_MAX];
static struct vfio v;
static struct function_desc desc;

static uint32_t guest(unsigned at, unsigned size)
{
	uint32_t value = 0;

	memcpy(&value, desc.config + at, size);
	return value;
}

static void walk(void)
{
	unsigned n = 0;

	for (unsigned at = guest(0x34, 1); at; at = guest(at + 1, 1)) {
		unsigned id = guest(at, 1);

		require(n++ < 48 && at >= 0x40 && at % 4 == 0);
		require(id == 0x01 || id == 0x03 || id == 0x05 || id == 0x09 || id == 0x10 ||
			id == 0x11 || id == 0x13);
	}
	n = 0;
	for (unsigned at = 0x100; v.config.size == PCI_CONFIG_MAX && at; at = guest(at, 4) >> 20) {
		unsigned id = guest(at, 2);

		require(n++ < 960 && at >= 0x100 && at % 4 == 0);
		require(id == 0x01 || id == 0x03 || id == 0x0b || id == 0x23 ||
			(id == 0 && n == 1));
	}
}

/* A write of ones and one of zeros differ in the guest's bits alone; the others are the device's or
 * 0. */
static void check_writes(void)
{
	const struct config_map *map = &v.config;

	for (unsigned at = 0; at < map->size; at += 4) {
		uint32_t now = 0, ones, none;

		memcpy(&now, raw + at, 4);
		ones = map_write(map, at, 4, ~0u, now);
		none = map_write(map, at, 4, 0, now);
		require((none & ~now) == 0 && (ones & none) == none);
		if (!map_is_merged(map, at, 4))
			require(none == 0);
		if (at >= 0x08 && at < 0x3c)
			require(!map_is_written(map, at, 4));
	}
	require((map_write(map, 0x04, 2, 0xffff, 0) & ~0x0557u) == 0);
	for (unsigned at = 0; map->msix.vectors && at < 12; at += 4)
		require(!map_is_written(map, map->msix.cap + at, 4));
	if (map->express_cap && map->express_cap <= 0xf4)
		require(!(map_write(map, map->express_cap + 8, 2, 0xffff, 0xffff) & 0x8000));
}

static void describe_it(void)
{
	static struct describe_wire wire;
	static struct function_desc got;
	struct err err;

	require(describe(&v, &desc, &err) == 0);
	for (unsigned i = 0; i < PCI_BARS; i++)
		for (unsigned k = 0; k < desc.regions[i].n_ranges; k++)
			require(desc.regions[i].ranges[k].size && desc.regions[i].ranges[k].offset +
				desc.regions[i].ranges[k].size <= desc.regions[i].size);
	describe_to_wire(&desc, &wire);
	require(describe_from_wire(&wire.description, &got, &err) == 0);
	require(guest(0x0e, 1) == 0 && guest(0x30, 4) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = input_of(data, size);
	struct notes notes = {0};
	struct vfio_double says = {0};
	unsigned config_size;
	struct err err;

	config_take(&in, raw, &config_size, &says);
	require(device_make(raw, config_size));
	says.fd = device.fd;
	says.size[VFIO_PCI_CONFIG_REGION_INDEX] = config_size;
	device = says;
	memset(&v, 0, sizeof(v));
	v.device.n = device.fd;
	if (facts_read(device.fd, &v.facts, &err) < 0 || regions_read(&v, &notes, &err) < 0)
		return 0;
	describe_it();
	walk();
	check_writes();
	return 0;
}
