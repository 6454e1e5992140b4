/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a device is below /sys/devices, and what else is of it.
 *
 * Links are compared by whole components from /sys/devices on, so that no name given by somebody
 * (vDPA devices, volumes) is taken for a device's. What is stacked (volumes of volumes) is followed
 * to a bound.
 */
#include "helpers/host/uses.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

enum { STACK_MAX = 8 /* a volume, on crypt, on RAID, on multipath, on a partition, and to spare */ };

/* A link of sysfs without what leads up to /sys/devices. */
static const char *from_devices(const char *target)
{
	while (strncmp(target, "../", 3) == 0)
		target += 3;
	return strncmp(target, "devices/", 8) == 0 ? target + 8 : target;
}

int place_read(int root, struct place *ret, const char *fmt, ...)
{
	char path[256], target[PATH_MAX];
	va_list args;
	int r;

	va_start(args, fmt);
	vsnprintf(path, sizeof(path), fmt, args);
	va_end(args);
	r = link_read(root, target, sizeof(target), "%s", path);
	strcpy(ret->path, r < 0 ? "" : from_devices(target));
	return r;
}

bool place_has(const struct place *place, const char *target)
{
	size_t n = strlen(place->path);

	target = from_devices(target);
	return n && strncmp(target, place->path, n) == 0 && (!target[n] || target[n] == '/');
}

/* With NVMe multipath the disk is the subsystem's, which links to its controllers. */
static bool subsystem_of(int root, const struct place *place, const char *target)
{
	const char *at = strstr(target, "/nvme-subsystem/");
	char subsystem[WORD], controller[PATH_MAX];

	if (!at || sscanf(at, "/nvme-subsystem/%63[^/]", subsystem) != 1)
		return false;
	folder_owned links = folder_of(root, "sys/class/nvme-subsystem/%s", subsystem);

	for (int i = 0; i < links.n; i++)
		if (link_read(root, controller, sizeof(controller),
				"sys/class/nvme-subsystem/%s/%s", subsystem,
				links.entries[i]->d_name) == 0 && place_has(place, controller))
			return true;
	return false;
}

static bool stacked(int root, const struct place *place, const char *number, unsigned depth,
	char ret[static WORD]);

bool block_number(int root, const char *path, char ret[static 24])
{
	struct stat st;

	path += strspn(path, "/");
	if (strncmp(path, "dev/", 4) != 0 || node_stat(root, &st, "%s", path) < 0 ||
		!S_ISBLK(st.st_mode))
		return false;
	snprintf(ret, 24, "%u:%u", major(st.st_rdev), minor(st.st_rdev));
	return true;
}

/* A file that a loop device is made of may be a block device. */
static bool loop_of(int root, const struct place *place, const char *number, unsigned depth,
	char ret[static WORD])
{
	char file[PATH_MAX], below[24];

	return attr_read(root, file, sizeof(file), "sys/dev/block/%s/loop/backing_file", number) > 0 &&
		block_number(root, file, below) && stacked(root, place, below, depth, ret);
}

static bool stacked(int root, const struct place *place, const char *number, unsigned depth,
	char ret[static WORD])
{
	char target[PATH_MAX], below[24];
	const char *whole;

	if (depth > STACK_MAX ||
		link_read(root, target, sizeof(target), "sys/dev/block/%s", number) < 0)
		return false;
	if (place_has(place, target) || subsystem_of(root, place, target)) {
		snprintf(ret, WORD, "%.63s", strrchr(target, '/') ? strrchr(target, '/') + 1 : target);
		return true;
	}
	whole = is_there(root, "sys/dev/block/%s/partition", number) ? "../" : "";
	folder_owned slaves = folder_of(root, "sys/dev/block/%s/%sslaves", number, whole);

	for (int i = 0; i < slaves.n; i++)
		if (attr_read(root, below, sizeof(below), "sys/dev/block/%s/%sslaves/%s/dev", number,
				whole, slaves.entries[i]->d_name) > 0 &&
			stacked(root, place, below, depth + 1, ret))
			return true;
	if (whole[0] && attr_read(root, below, sizeof(below), "sys/dev/block/%s/../dev", number) > 0)
		return loop_of(root, place, below, depth + 1, ret);
	return loop_of(root, place, number, depth + 1, ret);
}

bool place_has_block(int root, const struct place *place, const char *number, char ret[static WORD])
{
	return stacked(root, place, number, 0, ret);
}

/* NVIDIA's driver has nodes that sysfs knows nothing of: 195, by the GPU's number. */
static bool is_nvidia(int root, const struct place *place, const char *number)
{
	const char *name = strrchr(place->path, '/') ? strrchr(place->path, '/') + 1 : place->path;
	text_owned text = file_text(root, "proc/driver/nvidia/gpus/%s/information", name);
	const char *at = text ? strstr(text, "Device Minor:") : NULL;

	return at && strtoul(at + 13, NULL, 10) == strtoul(number + 4, NULL, 10);
}

/* A group's node is of all devices in it that VFIO has, and of those they were made from (mdev). */
static bool group_has(int root, const struct place *place, const char *group)
{
	folder_owned members = folder_of(root, SYS_GROUPS "/%s/devices", group);
	char target[PATH_MAX], driver[WORD];

	for (int i = 0; i < members.n; i++) {
		const char *name = members.entries[i]->d_name;

		if (link_read(root, target, sizeof(target), SYS_GROUPS "/%s/devices/%s", group,
				name) < 0 || !place_has(place, target))
			continue;
		link_name(root, driver, sizeof(driver), SYS_GROUPS "/%s/devices/%s/driver", group,
			name);
		if (strcmp(driver, "vfio-pci") == 0 ||
			is_there(root, SYS_GROUPS "/%s/devices/%s/vfio-dev", group, name))
			return true;
	}
	return false;
}

bool place_has_open(int root, const struct place *place, const struct opener *opener)
{
	const char *group = strstr(opener->at, "/virtual/vfio/");
	char disk[WORD];

	if (opener->block)
		return place_has_block(root, place, opener->number, disk);
	if (group) {
		group += strlen("/virtual/vfio/");
		group += strncmp(group, "noiommu-", 8) == 0 ? 8 : 0; /* vfio_create_group */
		return group_has(root, place, group);
	}
	if (strncmp(opener->number, "195:", 4) == 0)
		return is_nvidia(root, place, opener->number);
	return place_has(place, opener->at) || subsystem_of(root, place, opener->at);
}
