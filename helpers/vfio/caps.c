/* SPDX-License-Identifier: Apache-2.0
 *
 * Standard capabilities of a device (PCI 3.0 §6.7): which a guest sees, and what of them.
 *
 * VFIO helper, at set-up; pure. Shown: PM, VPD, vendor-specific, PCI Express, AF, MSI and MSI-X,
 * each but vendor-specific ones once.
 *
 * PCI Express is shown as a root complex integrated endpoint without link registers, as it sits on
 * the root bus; Linux then reads 4096 bytes through ECAM (pci_cfg_space_size). Function reset is
 * shown, but its bit is never written: the core takes its mappings away and asks for a reset.
 */
#include "helpers/vfio/config.h"

enum {
	STATUS = 0x06, CAP_POINTER = 0x34, FIRST_CAP = 0x40, STD_SIZE = 256,
	CAP_PM = 0x01, CAP_VPD = 0x03, CAP_MSI = 0x05, CAP_VENDOR = 0x09, CAP_EXPRESS = 0x10,
	CAP_MSIX = 0x11, CAP_AF = 0x13,
	STATUS_CAPS = 0x10,
	MSI_64 = 0x80, MSI_MASKS = 0x100, MSI_LOG2_MAX = 5,
	CAPS_MAX = (STD_SIZE - FIRST_CAP) / 4,
	PM_NO_SOFT_RESET = 8, AF_TP_AND_FLR = 3,
};

#define EXP_FLR (1u << 28) /* Device Capabilities */

#define CUT_SHORT "a capability that reaches into the next one: hidden"

/* A capability, and the bytes it has up to the next one. */
struct cap {
	const struct config_source *in;
	struct config_map *map;
	const uint8_t *raw;
	unsigned at, room;
	const char *odd; /* what is wrong with it */
};

/* Power management: state only, no PME (PCI PM 1.2 §3.2). PME_Status clears by 1. */
static unsigned map_pm(struct cap *cap)
{
	map_hide(cap->map, cap->at, 8);
	map_fix16(cap->map, cap->at + 2, get16(cap->raw + 2) & 0x07ff);
	map_bits16(cap->map, cap->at + 4, 0x7eff, 0x0003, 0x7ffc);
	cap->map->power_resets = !(cap->raw[4] & PM_NO_SOFT_RESET);
	return 8;
}

/* Vital product data can be read, never written: the flag that starts a write stays 0. */
static unsigned map_vpd(struct cap *cap)
{
	map_bits16(cap->map, cap->at + 2, 0xffff, 0x7fff, 0);
	map_show(cap->map, cap->at + 4, 4, false);
	return 8;
}

/* Device Control and Status (PCIe 5.0 §7.5.3.4, §7.5.3.5). Extended tags, phantom functions and aux
 * power are what the host has settled for the whole path; the reset reads as 0 and the core takes
 * it; Status clears by 1. */
static void map_devctl(struct config_map *map, unsigned at)
{
	map_bits16(map, at, 0x79ff, 0x78ff, 0x0700);
	map_bits16(map, at + 2, 0xffff, 0x00ff, 0);
}

/* Device Control 2 (§7.5.3.16): completion time-outs are the endpoint's own. ARI, IDO, LTR and tags
 * of 10 bits are the host's. Linux takes it that an integrated endpoint's AtomicOps are completed
 * (pci_enable_atomic_ops_to_root looks at the bridges above, of which there is none): where the
 * host's memory does not complete them, the bit that enables them is that of a device without, and
 * reads as 0 whatever is written. */
static void map_devctl2(const struct facts *facts, struct config_map *map, unsigned at)
{
	enum { TIMEOUTS = 0x001f, ATOMIC_REQUESTER = 0x0040 };
	unsigned guest = TIMEOUTS | (facts->atomics ? ATOMIC_REQUESTER : 0);

	map_bits16(map, at, guest, guest, ~guest & 0xffff);
}

