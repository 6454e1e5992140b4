/* SPDX-License-Identifier: Apache-2.0
 *
 * Who uses a device: the default route, and processes that have its node open. bulkhead-devices.
 */
#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "helpers/devices/devices.h"

enum {
	STACK_MAX = 8, /* a VLAN on a bridge on a bond on a card, and to spare */
	RTF_UP_BIT = 0x1,
	RTF_REJECT_BIT = 0x200,
};

/* Is this interface of the function, or made of one that is? */
static bool interface_below(int root, const char *interface, const char *bdf, unsigned depth)
{
	char target[PATH_MAX], part[WORD];
	struct dirent **names;
	bool found;
	int n;

	snprintf(part, sizeof(part), "/%s/", bdf);
	link_read(root, target, sizeof(target), "sys/class/net/%s", interface);
	if (strstr(target, part))
		return true;
	if (depth == STACK_MAX)
		return false;
	found = false;
	n = names_of(root, &names, "sys/class/net/%s", interface);
	for (int i = 0; i < n && !found; i++)
		if (strncmp(names[i]->d_name, "lower_", 6) == 0)
			found = interface_below(root, names[i]->d_name + 6, bdf, depth + 1);
	names_free(names, n);
	return found;
}

/* One line of /proc/net/route: its interface if it is a default route. */
static bool default_route_4(const char *line, char ret[static 32])
{
	unsigned destination, flags, mask;

	return sscanf(line, "%31s %x %*x %x %*d %*d %*d %x", ret, &destination, &flags,
		       &mask) == 4 && !destination && !mask && (flags & RTF_UP_BIT);
}

/* One line of /proc/net/ipv6_route. Where there is no route, lo has one that rejects. */
static bool default_route_6(const char *line, char ret[static 32])
{
	unsigned prefix, flags;
	char address[33];

	return sscanf(line, "%32s %x %*s %*x %*s %*x %*x %*x %x %31s", address, &prefix, &flags,
		       ret) == 4 && strspn(address, "0") == 32 && prefix == 0 &&
		(flags & RTF_UP_BIT) && !(flags & RTF_REJECT_BIT);
}

bool route_in_use(int root, const char *bdf, char *ret, size_t size)
{
	static const char *const tables[] = {"proc/net/route", "proc/net/ipv6_route"};
	char line[512], interface[32];
	bool found = false;

	for (unsigned i = 0; i < 2 && !found; i++) {
		int fd = openat(root, tables[i], O_RDONLY | O_CLOEXEC);
		FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

		if (!file)
			continue;
		while (!found && fgets(line, sizeof(line), file))
			found = (i ? default_route_6 : default_route_4)(line, interface) &&
				interface_below(root, interface, bdf, 0);
		fclose(file);
	}
	if (found)
		snprintf(ret, size, "the default route goes by it (%s)", interface);
	return found;
}

/* The same node, also when a process has it from another /dev. */
static bool same_node(const struct stat *a, const struct stat *b)
{
	if (S_ISCHR(a->st_mode) && S_ISCHR(b->st_mode))
		return a->st_rdev == b->st_rdev;
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool has_open(int root, const char *pid, const struct stat *node)
{
	struct dirent **fds;
	char path[PATH_MAX];
	struct stat st;
	bool found = false;
	int n = names_of(root, &fds, "proc/%s/fd", pid);

	for (int i = 0; i < n && !found; i++) {
		snprintf(path, sizeof(path), "proc/%s/fd/%s", pid, fds[i]->d_name);
		found = fstatat(root, path, &st, 0) == 0 && same_node(&st, node);
	}
	names_free(fds, n);
	return found;
}

pid_t node_user(int root, const char *node, char *ret_comm, size_t size)
{
	struct dirent **pids;
	struct stat st;
	pid_t found = 0;
	int n;

	if (fstatat(root, node, &st, 0) < 0)
		return 0;
	n = names_of(root, &pids, "proc");
	for (int i = 0; i < n && !found; i++) {
		if (!isdigit((unsigned char)pids[i]->d_name[0]) ||
			!has_open(root, pids[i]->d_name, &st))
			continue;
		found = atoi(pids[i]->d_name);
		attr_read(root, ret_comm, size, "proc/%s/comm", pids[i]->d_name);
	}
	names_free(pids, n);
	return found;
}

pid_t vfio_user(int root, const struct function *f, char *ret_comm, size_t size)
{
	char node[PATH_MAX];
	struct dirent **names;
	pid_t pid;
	int n;

	snprintf(node, sizeof(node), "dev/vfio/%d", f->group);
	pid = node_user(root, node, ret_comm, size);
	n = names_of(root, &names, SYS_PCI "/%s/vfio-dev", f->name);
	for (int i = 0; i < n && !pid; i++) {
		snprintf(node, sizeof(node), "dev/vfio/devices/%s", names[i]->d_name);
		pid = node_user(root, node, ret_comm, size);
	}
	names_free(names, n);
	return pid;
}
