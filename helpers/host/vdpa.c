/* SPDX-License-Identifier: Apache-2.0
 *
 * A vDPA device as sysfs describes it (Documentation/ABI/testing/sysfs-bus-vdpa).
 *
 * It lies in the folder of the device it was made on: a PCI function, a simulator, VDUSE. In its own
 * lies what its driver made of it: vhost-vdpa-N, or a virtio device.
 */
#include "helpers/host/host.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

/* The last but one component of a path, or empty. */
static void above(const char *path, char ret[static WORD])
{
	char text[PATH_MAX], *end;

	snprintf(text, sizeof(text), "%s", path);
	end = strrchr(text, '/');
	if (end)
		*end = '\0';
	snprintf(ret, WORD, "%.63s", !end ? "" : strrchr(text, '/') ? strrchr(text, '/') + 1 : text);
}

int vdpa_read(int root, const char *name, struct vdpa_device *ret)
{
	char target[PATH_MAX];
	int r;

	memset(ret, 0, sizeof(*ret));
	if (strlen(name) >= WORD)
		return -ENAMETOOLONG;
	strcpy(ret->name, name);
	r = link_read(root, target, sizeof(target), SYS_VDPA "/%s", name);
	if (r < 0)
		return r;
	above(target, ret->parent);
	link_name(root, ret->driver, WORD, SYS_VDPA "/%s/driver", name);
	folder_owned entries = folder_of(root, SYS_VDPA "/%s", name);

	for (int i = 0; i < entries.n; i++)
		if (strncmp(entries.entries[i]->d_name, "vhost-vdpa-", 11) == 0)
			snprintf(ret->node, WORD, "%.63s", entries.entries[i]->d_name);
	return 0;
}

int vdpa_of_node(int root, const struct stat *node, struct vdpa_device *ret)
{
	char target[PATH_MAX], name[WORD];

	if (!S_ISCHR(node->st_mode) || link_read(root, target, sizeof(target), "sys/dev/char/%u:%u",
			major(node->st_rdev), minor(node->st_rdev)) < 0)
		return -EINVAL;
	above(target, name);
	if (vdpa_read(root, name, ret) < 0 || !strrchr(target, '/') ||
		strcmp(strrchr(target, '/') + 1, ret->node) != 0)
		return -EINVAL;
	return 0;
}
