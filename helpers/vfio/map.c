/* SPDX-License-Identifier: Apache-2.0
 *
 * Bits of config space (map.h). VFIO helper; pure.
 */
#include <string.h>

#include "helpers/vfio/map.h"

void note(struct notes *notes, unsigned at, const char *what)
{
	if (notes->n == NOTES_MAX)
		return;
	notes->list[notes->n].at = at;
	notes->list[notes->n++].what = what;
}

static void put16(uint8_t *p, unsigned value)
{
	p[0] = (uint8_t)value;
	p[1] = (uint8_t)(value >> 8);
}

void map_hide(struct config_map *map, unsigned at, unsigned len)
{
	memset(map->shown + at, 0, len);
	memset(map->from_device + at, 0, len);
	memset(map->writable + at, 0, len);
	memset(map->kept + at, 0, len);
}

void map_show(struct config_map *map, unsigned at, unsigned len, bool writable)
{
	map_hide(map, at, len);
	memset(map->from_device + at, 0xff, len);
	memset(map->writable + at, writable ? 0xff : 0, len);
}

void map_fix8(struct config_map *map, unsigned at, unsigned value)
{
	map_hide(map, at, 1);
	map->shown[at] = (uint8_t)value;
}

void map_fix16(struct config_map *map, unsigned at, unsigned value)
{
	map_hide(map, at, 2);
	put16(map->shown + at, value);
}

void map_fix32(struct config_map *map, unsigned at, uint32_t value)
{
	map_fix16(map, at, value & 0xffff);
	map_fix16(map, at + 2, value >> 16);
}

void map_bits16(struct config_map *map, unsigned at, unsigned from_device, unsigned writable,
	unsigned kept)
{
	put16(map->shown + at, 0);
	put16(map->from_device + at, from_device);
	put16(map->writable + at, writable);
	put16(map->kept + at, kept);
}

static uint8_t byte_of(uint32_t value, unsigned i)
{
	return (uint8_t)(value >> 8 * i);
}

uint32_t map_read(const struct config_map *map, unsigned offset, unsigned size,
	uint32_t from_device)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < size; i++) {
		uint8_t mask = map->from_device[offset + i];

		value |= (uint32_t)((byte_of(from_device, i) & mask) |
			(map->shown[offset + i] & ~mask)) << 8 * i;
	}
	return value;
}

static bool any(const uint8_t *mask, unsigned offset, unsigned size)
{
	uint8_t bits = 0;

	for (unsigned i = 0; i < size; i++)
		bits |= mask[offset + i];
	return bits;
}

bool map_is_written(const struct config_map *map, unsigned offset, unsigned size)
{
	return any(map->writable, offset, size);
}

bool map_is_merged(const struct config_map *map, unsigned offset, unsigned size)
{
	return any(map->kept, offset, size);
}

uint32_t map_write(const struct config_map *map, unsigned offset, unsigned size, uint32_t value,
	uint32_t now)
{
	uint32_t out = 0;

	for (unsigned i = 0; i < size; i++)
		out |= (uint32_t)((byte_of(value, i) & map->writable[offset + i]) |
			(byte_of(now, i) & map->kept[offset + i])) << 8 * i;
	return out;
}
