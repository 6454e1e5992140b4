/* SPDX-License-Identifier: Apache-2.0
 *
 * A map of a device's config space: of each bit, where a guest's read of it comes from, and what a
 * guest's write does to it.
 *
 * VFIO helper; pure: no descriptor, no state but the map. What is shown and what is written are two
 * things: a bit that is not the guest's to change keeps the value it has in the device.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ipc/describe.h"

enum { NOTES_MAX = 16 };

/* What of a device's config space cannot be true, and what is done about it: to be said once. */
struct notes {
	unsigned n;
	struct {
		unsigned at;
		const char *what;
	} list[NOTES_MAX];
};

struct config_map {
	unsigned size; /* 256 or 4096 */
	uint8_t shown[PCI_CONFIG_MAX];       /* what is read, of bits not from the device */
	uint8_t from_device[PCI_CONFIG_MAX]; /* bits read from the device */
	uint8_t writable[PCI_CONFIG_MAX];    /* bits a guest's write changes in the device */
	/* Bits a guest's write leaves as they are in the device. What is neither is written as 0:
	 * it is reserved, or clears or starts something by a 1. */
	uint8_t kept[PCI_CONFIG_MAX];
	struct msix_desc msix;
	/* Offsets of capabilities, 0: none. */
	unsigned msi_cap, express_cap;
	bool has_flr;      /* a function level reset of the device's own, PCI Express or AF */
	bool power_resets; /* leaving D3hot resets it (PCI PM 1.2 §3.2.4, No_Soft_Reset) */
};

void note(struct notes *notes, unsigned at, const char *what);

/* [at, at + len): reads as 0, and no write goes through. */
void map_hide(struct config_map *map, unsigned at, unsigned len);
/* [at, at + len): reads as the device's; writable: and is written. */
void map_show(struct config_map *map, unsigned at, unsigned len, bool writable);
/* A register that is a constant. */
void map_fix8(struct config_map *map, unsigned at, unsigned value);
void map_fix16(struct config_map *map, unsigned at, unsigned value);
void map_fix32(struct config_map *map, unsigned at, uint32_t value);
/* A 16-bit register: of each bit whether it is read from the device (else it reads as 0), changed
 * by a guest's write, or kept by it. */
void map_bits16(struct config_map *map, unsigned at, unsigned from_device, unsigned writable,
	unsigned kept);

/* size 1, 2 or 4, aligned. What a guest reads, where the device answers with from_device. */
uint32_t map_read(const struct config_map *map, unsigned offset, unsigned size,
	uint32_t from_device);
/* Does a write there reach the device, and does it take what the device has there now? */
bool map_is_written(const struct config_map *map, unsigned offset, unsigned size);
bool map_is_merged(const struct config_map *map, unsigned offset, unsigned size);
/* What to write; now: what the device has there, if it is merged. */
uint32_t map_write(const struct config_map *map, unsigned offset, unsigned size, uint32_t value,
	uint32_t now);

static inline unsigned get16(const uint8_t *p)
{
	return p[0] | (unsigned)p[1] << 8;
}

static inline uint32_t get32(const uint8_t *p)
{
	return get16(p) | (uint32_t)get16(p + 2) << 16;
}
