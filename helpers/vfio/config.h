/* SPDX-License-Identifier: Apache-2.0
 *
 * From a device's config space, as VFIO shows it, to what a guest sees of it.
 *
 * VFIO helper; pure. The lists are of what is shown, not of what is hidden: a capability nobody
 * thought of is not there. What cannot be true is mended or hidden, and noted: whatever a device
 * says there, it harms itself.
 */
#pragma once

#include "helpers/vfio/facts.h"
#include "helpers/vfio/map.h"

/* What a map is made of. */
struct config_source {
	const uint8_t *raw; /* PCI_CONFIG_MAX bytes */
	unsigned size;      /* how many of them are the device's: 256 or 4096 */
	const struct region_desc *bars; /* six: size and kind */
	const struct facts *facts;
	struct notes *notes;
};

/* -ENODEV, blame host, when the device does not answer. */
int config_build(const struct config_source *in, struct config_map *ret, struct err *err);

/* caps.c and ext_caps.c: the lists of capabilities, made anew of those that are shown. */
void caps_map(const struct config_source *in, struct config_map *map);
void ext_caps_map(const struct config_source *in, struct config_map *map);

/* msix.c: can this be true? NULL, or what is wrong with it; *ret_mended: no longer. */
const char *msix_fit(struct msix_desc *msix, const struct config_source *in, bool *ret_mended);
