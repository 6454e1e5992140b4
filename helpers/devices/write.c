/* SPDX-License-Identifier: Apache-2.0
 *
 * Attributes of sysfs written: here the kernel is asked to change something. bulkhead-devices.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "helpers/devices/devices.h"

int attr_write(int root, const char *value, struct err *err, const char *fmt, ...)
{
	char path[PATH_MAX];
	fd_owned fd = FD_NONE_INIT;
	va_list args;
	int n, r;

	va_start(args, fmt);
	n = vsnprintf(path, sizeof(path), fmt, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(path))
		return err_set(err, -ENAMETOOLONG, BLAME_HOST, "a path under /%.32s is too long",
			fmt);
	/* A file of sysfs knows no length; the tests' files do. */
	fd.n = openat(root, path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd.n >= 0 && write(fd.n, value, strlen(value)) >= 0)
		return 0;
	r = -errno;
	return err_set(err, r, BLAME_HOST, "/%s: %s; %s", path, strerror(-r),
		r == -EACCES || r == -EPERM ? "run this as root, outside of containers"
					    : "`dmesg | tail` may say more");
}
