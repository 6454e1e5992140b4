/* SPDX-License-Identifier: Apache-2.0
 *
 * What writes the world down (world.h): world_tree.c, world_disks.c and world_files.c among themselves.
 */
#pragma once

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/world.h"

/* Paths and links' texts, put together in `path` and `target` of the file that says them. */
#define AT(...) (snprintf(path, sizeof(path), __VA_ARGS__), path)
#define TO(...) (snprintf(target, sizeof(target), __VA_ARGS__), target)

/* world_files.c */
const char *text_of(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void put_file(const char *at, const char *text);
void put_link(const char *at, const char *to);
/* A node and where it is in sysfs. node: NULL, it is not in this /dev. */
void put_node(const char *node, char kind, const char *number, const char *at, unsigned mode,
	const char *how);
/* A process has it open, from whichever /dev. */
void put_opener(char kind, const char *number);

/* world_disks.c */
void put_disks(void);
