/* SPDX-License-Identifier: Apache-2.0
 *
 * What stands between a device and a guest, in the order in which it is to be removed.
 *
 * What no advice can change comes alone. A device of the host's is «bound to» its driver only when
 * nothing uses it, so that the advice to take it from there is never one that would be refused; the
 * same holds for the others of its group.
 */
#include "helpers/host/uses.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what the host uses of it */

/* name: the PCI function's, NULL: it is none. */
static void add_uses(struct host *host, const char *of, const char *name, const struct place *place,
	struct verdict *ret)
{
	struct obstacle found;

	if (disk_in_use(host, place, &found))
		verdict_add_found(ret, of, &found);
	if (network_in_use(host, place, &found))
		verdict_add_found(ret, of, &found);
	if (console_in_use(host, place, name, &found))
		verdict_add_found(ret, of, &found);
	if (!place_open(host, place, false, &found))
		return;
	obstacle_advise(&found, ADVICE_NONE, "what has it open has to end first");
	verdict_add_found(ret, of, &found);
}

static void add_virtual(struct host *host, const struct function *vf, struct verdict *ret)
{
	struct obstacle found;
	struct place place;

	if (vf->vfio && take_used(host, vf, &found))
		verdict_add_found(ret, vf->name, &found);
	else if (!vf->vfio && place_read(host->root, &place, SYS_PCI "/%s", vf->name) == 0)
		add_uses(host, vf->name, vf->name, &place, ret);
}

void take_functions(struct host *host, const struct function *f, struct verdict *ret)
{
	struct verdict inside = {0};
	const struct obstacle *first = &inside.obstacles[0];
	struct obstacle *o;
	struct function vf;
	char text[16], name[WORD], what[160], how[240] = "";

	if (attr_read(host->root, text, sizeof(text), SYS_PCI "/%s/sriov_numvfs", f->name) <= 0 ||
		atoi(text) <= 0)
		return;
	for (unsigned i = 0; i <= UINT16_MAX && !inside.n; i++) {
		if (link_name(host->root, name, sizeof(name), SYS_PCI "/%s/virtfn%u", f->name, i) < 0)
			break;
		if (pci_read(host->root, name, &vf, NULL) == 0)
			add_virtual(host, &vf, &inside);
	}
	if (inside.n) {
		obstacle_what(first, first->of, what, sizeof(what));
		snprintf(how, sizeof(how), "%s: %s", first->of, what);
	}
	o = verdict_add(ret, f->name, OBSTACLE_FUNCTIONS, text, how);
	if (inside.n)
		obstacle_advise(o, first->advice, "%s", first->next);
	else
		obstacle_advise(o, ADVICE_COMMAND, "echo 0 >/" SYS_PCI "/%s/sriov_numvfs", f->name);
}

static void add_no_iommu(int root, const struct function *f, struct verdict *ret)
{
	folder_owned units = folder_of(root, "sys/class/iommu");
	const char *whose = units.n ? "" : "host";
	struct obstacle *o = verdict_add(ret, f->name, OBSTACLE_NO_IOMMU, whose, "");

	if (units.n)
		obstacle_advise(o, ADVICE_NONE, "another slot may be behind one");
	else
		obstacle_advise(o, ADVICE_SETTING, "enable VT-d or AMD-Vi in the firmware and boot "
			"the host with `intel_iommu=on` (AMD: without `amd_iommu=off`)");
}

/* Intel's driver always refused such a device (device_is_rmrr_locked); the IOMMU core has done so
 * for all since Linux 6.6 (require_direct). */
static bool is_refused(int root, const struct function *f)
{
	unsigned major = 0, minor = 0;
	char release[WORD];

	attr_read(root, release, sizeof(release), "proc/sys/kernel/osrelease");
	return strncmp(f->iommu, "ivhd", 4) != 0 || sscanf(release, "%u.%u", &major, &minor) != 2 ||
		major > 6 || (major == 6 && minor >= 6);
}

/* A region the device needs mapped one to one, for firmware that uses it behind the system's back
 * (Documentation/ABI/testing/sysfs-kernel-iommu_groups), if it is not known to get on without
 * («direct-relaxable»). */
