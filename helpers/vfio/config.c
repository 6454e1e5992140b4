/* SPDX-License-Identifier: Apache-2.0
 *
 * Filtering config space. VFIO helper; pure functions over a byte image.
 *
 * Shown: the type 0 header without BARs, ROM and multi-function bit (BARs are the core's); of the
 * capabilities PM, VPD, vendor-specific, PCI Express, AF, MSI and MSI-X; of the extended ones AER,
 * serial number and, read-only, VSEC and DVSEC. SR-IOV, ATS, PRI, PASID, ReBAR, ACS, ARI, TPH, L1SS,
 * LTR and whatever else there may be are not shown: they would let a guest change what the host or the IOMMU relies on, or promise what the core does not do.
 *
 * PCI Express is shown as a root complex integrated endpoint without link registers, as it sits on
 * the root bus; Linux then reads 4096 bytes through ECAM (pci_cfg_space_size). Function reset is
 * shown, but its bit is never written: the core takes its mappings away and asks for a reset.
 *
 * Bits that clear when written with 1 (STATUS, Device Status, AER) lie in bytes that are writable
 * as a whole, so a write never carries more of them than the guest sent.
 */
#include <errno.h>
#include <string.h>

#include "helpers/vfio/config.h"

enum {
	COMMAND = 0x04, STATUS = 0x06, HEADER_TYPE = 0x0e, CAP_POINTER = 0x34,
	INTERRUPT_LINE = 0x3c, INTERRUPT_PIN = 0x3d, FIRST_CAP = 0x40, STD_SIZE = 256, CAPS_MAX = 48,
	CAP_PM = 0x01, CAP_VPD = 0x03, CAP_MSI = 0x05, CAP_VENDOR = 0x09, CAP_EXPRESS = 0x10,
	CAP_MSIX = 0x11, CAP_AF = 0x13, MSI_64 = 0x80, MSI_MASKS = 0x100,
	EXT_FIRST = 0x100, EXT_AER = 0x0001, EXT_SERIAL = 0x0003, EXT_VENDOR = 0x000b,
	EXT_DVSEC = 0x0023, EXT_CAPS_MAX = (PCI_CONFIG_MAX - EXT_FIRST) / 4,
};

static unsigned get16(const uint8_t *p)
{
	return p[0] | (unsigned)p[1] << 8;
}

static uint32_t get32(const uint8_t *p)
{
	return get16(p) | (uint32_t)get16(p + 2) << 16;
}

static void put16(uint8_t *p, unsigned value)
{
	p[0] = (uint8_t)value;
	p[1] = (uint8_t)(value >> 8);
}

static void put32(uint8_t *p, uint32_t value)
{
	put16(p, value & 0xffff);
	put16(p + 2, value >> 16);
}

/* [at, at + len): the guest sees zeros and can write nothing. */
static void hide(struct config_map *map, unsigned at, unsigned len)
{
	memset(map->image + at, 0, len);
	memset(map->from_device + at, 0, len);
	memset(map->writable + at, 0, len);
}

/* [at, at + len): the guest sees the device; writable: and may write. */
static void show(struct config_map *map, unsigned at, unsigned len, bool writable)
{
	memset(map->from_device + at, 0xff, len);
	memset(map->writable + at, writable ? 0xff : 0, len);
}

/* A 16-bit register: bits that come from the image with the value given, and bits a write may
 * change. */
static void fix16(struct config_map *map, unsigned at, unsigned fixed, unsigned value,
	unsigned writable)
{
	put16(map->image + at, value & fixed);
	put16(map->from_device + at, ~fixed & 0xffff);
	put16(map->writable + at, writable);
}

static void fix32(struct config_map *map, unsigned at, uint32_t value)
{
	fix16(map, at, 0xffff, value & 0xffff, 0);
	fix16(map, at + 2, 0xffff, value >> 16, 0);
}

