/* SPDX-License-Identifier: Apache-2.0
 *
 * Attributes, links, files and folders of a host, by a path from the root descriptor.
 *
 * Links in sysfs are relative, so they stay inside the tree that root names.
 */
#include "helpers/host/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "ipc/fd.h"

/* More than any of the kernel's or a distribution's files that are read here; a host with tens of
 * thousands of mounts stays below it. */
static const size_t FILE_MOST = 16 << 20;

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

int attr_number(int root, uint64_t *ret, const char *key, const char *fmt, ...)
{
	char path[PATH_MAX], text[4096], *at = text, *end;
	int r = FORMAT_PATH(path, fmt);
	uint64_t value;

	if (r == 0)
		r = attr_read(root, text, sizeof(text), "%s", path);
	if (r < 0)
		return r;
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
	struct stat st;

	return FORMAT_PATH(path, fmt) == 0 && fstatat(root, path, &st, 0) == 0;
}

/* The rest of a file behind the n bytes that are there, in a buffer that grows. */
static char *text_read(int fd, char *text, size_t room, size_t n)
{
	ssize_t got = text ? read(fd, text + n, room - n - 1) : -1;

	for (; got > 0; got = read(fd, text + n, room - n - 1)) {
		n += (size_t)got;
		if (room - n > 1)
			continue;
		errno = EFBIG;
		char *more = room < FILE_MOST ? realloc(text, room *= 2) : NULL;

		if (!more)
			break;
		text = more;
	}
	if (text && got == 0) {
		text[n] = '\0';
		return text;
	}
	free(text);
	return NULL;
}

char *file_text(int root, const char *fmt, ...)
{
	const size_t room = 16384;
	char path[PATH_MAX];
	fd_owned fd = FD_NONE_INIT;

	errno = ENAMETOOLONG;
	if (FORMAT_PATH(path, fmt) < 0)
		return NULL;
	fd.n = openat(root, path, O_RDONLY | O_CLOEXEC);
	return fd.n < 0 ? NULL : text_read(fd.n, malloc(room), room, 0);
}

int file_has(int root, const char *path, const char *what)
{
	const size_t keep = strlen(what) - 1;
	fd_owned fd = {openat(root, path, O_RDONLY | O_CLOEXEC)};
	char text[4096];
	size_t n = 0;
	ssize_t got;

	if (fd.n < 0)
		return -errno;
	while ((got = read(fd.n, text + n, sizeof(text) - n)) > 0) {
		n += (size_t)got;
		if (memmem(text, n, what, keep + 1))
			return 1;
		if (n > keep)
			memmove(text, text + n - keep, keep);
		n = n > keep ? keep : n;
	}
	return got < 0 ? -errno : 0;
}

int node_stat(int root, struct stat *ret, const char *fmt, ...)
{
	char path[PATH_MAX];
	struct statx stx;
	int r = FORMAT_PATH(path, fmt);

	if (r == 0 && statx(root, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT,
			STATX_TYPE | STATX_MODE | STATX_UID, &stx) < 0)
		r = -errno;
	if (r == 0)
		*ret = (struct stat){.st_mode = stx.stx_mode, .st_uid = stx.stx_uid,
			.st_rdev = makedev(stx.stx_rdev_major, stx.stx_rdev_minor)};
	return r;
}

bool node_may_open(int root, const char *path)
{
	return faccessat(root, path, R_OK | W_OK, AT_EACCESS) == 0;
}

static int not_dotted(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static struct folder read_folder(int root, const char *path)
{
	struct folder folder = {0};

	folder.n = scandirat(root, path, &folder.entries, not_dotted, NULL);
	if (folder.n < 0)
		folder = (struct folder){0};
	return folder;
}

struct folder folder_of(int root, const char *fmt, ...)
{
	char path[PATH_MAX];

	return FORMAT_PATH(path, fmt) < 0 ? (struct folder){0} : read_folder(root, path);
}

/* Where the name belongs among n that are in order. */
static int place_for(struct dirent *const *entries, int n, const char *name)
{
	int low = 0;

	while (low < n) {
		int middle = low + (n - low) / 2;

		if (strcmp(entries[middle]->d_name, name) < 0)
			low = middle + 1;
		else
			n = middle;
	}
	return low;
}

struct folder folder_sorted(int root, const char *fmt, ...)
{
	struct folder folder = {0};
	char path[PATH_MAX];

	if (FORMAT_PATH(path, fmt) == 0)
		folder = read_folder(root, path);
	for (int i = 1; i < folder.n; i++) {
		struct dirent *entry = folder.entries[i];
		int at = place_for(folder.entries, i, entry->d_name);

		memmove(folder.entries + at + 1, folder.entries + at,
			sizeof(entry) * (size_t)(i - at));
		folder.entries[at] = entry;
	}
	return folder;
}

void folder_close(struct folder *folder)
{
	while (folder->n > 0)
		free(folder->entries[--folder->n]);
	free(folder->entries);
	folder->entries = NULL;
}
