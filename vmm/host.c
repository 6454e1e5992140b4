/* SPDX-License-Identifier: Apache-2.0
 *
 * Files of /proc and /sys, by a path from the root descriptor.
 *
 * Core process, main thread, before it is confined. They are the kernel's, small, and read in one
 * piece; what is longer than the caller's buffer is cut there.
 */
#include "vmm/host.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/fd.h"

int host_root(void)
{
	return open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* A file of /proc may come in several pieces. */
static int read_all(int fd, char *ret, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len < size - 1 && (n = read(fd, ret + len, size - 1 - len)) != 0) {
		if (n < 0)
			return -errno;
		len += (size_t)n;
	}
	if (len && ret[len - 1] == '\n')
		len--;
	ret[len] = '\0';
	return (int)len;
}

int host_text(int root, char *ret, size_t size, const char *fmt, ...)
{
	fd_owned fd = FD_NONE_INIT;
	char path[PATH_MAX];
	va_list args;
	int n;

	ret[0] = '\0';
	va_start(args, fmt);
	n = vsnprintf(path, sizeof(path), fmt, args);
	va_end(args);
	if (n < 0 || n >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd.n = openat(root, path, O_RDONLY | O_CLOEXEC);
	if (fd.n < 0)
		return -errno;
	n = read_all(fd.n, ret, size);
	if (n < 0)
		ret[0] = '\0';
	return n;
}

int host_number(int root, const char *path, const char *key, uint64_t *ret)
{
	char text[8192], *at = text, *end;
	int n = host_text(root, text, sizeof(text), "%s", path);
	uint64_t value;

	if (n < 0)
		return n;
	if (key)
		at = strstr(text, key);
	if (!at)
		return -ENOENT;
	at += key ? strlen(key) : 0;
	value = strtoull(at, &end, 10);
	if (end == at)
		return -ENOENT;
	*ret = value;
	return 0;
}
