/* SPDX-License-Identifier: Apache-2.0
 *
 * Does the host use a network interface of this device?
 *
 * Any that is up, or part of another, counts: what else goes by it (a root file system, storage, a
 * tunnel that has the default route, other VMs' bridge) shows in no table that could be asked. The
 * tables are read for the words, and for whether taking it down is something to advise. An interface
 * in another network namespace cannot be seen from here; the empty folder it left can.
 */
#include "helpers/host/uses.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SYS_NET "sys/class/net"

enum {
	STACK_MAX = 8, /* a VLAN on a bridge on a bond on a card, and to spare */
	FOLDERS_DEEP = 12,
	IFF_UP_BIT = 0x1,
	RTF_UP_BIT = 0x1,
	RTF_REJECT_BIT = 0x200,
};

/* Is interface `upper` this one, or made of it? */
static bool made_of(int root, const char *upper, const char *interface, unsigned depth)
{
	if (strcmp(upper, interface) == 0)
		return true;
	if (depth == STACK_MAX)
		return false;
	folder_owned entries = folder_of(root, SYS_NET "/%s", upper);

	for (int i = 0; i < entries.n; i++)
		if (strncmp(entries.entries[i]->d_name, "lower_", 6) == 0 &&
			made_of(root, entries.entries[i]->d_name + 6, interface, depth + 1))
			return true;
	return false;
}

/* A line of /proc/net/route: 2 for a default route, 1 for another, 0. */
static int route_4(const char *line, char ret[static 32])
{
	unsigned destination, flags, mask;

	if (sscanf(line, "%31s %x %*x %x %*d %*d %*d %x", ret, &destination, &flags, &mask) != 4 ||
		!(flags & RTF_UP_BIT) || flags & RTF_REJECT_BIT)
		return 0;
	return destination || mask ? 1 : 2;
}

/* A line of /proc/net/ipv6_route. Where there is no route, lo has one that rejects; each interface
 * that is up has those of the link (fe80::) and of multicast (ff00::). */
static int route_6(const char *line, char ret[static 32])
{
	unsigned prefix, flags;
	char address[33];

	if (sscanf(line, "%32s %x %*s %*x %*s %*x %*x %*x %x %31s", address, &prefix, &flags,
		    ret) != 4 || !(flags & RTF_UP_BIT) || flags & RTF_REJECT_BIT ||
		strncmp(address, "fe80", 4) == 0 || strncmp(address, "ff", 2) == 0)
		return 0;
	return strspn(address, "0") == 32 && prefix == 0 ? 2 : 1;
}

/* The weightiest route by the interface, and who has it. A table too large to read is a router's. */
static int route_by(int root, const char *interface, char ret[static 32])
{
	static const char *const tables[] = {"proc/net/route", "proc/net/ipv6_route"};
	char by[32], other[32] = "";
	int most = 0;

	for (unsigned i = 0; i < 2; i++) {
		text_owned text = file_text(root, "%s", tables[i]);

		if (!text && errno == EFBIG)
			most = 2, strcpy(ret, "?");
		for (char *line, *rest = text; (line = strsep(&rest, "\n"));) {
			int weight = (i ? route_6 : route_4)(line, by);

			if (weight <= most || strcmp(by, other) == 0)
				continue;
			if (made_of(root, by, interface, 0)) {
				most = weight;
				memcpy(ret, by, sizeof(by));
			} else {
				memcpy(other, by, sizeof(by));
			}
		}
	}
	return most;
}

/* What it is part of: a bridge, a bond, Open vSwitch; or what is made of it: VLAN, macvtap. */
static bool part_of(int root, const char *interface, char ret[static WORD])
{
	if (link_name(root, ret, WORD, SYS_NET "/%s/master", interface) == 0)
		return true;
	folder_owned entries = folder_of(root, SYS_NET "/%s", interface);

	for (int i = 0; i < entries.n; i++) {
		if (strncmp(entries.entries[i]->d_name, "upper_", 6) != 0)
			continue;
		snprintf(ret, WORD, "%.63s", entries.entries[i]->d_name + 6);
		return true;
	}
	return false;
}

static bool is_up(int root, const char *interface)
{
	char flags[16];

	attr_read(root, flags, sizeof(flags), SYS_NET "/%s/flags", interface);
	return strtoul(flags, NULL, 16) & IFF_UP_BIT;
}

/* How much the host would miss it: 0 not at all, 1 it is merely up, and more. */
static int use_of(int root, const char *interface, struct obstacle *ret)
{
	char by[32] = "", other[WORD], how[128];
	const bool up = is_up(root, interface), part = part_of(root, interface, other);
	const int route = up ? route_by(root, interface, by) : 0;

	if (!up && !part)
		return 0;
	if (route)
		snprintf(how, sizeof(how), "%s goes by it (%s)",
			route == 2 ? "the default route" : "a route", by);
	else if (part)
		snprintf(how, sizeof(how), "it is part of %s", other);
	else
		snprintf(how, sizeof(how), "it is up");
	obstacle_set(ret, OBSTACLE_NETWORK, interface, how);
	if (route || part)
		obstacle_advise(ret, ADVICE_NONE, "the host would lose that");
	else if (!is_plain(interface))
		obstacle_advise(ret, ADVICE_NONE, "take it down first");
	else
		obstacle_advise(ret, ADVICE_COMMAND, "ip link set dev %s down", interface);
	return route ? 2 + route : 1 + part;
}

/* A folder in the folder at `path` that may have a device in it; its path. */
static bool is_inside(const char *path, const struct dirent *entry, char ret[static PATH_MAX])
{
	static const char *const leaves[] = {"power", "msi_irqs", "queues", "statistics", "block"};

	for (unsigned i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++)
		if (strcmp(entry->d_name, leaves[i]) == 0)
			return false;
	return entry->d_type == DT_DIR &&
		snprintf(ret, PATH_MAX, "%s/%s", path, entry->d_name) < PATH_MAX;
}

/* A folder named net without anything in it, here or below. */
static bool hidden_below(int root, const char *path, unsigned depth)
{
	folder_owned folder = folder_of(root, "%s", path);
	char below[PATH_MAX];

	for (int i = 0; i < folder.n && depth < FOLDERS_DEEP; i++) {
		if (!is_inside(path, folder.entries[i], below))
			continue;
		if (strcmp(folder.entries[i]->d_name, "net") != 0) {
			if (hidden_below(root, below, depth + 1))
				return true;
			continue;
		}
		folder_owned interfaces = folder_of(root, "%s", below);

		if (!interfaces.n)
			return true;
	}
	return false;
}

bool network_in_use(struct host *host, const struct place *place, struct obstacle *ret)
{
	folder_owned interfaces = folder_of(host->root, SYS_NET);
	char target[PATH_MAX], path[PATH_MAX + 16];
	struct obstacle one = *ret;
	int most = 0;

	for (int i = 0; i < interfaces.n; i++) {
		const char *name = interfaces.entries[i]->d_name;
		int use = 0;

		if (link_read(host->root, target, sizeof(target), SYS_NET "/%s", name) == 0 &&
			place_has(place, target))
			use = use_of(host->root, name, &one);
		if (use > most) {
			most = use;
			*ret = one;
		}
	}
	snprintf(path, sizeof(path), "sys/devices/%s", place->path);
	if (most || !place->path[0] || !hidden_below(host->root, path, 0))
		return most;
	obstacle_set(ret, OBSTACLE_NETWORK, "", "it is in another network namespace");
	obstacle_advise(ret, ADVICE_NONE, "the container that has it would lose it");
	return true;
}