/* PCI Express (§7.5.3): endpoint registers, no link, slot and root ones. */
static unsigned map_express(struct cap *cap)
{
	enum { TYPE_RC_ENDPOINT = 9, V1_SIZE = 0x14, V2_SIZE = 0x3c, V2_ENDPOINT = 0x2c };
	const struct facts *facts = cap->in->facts;
	unsigned flags = get16(cap->raw + 2), len = (flags & 0xf) >= 2 ? V2_SIZE : V1_SIZE;
	uint32_t devcap = get32(cap->raw + 4);
	struct config_map *map = cap->map;

	len = len < cap->room ? len : cap->room;
	map_hide(map, cap->at, len);
	map_fix16(map, cap->at + 2, (flags & 0x3e0f) | TYPE_RC_ENDPOINT << 4);
	map_fix32(map, cap->at + 4, (devcap & ~EXP_FLR) | (facts->can_reset ? EXP_FLR : 0));
	map_devctl(map, cap->at + 8);
	if (len >= V2_ENDPOINT) {
		map_fix32(map, cap->at + 0x24, get32(cap->raw + 0x24) & 0x1f);
		map_devctl2(facts, map, cap->at + 0x28);
	}
	map->express_cap = cap->at;
	map->has_flr = map->has_flr || devcap & EXP_FLR;
	return len;
}

/* Advanced features (PCI ECN «Advanced Capabilities for Conventional PCI»): a length, and the
 * reset, which the core takes. */
static unsigned map_af(struct cap *cap)
{
	map_hide(cap->map, cap->at, 6);
	map_fix8(cap->map, cap->at + 2, 6);
	map_fix8(cap->map, cap->at + 3, cap->in->facts->can_reset ? AF_TP_AND_FLR : 0);
	cap->map->has_flr = cap->map->has_flr || (cap->raw[3] & AF_TP_AND_FLR) == AF_TP_AND_FLR;
	return 6;
}

/* MSI-X is emulated in the core: what is here only describes it (PCI 3.0 §6.8.2). */
static unsigned map_msix(struct cap *cap)
{
	uint32_t table = get32(cap->raw + 4), pba = get32(cap->raw + 8);
	struct msix_desc msix = {.vectors = (get16(cap->raw + 2) & 0x07ff) + 1, .cap = cap->at,
		.table_bar = table & 7, .table_offset = table & ~7u,
		.pba_bar = pba & 7, .pba_offset = pba & ~7u};
	bool mended;

	cap->odd = msix_fit(&msix, cap->in, &mended);
	if (cap->odd && !mended)
		return 0;
	map_hide(cap->map, cap->at, 12);
	map_fix16(cap->map, cap->at + 2, msix.vectors - 1);
	map_fix32(cap->map, cap->at + 4, msix.table_offset | msix.table_bar);
	map_fix32(cap->map, cap->at + 8, msix.pba_offset | msix.pba_bar);
	cap->map->msix = msix;
	return 12;
}

static unsigned msi_len(unsigned control)
{
	return 10u + (control & MSI_64 ? 4 : 0) + (control & MSI_MASKS ? 10 : 0);
}

/* MSI is emulated in the core too (PCI 3.0 §6.8.1): how many vectors, how wide, maskable or not. */
static unsigned map_msi(struct cap *cap)
{
	unsigned control = get16(cap->raw + 2), len = msi_len(control), log2 = control >> 1 & 7;
	unsigned most = cap->in->facts->msi;

	if (len > cap->room || most == 0) {
		cap->odd = most ? CUT_SHORT : "MSI, of which VFIO knows no vectors: hidden";
		return 0;
	}
	for (; log2 > MSI_LOG2_MAX || 1u << log2 > most; log2--)
		cap->odd = "MSI with more vectors than there can be: the guest sees fewer";
	map_hide(cap->map, cap->at, len);
	map_fix16(cap->map, cap->at + 2, (control & (MSI_64 | MSI_MASKS)) | log2 << 1);
	cap->map->msi_cap = cap->at;
	return len;
}

/* What it is for only the device's driver knows. */
static unsigned map_vendor(struct cap *cap)
{
	unsigned len = cap->raw[2];

	if (len < 3 || len > cap->room) {
		cap->odd = "a vendor-specific capability of an impossible length: hidden";
		return 0;
	}
	map_show(cap->map, cap->at, len, true);
	cap->map->writable[cap->at + 2] = 0;
	cap->map->kept[cap->at + 2] = 0xff;
	return len;
}

