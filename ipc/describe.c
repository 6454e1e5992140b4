/* SPDX-License-Identifier: Apache-2.0
 *
 * A PCI function's description to and from the wire. Helper: describe_to_wire, after it asked the
 * kernel. Core, main thread: describe_from_wire, before anything in it is used.
 */
#include <errno.h>
#include <string.h>

#include "ipc/describe.h"

enum {
	PAGE = 4096, REG_PIN = 0x3d, PIN_A = 1,
	MSI_CAP_ID = 0x05, MSI_64 = 0x80, MSI_MASKS = 0x100, MSIX_CAP_ID = 0x11,
};

void describe_to_wire(const struct function_desc *desc, struct describe_wire *wire)
{
	Bulkhead__Description *out = &wire->description;

	bulkhead__description__init(out);
	out->config.data = (uint8_t *)(uintptr_t)desc->config;
	out->config.len = desc->config_size;
	out->can_reset = desc->can_reset;
	out->can_suspend = desc->can_suspend;
	out->intx = desc->intx;
	out->msi_cap = desc->msi_cap;
	out->rom_size = desc->rom_size;
	out->rom_offset = desc->rom_fd_offset;
	out->regions = wire->region_ptrs;
	for (unsigned i = 0; i < PCI_BARS; i++) {
		const struct region_desc *from = &desc->regions[i];
		Bulkhead__Region *to = &wire->regions[out->n_regions];

		if (!from->size)
			continue;
		bulkhead__region__init(to);
		to->index = i;
		to->size = from->size;
		to->io = from->io;
		to->is_64 = from->is_64;
		to->prefetchable = from->prefetchable;
		to->fd_offset = from->fd_offset;
		to->doorbell_pages = from->doorbell_pages;
		to->n_mappable = from->n_ranges;
		to->mappable = wire->range_ptrs[i];
		for (unsigned j = 0; j < from->n_ranges; j++) {
			bulkhead__range__init(&wire->ranges[i][j]);
			wire->ranges[i][j].offset = from->ranges[j].offset;
			wire->ranges[i][j].size = from->ranges[j].size;
			wire->range_ptrs[i][j] = &wire->ranges[i][j];
		}
		wire->region_ptrs[out->n_regions++] = to;
	}
	bulkhead__msix_geometry__init(&wire->msix);
	wire->msix.vectors = desc->msix.vectors;
	wire->msix.cap = desc->msix.cap;
	wire->msix.table_bar = desc->msix.table_bar;
	wire->msix.table_offset = desc->msix.table_offset;
	wire->msix.pba_bar = desc->msix.pba_bar;
	wire->msix.pba_offset = desc->msix.pba_offset;
	out->msix = &wire->msix;
	bulkhead__doorbells__init(&wire->doorbells);
	wire->doorbells.bar = desc->doorbells.bar;
	wire->doorbells.offset = desc->doorbells.offset;
	wire->doorbells.stride = desc->doorbells.stride;
	wire->doorbells.count = desc->doorbells.count;
	out->doorbells = &wire->doorbells;
}

static int bad(struct err *err, const char *what)
{
	return err_set(err, -EBADMSG, BLAME_PEER, "its helper described it wrongly: %s", what);
}

/* A BAR's kind and size (PCI 3.0 §6.2.5.1). */
static int region_kind(const Bulkhead__Region *in, struct err *err)
{
	uint64_t max = in->is_64 ? 1ull << 46 : 1ull << 31;

	if (in->size & (in->size - 1))
		return bad(err, "BAR size is no power of two");
	if (in->io && (in->is_64 || in->prefetchable || in->n_mappable))
		return bad(err, "I/O BAR with flags of a memory BAR");
	if (in->io ? in->size < 4 || in->size > 65536 : in->size < 16 || in->size > max)
		return bad(err, "BAR size out of range");
	if (in->is_64 && in->index == PCI_BARS - 1)
		return bad(err, "64-bit BAR without an upper half");
	if (in->fd_offset % PAGE || in->fd_offset > INT64_MAX - in->size)
		return bad(err, "BAR's offset in the descriptor");
	return 0;
}

