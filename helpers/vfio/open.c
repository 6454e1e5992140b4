/* SPDX-License-Identifier: Apache-2.0
 *
 * From a group descriptor to the device (linux/vfio.h, VFIO_GROUP_GET_DEVICE_FD). VFIO helper, at
 * set-up. The group is in the broker's container already; what comes out can do no DMA mapping.
 */
#include <errno.h>
#include <linux/vfio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "helpers/vfio/vfio.h"

int open_device(struct fd group, const char *name, struct fd *ret, struct err *err)
{
	fd_owned owned = group;
	int fd;

	if (owned.n < 0)
		return err_set(err, -EBADMSG, BLAME_PEER, "%s: no group came with Open", name);
	fd = ioctl(owned.n, VFIO_GROUP_GET_DEVICE_FD, name);
	if (fd < 0 && errno == EBUSY)
		return err_set(err, -EBUSY, BLAME_HOST,
			"%s is in use: another process has it open", name);
	if (fd < 0)
		return err_set(err, -errno, BLAME_HOST, "%s: VFIO_GROUP_GET_DEVICE_FD: %s", name,
			strerror(errno));
	ret->n = fd;
	return 0;
}
