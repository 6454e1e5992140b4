/* SPDX-License-Identifier: Apache-2.0
 *
 * A helper's description of its device, before the core: what is accepted keeps every promise of
 * ipc/describe.h, and says the same after another trip over the wire.
 *
 * fuzzes: ipc/describe.c
 */
#include "tests/fuzz/fuzz.h"

#include "ipc/describe.h"

enum { REGIONS = 8, RANGES = 6, PAGE = 4096 };

static struct input in;
static uint8_t config[PCI_CONFIG_MAX];
static Bulkhead__Region regions[REGIONS], *region_ptrs[REGIONS];
static Bulkhead__Range ranges[REGIONS][RANGES], *range_ptrs[REGIONS][RANGES];
static Bulkhead__MsixGeometry msix;
static Bulkhead__Doorbells doorbells;

static void make_region(unsigned i)
{
	Bulkhead__Region *r = &regions[i];
	unsigned flags = (unsigned)take(&in, 1);

	bulkhead__region__init(r);
	region_ptrs[i] = r;
	r->index = flags & 7;
	r->io = flags & 8;
	r->is_64 = flags & 0x10;
	r->prefetchable = flags & 0x20;
	r->doorbell_pages = flags & 0x40;
	r->size = take_number(&in);
	r->fd_offset = flags & 0x80 ? take_number(&in) * PAGE : 0;
	r->n_mappable = take(&in, 1) % (RANGES + 1);
	r->mappable = range_ptrs[i];
	for (unsigned k = 0; k < r->n_mappable; k++) {
		bulkhead__range__init(&ranges[i][k]);
		range_ptrs[i][k] = &ranges[i][k];
		ranges[i][k].offset = take_number(&in) * PAGE;
		ranges[i][k].size = take_number(&in) * PAGE;
	}
}

static void make(Bulkhead__Description *d, unsigned flags)
{
	bulkhead__description__init(d);
	d->config.data = config;
	d->config.len = flags & 1 ? 256 : flags & 2 ? take_number(&in) % 4097 : PCI_CONFIG_MAX;
	d->intx = flags & 4;
	d->n_regions = take(&in, 1) % (REGIONS + 1);
	d->regions = region_ptrs;
	for (unsigned i = 0; i < d->n_regions; i++)
		make_region(i);
	bulkhead__msix_geometry__init(&msix);
	d->msix = flags & 8 ? &msix : NULL;
	msix.vectors = (uint32_t)take_number(&in);
	msix.cap = (uint32_t)take(&in, 1);
	msix.table_bar = (uint32_t)take(&in, 1);
	msix.table_offset = (uint32_t)take_number(&in);
	msix.pba_bar = (uint32_t)take(&in, 1);
	msix.pba_offset = (uint32_t)take_number(&in);
	bulkhead__doorbells__init(&doorbells);
	d->doorbells = flags & 0x10 ? &doorbells : NULL;
	doorbells.bar = (uint32_t)take(&in, 1);
	doorbells.offset = take_number(&in);
	doorbells.stride = (uint32_t)take_number(&in);
	doorbells.count = (uint32_t)take_number(&in);
}

/* The capability as the geometry has it, or it would never be believed; then patches. */
static void make_config(unsigned flags)
{
	uint32_t words[] = {0x11 | (msix.vectors - 1) << 16, msix.table_offset | msix.table_bar,
		msix.pba_offset | msix.pba_bar};

	memset(config, 0, sizeof(config));
	config[0x3d] = 1;
	memcpy(config + msix.cap, words, sizeof(words));
	if (flags & 0x20)
		config[take(&in, 1)] = (uint8_t)take(&in, 1);
}

static void check(const struct function_desc *d)
{
	require(d->config_size == 256 || d->config_size == 4096);
	for (unsigned i = 0; i < PCI_BARS; i++) {
		const struct region_desc *r = &d->regions[i];
		uint64_t end = 0;

		require((r->size & (r->size - 1)) == 0 && r->n_ranges <= REGION_RANGES);
		require(!r->is_64 || !r->size || (i < 5 && !d->regions[i + 1].size));
		for (unsigned k = 0; k < r->n_ranges; k++) {
			require(r->ranges[k].offset >= end && r->ranges[k].size);
			end = r->ranges[k].offset + r->ranges[k].size;
			require(end > r->ranges[k].offset && end <= r->size);
		}
	}
	if (d->msix.vectors) {
		require(d->msix.vectors <= MSIX_MAX && d->msix.cap <= 244);
		require(d->msix.table_offset + d->msix.vectors * 16ull <=
			d->regions[d->msix.table_bar].size);
		require(d->msix.pba_offset < d->regions[d->msix.pba_bar].size);
	}
	if (d->doorbells.count)
		require(d->doorbells.count <= DOORBELLS_MAX && d->doorbells.offset +
			(d->doorbells.count - 1) * (uint64_t)d->doorbells.stride <
			d->regions[d->doorbells.bar].size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct function_desc got, again;
	static struct describe_wire wire;
	Bulkhead__Description description;
	unsigned flags;
	struct err err;

	in = input_of(data, size);
	flags = (unsigned)take(&in, 1);
	make(&description, flags);
	make_config(flags);
	if (describe_from_wire(&description, &got, &err) < 0)
		return 0;
	check(&got);
	describe_to_wire(&got, &wire);
	require(describe_from_wire(&wire.description, &again, &err) == 0);
	require(memcmp(again.config, got.config, got.config_size) == 0);
	require(memcmp(&again.msix, &got.msix, sizeof(got.msix)) == 0);
	require(again.doorbells.count == got.doorbells.count);
	for (unsigned i = 0; i < PCI_BARS; i++)
		require(again.regions[i].size == got.regions[i].size &&
			again.regions[i].n_ranges == got.regions[i].n_ranges);
	return 0;
}
