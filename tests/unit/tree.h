/* SPDX-License-Identifier: Apache-2.0
 *
 * A tree of files that looks like a host's /sys, /proc and /dev to who is given its root.
 *
 * Test processes, one thread. Made in a temporary folder, removed by tree_remove.
 */
#pragma once

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char tree_path[64];
static int tree = -1; /* the root, for what is tested */

static inline void tree_make(void)
{
	strcpy(tree_path, "/tmp/bulkhead-tree.XXXXXX");
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
	int fd;

	tree_dirs(path);
	fd = openat(tree, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
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
	tree_dirs(path);
	unlinkat(tree, path, 0);
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

/* A disk, or a partition of one, behind a function. */
static inline void tree_block(const char *bdf, const char *name, const char *number)
{
	char path[128], target[160];

	snprintf(path, sizeof(path), "sys/devices/pci0000:00/%s/nvme/nvme0/%s/dev", bdf, name);
	tree_file(path, number);
	snprintf(path, sizeof(path), "sys/dev/block/%s", number);
	snprintf(target, sizeof(target), "../../devices/pci0000:00/%s/nvme/nvme0/%s", bdf, name);
	tree_link(path, target);
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