/* What is shown of each kind. `map` returns the capability's length, 0: it is hidden, as `odd`
 * says. */
static const struct kind {
	unsigned id, min_len;
	bool once;
	unsigned (*map)(struct cap *cap);
} kinds[] = {
	{CAP_PM, 8, true, map_pm},
	{CAP_VPD, 8, true, map_vpd},
	{CAP_MSI, 10, true, map_msi},
	{CAP_VENDOR, 3, false, map_vendor},
	{CAP_EXPRESS, 0x0c, true, map_express},
	{CAP_MSIX, 12, true, map_msix},
	{CAP_AF, 6, true, map_af},
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

/* Its length, 0: it is not shown. *seen: a bit for each kind that there was. */
static unsigned map_cap(struct cap *cap, unsigned *seen)
{
	const struct kind *kind = kinds;
	unsigned bit;

	while (kind < kinds + KINDS && kind->id != cap->raw[0])
		kind++;
	if (kind == kinds + KINDS)
		return 0;
	bit = 1u << (kind - kinds);
	if (kind->once && *seen & bit)
		cap->odd = "a second capability of a kind there is one of: hidden";
	else if (cap->room < kind->min_len)
		cap->odd = CUT_SHORT;
	if (cap->odd)
		return 0;
	*seen |= bit;
	return kind->map(cap);
}

/* Where the capabilities are, in the list's order; it ends where it loops or leaves its space. */
static unsigned find(const struct config_source *in, uint8_t ret[CAPS_MAX])
{
	bool seen[STD_SIZE] = {false};
	unsigned link = CAP_POINTER, at = in->raw[link] & ~3u, n = 0;

	if (!(in->raw[STATUS] & STATUS_CAPS))
		return 0;
	while (at >= FIRST_CAP && !seen[at]) {
		seen[at] = true;
		ret[n++] = (uint8_t)at;
		link = at + 1;
		at = in->raw[link] & ~3u;
	}
	if (at)
		note(in->notes, link, "the list of capabilities leads in a circle, or into the "
			"header: it ends there");
	return n;
}

/* How much a capability that is not shown takes up: up to the next one when it is not known. */
static unsigned hidden_len(const uint8_t *raw, unsigned at, unsigned room)
{
	unsigned len = raw[at] == CAP_MSI ? msi_len(get16(raw + at + 2)) : room;

	return len < room ? len : room;
}

/* The bytes up to the next capability, of whichever place in the list. */
static unsigned room_of(const uint8_t *caps, unsigned n, unsigned at)
{
	unsigned next = STD_SIZE;

	for (unsigned i = 0; i < n; i++)
		if (caps[i] > at && caps[i] < next)
			next = caps[i];
	return next - at;
}

/* The capability's header, which `link` leads to now. It ends the list until another one
 * follows. */
static void link_cap(struct config_map *map, unsigned id, unsigned at, unsigned link)
{
	map_fix8(map, at, id);
	map_fix8(map, at + 1, 0);
	map->kept[at] = map->kept[at + 1] = 0xff;
	map->shown[link] = (uint8_t)at;
	map->shown[STATUS] |= STATUS_CAPS;
}

/* What lies between capabilities is the device's own and stays what it is. */
void caps_map(const struct config_source *in, struct config_map *map)
{
	unsigned link = CAP_POINTER, n, seen = 0;
	uint8_t caps[CAPS_MAX];

	map_show(map, FIRST_CAP, STD_SIZE - FIRST_CAP, true);
	n = find(in, caps);
	for (unsigned i = 0; i < n; i++) {
		unsigned at = caps[i];
		struct cap cap = {.in = in, .map = map, .raw = in->raw + at, .at = at,
			.room = room_of(caps, n, at)};
		bool there = map_cap(&cap, &seen);

		if (cap.odd)
			note(in->notes, at, cap.odd);
		if (!there) {
			map_hide(map, at, hidden_len(in->raw, at, cap.room));
			continue;
		}
		link_cap(map, in->raw[at], at, link);
		link = at + 1;
	}
}
