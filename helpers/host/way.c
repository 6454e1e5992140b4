/* SPDX-License-Identifier: Apache-2.0
 *
 * The way to a device that VFIO has: its interrupts remapped, its node there, ours to open, and free.
 */
#include "helpers/host/uses.h"

#include <stdio.h>
#include <string.h>

/* The interrupt controllers of a host that remaps are called IR-something. What cannot be read does
 * not show it either. */
void way_check_remapping(int root, const struct function *f, struct verdict *ret)
{
	struct obstacle *o;

	if (file_has(root, "proc/interrupts", " IR-") > 0)
		return;
	o = verdict_add(ret, f->name, OBSTACLE_NO_REMAPPING, "", "");
	obstacle_advise(o, ADVICE_SETTING, "enable it in the firmware (VT-d, AMD-Vi, x2APIC) and boot "
		"the host without `intremap=off`");
}

static bool used(struct host *host, const struct function *f, struct obstacle *ret)
{
	struct place place;

	if (!f->vfio || place_read(host->root, &place, SYS_PCI "/%s", f->name) < 0 ||
		!place_open(host, &place, false, ret))
		return false;
	ret->kind = OBSTACLE_USED;
	obstacle_advise(ret, ADVICE_NONE, "that has to end first");
	return true;
}

bool take_used(struct host *host, const struct function *f, struct obstacle *ret)
{
	folder_owned members = folder_of(host->root, SYS_GROUPS "/%d/devices", f->group);
	bool found = used(host, f, ret); /* it may have no group: enable_unsafe_noiommu_mode */
	struct function m;

	for (int i = 0; i < members.n && !found; i++)
		found = pci_read(host->root, members.entries[i]->d_name, &m, NULL) == 0 &&
			used(host, &m, ret);
	return found;
}

static void add_no_node(const char *of, const char *node, const char *setting, struct verdict *ret)
{
	obstacle_advise(verdict_add(ret, of, OBSTACLE_NO_NODE, node, ""), ADVICE_SETTING, "%s",
		setting);
}

/* May this user open the node? Otherwise the reason and what gives the right. */
void way_check_node(int root, const char *of, const char *node, struct verdict *ret)
{
	struct stat st;
	char how[64];

	if (node_stat(root, &st, "%s", node + 1) < 0) {
		add_no_node(of, node, strcmp(node, "/dev/iommu") == 0
			? "load iommufd, or run a kernel with CONFIG_IOMMUFD, or give "
			  "--platform iommufd=off"
			: "load vfio-pci, and see that /dev is the host's", ret);
	} else if (!node_may_open(root, node + 1)) {
		snprintf(how, sizeof(how), "uid %u, mode %04o", st.st_uid, st.st_mode & 07777);
		obstacle_advise(verdict_add(ret, of, OBSTACLE_NO_RIGHT, node, how), ADVICE_COMMAND,
			"sudo chown $USER %s", node);
	}
}

static void add_iommufd_nodes(int root, const struct function *f, struct verdict *ret)
{
	char node[WORD + 24];

	way_check_node(root, f->name, "/dev/iommu", ret);
	snprintf(node, sizeof(node), "/dev/vfio/devices/%s", f->cdev);
	if (f->cdev[0])
		way_check_node(root, f->name, node, ret);
	else
		add_no_node(f->name, "its node in /dev/vfio/devices", "run a kernel with "
			"CONFIG_VFIO_DEVICE_CDEV (Linux 6.6), or give --platform iommufd=off", ret);
}

static void add_type1_nodes(int root, const struct function *f, struct verdict *ret)
{
	char node[32];

	way_check_node(root, f->name, "/dev/vfio/vfio", ret);
	snprintf(node, sizeof(node), "/dev/vfio/%d", f->group);
	way_check_node(root, f->name, node, ret);
}

/* iommufd where the host has it, else the other way, as a start does (dma_open). What is missing is
 * told of the way that is nearer. */
void way_check_nodes(int root, const struct function *f, unsigned how, struct verdict *ret)
{
	struct verdict iommufd = {0}, type1 = {0};
	const struct verdict *nearer = &type1;

	add_iommufd_nodes(root, f, &iommufd);
	add_type1_nodes(root, f, &type1);
	if (how & TAKE_IOMMUFD && !iommufd.n)
		ret->way = WAY_IOMMUFD;
	else if (how & TAKE_TYPE1 && !type1.n)
		ret->way = WAY_TYPE1;
	else if (!(how & TAKE_TYPE1) ||
		(how & TAKE_IOMMUFD && f->cdev[0] && is_there(root, "dev/iommu")))
		nearer = &iommufd;
	for (unsigned i = 0; i < nearer->n && ret->way == WAY_NONE; i++)
		verdict_add_found(ret, f->name, &nearer->obstacles[i]);
}
