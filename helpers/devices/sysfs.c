/* SPDX-License-Identifier: Apache-2.0
 *
 * Attributes, links and folders of sysfs, by a path from the root descriptor. bulkhead-devices.
 *
 * Links in sysfs are relative, so they stay inside the tree that root names.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "helpers/devices/devices.h"
#include "ipc/fd.h"

/* Fills a PATH_MAX buffer from the variable arguments after fmt; a path cut short is refused. */
#define FORMAT_PATH(path, fmt) \
	({ \
		va_list format_args; \
		int format_n; \
		va_start(format_args, fmt); \
		format_n = vsnprintf(path, PATH_MAX, fmt, format_args); \
		va_end(format_args); \
		format_n < 0 || format_n >= PATH_MAX ? -ENAMETOOLONG : 0; \
	})

int attr_read(int root, char *ret, size_t size, const char *fmt, ...)
{
	char path[PATH_MAX];
	fd_owned fd = FD_NONE_INIT;
	int r = FORMAT_PATH(path, fmt);
	ssize_t n;

	ret[0] = '\0';
	if (r < 0)
		return r;
	fd.n = openat(root, path, O_RDONLY | O_CLOEXEC);
	if (fd.n < 0)
		return -errno;
	n = read(fd.n, ret, size - 1);
	if (n < 0)
		n = 0, r = -errno;
	ret[n] = '\0';
	if (n && ret[n - 1] == '\n')
		ret[--n] = '\0';
	return r < 0 ? r : (int)n;
}

int attr_write(int root, const char *value, struct err *err, const char *fmt, ...)
{
	char path[PATH_MAX];
	fd_owned fd = FD_NONE_INIT;
	int r = FORMAT_PATH(path, fmt);

	if (r < 0)
		return err_set(err, r, BLAME_HOST, "a path under /%.32s is too long", fmt);
	/* A file of sysfs knows no length; the tests' files do. */
	fd.n = openat(root, path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd.n >= 0 && write(fd.n, value, strlen(value)) >= 0)
		return 0;
	r = -errno;
	return err_set(err, r, BLAME_HOST, "/%s: %s; %s", path, strerror(-r),
		r == -EACCES || r == -EPERM ? "run this as root, outside of containers"
					    : "`dmesg | tail` may say more");
}

static int target_of(int root, const char *path, char *ret, size_t size)
{
	ssize_t n = readlinkat(root, path, ret, size);

	ret[n < 0 || (size_t)n >= size ? 0 : n] = '\0';
	if (n < 0)
		return -errno;
	return (size_t)n >= size ? -ENAMETOOLONG : 0;
}

int link_read(int root, char *ret, size_t size, const char *fmt, ...)
{
	char path[PATH_MAX];
	int r = FORMAT_PATH(path, fmt);

	ret[0] = '\0';
	return r < 0 ? r : target_of(root, path, ret, size);
}

int link_name(int root, char *ret, size_t size, const char *fmt, ...)
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *name;
	int r = FORMAT_PATH(path, fmt);

	ret[0] = '\0';
	if (r == 0)
		r = target_of(root, path, target, sizeof(target));
	if (r < 0)
		return r;
	name = strrchr(target, '/') ? strrchr(target, '/') + 1 : target;
	if (strlen(name) >= size)
		return -ENAMETOOLONG;
	memcpy(ret, name, strlen(name) + 1);
	return 0;
}

bool is_there(int root, const char *fmt, ...)
{
	char path[PATH_MAX];

	return FORMAT_PATH(path, fmt) == 0 && faccessat(root, path, F_OK, 0) == 0;
}

static int not_dotted(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

int names_of(int root, struct dirent ***ret, const char *fmt, ...)
{
	char path[PATH_MAX];
	int n = FORMAT_PATH(path, fmt);

	*ret = NULL;
	if (n == 0)
		n = scandirat(root, path, ret, not_dotted, alphasort);
	return n < 0 ? 0 : n;
}

void names_free(struct dirent **names, int n)
{
	while (n > 0)
		free(names[--n]);
	free(names);
}
