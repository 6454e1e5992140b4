/* SPDX-License-Identifier: Apache-2.0
 *
 * Config space and BARs through the VFIO device descriptor (linux/vfio.h, "DEVICE API").
 *
 * VFIO helper. At set-up: what there is, and which pages of it the core may map. The pages of the
 * MSI-X table and PBA are left out: the core emulates those. At run time: the accesses that trap.
 * Memory of a device that is switched off reads as all-ones, as on a bus, and is no error.
 */
#include <errno.h>
#include <linux/vfio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "helpers/vfio/ranges.h"
#include "helpers/vfio/vfio.h"

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

static int read_region(struct vfio *v, unsigned index, struct err *err)
{
	struct region_desc *region = &v->regions[index];
	uint8_t flags = v->config.image[0x10 + 4 * index];
	const struct msix_desc *msix = &v->config.msix;
	static union region_info info;
	int r = get_info(v, index, &info, err);

	if (r < 0 || !info.info.size)
		return r;
	region->size = info.info.size;
	region->fd_offset = info.info.offset;
	region->io = flags & 1;
	region->is_64 = !region->io && (flags & 6) == 4;
	region->prefetchable = !region->io && (flags & 8);
	if (region->io || !(info.info.flags & VFIO_REGION_INFO_FLAG_MMAP))
		return 0;
	add_mappable(&info, region);
	if (msix->vectors && msix->table_bar == index)
		ranges_cut(region, msix->table_offset, msix->vectors * 16ull);
	if (msix->vectors && msix->pba_bar == index)
		ranges_cut(region, msix->pba_offset, (msix->vectors + 63) / 64 * 8ull);
	return 0;
}

static int read_config(struct vfio *v, struct err *err)
{
	static uint8_t raw[PCI_CONFIG_MAX];
	static union region_info info;
	unsigned size;
	ssize_t n;
	int r = get_info(v, VFIO_PCI_CONFIG_REGION_INDEX, &info, err);

	if (r < 0)
		return r;
	size = info.info.size >= sizeof(raw) ? sizeof(raw) : 256;
	v->config_at = info.info.offset;
	/* By dwords: each read is one config access, and never crosses one. */
	for (unsigned at = 0; at < size; at += 4) {
		n = pread(v->device.n, raw + at, 4, (off_t)(v->config_at + at));
		if (n != 4)
			return err_set(err, n < 0 ? -errno : -EIO, BLAME_HOST,
				"config space cannot be read at 0x%x", at);
	}
	r = config_map_build(raw, size, &v->config, err);
	if (r == 0 && v->own_reset)
		config_map_flr(&v->config);
	return r;
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

int regions_read(struct vfio *v, struct err *err)
{
	int r = read_config(v, err);

	for (unsigned i = 0; i < PCI_BARS && r == 0; i++)
		r = read_region(v, i, err);
	return r < 0 ? r : find_rom(v, err);
}

int vfio_config_read(unsigned offset, unsigned size, uint32_t *ret, struct err *err)
{
	uint32_t value = 0;
	ssize_t n;

	if (offset >= vfio.config.size)
		return err_set(err, -EINVAL, BLAME_PEER, "config space ends before 0x%x", offset);
	n = pread(vfio.device.n, &value, size, (off_t)(vfio.config_at + offset));
	if (n != (ssize_t)size)
		return err_set(err, n < 0 ? -errno : -EIO, BLAME_HOST,
			"config space cannot be read at 0x%x", offset);
	*ret = config_map_read(&vfio.config, offset, size, value);
	return 0;
}

int vfio_config_write(unsigned offset, unsigned size, uint32_t value, struct err *err)
{
	uint32_t out;
	ssize_t n;

	if (!config_map_write(&vfio.config, offset, size, value, &out))
		return 0;
	n = pwrite(vfio.device.n, &out, size, (off_t)(vfio.config_at + offset));
	if (n != (ssize_t)size)
		return err_set(err, n < 0 ? -errno : -EIO, BLAME_HOST,
			"config space cannot be written at 0x%x", offset);
	return 0;
}

int vfio_region_read(unsigned index, uint64_t offset, unsigned size, uint64_t *ret,
	struct err *err)
{
	uint64_t value = 0;
	ssize_t n;

	n = pread(vfio.device.n, &value, size, (off_t)(vfio.regions[index].fd_offset + offset));
	if (n < 0 && errno != EIO)
		return err_set(err, -errno, BLAME_HOST, "BAR %u cannot be read at 0x%llx: %s",
			index, (unsigned long long)offset, strerror(errno));
	*ret = n == (ssize_t)size ? value : ~0ull >> (64 - 8 * size);
	return 0;
}

int vfio_region_write(unsigned index, uint64_t offset, unsigned size, uint64_t value,
	struct err *err)
{
	ssize_t n;

	n = pwrite(vfio.device.n, &value, size, (off_t)(vfio.regions[index].fd_offset + offset));
	if (n < 0 && errno != EIO)
		return err_set(err, -errno, BLAME_HOST, "BAR %u cannot be written at 0x%llx: %s",
			index, (unsigned long long)offset, strerror(errno));
	return 0;
}
