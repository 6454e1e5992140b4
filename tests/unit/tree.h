/* SPDX-License-Identifier: Apache-2.0
 *
 * A tree of files that looks like a host's /sys, /proc and /dev to who is given its root.
 *
 * Test processes, one thread. Made in a temporary folder, in memory where there is one, and
 * removed by tree_remove. Nodes are files that say so (nodes.h).
 */
#pragma once

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/nodes.h"

static char tree_path[64];
static int tree = -1; /* the root, for what is tested */

static inline void tree_make(void)
{
	strcpy(tree_path, access("/dev/shm", W_OK) == 0 ? "/dev/shm/bulkhead-tree.XXXXXX"
							: "/tmp/bulkhead-tree.XXXXXX");
	cr_assert(mkdtemp(tree_path));
	tree = open(tree_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(tree, 0);
}

static inline int tree_remove_one(const char *path, const struct stat *st, int kind,
	struct FTW *ftw)
{
	(void)st, (void)kind, (void)ftw;
	return remove(path);
}

static inline void tree_remove(void)
{
	nftw(tree_path, tree_remove_one, 16, FTW_DEPTH | FTW_PHYS);
	close(tree);
}

static inline void tree_dirs(const char *path)
{
	char part[256];

	for (const char *at = strchr(path, '/'); at; at = strchr(at + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(at - path), path);
		mkdirat(tree, part, 0755);
	}
}

static inline void tree_bytes(const char *path, const void *bytes, size_t n)
{
	int fd = openat(tree, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0) {
		tree_dirs(path);
		fd = openat(tree, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	}
	cr_assert_geq(fd, 0, "%s", path);
	cr_assert_eq(write(fd, bytes, n), (ssize_t)n);
	close(fd);
}

static inline void tree_file(const char *path, const char *text)
{
	tree_bytes(path, text, strlen(text));
}

static inline void tree_link(const char *path, const char *target)
{
	unlinkat(tree, path, 0);
	if (symlinkat(target, tree, path) == 0)
		return;
	tree_dirs(path);
	cr_assert_eq(symlinkat(target, tree, path), 0, "%s", path);
}

static inline const char *tree_text(const char *path)
{
	static char text[512];
	int fd = openat(tree, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	cr_assert_geq(fd, 0, "%s", path);
	text[n] = '\0';
	close(fd);
	return text;
}

/* A PCI function on a driver (NULL: none) in a group (-1: none), with a plain header. */
static inline void tree_function(const char *bdf, const char *driver, int group)
{
	char path[128], target[128];
	static uint8_t config[256];

#define AT(...) (snprintf(path, sizeof(path), __VA_ARGS__), path)
	tree_bytes(AT("sys/devices/pci0000:00/%s/config", bdf), config, sizeof(config));
	tree_file(AT("sys/devices/pci0000:00/%s/vendor", bdf), "0x1b36\n");
	tree_file(AT("sys/devices/pci0000:00/%s/device", bdf), "0x0010\n");
	tree_file(AT("sys/devices/pci0000:00/%s/class", bdf), "0x010802\n");
	tree_file(AT("sys/devices/pci0000:00/%s/driver_override", bdf), "(null)\n");
	snprintf(target, sizeof(target), "../../../devices/pci0000:00/%s", bdf);
	tree_link(AT("sys/bus/pci/devices/%s", bdf), target);
	if (driver) {
		tree_file(AT("sys/bus/pci/drivers/%s/unbind", driver), "");
		tree_file(AT("sys/bus/pci/drivers/%s/bind", driver), "");
		snprintf(target, sizeof(target), "../../../bus/pci/drivers/%s", driver);
		tree_link(AT("sys/devices/pci0000:00/%s/driver", bdf), target);
	}
	if (group >= 0) {
		snprintf(target, sizeof(target), "../../../kernel/iommu_groups/%d", group);
		tree_link(AT("sys/devices/pci0000:00/%s/iommu_group", bdf), target);
		snprintf(target, sizeof(target), "../../../../devices/pci0000:00/%s", bdf);
		tree_link(AT("sys/kernel/iommu_groups/%d/devices/%s", group, bdf), target);
	}
#undef AT
}

/* A node in /dev, and where it is in sysfs (below /sys/devices; its name is the last component). */
static inline void tree_node(const char *node, char kind, const char *number, const char *at)
{
	char path[256], text[300];

	snprintf(text, sizeof(text), "node %c %s 0600", kind, number);
	tree_file(node, text);
	snprintf(path, sizeof(path), "sys/devices/%s/dev", at);
	tree_file(path, number);
	snprintf(path, sizeof(path), "sys/dev/%s/%s", kind == 'b' ? "block" : "char", number);
	snprintf(text, sizeof(text), "../../devices/%s", at);
	tree_link(path, text);
	snprintf(path, sizeof(path), "sys/devices/%s/uevent", at);
	snprintf(text, sizeof(text), "DEVNAME=%s\n", node + strlen("dev/"));
	tree_file(path, text);
}

/* A disk, or a partition of one, behind a function. */
static inline void tree_block(const char *bdf, const char *name, const char *number)
{
	char at[128], path[160], node[64];

	snprintf(at, sizeof(at), "pci0000:00/%s/nvme/nvme0/%s", bdf, name);
	snprintf(node, sizeof(node), "dev/%s", name);
	tree_node(node, 'b', number, at);
	if (!strchr(name, 'p'))
		return;
	snprintf(path, sizeof(path), "sys/devices/%s/partition", at);
	tree_file(path, "1\n");
}

/* A process that has a node open. */
static inline void tree_opener(int pid, const char *comm, const char *node)
{
	char path[64], text[128];

	snprintf(path, sizeof(path), "proc/%d/comm", pid);
	snprintf(text, sizeof(text), "%s\n", comm);
	tree_file(path, text);
	snprintf(path, sizeof(path), "proc/%d/fd/9", pid);
	snprintf(text, sizeof(text), "../../../%s", node);
	tree_link(path, text);
}

/* A function's VFIO group, and its own node where the kernel has them (cdev: vfio0, or NULL). */
static inline void tree_vfio(const char *bdf, int group, const char *cdev)
{
	char path[160], at[128], number[16];

	tree_node("dev/vfio/vfio", 'c', "10:196", "virtual/misc/vfio");
	snprintf(path, sizeof(path), "dev/vfio/%d", group);
	snprintf(number, sizeof(number), "243:%d", group);
	snprintf(at, sizeof(at), "virtual/vfio/%d", group);
	tree_node(path, 'c', number, at);
	if (!cdev) {
		snprintf(path, sizeof(path), "sys/devices/pci0000:00/%s/vfio-dev/vfio0/uevent", bdf);
		tree_file(path, "");
		return;
	}
	tree_node("dev/iommu", 'c', "10:125", "virtual/misc/iommu");
	snprintf(path, sizeof(path), "dev/vfio/devices/%s", cdev);
	snprintf(number, sizeof(number), "511:%s", cdev + strlen("vfio"));
	snprintf(at, sizeof(at), "pci0000:00/%s/vfio-dev/%s", bdf, cdev);
	tree_node(path, 'c', number, at);
}

/* What every host has: an empty routing table, no mounts of interest, remapped interrupts. */
static inline void tree_host(void)
{
	tree_make();
	tree_file("proc/self/mountinfo", "22 1 0:21 / / rw - tmpfs tmpfs rw\n");
	tree_file("proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n");
	tree_file("proc/interrupts", "  24:  0  0  IR-PCI-MSI 1-edge  nvme0q0\n");
	tree_file("sys/bus/pci/drivers_probe", "");
	tree_file("sys/bus/pci/drivers/vfio-pci/unbind", "");
	tree_file("run/utmp", "");
}
