/* SPDX-License-Identifier: Apache-2.0
 *
 * Extended capabilities of a device (PCIe 5.0 §7.6): which a guest sees.
 *
 * VFIO helper, at set-up; pure. Shown: AER, serial number and, read-only, VSEC and DVSEC. SR-IOV,
 * ATS, PRI, PASID, ReBAR, ACS, ARI, TPH, L1SS, LTR and whatever else there may be are not: they
 * would let a guest change what the host or the IOMMU relies on, or promise what the core does not
 * do.
 */
#include <string.h>

#include "helpers/vfio/config.h"

enum {
	FIRST = 0x100, AER = 0x0001, SERIAL = 0x0003, VENDOR = 0x000b, DVSEC = 0x0023,
	AER_SIZE = 0x2c, SERIAL_SIZE = 12, AER_WRITABLE = 4, AER_WRITABLE_LEN = 0x18,
	CAPS_MAX = (PCI_CONFIG_MAX - FIRST) / 4,
};

/* Its length, 0: it is not shown. */
static unsigned len_of(const struct config_source *in, unsigned at)
{
	unsigned len = 0, room = PCI_CONFIG_MAX - at, id = get16(in->raw + at);

	if (id == AER)
		len = AER_SIZE;
	else if (id == SERIAL)
		len = SERIAL_SIZE;
	else if (id == VENDOR || id == DVSEC)
		len = room >= 8 ? get32(in->raw + at + 4) >> 20 : 8;
	else
		return 0;
	if (len >= 8 && len <= room)
		return len;
	note(in->notes, at, "an extended capability of an impossible length: hidden");
	return 0;
}

struct found {
	unsigned at, len;
};

/* The ones that are shown, in the list's order; it ends where it loops or leaves its space. */
static unsigned find(const struct config_source *in, struct found ret[CAPS_MAX])
{
	bool seen[PCI_CONFIG_MAX] = {false};
	unsigned at = FIRST, last = FIRST, n = 0;

	while (at >= FIRST && !seen[at]) {
		uint32_t header = get32(in->raw + at);

		if (header == 0 || header == 0xffffffff)
			return n;
		seen[at] = true;
		ret[n] = (struct found){at, len_of(in, at)};
		n += ret[n].len != 0;
		last = at;
		at = header >> 20 & 0xffc;
	}
	if (at)
		note(in->notes, last,
			"the list of extended capabilities leads in a circle, or out of its space: it "
			"ends there");
	return n;
}

/* Bits of AER that clear when written with 1 lie in bytes that are written as a whole, so a write
 * never carries more of them than the guest sent. */
static void show(const struct config_source *in, struct config_map *map, const struct found *cap)
{
	map_show(map, cap->at, cap->len, false);
	if (get16(in->raw + cap->at) == AER)
		memset(map->writable + cap->at + AER_WRITABLE, 0xff, AER_WRITABLE_LEN);
}

/* Everything else up there is hidden. When the first one is not shown, its place keeps a header
 * with id 0 that leads on. Headers come last, so that none can be part of another one's body. */
void ext_caps_map(const struct config_source *in, struct config_map *map)
{
	struct found caps[CAPS_MAX];
	unsigned link = FIRST, n;

	map_hide(map, FIRST, PCI_CONFIG_MAX - FIRST);
	n = find(in, caps);
	for (unsigned i = 0; i < n; i++)
		show(in, map, &caps[i]);
	map_fix32(map, FIRST, 0);
	for (unsigned i = 0; i < n; i++) {
		unsigned at = caps[i].at;

		map_fix32(map, at, get32(in->raw + at) & 0x000fffff);
		if (at != FIRST) {
			map->shown[link + 2] |= (uint8_t)(at << 4);
			map->shown[link + 3] = (uint8_t)(at >> 4);
		}
		link = at;
	}
}