/* The type 0 header (PCI 3.0 §6.1, §6.2). */
static void map_header(struct config_map *map, const uint8_t *raw)
{
	hide(map, 0, FIRST_CAP);
	memcpy(map->image, raw, 0x10);
	put16(map->image + COMMAND, 0);
	map->image[0x0f] = 0; /* no BIST */
	map->image[HEADER_TYPE] &= 0x7f;
	memcpy(map->image + 0x2c, raw + 0x2c, 4); /* subsystem */
	memcpy(map->image + 0x3e, raw + 0x3e, 2); /* Min_Gnt, Max_Lat */
	/* I/O, memory, bus master, MWI, parity, SERR#; interrupt disable is VFIO's, which
	 * masks the pin by it itself. */
	fix16(map, COMMAND, 0, 0, 0x0557);
	/* A capability list if map_caps finds one; error bits clear by 1. */
	fix16(map, STATUS, 0x0010, 0, 0xff00);
	show(map, INTERRUPT_LINE, 1, true);
	/* The flags of the BARs say what they are, the addresses are the core's. */
	for (unsigned i = 0; i < PCI_BARS; i++) {
		unsigned at = 0x10 + 4 * i;
		bool io = raw[at] & 1;

		map->image[at] = raw[at] & (io ? 0x03 : 0x0f);
		if (!io && (raw[at] & 6) == 4)
			i++;
	}
}

/* Power management: state only, no PME (PCI PM 1.2 §3.2). */
static unsigned map_pm(struct config_map *map, const uint8_t *raw, unsigned at)
{
	hide(map, at, 8);
	put16(map->image + at + 2, get16(raw + at + 2) & 0x07ff);
	fix16(map, at + 4, 0x8100, 0, 0x0003);
	map->image[at + 6] = 0;
	return 8;
}

/* Vital product data can be read, never written: the flag that starts a write stays 0. */
static unsigned map_vpd(struct config_map *map, unsigned at)
{
	fix16(map, at + 2, 0, 0, 0xffff);
	map->writable[at + 3] = 0x7f;
	map->image[at + 3] = 0;
	show(map, at + 4, 4, false);
	return 8;
}

/* PCI Express (PCIe 5.0 §7.5.3): endpoint registers, no link, slot and root ones. */
static unsigned map_express(struct config_map *map, const uint8_t *raw, unsigned at, unsigned room)
{
	enum { TYPE_RC_ENDPOINT = 9, V1_SIZE = 0x14, V2_SIZE = 0x3c };
	unsigned flags = get16(raw + at + 2);
	bool v2 = (flags & 0xf) >= 2;
	unsigned len = v2 ? V2_SIZE : V1_SIZE;

	if (len > room)
		len = room;
	hide(map, at, len);
	put16(map->image + at + 2, (flags & 0x3e0f) | TYPE_RC_ENDPOINT << 4);
	map->express_cap = at;
	/* Device Capabilities, function level reset as config_map_flr has it; Control, without
	 * phantom functions, aux power and reset, which the core takes; Status clears by 1. */
	fix32(map, at + 4, get32(raw + at + 4) & ~(1u << 28));
	fix16(map, at + 8, 0x8600, 0, 0x79ff);
	fix16(map, at + 0x0a, 0, 0, 0x00ff);
	if (v2 && len == V2_SIZE) {
		/* Completion time-outs are the endpoint's own; the rest needs a fabric. */
		fix32(map, at + 0x24, get32(raw + at + 0x24) & 0x1f);
		fix16(map, at + 0x28, 0xffe0, 0, 0x001f);
	}
	return len;
}

/* Advanced features (PCI ECN «Advanced Capabilities for Conventional PCI»): a length, and the reset
 * as config_map_flr has it, which the core takes. */
static unsigned map_af(struct config_map *map, unsigned at)
{
	hide(map, at, 6);
	map->image[at + 2] = 6;
	map->af_cap = at;
	return 6;
}

/* MSI-X is emulated in the core: what is here only describes it (PCI 3.0 §6.8.2). */
static unsigned map_msix(struct config_map *map, const uint8_t *raw, unsigned at)
{
	uint32_t table = get32(raw + at + 4), pba = get32(raw + at + 8);

	hide(map, at, 12);
	put16(map->image + at + 2, get16(raw + at + 2) & 0x07ff);
	put32(map->image + at + 4, table);
	put32(map->image + at + 8, pba);
	map->msix = (struct msix_desc){.vectors = (get16(raw + at + 2) & 0x07ff) + 1, .cap = at,
		.table_bar = table & 7, .table_offset = table & ~7u,
		.pba_bar = pba & 7, .pba_offset = pba & ~7u};
	return 12;
}

