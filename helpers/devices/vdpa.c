/* SPDX-License-Identifier: Apache-2.0
 *
 * A vDPA device as sysfs describes it (Documentation/ABI/testing/sysfs-bus-vdpa). bulkhead-devices.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "helpers/devices/devices.h"

#define SYS_VDPA "sys/bus/vdpa/devices"

/* A device lies in the folder of the device it was made on: a PCI function, a simulator, VDUSE. */
static void read_parent(int root, struct vdpa_device *device)
{
	char target[PATH_MAX], *end, *name;

	if (link_read(root, target, sizeof(target), SYS_VDPA "/%s", device->name) < 0)
		return;
	end = strrchr(target, '/');
	if (!end)
		return;
	*end = '\0';
	name = strrchr(target, '/') ? strrchr(target, '/') + 1 : target;
	snprintf(device->parent, WORD, "%.*s", WORD - 1, name);
}

int vdpa_read(int root, const char *name, struct vdpa_device *ret)
{
	struct dirent **names;
	int n;

	memset(ret, 0, sizeof(*ret));
	if (strlen(name) >= WORD)
		return -ENAMETOOLONG;
	strcpy(ret->name, name);
	link_name(root, ret->driver, WORD, SYS_VDPA "/%s/driver", name);
	n = names_of(root, &names, SYS_VDPA "/%s", name);
	for (int i = 0; i < n; i++)
		if (strncmp(names[i]->d_name, "vhost-vdpa-", 11) == 0)
			snprintf(ret->node, WORD, "%.*s", WORD - 1, names[i]->d_name);
	names_free(names, n);
	read_parent(root, ret);
	return 0;
}