static void add_reserved(int root, const struct function *f, struct verdict *ret)
{
	text_owned text = file_text(root, SYS_GROUPS "/%d/reserved_regions", f->group);
	unsigned long long start, end;
	char kind[32], region[64];
	struct obstacle *o;

	for (char *line, *rest = text; (line = strsep(&rest, "\n"));) {
		if (sscanf(line, "%llx %llx %31s", &start, &end, kind) != 3 ||
			strcmp(kind, "direct") != 0 || !is_refused(root, f))
			continue;
		snprintf(region, sizeof(region), "0x%llx-0x%llx", start, end);
		o = verdict_add(ret, f->name, OBSTACLE_RESERVED, region, "");
		obstacle_advise(o, ADVICE_SETTING, "look for what wants it in the firmware's settings "
			"(HPE: shared memory features; AMD: pre-boot DMA protection), or take another "
			"device");
		return;
	}
}

/* What keeps it from any guest, whoever has it. */
static bool add_lasting(int root, const struct function *f, struct verdict *ret)
{
	if (f->header == HEADER_NO_ANSWER)
		obstacle_advise(verdict_add(ret, f->name, OBSTACLE_NO_ANSWER, "", ""), ADVICE_NONE,
			"what is left is to turn the host off and on again, or to look at its slot");
	else if (pci_stays(f))
		obstacle_advise(verdict_add(ret, f->name, OBSTACLE_STAYS, "", ""), ADVICE_NONE,
			"it serves those behind it, which can be taken");
	else if (f->group < 0)
		add_no_iommu(root, f, ret);
	else
		add_reserved(root, f, ret);
	return ret->n;
}

void take_from_host(struct host *host, const struct function *f, struct verdict *ret)
{
	struct place place;

	ret->n = 0;
	if (add_lasting(host->root, f, ret))
		return;
	place_read(host->root, &place, SYS_PCI "/%s", f->name);
	take_functions(host, f, ret);
	add_uses(host, f->name, f->name, &place, ret);
}

/* ---- the group */

/* Members without a driver, and with one that leaves DMA alone, do not keep a group from its guest
 * (Documentation/driver-api/vfio.rst, "Groups"; driver_managed_dma in the kernel's drivers). */
static bool in_the_way(const struct function *member)
{
	return member->driver[0] && !member->vfio &&
		(!member->header || member->header == HEADER_NO_ANSWER) &&
		strcmp(member->driver, "pci-stub") != 0;
}

/* A disk behind a VMD, whose requests are the VMD's own (pci_real_dma_dev): without the VMD's driver
 * it is not there. */
static bool is_behind(int root, const struct function *f, const struct function *controller)
{
	struct place mine, its;

	return place_read(root, &mine, SYS_PCI "/%s", f->name) == 0 &&
		place_read(root, &its, SYS_PCI "/%s", controller->name) == 0 &&
		place_has(&its, mine.path);
}

static void add_member(struct verdict *ret, const struct function *f, const char *member,
	const char *number, bool stays)
{
	struct obstacle *o = verdict_add(ret, f->name, OBSTACLE_GROUP, member, number);

	if (stays)
		obstacle_advise(o, ADVICE_NONE, "that one stays with the host; another slot may be "
			"in another group");
	else
		obstacle_advise(o, ADVICE_SETTING, "it is there through that one only: turn that "
			"off in the firmware (VMD), and it is a device of its own");
}

/* A refusal has room for so many; who takes those is told of the others then. */
static void list_add(char *list, size_t size, const char *before, const char *text)
{
	size_t used = strlen(list);

	if (used + strlen(text) + 3 < size)
		snprintf(list + used, size - used, "%s%s", used ? before : "", text);
}

