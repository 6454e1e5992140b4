/* SPDX-License-Identifier: Apache-2.0
 *
 * What the host's /proc and /sys say, read under a root that a test can choose.
 *
 * Core process, main thread, before it is confined: with the operator's rights.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The host's own root, or -1; the caller's to close. */
int host_root(void);

/* The file's first size - 1 bytes, without the last newline. Its length, or -errno and "". */
int host_text(int root, char *ret, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* The number behind `key` ("MemFree:"), or the file's first, key NULL. 0, -errno; -ENOENT: none. */
int host_number(int root, const char *path, const char *key, uint64_t *ret);
