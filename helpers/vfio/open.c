/* SPDX-License-Identifier: Apache-2.0
 *
 * To the device: by its group (linux/vfio.h, VFIO_GROUP_GET_DEVICE_FD), or it came open, as a cdev
 * the broker has bound to its iommufd. VFIO helper, at set-up. Group or device are in the VM's
 * address space already; what comes out can do no DMA mapping.
 */
#include <errno.h>
#include <linux/vfio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "helpers/vfio/vfio.h"

int open_device(struct helper_open *open, struct fd *ret, struct err *err)
{
	const char *name = open->name;
	int fd;

	if (open->device.n < 0)
		return err_set(err, -EBADMSG, BLAME_PEER, "%s: no descriptor came with Open", name);
	if (open->bound) {
		*ret = fd_take(&open->device);
		return 0;
	}
	fd = ioctl(open->device.n, VFIO_GROUP_GET_DEVICE_FD, name);
	if (fd < 0 && errno == EBUSY)
		return err_set(err, -EBUSY, BLAME_HOST,
			"%s is in use: another process has it open", name);
	if (fd < 0)
		return err_set(err, -errno, BLAME_HOST, "%s: VFIO_GROUP_GET_DEVICE_FD: %s", name,
			strerror(errno));
	ret->n = fd;
	return 0;
}
