/* SPDX-License-Identifier: Apache-2.0
 *
 * Does the host use a disk of this device?
 *
 * Looked at from above: mounts, swap, descriptors, exports and volumes are followed down to their
 * disks, so that what is named is what has to end first, and «/» before all others. Last comes the
 * kernel's own answer, where the caller can ask for it: a disk that is claimed by a file system of
 * several disks, by ZFS, or in another mount namespace is seen by nothing else. Mounts that cannot
 * be read count as use.
 */
#include "helpers/host/uses.h"

#include <stdio.h>
#include <string.h>

/* The number of the block device at a path; "" for what is none. */
static void number_of(int root, const char *path, char ret[static 24])
{
	ret[0] = '\0';
	path += strspn(path, "/");
	if (!block_number(root, path, ret) && strncmp(path, "dev/", 4) == 0 &&
		!strchr(path + 4, '/'))
		attr_read(root, ret, 24, "sys/class/block/%s/dev", path + 4);
}

static bool has_path(int root, const struct place *place, const char *path, char ret[static WORD])
{
	char number[24];

	number_of(root, path, number);
	return number[0] && place_has_block(root, place, number, ret);
}

/* btrfs mounts under a number that is no disk's, by one disk of its several. */
static bool has_btrfs(int root, const struct place *place, const char *source,
	char ret[static WORD])
{
	char number[24], disk[WORD];

	number_of(root, source, number);
	if (!number[0] || link_name(root, disk, sizeof(disk), "sys/dev/block/%s", number) < 0)
		return false;
	folder_owned systems = folder_of(root, "sys/fs/btrfs");

	for (int i = 0; i < systems.n; i++) {
		const char *id = systems.entries[i]->d_name;

		if (!is_there(root, "sys/fs/btrfs/%s/devices/%s", id, disk))
			continue;
		folder_owned disks = folder_of(root, "sys/fs/btrfs/%s/devices", id);

		for (int k = 0; k < disks.n; k++)
			if (attr_read(root, number, sizeof(number),
					"sys/fs/btrfs/%s/devices/%s/dev", id,
					disks.entries[k]->d_name) > 0 &&
				place_has_block(root, place, number, ret))
				return true;
	}
	return false;
}

/* source: a node, or several with colons between them (bcachefs). */
static bool has_source(int root, const struct place *place, char *source, char ret[static WORD])
{
	for (char *one; (one = strsep(&source, ":"));)
		if (has_path(root, place, one, ret) || has_btrfs(root, place, one, ret))
			return true;
	return false;
}

/* A line of mountinfo (proc_pid_mountinfo(5)): is that mount on the place? */
static bool mount_line(int root, const struct place *place, const char *line, char at[static 512],
	char ret[static WORD])
{
	const char *rest = strstr(line, " - ");
	char number[24], source[512];

	if (!rest || sscanf(line, "%*d %*d %23s %*s %511s", number, at) != 2)
		return false;
	if (place_has_block(root, place, number, ret))
		return true;
	return sscanf(rest, " - %*s %511s", source) == 1 && source[0] == '/' &&
		has_source(root, place, source, ret);
}

static void mounted_on(struct obstacle *ret, const char *disk, const char *at)
{
	char how[200];

	snprintf(how, sizeof(how), "mounted on %.180s", at);
	obstacle_set(ret, OBSTACLE_DISK, disk, how);
	if (strcmp(at, "/") == 0)
		obstacle_advise(ret, ADVICE_NONE, "the host runs from it");
	else if (is_plain(at))
		obstacle_advise(ret, ADVICE_COMMAND, "umount %s", at);
	else
		obstacle_advise(ret, ADVICE_NONE, "unmount it first");
}

static bool mounted(int root, const struct place *place, struct obstacle *ret)
{
	text_owned text = file_text(root, "proc/self/mountinfo");
	char at[512], disk[WORD];
	bool found = false;

	if (!text) {
		obstacle_set(ret, OBSTACLE_DISK, "/proc/self/mountinfo", "");
		obstacle_advise(ret, ADVICE_NONE, "what cannot be seen counts as mounted");
		return true;
	}
	for (char *line, *rest = text; (line = strsep(&rest, "\n"));) {
		if (!mount_line(root, place, line, at, disk))
			continue;
		if (!found || strcmp(at, "/") == 0)
			mounted_on(ret, disk, at);
		found = true;
	}
	return found;
}

