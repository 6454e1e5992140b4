/* SPDX-License-Identifier: Apache-2.0
 *
 * Device nodes of a made tree: files that say what they are, «node c 511:0 0600», and how the kernel
 * takes who opens them: «busy» (EBUSY), «claimed» (EBUSY to who wants it exclusively). Test
 * processes; statx, fstat, openat and faccessat are doubles that know them (nodes.c).
 */
#pragma once

#include <stdbool.h>

/* May we open every node, whatever its mode? */
extern bool nodes_as_root;
/* Of the last node opened for reading and writing: its number. Empty: none was. */
extern char nodes_opened[32];
