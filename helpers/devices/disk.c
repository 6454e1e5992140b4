/* SPDX-License-Identifier: Apache-2.0
 *
 * Does the host run from a disk behind this PCI function? bulkhead-devices.
 *
 * Looked at from the disk: every block device below the function is asked for mounts, swap, and
 * holders (md, dm: LVM, crypt, multipath), and last whether the kernel lets it be opened
 * exclusively, which it does not while anything of those, or a file system of several disks, has
 * it. Mounts that cannot be read count as use.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "helpers/devices/devices.h"
#include "ipc/fd.h"

#define SYS_BLOCK "sys/dev/block"

/* With NVMe multipath the disk is the subsystem's, which links to its controllers. */
static bool subsystem_below(int root, const char *target, const char *part)
{
	const char *at = strstr(target, "/nvme-subsystem/");
	char subsystem[WORD], controller[PATH_MAX];
	struct dirent **names;
	bool found = false;
	int n;

	if (!at || sscanf(at, "/nvme-subsystem/%63[^/]", subsystem) != 1)
		return false;
	n = names_of(root, &names, "sys/class/nvme-subsystem/%s", subsystem);
	for (int i = 0; i < n && !found; i++)
		found = link_read(root, controller, sizeof(controller),
				"sys/class/nvme-subsystem/%s/%s", subsystem,
				names[i]->d_name) == 0 && strstr(controller, part);
	names_free(names, n);
	return found;
}

/* Where is the device number, or the node that source names, mounted? */
static bool mounted(int root, const char *number, char *ret, size_t size)
{
	char *line = NULL, at[16], place[512], source[512];
	size_t room = 0;
	bool found = false;
	struct stat st;
	int fd = openat(root, "proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

	if (!file)
		return snprintf(ret, size, "/proc/self/mountinfo cannot be read") > 0;
	while (!found && getline(&line, &room, file) > 0) {
		const char *rest = strstr(line, " - ");

		if (!rest || sscanf(line, "%*d %*d %15s %*s %511s", at, place) != 2)
			continue;
		found = strcmp(at, number) == 0;
		/* btrfs and its like mount under a number that is no disk's. */
		if (!found && sscanf(rest, " - %*s /%511s", source) == 1 &&
			fstatat(root, source, &st, 0) == 0 && S_ISBLK(st.st_mode)) {
			snprintf(at, sizeof(at), "%u:%u", major(st.st_rdev), minor(st.st_rdev));
			found = strcmp(at, number) == 0;
		}
	}
	if (found)
		snprintf(ret, size, "mounted on %.200s", place);
	free(line);
	fclose(file);
	return found;
}

static bool swapped_to(int root, const char *disk, const char *number)
{
	char text[4096], name[512], at[16];
	struct stat st;

	if (attr_read(root, text, sizeof(text), "proc/swaps") <= 0)
		return false;
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (sscanf(line, "/%511s", name) != 1)
			continue;
		if (strncmp(name, "dev/", 4) == 0 && strcmp(name + 4, disk) == 0)
			return true;
		if (fstatat(root, name, &st, 0) < 0 || !S_ISBLK(st.st_mode))
			continue;
		snprintf(at, sizeof(at), "%u:%u", major(st.st_rdev), minor(st.st_rdev));
		if (strcmp(at, number) == 0)
			return true;
	}
	return false;
}

static bool held(int root, const char *number, char *ret, size_t size)
{
	struct dirent **names;
	int n = names_of(root, &names, SYS_BLOCK "/%s/holders", number);
	char where[256] = "", holder[16];

	if (n > 0) {
		attr_read(root, holder, sizeof(holder), SYS_BLOCK "/%s/holders/%s/dev", number,
			names[0]->d_name);
		if (holder[0])
			mounted(root, holder, where, sizeof(where));
		snprintf(ret, size, "part of %.32s%s%s", names[0]->d_name, where[0] ? ", " : "",
			where);
	}
	names_free(names, n);
	return n > 0;
}

/* The kernel's own answer, open(2): O_EXCL on a block device fails with EBUSY while it is used. */
static bool claimed(int root, const char *disk)
{
	char path[WORD];
	fd_owned fd = FD_NONE_INIT;

	snprintf(path, sizeof(path), "dev/%.32s", disk); /* include/linux/blkdev.h, DISK_NAME_LEN */
	fd.n = openat(root, path, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC);
	return fd.n < 0 && errno == EBUSY;
}

static bool below(int root, const char *target, const char *bdf)
{
	char part[WORD];

	snprintf(part, sizeof(part), "/%s/", bdf);
	return strstr(target, part) || subsystem_below(root, target, part);
}

/* named: uses that have a name. Otherwise the kernel's answer, which a used partition gives for its
 * whole disk too and which therefore comes last. */
static bool used(int root, const char *disk, const char *number, bool named, char *ret, size_t size)
{
	if (!named) {
		snprintf(ret, size, "claimed (a file system of several disks, or a program)");
		return claimed(root, disk);
	}
	if (mounted(root, number, ret, size) || held(root, number, ret, size))
		return true;
	snprintf(ret, size, "swap");
	return swapped_to(root, disk, number);
}

bool disk_in_use(int root, const char *bdf, char *ret, size_t size)
{
	char target[PATH_MAX], how[320];
	struct dirent **numbers;
	bool found = false;
	int n = names_of(root, &numbers, SYS_BLOCK);

	for (int i = 0; i < 2 * n && !found; i++) {
		const char *number = numbers[i % n]->d_name, *disk;

		if (link_read(root, target, sizeof(target), SYS_BLOCK "/%s", number) < 0)
			continue;
		disk = strrchr(target, '/') ? strrchr(target, '/') + 1 : target;
		found = below(root, target, bdf) &&
			used(root, disk, number, i < n, how, sizeof(how));
		if (found)
			snprintf(ret, size, "the host uses its disk: %.64s is %s", disk, how);
	}
	names_free(numbers, n);
	return found;
}