static bool swapped_to(int root, const struct place *place, struct obstacle *ret)
{
	text_owned text = file_text(root, "proc/swaps");
	char path[512], disk[WORD];

	for (char *line, *rest = text; (line = strsep(&rest, "\n"));) {
		if (sscanf(line, "/%511s", path) != 1 || !has_path(root, place, path, disk))
			continue;
		obstacle_set(ret, OBSTACLE_DISK, disk, "swap");
		if (is_plain(path))
			obstacle_advise(ret, ADVICE_COMMAND, "swapoff /%s", path);
		else
			obstacle_advise(ret, ADVICE_NONE, "take it out of swap first");
		return true;
	}
	return false;
}

/* By a process, of whatever is made of the disk. */
static bool opened(struct host *host, const struct place *place, struct obstacle *ret)
{
	char how[200];

	if (!place_open(host, place, true, ret))
		return false;
	snprintf(how, sizeof(how), "open in process %.180s", ret->how);
	obstacle_set(ret, OBSTACLE_DISK, ret->thing + strlen("/dev/"), how);
	obstacle_advise(ret, ADVICE_NONE, "that process has to end first");
	return true;
}

#define NVMET "sys/kernel/config/nvmet/subsystems"

static bool exported_as(int root, const struct place *place, const char *system, const char *space,
	struct obstacle *ret)
{
	char path[512], enable[4], disk[WORD];

	attr_read(root, enable, sizeof(enable), NVMET "/%s/namespaces/%s/enable", system, space);
	if (enable[0] != '1' || attr_read(root, path, sizeof(path),
			NVMET "/%s/namespaces/%s/device_path", system, space) <= 0 ||
		!has_path(root, place, path, disk))
		return false;
	obstacle_set(ret, OBSTACLE_DISK, disk, "exported by nvmet");
	if (is_plain(system) && is_plain(space))
		obstacle_advise(ret, ADVICE_COMMAND, "echo 0 >/" NVMET "/%s/namespaces/%s/enable",
			system, space);
	else
		obstacle_advise(ret, ADVICE_NONE, "take it out of the export first");
	return true;
}

/* The kernel's NVMe target opens what it exports, and claims nothing. */
static bool exported(int root, const struct place *place, struct obstacle *ret)
{
	folder_owned systems = folder_of(root, NVMET);

	for (int i = 0; i < systems.n; i++) {
		const char *system = systems.entries[i]->d_name;
		folder_owned spaces = folder_of(root, NVMET "/%s/namespaces", system);

		for (int k = 0; k < spaces.n; k++)
			if (exported_as(root, place, system, spaces.entries[k]->d_name, ret))
				return true;
	}
	return false;
}

static bool is_partition(int root, const char *number)
{
	return is_there(root, "sys/dev/block/%s/partition", number);
}

/* A loop device does not say on its disk that it is made of it; its major number is 7. */
static bool has_loops(int root, const char *number)
{
	folder_owned numbers = folder_of(root, "sys/dev/block");
	struct place self;
	char disk[WORD];

	if (place_read(root, &self, "sys/dev/block/%s", number) < 0)
		return false;
	for (int i = 0; i < numbers.n; i++) {
		const char *loop = numbers.entries[i]->d_name;

		if (strncmp(loop, "7:", 2) == 0 && strcmp(loop, number) != 0 &&
			place_has_block(root, &self, loop, disk))
			return true;
	}
	return false;
}

/* Nothing is made of it, or of a partition of it. */
static bool is_top(int root, const char *number)
{
	folder_owned holders = folder_of(root, "sys/dev/block/%s/holders", number);
	folder_owned inside = folder_of(root, "sys/dev/block/%s", number);

	if (holders.n)
		return false;
	for (int i = 0; i < inside.n; i++) {
		folder_owned held = folder_of(root, "sys/dev/block/%s/%s/holders", number,
			inside.entries[i]->d_name);

		if (held.n)
			return false;
	}
	return !has_loops(root, number);
}