static int region_from_wire(const Bulkhead__Region *in, struct region_desc *ret, struct err *err)
{
	struct region_desc out = {.size = in->size, .io = in->io, .is_64 = in->is_64,
		.prefetchable = in->prefetchable, .fd_offset = in->fd_offset,
		.doorbell_pages = in->doorbell_pages};
	uint64_t end = 0;
	int r;

	r = region_kind(in, err);
	if (r < 0)
		return r;
	if (in->n_mappable > REGION_RANGES)
		return bad(err, "too many mappable ranges");
	for (size_t i = 0; i < in->n_mappable; i++) {
		uint64_t offset = in->mappable[i]->offset, size = in->mappable[i]->size;

		if (!size || offset % PAGE || size % PAGE || offset < end || offset > in->size ||
			size > in->size - offset)
			return bad(err, "mappable range");
		end = offset + size;
		out.ranges[out.n_ranges++] = (struct region_range){offset, size};
	}
	if (in->doorbell_pages && (out.io || out.fd_offset || out.n_ranges != 1 ||
		out.ranges[0].offset || out.ranges[0].size > DOORBELLS_MAX * PAGE))
		return bad(err, "doorbell pages");
	*ret = out;
	return 0;
}

/* Does [offset, offset + len) lie in that memory BAR, outside everything mappable (whole pages
 * of it)? */
static bool trapped(const struct function_desc *desc, unsigned bar, uint64_t offset, uint64_t len)
{
	const struct region_desc *region = &desc->regions[bar];
	uint64_t first = offset & ~(uint64_t)(PAGE - 1);

	if (region->io || offset % 8 || offset >= region->size || len > region->size - offset)
		return false;
	for (unsigned i = 0; i < region->n_ranges; i++)
		if (region->ranges[i].offset < offset + len &&
			first < region->ranges[i].offset + region->ranges[i].size)
			return false;
	return true;
}

static uint32_t le32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* MSI-X capability and its structures (PCI 3.0 §6.8.2). */
static int msix_from_wire(
	const Bulkhead__MsixGeometry *in, struct function_desc *desc, struct err *err)
{
	uint64_t table_len, pba_len;
	const uint8_t *cap;

	if (!in || in->vectors == 0)
		return 0;
	if (in->vectors > MSIX_MAX || in->table_bar >= PCI_BARS || in->pba_bar >= PCI_BARS)
		return bad(err, "MSI-X geometry");
	table_len = in->vectors * 16ull;
	pba_len = (in->vectors + 63) / 64 * 8ull;
	if (!trapped(desc, in->table_bar, in->table_offset, table_len))
		return bad(err, "MSI-X table outside its BAR, or mappable");
	if (!trapped(desc, in->pba_bar, in->pba_offset, pba_len))
		return bad(err, "MSI-X PBA outside its BAR, or mappable");
	if (in->table_bar == in->pba_bar && in->table_offset < in->pba_offset + pba_len &&
		in->pba_offset < in->table_offset + table_len)
		return bad(err, "MSI-X table and PBA overlap");
	if (in->cap < 0x40 || in->cap > 256 - 12 || in->cap % 4)
		return bad(err, "MSI-X capability offset");
	cap = desc->config + in->cap;
	if (cap[0] != MSIX_CAP_ID || (le32(cap) >> 16 & 0x7ff) + 1 != in->vectors ||
		le32(cap + 4) != (in->table_offset | in->table_bar) ||
		le32(cap + 8) != (in->pba_offset | in->pba_bar))
		return bad(err, "MSI-X capability says something else");
	desc->msix = (struct msix_desc){.vectors = in->vectors, .cap = in->cap,
		.table_bar = in->table_bar, .pba_bar = in->pba_bar,
		.table_offset = in->table_offset, .pba_offset = in->pba_offset};
	return 0;
}

unsigned desc_msi_vectors(const struct function_desc *desc)
{
	return desc->msi_cap ? 1u << (desc->config[desc->msi_cap + 2] >> 1 & 7) : 0;
}

