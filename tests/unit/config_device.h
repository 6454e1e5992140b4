/* SPDX-License-Identifier: Apache-2.0
 *
 * A device by its configuration space, read and written through what the VFIO helper makes of it.
 */
#pragma once

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "helpers/vfio/config.h"
#include "helpers/vfio/ranges.h"
#include "helpers/vfio/vfio.h"
#include "ipc/log.h"
#include "tests/unit/vfio_device.h"

static uint8_t raw[4096];
static struct config_map map;
static struct region_desc bars[PCI_BARS] = {{.size = 0x4000, .is_64 = true}};
static struct facts facts = {.msi = 32, .msix = 2048};
static struct notes notes;
static struct err err;

static inline void put(unsigned at, unsigned size, uint32_t value)
{
	for (unsigned i = 0; i < size; i++)
		raw[at + i] = (uint8_t)(value >> 8 * i);
}

/* What the guest reads when the device answers with its raw bytes. */
static inline uint32_t guest(unsigned at, unsigned size)
{
	uint32_t value = 0;

	memcpy(&value, raw + at, size);
	return map_read(&map, at, size, value);
}

/* What is written to the device, which has its raw bytes, at a guest's write; -1: nothing. */
static inline int64_t through(unsigned at, unsigned size, uint32_t value)
{
	uint32_t now = 0;

	memcpy(&now, raw + at, size);
	return map_is_written(&map, at, size) ? (int64_t)map_write(&map, at, size, value, now) : -1;
}

static inline int try_build(unsigned size)
{
	const struct config_source in = {.raw = raw, .size = size, .bars = bars, .facts = &facts,
		.notes = &notes};

	notes.n = 0;
	return config_build(&in, &map, &err);
}

static inline void build(unsigned size)
{
	cr_assert_eq(try_build(size), 0, "%s", err.msg);
}

/* QEMU's NVMe: MSI-X at 0x40, PCI Express at 0x80, PM at 0x60; with MSI at 0x50 for good
 * measure. */
static inline void nvme(void)
{
	memset(raw, 0, sizeof(raw));
	put(0x00, 4, 0x00101b36);
	put(0x04, 4, 0x00100406);
	put(0x08, 4, 0x01080202);
	put(0x0e, 1, 0x80);
	put(0x10, 4, 0xfebd0004);
	put(0x14, 4, 0x00000001);
	put(0x2c, 4, 0x11001af4);
	put(0x34, 1, 0x40);
	put(0x3c, 4, 0x0000010b);
	put(0x40, 4, 0xc0405011); /* MSI-X: enabled, masked, 65 vectors, -> 0x50 */
	put(0x44, 4, 0x00002000);
	put(0x48, 4, 0x00003000);
	put(0x50, 4, 0x01806005); /* MSI: 64 bit, masks, -> 0x60 */
	memset(raw + 0x54, 0xaa, 0x14 - 8);
	put(0x60, 4, 0xfe238001); /* PM -> 0x80 */
	put(0x64, 4, 0x00008103);
	put(0x80, 4, 0x00020010); /* Express v2 endpoint, last */
	put(0x84, 4, 0x10008fc0);
	put(0x88, 4, 0x000f2810);
	put(0x8c, 4, 0x00400c11);
	put(0x90, 4, 0x00110000);
	put(0xa4, 4, 0x0018081f);
	put(0xac, 4, 0x0000000e);
	put(0xf0, 4, 0xdeadbeef); /* the device's own */
}

/* igb: AER, serial number, ARI, SR-IOV. */
static inline void ext(void)
{
	put(0x100, 4, 0x14020001);
	put(0x104, 4, 0x00000010);
	put(0x140, 4, 0x15010003);
	put(0x144, 4, 0x12345678);
	put(0x150, 4, 0x1601000e);
	put(0x160, 4, 0x17010010);
	put(0x170, 4, 0x1801000b); /* vendor specific, 0x10 bytes */
	put(0x174, 4, 0x01000001);
	put(0x180, 4, 0x0001001b); /* PASID, last */
}

static inline bool listed(unsigned id)
{
	unsigned at = guest(0x34, 1), n = 0;

	for (; at && n++ < 48; at = guest(at + 1, 1))
		if (guest(at, 1) == id)
			return true;
	return false;
}

static inline bool ext_listed(unsigned id)
{
	unsigned at = 0x100, n = 0;

	for (; at >= 0x100 && n++ < 960; at = guest(at, 4) >> 20)
		if (guest(at, 2) == id)
			return true;
	return false;
}
