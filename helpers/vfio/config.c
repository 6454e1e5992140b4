/* SPDX-License-Identifier: Apache-2.0
 *
 * What a guest sees of a device's config space: the type 0 header without BARs, ROM and
 * multi-function bit (BARs are the core's), and capabilities (caps.c, ext_caps.c).
 *
 * VFIO helper, at set-up; pure.
 */
#include <errno.h>
#include <string.h>

#include "helpers/vfio/config.h"

enum { /* PCI 3.0 §6.1, §6.2 */
	COMMAND = 0x04, STATUS = 0x06, HEADER_TYPE = 0x0e, BIST = 0x0f,
	BARS = 0x10, SUBSYSTEM = 0x2c, INTERRUPT_LINE = 0x3c, INTERRUPT_PIN = 0x3d, MIN_GNT = 0x3e,
	HEADER_SIZE = 0x40, STD_SIZE = 256,
	TYPE_MASK = 0x7f, PIN_A = 1,
	/* I/O, memory, bus master, MWI, parity, SERR#, interrupt disable (VFIO's own, which masks
	 * the pin by it). */
	COMMAND_GUESTS = 0x0557,
};

static void map_header(const struct config_source *in, struct config_map *map)
{
	const uint8_t *raw = in->raw;

	map_hide(map, 0, HEADER_SIZE);
	memcpy(map->shown, raw, BARS);
	map->shown[HEADER_TYPE] = 0;
	map->shown[BIST] = 0;
	memcpy(map->shown + SUBSYSTEM, raw + SUBSYSTEM, 4);
	memcpy(map->shown + MIN_GNT, raw + MIN_GNT, 2); /* and Max_Lat */
	map_bits16(map, COMMAND, 0xffff, COMMAND_GUESTS, ~COMMAND_GUESTS & 0xffff);
	/* A capability list if caps_map finds one; error bits clear by 1. */
	map_bits16(map, STATUS, 0xffef, 0xff00, 0);
	map_show(map, INTERRUPT_LINE, 1, true);
	/* Whatever pin the device has, a function has the first on our bus. */
	map_fix8(map, INTERRUPT_PIN, in->facts->intx == 1 ? PIN_A : 0);
	/* What kind they are; the addresses are the core's. */
	for (unsigned i = 0; i < PCI_BARS; i++) {
		const struct region_desc *bar = &in->bars[i];

		if (bar->size)
			map_fix8(map, BARS + 4 * i, bar->io ? 1u
				: (bar->is_64 ? 4u : 0) | (bar->prefetchable ? 8u : 0));
	}
}

int config_build(const struct config_source *in, struct config_map *ret, struct err *err)
{
	memset(ret, 0, sizeof(*ret));
	if (get32(in->raw) == 0xffffffff)
		return err_set(err, -ENODEV, BLAME_HOST,
			"it does not answer: all of its config space reads as ones, so it is switched "
			"off, hung or gone (`dmesg` may say why); power the host down and up again");
	/* VFIO has endpoints only, whatever the device says now. */
	if (in->raw[HEADER_TYPE] & TYPE_MASK)
		note(in->notes, HEADER_TYPE, "the header is said not to be an endpoint's: it is");
	map_header(in, ret);
	caps_map(in, ret);
	/* A guest reads extended space only behind a PCI Express capability. */
	ret->size = ret->express_cap && in->size == PCI_CONFIG_MAX ? PCI_CONFIG_MAX : STD_SIZE;
	if (ret->size == PCI_CONFIG_MAX)
		ext_caps_map(in, ret);
	return 0;
}
