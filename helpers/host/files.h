/* SPDX-License-Identifier: Apache-2.0
 *
 * A host's sysfs, procfs and /dev by a descriptor of its root directory, so that a test can give a
 * tree of its own. Nothing is written, and no device is opened.
 *
 * Paths are printf formats, relative to root; an absolute path is taken as it is.
 */
#pragma once

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { WORD = 64 /* a name in sysfs: bytes with the final 0 */ };

/* An attribute's text without its newline. Its length or -errno. */
int attr_read(int root, char *ret, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* The number behind `key` ("MemFree:") in its first page, or the first there is, key NULL. 0, -errno;
 * -ENOENT: none. */
int attr_number(int root, uint64_t *ret, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Where a symbolic link points. 0 or -errno. */
int link_read(int root, char *ret, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* The last component of that. 0, or -errno with ret empty. */
int link_name(int root, char *ret, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
bool is_there(int root, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A whole file, for free(3) or text_owned; NULL and errno when it cannot be had whole. */
char *file_text(int root, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static inline void text_free(char **text)
{
	free(*text);
}

#define text_owned __attribute__((cleanup(text_free))) char *

/* Is `what` somewhere in it? Reads no further than that. -errno: it cannot be read. */
int file_has(int root, const char *path, const char *what);

/* What a path leads to (its kind, owner and device number), as this host knows it: a file server or
 * FUSE daemon that does not answer is not waited for. And whether this user may open it for reading
 * and writing. */
int node_stat(int root, struct stat *ret, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
bool node_may_open(int root, const char *path);

/* A folder's entries, without the dotted ones; none, when there is no such folder. folder_of: in
 * no order, as a scan wants it; folder_sorted: by name, as a person does. */
struct folder {
	struct dirent **entries;
	int n;
};
struct folder folder_of(int root, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
struct folder folder_sorted(int root, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void folder_close(struct folder *folder);

#define folder_owned __attribute__((cleanup(folder_close))) struct folder
