/* SPDX-License-Identifier: Apache-2.0
 *
 * What stands between a device and a guest, in the order in which it is to be removed.
 * bulkhead-devices.
 *
 * The broker refuses for the same reasons (helpers/broker/check.c) when a VM starts; here they are
 * told all at once and with the command for each.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "helpers/devices/devices.h"

#define ADD(verdict, command_text, ...) \
	do { \
		struct obstacle *added = add(verdict); \
		if (added) { \
			snprintf(added->what, sizeof(added->what), __VA_ARGS__); \
			snprintf(added->command, sizeof(added->command), "%s", command_text); \
		} \
	} while (0)

static struct obstacle *add(struct verdict *verdict)
{
	return verdict->n < OBSTACLES ? &verdict->obstacles[verdict->n++] : NULL;
}

/* May this user open the node? Otherwise the reason and what gives the right. */
static void check_node(int root, const char *node, struct verdict *ret)
{
	char command[128], comm[WORD] = "";
	pid_t pid = node_user(root, node, comm, sizeof(comm));

	if (pid) {
		ADD(ret, "", "in use by process %d (%s)", pid, comm);
	} else if (!is_there(root, "%s", node)) {
		ADD(ret, "", "/%s is not there; is /dev the host's?", node);
	} else if (faccessat(root, node, R_OK | W_OK, AT_EACCESS) < 0) {
		snprintf(command, sizeof(command), "sudo chown $USER /%s", node);
		ADD(ret, command, "you may not open /%s", node);
	}
}

/* Members without a driver, and with one that leaves DMA alone, do not keep a group from its guest
 * (Documentation/driver-api/vfio.rst, "Groups"). */
unsigned group_in_the_way(int root, const struct function *f, char *ret_names, char *ret_drivers,
	size_t size)
{
	struct dirent **members;
	struct function other;
	size_t used_names = 0, used_drivers = 0;
	unsigned count = 0;
	int n = names_of(root, &members, "sys/kernel/iommu_groups/%d/devices", f->group);

	ret_names[0] = ret_drivers[0] = '\0';
	for (int i = 0; i < n; i++) {
		if (strcmp(members[i]->d_name, f->name) == 0 ||
			pci_read(root, members[i]->d_name, &other, NULL) < 0 || other.header ||
			!other.driver[0] || strcmp(other.driver, "vfio-pci") == 0 ||
			strcmp(other.driver, "pci-stub") == 0)
			continue;
		count++;
		if (used_drivers + 2 + sizeof(other.name) + WORD + 4 > size)
			continue;
		used_names += (size_t)sprintf(ret_names + used_names, "%s%s",
			used_names ? " " : "", other.name);
		used_drivers += (size_t)sprintf(ret_drivers + used_drivers, "%s%s (%s)",
			used_drivers ? ", " : "", other.name, other.driver);
	}
	names_free(members, n);
	return count;
}

static void check_iommu(int root, struct verdict *ret)
{
	struct dirent **units;
	int n = names_of(root, &units, "sys/class/iommu");

	names_free(units, n);
	if (n)
		ADD(ret, "", "behind none of the host's IOMMUs; another slot may be");
	else
		ADD(ret, "", "the host has no IOMMU, or it is off; enable VT-d or AMD-Vi in the "
			"firmware and boot with `intel_iommu=on` (AMD: without `amd_iommu=off`)");
}

/* The interrupt controllers of a host that remaps are called IR-something (/proc/interrupts). */
static void check_remapping(int root, struct verdict *ret)
{
	char line[4096];
	bool remaps = false;
	int fd = openat(root, "proc/interrupts", O_RDONLY | O_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

	if (!file)
		return;
	while (!remaps && fgets(line, sizeof(line), file))
		remaps = strstr(line, " IR-") != NULL;
	fclose(file);
	attr_read(root, line, sizeof(line),
		"sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts");
	if (!remaps && strcmp(line, "Y") != 0)
		ADD(ret, "", "the host has no interrupt remapping, so a guest could forge "
			"interrupts; enable it in the firmware (VT-d, AMD-Vi, x2APIC) and boot "
			"without `intremap=off`, or, for a guest you trust with the host, load "
			"vfio_iommu_type1 with allow_unsafe_interrupts=1");
}

static void check_driver(int root, const struct function *f, struct verdict *ret)
{
	char why[320], command[64];

	snprintf(command, sizeof(command), "bulkhead bind %s", f->name);
	if (disk_in_use(root, f->name, why, sizeof(why)))
		ADD(ret, "", "bound to %s, and %.240s", f->driver, why);
	else if (route_in_use(root, f->name, why, sizeof(why)))
		ADD(ret, "", "bound to %s, and %.240s", f->driver, why);
	else if (f->driver[0])
		ADD(ret, command, "bound to %s", f->driver);
	else
		ADD(ret, command, "bound to no driver");
}

void ready_pci(int root, const struct function *f, struct verdict *ret)
{
	char names[256], drivers[256], command[320], node[64];

	ret->n = 0;
	if (pci_is_bridge(f)) {
		ADD(ret, "", "a bridge; it stays with the host");
		return;
	}
	if (f->group < 0)
		check_iommu(root, ret);
	else
		check_remapping(root, ret);
	if (strcmp(f->driver, "vfio-pci") != 0)
		check_driver(root, f, ret);
	if (f->group < 0)
		return;
	if (group_in_the_way(root, f, names, drivers, sizeof(names))) {
		snprintf(command, sizeof(command), "bulkhead bind %s", names);
		ADD(ret, command, "IOMMU group %d has devices of the host's too: %s", f->group,
			drivers);
	}
	if (strcmp(f->driver, "vfio-pci") != 0)
		return;
	snprintf(node, sizeof(node), "dev/vfio/%d", f->group);
	check_node(root, node, ret);
}

void ready_vdpa(int root, const struct vdpa_device *device, struct verdict *ret)
{
	char command[512], unbind[200] = "", node[WORD + 8];

	ret->n = 0;
	if (strcmp(device->driver, "vhost_vdpa") == 0 && device->node[0]) {
		snprintf(node, sizeof(node), "dev/%s", device->node);
		check_node(root, node, ret);
		return;
	}
	if (device->driver[0])
		snprintf(unbind, sizeof(unbind), "echo %s >devices/%s/driver/unbind && ",
			device->name, device->name);
	snprintf(command, sizeof(command),
		"cd /sys/bus/vdpa && modprobe vhost_vdpa && echo vhost_vdpa "
		">devices/%s/driver_override && %secho %s >drivers_probe", device->name, unbind,
		device->name);
	ADD(ret, command, "bound to %s", device->driver[0] ? device->driver : "no driver");
}