static void add_group(struct host *host, const struct function *f, struct verdict *ret)
{
	folder_owned members = folder_sorted(host->root, SYS_GROUPS "/%d/devices", f->group);
	char names[140] = "", drivers[120] = "", one[PCI_ADDRESS + WORD + 4], number[16];
	struct verdict uses;
	struct function m;
	struct obstacle *o;

	snprintf(number, sizeof(number), "%d", f->group);
	for (int i = 0; i < members.n; i++) {
		if (strcmp(members.entries[i]->d_name, f->name) == 0 ||
			pci_read(host->root, members.entries[i]->d_name, &m, NULL) < 0 ||
			!in_the_way(&m) || is_behind(host->root, &m, f))
			continue;
		snprintf(one, sizeof(one), "%s (%s)", m.name, m.driver);
		if (pci_stays(&m) || is_behind(host->root, f, &m)) {
			add_member(ret, f, one, number, pci_stays(&m));
			continue;
		}
		take_from_host(host, &m, &uses);
		for (unsigned k = 0; k < uses.n; k++)
			verdict_add_found(ret, m.name, &uses.obstacles[k]);
		if (!uses.n) {
			list_add(names, sizeof(names), " ", m.name);
			list_add(drivers, sizeof(drivers), ", ", one);
		}
	}
	if (!names[0])
		return;
	o = verdict_add(ret, f->name, OBSTACLE_GROUP, drivers, number);
	obstacle_advise(o, ADVICE_COMMAND, "bulkhead bind %s", names);
}

void take_pci(struct host *host, const struct function *f, unsigned how, struct verdict *ret)
{
	struct obstacle found;

	*ret = (struct verdict){0};
	if (add_lasting(host->root, f, ret))
		return;
	way_check_remapping(host->root, f, ret);
	if (!f->vfio) {
		struct verdict uses;

		take_from_host(host, f, &uses);
		for (unsigned i = 0; i < uses.n; i++)
			verdict_add_found(ret, f->name, &uses.obstacles[i]);
		if (!uses.n)
			obstacle_advise(verdict_add(ret, f->name, OBSTACLE_DRIVER,
				f->driver[0] ? f->driver : "no driver", ""), ADVICE_COMMAND,
				"bulkhead bind %s", f->name);
	}
	add_group(host, f, ret);
	if (!f->vfio)
		return;
	if (framebuffer_in_bar(host->root, f->name, &found))
		verdict_add_found(ret, f->name, &found);
	if (!(how & TAKE_NODES))
		return;
	if (take_used(host, f, &found))
		verdict_add_found(ret, f->name, &found);
	else
		way_check_nodes(host->root, f, how, ret);
}

static void add_vdpa_driver(const struct vdpa_device *device, struct verdict *ret)
{
	const char *name = device->name, *driver = device->driver[0] ? device->driver : "no driver";
	struct obstacle *o = verdict_add(ret, name, OBSTACLE_DRIVER, driver, "");
	char unbind[160] = "";

	if (device->driver[0])
		snprintf(unbind, sizeof(unbind), "echo %s >devices/%s/driver/unbind && ", name, name);
	if (is_plain(name))
		obstacle_advise(o, ADVICE_COMMAND,
			"cd /sys/bus/vdpa && modprobe vhost_vdpa && echo vhost_vdpa "
			">devices/%s/driver_override && %secho %s >drivers_probe", name, unbind, name);
	else
		obstacle_advise(o, ADVICE_NONE, "give it to vhost_vdpa first");
}

void take_vdpa(struct host *host, const struct vdpa_device *device, struct verdict *ret)
{
	char node[WORD + 8];
	struct obstacle found;
	struct place place;

	*ret = (struct verdict){.way = WAY_VDPA};
	place_read(host->root, &place, SYS_VDPA "/%s", device->name);
	if (strcmp(device->driver, "vhost_vdpa") == 0 && device->node[0]) {
		snprintf(node, sizeof(node), "/dev/%s", device->node);
		if (place_open(host, &place, false, &found)) {
			found.kind = OBSTACLE_USED;
			obstacle_advise(&found, ADVICE_NONE, "that has to end first");
			verdict_add_found(ret, device->name, &found);
		} else {
			way_check_node(host->root, device->name, node, ret);
		}
		return;
	}
	add_uses(host, device->name, NULL, &place, ret);
	if (!ret->n)
		add_vdpa_driver(device, ret);
}
