/* SPDX-License-Identifier: Apache-2.0
 *
 * By which way VFIO devices are had, and the nodes that takes: /dev/iommu and the devices' own
 * (Documentation/driver-api/vfio.rst), or a container and the devices' groups.
 *
 * Opener process. What is opened here does nothing yet: the broker claims.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "helpers/open/open.h"
#include "ipc/log.h"

unsigned take_ways(const struct opening *opening)
{
	return opening->opts.iommufd == IOMMUFD_ON ? TAKE_IOMMUFD
		: opening->opts.iommufd == IOMMUFD_OFF ? TAKE_TYPE1
						       : TAKE_IOMMUFD | TAKE_TYPE1;
}

static int open_node(const struct opening *opening, struct wanted *device, struct err *err)
{
	char path[WORD + 32];

	snprintf(path, sizeof(path), "/dev/vfio/devices/%s", device->cdev);
	errno = ENOENT;
	if (device->cdev[0])
		device->node.n = openat(opening->root.n, path + 1, O_RDWR | O_CLOEXEC);
	return device->node.n < 0 ? explain(opening, device, TAKE_IOMMUFD, -errno, path, err) : 0;
}

static int open_iommufd(struct opening *opening, struct err *err)
{
	int r = 0;

	for (unsigned i = 0; i < opening->n_devices && r == 0; i++) {
		struct wanted *device = &opening->devices[i];

		if (device->group < 0)
			continue;
		if (opening->iommufd.n < 0)
			opening->iommufd.n = openat(opening->root.n, "dev/iommu", O_RDWR | O_CLOEXEC);
		r = opening->iommufd.n < 0
			? explain(opening, device, TAKE_IOMMUFD, -errno, "/dev/iommu", err)
			: open_node(opening, device, err);
	}
	return r;
}

static void close_iommufd(struct opening *opening)
{
	for (unsigned i = 0; i < opening->n_devices; i++) {
		if (opening->devices[i].group >= 0)
			fd_close(&opening->devices[i].node);
	}
	fd_close(&opening->iommufd);
}

static int open_type1(struct opening *opening, struct err *err)
{
	for (unsigned i = 0; i < opening->n_devices; i++) {
		const struct wanted *device = &opening->devices[i];
		struct iommu_group *group = &opening->groups[device->group < 0 ? 0 : device->group];
		char path[64];

		if (device->group < 0 || group->fd.n >= 0)
			continue;
		snprintf(path, sizeof(path), "/dev/vfio/%d", group->number);
		group->fd.n = openat(opening->root.n, path + 1, O_RDWR | O_CLOEXEC);
		if (group->fd.n < 0)
			return explain(opening, device, TAKE_TYPE1, -errno, path, err);
		if (opening->container.n >= 0)
			continue;
		opening->container.n = openat(opening->root.n, "dev/vfio/vfio", O_RDWR | O_CLOEXEC);
		if (opening->container.n < 0)
			return explain(opening, device, TAKE_TYPE1, -errno, "/dev/vfio/vfio", err);
	}
	return 0;
}

/* Only if all of its devices have a node of their own, and there is something to bind them to. */
static bool has_iommufd(const struct opening *opening)
{
	bool all = is_there(opening->root.n, "dev/iommu");

	for (unsigned i = 0; i < opening->n_devices; i++)
		all &= opening->devices[i].group < 0 || opening->devices[i].cdev[0];
	return all;
}

int ways_open(struct opening *opening, struct err *err)
{
	const enum iommufd_opt want = opening->opts.iommufd;
	struct err why = {0};

	if (opening->n_groups == 0)
		return 0;
	if (want == IOMMUFD_ON || (want == IOMMUFD_AUTO && has_iommufd(opening))) {
		int r = open_iommufd(opening, &why);

		if (r == 0)
			log_info("devices by iommufd");
		else
			close_iommufd(opening);
		if (r < 0 && want == IOMMUFD_ON)
			*err = why;
		if (r == 0 || want == IOMMUFD_ON)
			return r;
	}
	log_info("devices by VFIO group and type1 container%s%s", why.msg[0] ? ": " : "", why.msg);
	return open_type1(opening, err);
}