static void part_of(int root, const char *number, const char *volume, const char *disk,
	struct obstacle *ret)
{
	char how[200], name[128];

	snprintf(how, sizeof(how), "part of %s", volume);
	obstacle_set(ret, OBSTACLE_DISK, disk, how);
	attr_read(root, name, sizeof(name), "sys/dev/block/%s/dm/name", number);
	if (name[0] && is_plain(name))
		obstacle_advise(ret, ADVICE_COMMAND, "dmsetup remove %s", name);
	else if (is_there(root, "sys/dev/block/%s/md", number))
		obstacle_advise(ret, ADVICE_COMMAND, "mdadm --stop /dev/%s", volume);
	else if (is_there(root, "sys/dev/block/%s/loop", number))
		obstacle_advise(ret, ADVICE_COMMAND, "losetup -d /dev/%s", volume);
	else
		obstacle_advise(ret, ADVICE_NONE, "take it apart first");
}

static bool is_claimed(const struct host *host, const char *number)
{
	char node[160];

	node_name(host->root, true, number, node, sizeof(node));
	return host->claimed && host->claimed(host, node + strspn(node, "/"));
}

/* A volume, RAID or the like, made of a disk, that nobody is seen to use. */
static bool held(const struct host *host, const struct place *place, struct obstacle *ret)
{
	const int root = host->root;
	folder_owned numbers = folder_of(root, "sys/dev/block");
	char volume[WORD], disk[WORD];

	for (int i = 0; i < numbers.n; i++) {
		const char *number = numbers.entries[i]->d_name;

		if (!place_has_block(root, place, number, disk) ||
			link_name(root, volume, sizeof(volume), "sys/dev/block/%s", number) < 0 ||
			strcmp(volume, disk) == 0 || is_partition(root, number) ||
			!is_top(root, number))
			continue;
		part_of(root, number, volume, disk, ret);
		if (is_claimed(host, number))
			obstacle_advise(ret, ADVICE_NONE, "what uses that has to end first");
		return true;
	}
	return false;
}

static bool each_disk(int root, const struct place *place,
	bool (*each)(void *arg, const char *disk, const char *number), void *arg)
{
	folder_owned numbers = folder_of(root, "sys/dev/block");
	char name[WORD], disk[WORD];
	bool found = false;

	for (int i = 0; i < numbers.n && !found; i++) {
		const char *number = numbers.entries[i]->d_name;

		if (place_has_block(root, place, number, disk) &&
			link_name(root, name, sizeof(name), "sys/dev/block/%s", number) == 0 &&
			strcmp(name, disk) == 0 && !is_partition(root, number))
			found = each(arg, disk, number);
	}
	return found;
}

bool pci_each_disk(int root, const struct function *f,
	bool (*each)(void *arg, const char *disk, const char *number), void *arg)
{
	struct place place;

	return place_read(root, &place, SYS_PCI "/%s", f->name) == 0 &&
		each_disk(root, &place, each, arg);
}

struct claim {
	const struct host *host;
	struct obstacle *ret;
};

static bool disk_claimed(void *arg, const char *disk, const char *number)
{
	const struct claim *claim = arg;

	if (!is_claimed(claim->host, number))
		return false;
	obstacle_set(claim->ret, OBSTACLE_DISK, disk,
		"claimed (by a file system of several disks, or a program)");
	obstacle_advise(claim->ret, ADVICE_NONE, "what uses it has to end first");
	return true;
}

static bool claimed(const struct host *host, const struct place *place, struct obstacle *ret)
{
	struct claim claim = {host, ret};

	return each_disk(host->root, place, disk_claimed, &claim);
}

bool disk_in_use(struct host *host, const struct place *place, struct obstacle *ret)
{
	return mounted(host->root, place, ret) || swapped_to(host->root, place, ret) ||
		opened(host, place, ret) || exported(host->root, place, ret) ||
		held(host, place, ret) || claimed(host, place, ret);
}
