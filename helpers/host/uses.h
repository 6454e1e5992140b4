/* SPDX-License-Identifier: Apache-2.0
 *
 * What the host uses of a device, by kind: the files of this folder among themselves.
 *
 * A device is named by its place: where it is below /sys/devices. What lies further down is of it.
 */
#pragma once

#include <limits.h>

#include "helpers/host/host.h"

struct place {
	char path[PATH_MAX]; /* pci0000:00/0000:00:10.0 */
};

/* place.c */
int place_read(int root, struct place *ret, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Is this, a link's text, the place or below it? */
bool place_has(const struct place *place, const char *target);
/* Is the block device MAJOR:MINOR of the place, or made of one that is (partition, md, dm, loop,
 * NVMe multipath)? The disk, or the partition of it, in ret. */
bool place_has_block(int root, const struct place *place, const char *number, char ret[static WORD]);
/* The number of the block device at a path that somebody has given. Below /dev alone: the way to
 * another place may lead over a server that does not answer. */
bool block_number(int root, const char *path, char ret[static 24]);
/* Is the node a process has open? */
bool place_has_open(int root, const struct place *place, const struct opener *opener);

/* Each: does the host use such a thing of the place? Fills all but `of`. */
bool disk_in_use(struct host *host, const struct place *place, struct obstacle *ret);
bool network_in_use(struct host *host, const struct place *place, struct obstacle *ret);
/* name: the PCI function, NULL: none. */
bool console_in_use(struct host *host, const struct place *place, const char *name,
	struct obstacle *ret);
/* The boot framebuffer in a BAR of the function. */
bool framebuffer_in_bar(int root, const char *name, struct obstacle *ret);

/* open.c: the openers of the host, looked for at the first call. */
void openers_look(struct host *host);
/* The first who has a node of the place open, block devices among them or not; the process and the
 * node as people know them. */
bool place_open(struct host *host, const struct place *place, bool block, struct obstacle *ret);
/* «77 (qemu)» */
void process_name(int root, pid_t pid, char *ret, size_t size);

/* obstacle.c */
void obstacle_set(struct obstacle *ret, enum obstacle_kind kind, const char *thing, const char *how);
/* May it stand in a command as it is? Names come from operators, containers and USB sticks. */
bool is_plain(const char *text);
void obstacle_advise(struct obstacle *ret, enum advice advice, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* One more in the verdict, about the device `of`; one that was found. */
struct obstacle *verdict_add(struct verdict *verdict, const char *of, enum obstacle_kind kind,
	const char *thing, const char *how);
void verdict_add_found(struct verdict *verdict, const char *of, const struct obstacle *found);

/* way.c */
void way_check_remapping(int root, const struct function *f, struct verdict *ret);
void way_check_nodes(int root, const struct function *f, unsigned how, struct verdict *ret);
void way_check_node(int root, const char *of, const char *node, struct verdict *ret);