static unsigned msi_len(unsigned control)
{
	return 10u + (control & MSI_64 ? 4 : 0) + (control & MSI_MASKS ? 10 : 0);
}

/* MSI is emulated in the core too (PCI 3.0 §6.8.1): how many vectors, how wide, maskable or not. */
static unsigned map_msi(struct config_map *map, const uint8_t *raw, unsigned at, unsigned room)
{
	unsigned control = get16(raw + at + 2), len = msi_len(control);

	if (len > room || map->msi_cap || (control >> 1 & 7) > 5)
		return 0;
	hide(map, at, len);
	put16(map->image + at + 2, control & (MSI_64 | MSI_MASKS | 7 << 1));
	map->msi_cap = at;
	return len;
}

/* Maps one capability, which has room bytes up to the next. Returns its length, 0 when it is not
 * one that is shown. */
static unsigned map_cap(struct config_map *map, const uint8_t *raw, unsigned at, unsigned room)
{
	unsigned len;

	switch (raw[at]) {
	case CAP_PM: return room >= 8 ? map_pm(map, raw, at) : 0;
	case CAP_VPD: return room >= 8 ? map_vpd(map, at) : 0;
	case CAP_EXPRESS: return room >= 0x0c ? map_express(map, raw, at, room) : 0;
	case CAP_MSI: return map_msi(map, raw, at, room);
	case CAP_MSIX: return room >= 12 && !map->msix.vectors ? map_msix(map, raw, at) : 0;
	case CAP_AF: return room >= 6 ? map_af(map, at) : 0;
	case CAP_VENDOR:
		len = raw[at + 2];
		if (len < 3 || len > room)
			return 0;
		show(map, at + 2, len - 2, true);
		map->writable[at + 2] = 0;
		return len;
	default: return 0;
	}
}

/* How much a capability that is not shown takes up: up to the next one when it is not known. */
static unsigned hidden_len(const uint8_t *raw, unsigned at, unsigned next)
{
	unsigned len = next - at;

	if (raw[at] == CAP_MSI)
		len = msi_len(get16(raw + at + 2));
	return len < next - at ? len : next - at;
}

/* Finds where capabilities are; a list that loops or leaves its space ends there. */
static unsigned find_caps(const uint8_t *raw, uint8_t found[CAPS_MAX])
{
	bool seen[STD_SIZE] = {false};
	unsigned at = raw[CAP_POINTER] & ~3u, n = 0;

	if (!(raw[STATUS] & 0x10))
		return 0;
	while (at >= FIRST_CAP && !seen[at] && n < CAPS_MAX) {
		seen[at] = true;
		found[n++] = (uint8_t)at;
		at = raw[at + 1] & ~3u;
	}
	return n;
}

/* The capability list, rebuilt of those that are shown. What lies between capabilities is the
 * device's own and stays what it is. */
static void map_caps(struct config_map *map, const uint8_t *raw)
{
	unsigned link = CAP_POINTER, n;
	uint8_t caps[CAPS_MAX];

	show(map, FIRST_CAP, STD_SIZE - FIRST_CAP, true);
	n = find_caps(raw, caps);
	for (unsigned i = 0; i < n; i++) {
		unsigned at = caps[i], next = STD_SIZE;

		for (unsigned j = 0; j < n; j++)
			if (caps[j] > at && caps[j] < next)
				next = caps[j];
		if (!map_cap(map, raw, at, next - at)) {
			hide(map, at, hidden_len(raw, at, next));
			continue;
		}
		fix16(map, at, 0xffff, raw[at], 0);
		map->image[link] = (uint8_t)at;
		map->image[STATUS] |= 0x10;
		link = at + 1;
	}
}

/* Length of an extended capability that is shown, 0: it is not. */
static unsigned ext_len(const uint8_t *raw, unsigned at)
{
	unsigned len = 0, room = PCI_CONFIG_MAX - at;

	switch (get16(raw + at)) {
	case EXT_AER: len = 0x2c; break;
	case EXT_SERIAL: len = 12; break;
	case EXT_VENDOR:
	case EXT_DVSEC:
		if (room >= 8)
			len = get32(raw + at + 4) >> 20;
		if (len < 8)
			return 0;
		break;
	default: break;
	}
	return len <= room ? len : 0;
}