/* MSI capability (PCI 3.0 §6.8.1), which may not reach into the MSI-X one. */
static int msi_from_wire(uint32_t at, struct function_desc *desc, struct err *err)
{
	const uint8_t *cap = desc->config + at;
	unsigned control, len;

	if (at == 0)
		return 0;
	if (at < 0x40 || at > 256 - 4 || at % 4 || cap[0] != MSI_CAP_ID)
		return bad(err, "MSI capability offset");
	control = le32(cap) >> 16;
	len = 10u + (control & MSI_64 ? 4 : 0) + (control & MSI_MASKS ? 10 : 0);
	if ((control >> 1 & 7) > 5 || len > 256 - at ||
		(desc->msix.vectors && at < desc->msix.cap + 12 && desc->msix.cap < at + len))
		return bad(err, "MSI capability");
	desc->msi_cap = at;
	return 0;
}

/* Is there a byte both in [a, a + a_len) and in [b, b + b_len)? */
static bool overlap(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return a < b + b_len && b < a + a_len;
}

/* Four bytes each, inside the BAR, and none on the MSI-X table or PBA: a write there is the core's
 * to see. */
static int doorbells_from_wire(
	const Bulkhead__Doorbells *in, struct function_desc *desc, struct err *err)
{
	const struct msix_desc *msix = &desc->msix;
	const struct region_desc *region;
	uint64_t len;

	if (!in || in->count == 0)
		return 0;
	if (in->bar >= PCI_BARS || in->count > DOORBELLS_MAX || in->stride < 4 ||
		in->stride % 4 || in->offset % 4)
		return bad(err, "doorbell geometry");
	region = &desc->regions[in->bar];
	len = (in->count - 1) * (uint64_t)in->stride + 4;
	if (region->io || in->offset >= region->size || len > region->size - in->offset)
		return bad(err, "doorbells outside their BAR");
	if (msix->vectors && ((msix->table_bar == in->bar && overlap(in->offset, len,
				msix->table_offset, msix->vectors * 16ull)) ||
		(msix->pba_bar == in->bar && overlap(in->offset, len, msix->pba_offset,
				(msix->vectors + 63) / 64 * 8ull))))
		return bad(err, "doorbells on the MSI-X table or PBA");
	desc->doorbells = (struct doorbell_desc){.count = in->count, .bar = in->bar,
		.stride = in->stride, .offset = in->offset};
	return 0;
}

static int rom_from_wire(uint64_t size, uint64_t offset, struct function_desc *desc, struct err *err)
{
	if (size == 0)
		return 0;
	if (size & (size - 1) || size < ROM_MIN || size > ROM_MAX)
		return bad(err, "ROM size");
	if (offset % PAGE || offset > INT64_MAX - size)
		return bad(err, "ROM's offset in the descriptor");
	desc->rom_size = size;
	desc->rom_fd_offset = offset;
	return 0;
}

int describe_from_wire(
	const Bulkhead__Description *description, struct function_desc *ret, struct err *err)
{
	struct function_desc out = {.config_size = (unsigned)description->config.len,
		.can_reset = description->can_reset, .can_suspend = description->can_suspend,
		.intx = description->intx};
	int r;

	if (description->config.len != 256 && description->config.len != PCI_CONFIG_MAX)
		return bad(err, "config space is neither 256 nor 4096 bytes");
	memcpy(out.config, description->config.data, out.config_size);
	if (out.config[0x0e] != 0)
		return bad(err, "header type is not that of a single function");
	if (out.intx && out.config[REG_PIN] != PIN_A)
		return bad(err, "interrupt pin");
	for (size_t i = 0; i < description->n_regions; i++) {
		const Bulkhead__Region *region = description->regions[i];

		if (region->index >= PCI_BARS || out.regions[region->index].size || !region->size)
			return bad(err, "BAR number or size");
		r = region_from_wire(region, &out.regions[region->index], err);
		if (r < 0)
			return r;
	}
	for (unsigned i = 0; i + 1 < PCI_BARS; i++)
		if (out.regions[i].is_64 && out.regions[i + 1].size)
			return bad(err, "a BAR in the upper half of a 64-bit one");
	r = msix_from_wire(description->msix, &out, err);
	if (r == 0)
		r = msi_from_wire(description->msi_cap, &out, err);
	if (r == 0)
		r = doorbells_from_wire(description->doorbells, &out, err);
	if (r == 0)
		r = rom_from_wire(description->rom_size, description->rom_offset, &out, err);
	if (r < 0)
		return r;
	*ret = out;
	return 0;
}
