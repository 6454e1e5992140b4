/* SPDX-License-Identifier: Apache-2.0
 *
 * The accesses that trap, through the VFIO device descriptor (linux/vfio.h, "DEVICE API").
 *
 * VFIO helper, at run time, and at set-up for what the guest finds. Memory of a device that is
 * switched off reads as all-ones, as on a bus, and is no error.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "helpers/vfio/vfio.h"

static int read_config(const struct vfio *v, unsigned offset, unsigned size, uint32_t *ret,
	struct err *err)
{
	uint32_t value = 0;
	ssize_t n = pread(v->device.n, &value, size, (off_t)(v->config_at + offset));

	if (n != (ssize_t)size)
		return err_set(err, n < 0 ? -errno : -EIO, BLAME_HOST,
			"config space cannot be read at 0x%x", offset);
	*ret = value;
	return 0;
}

int access_config_read(const struct vfio *v, unsigned offset, unsigned size, uint32_t *ret,
	struct err *err)
{
	uint32_t value;
	int r;

	if (offset >= v->config.size)
		return err_set(err, -EINVAL, BLAME_PEER, "config space ends before 0x%x", offset);
	r = read_config(v, offset, size, &value, err);
	if (r == 0)
		*ret = map_read(&v->config, offset, size, value);
	return r;
}

int access_config_write(const struct vfio *v, unsigned offset, unsigned size, uint32_t value,
	struct err *err)
{
	uint32_t now = 0, out;
	ssize_t n;
	int r = 0;

	if (!map_is_written(&v->config, offset, size))
		return 0;
	if (map_is_merged(&v->config, offset, size))
		r = read_config(v, offset, size, &now, err);
	if (r < 0)
		return r;
	out = map_write(&v->config, offset, size, value, now);
	n = pwrite(v->device.n, &out, size, (off_t)(v->config_at + offset));
	if (n != (ssize_t)size)
		return err_set(err, n < 0 ? -errno : -EIO, BLAME_HOST,
			"config space cannot be written at 0x%x", offset);
	return 0;
}

int access_region_read(const struct vfio *v, unsigned index, uint64_t offset, unsigned size,
	uint64_t *ret, struct err *err)
{
	uint64_t value = 0;
	ssize_t n;

	n = pread(v->device.n, &value, size, (off_t)(v->regions[index].fd_offset + offset));
	if (n < 0 && errno != EIO)
		return err_set(err, -errno, BLAME_HOST, "BAR %u cannot be read at 0x%llx: %s",
			index, (unsigned long long)offset, strerror(errno));
	*ret = n == (ssize_t)size ? value : ~0ull >> (64 - 8 * size);
	return 0;
}

int access_region_write(const struct vfio *v, unsigned index, uint64_t offset, unsigned size,
	uint64_t value, struct err *err)
{
	ssize_t n;

	n = pwrite(v->device.n, &value, size, (off_t)(v->regions[index].fd_offset + offset));
	if (n < 0 && errno != EIO)
		return err_set(err, -errno, BLAME_HOST, "BAR %u cannot be written at 0x%llx: %s",
			index, (unsigned long long)offset, strerror(errno));
	return 0;
}
