/* SPDX-License-Identifier: Apache-2.0
 *
 * Config space, BARs and expansion ROM as VFIO has them, and which pages of the BARs the core may
 * map: not those of the MSI-X table and PBA, which the core emulates.
 *
 * VFIO helper, at set-up. A BAR that no guest can have is not there, and that is noted.
 */
#include <errno.h>
#include <linux/vfio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "helpers/vfio/config.h"
#include "helpers/vfio/ranges.h"
#include "helpers/vfio/vfio.h"

/* PCI 3.0 §6.2.5.1; as much as describe_from_wire takes. */
enum { BARS_AT = 0x10, IO_MIN = 4, IO_MAX = 65536, MEM_MIN = 16 };
#define MEM32_MAX (1ull << 31)
#define MEM64_MAX (1ull << 46)

/* A region's answer with room for its capabilities. */
union region_info {
	struct vfio_region_info info;
	uint8_t space[4096];
};

static int get_info(const struct vfio *v, unsigned index, union region_info *ret, struct err *err)
{
	memset(ret, 0, sizeof(*ret));
	ret->info.argsz = sizeof(*ret);
	ret->info.index = index;
	if (ioctl(v->device.n, VFIO_DEVICE_GET_REGION_INFO, ret) < 0)
		return err_set(err, -errno, BLAME_HOST, "VFIO_DEVICE_GET_REGION_INFO %u: %s",
			index, strerror(errno));
	return 0;
}

/* The whole region, unless the kernel names the parts that can be mapped. */
static void add_mappable(const union region_info *info, struct region_desc *region)
{
	uint32_t at = info->info.flags & VFIO_REGION_INFO_FLAG_CAPS ? info->info.cap_offset : 0;
	const struct vfio_region_info_cap_sparse_mmap *sparse;
	const struct vfio_info_cap_header *cap;

	for (; at && at <= sizeof(*info) - sizeof(*sparse); at = cap->next) {
		cap = (const void *)(info->space + at);
		if (cap->id != VFIO_REGION_INFO_CAP_SPARSE_MMAP)
			continue;
		sparse = (const void *)cap;
		if (sparse->nr_areas > (sizeof(*info) - at - sizeof(*sparse)) /
				sizeof(sparse->areas[0]))
			return;
		for (unsigned i = 0; i < sparse->nr_areas; i++)
			ranges_add(region, sparse->areas[i].offset, sparse->areas[i].size);
		return;
	}
	ranges_add(region, 0, region->size);
}

/* What is wrong with a BAR, or NULL; a 64-bit one takes the register behind it too. */
static const char *bar_wrong(const struct region_desc *bar, unsigned index)
{
	uint64_t max = bar->io ? IO_MAX : bar->is_64 ? MEM64_MAX : MEM32_MAX;

	if (bar->size & (bar->size - 1) || bar->size < (bar->io ? IO_MIN : MEM_MIN) ||
		bar->size > max)
		return "a BAR of a size that no guest can have: hidden";
	if (bar->is_64 && index == PCI_BARS - 1)
		return "a 64-bit BAR without an upper half: hidden";
	if (index > 0 && bar[-1].size && bar[-1].is_64)
		return "a BAR in the upper half of a 64-bit one: hidden";
	return NULL;
}

static int read_bar(struct vfio *v, unsigned index, uint8_t flags, struct notes *notes,
	struct err *err)
{
	struct region_desc *region = &v->regions[index];
	static union region_info info;
	int r = get_info(v, index, &info, err);
	const char *wrong;

	if (r < 0 || !info.info.size)
		return r;
	region->size = info.info.size;
	region->fd_offset = info.info.offset;
	region->io = flags & 1;
	region->is_64 = !region->io && (flags & 6) == 4;
	region->prefetchable = !region->io && (flags & 8);
	wrong = bar_wrong(region, index);
	if (wrong) {
		note(notes, BARS_AT + 4 * index, wrong);
		*region = (struct region_desc){.size = 0};
	} else if (!region->io && info.info.flags & VFIO_REGION_INFO_FLAG_MMAP) {
		add_mappable(&info, region);
	}
	return 0;
}

/* By dwords: each read is one config access, and never crosses one. */
static int read_config(struct vfio *v, uint8_t raw[PCI_CONFIG_MAX], unsigned *ret_size,
	struct err *err)
{
	static union region_info info;
	ssize_t n;
	int r = get_info(v, VFIO_PCI_CONFIG_REGION_INDEX, &info, err);

	if (r < 0)
		return r;
	*ret_size = info.info.size >= PCI_CONFIG_MAX ? PCI_CONFIG_MAX : 256;
	v->config_at = info.info.offset;
	for (unsigned at = 0; at < *ret_size; at += 4) {
		n = pread(v->device.n, raw + at, 4, (off_t)(v->config_at + at));
		if (n != 4)
			return err_set(err, n < 0 ? -errno : -EIO, BLAME_HOST,
				"config space cannot be read at 0x%x", at);
	}
	return 0;
}

/* No ROM, or one of no size that PCI knows, is none to speak of. */
static int find_rom(struct vfio *v, struct err *err)
{
	static union region_info info;
	int r = get_info(v, VFIO_PCI_ROM_REGION_INDEX, &info, err);
	uint64_t size = info.info.size;

	if (r < 0 || !(info.info.flags & VFIO_REGION_INFO_FLAG_READ) || size < ROM_MIN ||
		size > ROM_MAX || size & (size - 1))
		return r;
	v->rom_size = size;
	v->rom_at = info.info.offset;
	return 0;
}

int regions_read(struct vfio *v, struct notes *notes, struct err *err)
{
	static uint8_t raw[PCI_CONFIG_MAX];
	struct config_source in = {.raw = raw, .bars = v->regions, .facts = &v->facts,
		.notes = notes};
	const struct msix_desc *msix = &v->config.msix;
	int r = read_config(v, raw, &in.size, err);

	for (unsigned i = 0; i < PCI_BARS && r == 0; i++)
		r = read_bar(v, i, raw[BARS_AT + 4 * i], notes, err);
	if (r == 0)
		r = config_build(&in, &v->config, err);
	if (r < 0)
		return r;
	if (msix->vectors) {
		ranges_cut(&v->regions[msix->table_bar], msix->table_offset, msix->vectors * 16ull);
		ranges_cut(&v->regions[msix->pba_bar], msix->pba_offset,
			(msix->vectors + 63) / 64 * 8ull);
	}
	return find_rom(v, err);
}
