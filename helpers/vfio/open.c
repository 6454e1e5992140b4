/* SPDX-License-Identifier: Apache-2.0
 *
 * To the device: by its group (linux/vfio.h, VFIO_GROUP_GET_DEVICE_FD), or it came open, as a cdev
 * the broker has bound to its iommufd. VFIO helper, at set-up. Group or device are in the VM's
 * address space already; what comes out can do no DMA mapping.
 */
#include <errno.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <string.h>

#include "helpers/retry.h"
#include "helpers/vfio/vfio.h"

enum { NAME_SIZE = 128 };

/* What the kernel takes for a name: with the token behind it, as a UUID's text. */
static void name_with_token(const struct helper_open *open, char ret[static NAME_SIZE])
{
	int n = snprintf(ret, NAME_SIZE, "%.63s%s", open->name, open->token.given ? " vf_token=" : "");

	for (unsigned i = 0; open->token.given && i < sizeof(open->token.uuid); i++) {
		bool dash = i == 4 || i == 6 || i == 8 || i == 10;

		n += snprintf(ret + n, NAME_SIZE - (size_t)n, "%s%02x", dash ? "-" : "",
			open->token.uuid[i]);
	}
}

int open_device(struct helper_open *open, struct fd *ret, struct err *err)
{
	const char *name = open->name;
	char asked[NAME_SIZE];
	int r;

	if (open->device.n < 0)
		return err_set(err, -EBADMSG, BLAME_PEER, "%s: no descriptor came with Open", name);
	if (open->bound) {
		*ret = fd_take(&open->device);
		return 0;
	}
	name_with_token(open, asked);
	r = ioctl_retry(open->device.n, VFIO_GROUP_GET_DEVICE_FD, asked, 0);
	explicit_bzero(asked, sizeof(asked));
	if (r >= 0) {
		ret->n = r;
		return 0;
	}
	if (r == -EBUSY)
		return err_set(err, r, BLAME_HOST,
			"%s is in use: another process has it open", name);
	if (r == -EACCES || (r == -EINVAL && open->token.given))
		return token_explain(name, &open->token, r, err);
	return err_set(err, r, BLAME_HOST, "%s: VFIO_GROUP_GET_DEVICE_FD: %s", name, strerror(-r));
}
