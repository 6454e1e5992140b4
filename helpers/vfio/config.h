/* SPDX-License-Identifier: Apache-2.0
 *
 * What a guest sees of a device's config space: per bit, whether it comes from the device or from
 * an image made once, and whether a write goes through. Pure: no descriptor, no state.
 *
 * VFIO helper. The lists are of what is shown, not of what is hidden: a capability nobody thought
 * of is not there.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ipc/describe.h"

struct config_map {
	unsigned size; /* 256 or 4096 */
	uint8_t image[PCI_CONFIG_MAX];
	uint8_t from_device[PCI_CONFIG_MAX]; /* bits read from the device; the others: image */
	uint8_t writable[PCI_CONFIG_MAX];    /* bits a guest's write changes in the device */
	struct msix_desc msix;
	/* Offsets of capabilities, 0: none. */
	unsigned msi_cap, express_cap, af_cap;
};

/* From raw config space as vfio-pci shows it. -EINVAL, blame host, when it is no type 0 function. */
int config_map_build(const uint8_t *raw, unsigned size, struct config_map *ret, struct err *err);

/* Pin A is there, or no pin: whatever pin the device has, a function has the first on our bus. */
void config_map_intx(struct config_map *map, bool there);

/* The function can be reset by itself: the guest is told so where there is a bit for it. */
void config_map_flr(struct config_map *map);

/* Merges what the device answered into what the guest sees. size 1, 2 or 4, aligned. */
uint32_t config_map_read(const struct config_map *map, unsigned offset, unsigned size,
	uint32_t from_device);

/* What to write to the device, in the same size, at the same offset; false: nothing. */
bool config_map_write(const struct config_map *map, unsigned offset, unsigned size, uint32_t value,
	uint32_t *ret);