/* Finds where the extended capabilities that are shown are; a list that loops ends there. */
static unsigned find_ext_caps(const uint8_t *raw, uint16_t found[EXT_CAPS_MAX])
{
	bool seen[PCI_CONFIG_MAX] = {false};
	unsigned at = EXT_FIRST, n = 0;

	while (at >= EXT_FIRST && !seen[at]) {
		uint32_t header = get32(raw + at);

		if (header == 0 || header == 0xffffffff)
			break;
		seen[at] = true;
		if (ext_len(raw, at))
			found[n++] = (uint16_t)at;
		at = header >> 20 & 0xffc;
	}
	return n;
}

/* Extended capabilities (PCIe 5.0 §7.6): everything else up there is hidden. When the first one is
 * not shown, its place keeps a header with id 0 that leads on. Headers come last, so that none
 * can be part of another capability's body. */
static void map_ext_caps(struct config_map *map, const uint8_t *raw)
{
	unsigned link = EXT_FIRST, n;
	uint16_t caps[EXT_CAPS_MAX];

	hide(map, EXT_FIRST, PCI_CONFIG_MAX - EXT_FIRST);
	n = find_ext_caps(raw, caps);
	for (unsigned i = 0; i < n; i++) {
		show(map, caps[i], ext_len(raw, caps[i]), false);
		if (get16(raw + caps[i]) == EXT_AER)
			memset(map->writable + caps[i] + 4, 0xff, 0x18);
	}
	fix32(map, EXT_FIRST, 0);
	for (unsigned i = 0; i < n; i++) {
		fix32(map, caps[i], get32(raw + caps[i]) & 0x000fffff);
		if (caps[i] != EXT_FIRST)
			put16(map->image + link + 2, map->image[link + 2] | caps[i] << 4);
		link = caps[i];
	}
}

int config_map_build(const uint8_t *raw, unsigned size, struct config_map *ret, struct err *err)
{
	uint8_t caps[CAPS_MAX];
	bool express = false;
	unsigned n;

	if (size < STD_SIZE || (raw[HEADER_TYPE] & 0x7f) != 0)
		return err_set(err, -EINVAL, BLAME_HOST,
			"it is a bridge, or its config space cannot be read; only endpoints can be "
			"passed through");
	n = find_caps(raw, caps);
	for (unsigned i = 0; i < n; i++)
		express = express || raw[caps[i]] == CAP_EXPRESS;
	memset(ret, 0, sizeof(*ret));
	/* A guest reads extended space only behind a PCI Express capability. */
	ret->size = express && size >= PCI_CONFIG_MAX ? PCI_CONFIG_MAX : STD_SIZE;
	map_header(ret, raw);
	map_caps(ret, raw);
	if (ret->size == PCI_CONFIG_MAX)
		map_ext_caps(ret, raw);
	return 0;
}

void config_map_flr(struct config_map *map)
{
	if (map->express_cap)
		map->image[map->express_cap + 7] |= 0x10; /* bit 28 of Device Capabilities */
	if (map->af_cap)
		map->image[map->af_cap + 3] |= 3; /* transactions pending, and the reset */
}

void config_map_intx(struct config_map *map, bool there)
{
	map->image[INTERRUPT_PIN] = there;
}

uint32_t config_map_read(const struct config_map *map, unsigned offset, unsigned size,
	uint32_t from_device)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < size; i++) {
		uint8_t mask = map->from_device[offset + i];
		uint8_t byte = (uint8_t)(from_device >> 8 * i);

		value |= (uint32_t)((byte & mask) | (map->image[offset + i] & ~mask)) << 8 * i;
	}
	return value;
}

bool config_map_write(const struct config_map *map, unsigned offset, unsigned size, uint32_t value,
	uint32_t *ret)
{
	bool any = false;
	uint32_t out = 0;

	for (unsigned i = 0; i < size; i++) {
		uint8_t mask = map->writable[offset + i];
		uint8_t byte = (uint8_t)(value >> 8 * i);

		any = any || mask;
		out |= (uint32_t)((byte & mask) | (map->image[offset + i] & ~mask)) << 8 * i;
	}
	if (any)
		*ret = out;
	return any;
}
