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

/* /dev/iommu and /dev/vfio/vfio once a life: by then the broker has them. */
static int open_iommufd(struct opening *opening, unsigned first, struct err *err)
{
	const bool had = opening->way == WAY_IOMMUFD;
	int r = 0;

	for (unsigned i = first; i < opening->n_devices && r == 0; i++) {
		struct wanted *device = &opening->devices[i];

		if (device->group < 0)
			continue;
		if (!had && opening->iommufd.n < 0)
			opening->iommufd.n = openat(opening->root.n, "dev/iommu", O_RDWR | O_CLOEXEC);
		r = !had && opening->iommufd.n < 0
			? explain(opening, device, TAKE_IOMMUFD, -errno, "/dev/iommu", err)
			: open_node(opening, device, err);
	}
	return r;
}

static void close_iommufd(struct opening *opening, unsigned first)
{
	for (unsigned i = first; i < opening->n_devices; i++) {
		if (opening->devices[i].group >= 0)
			fd_close(&opening->devices[i].node);
	}
	fd_close(&opening->iommufd);
}

static int open_type1(struct opening *opening, unsigned first, struct err *err)
{
	const bool had = opening->way == WAY_TYPE1;

	for (unsigned i = first; i < opening->n_devices; i++) {
		const struct wanted *device = &opening->devices[i];
		struct iommu_group *group = &opening->groups[device->group < 0 ? 0 : device->group];
		char path[64];

		if (device->group < 0 || group->handed || group->fd.n >= 0)
			continue;
		snprintf(path, sizeof(path), "/dev/vfio/%d", group->number);
		group->fd.n = openat(opening->root.n, path + 1, O_RDWR | O_CLOEXEC);
		if (group->fd.n < 0)
			return explain(opening, device, TAKE_TYPE1, -errno, path, err);
		if (had || opening->container.n >= 0)
			continue;
		opening->container.n = openat(opening->root.n, "dev/vfio/vfio", O_RDWR | O_CLOEXEC);
		if (opening->container.n < 0)
			return explain(opening, device, TAKE_TYPE1, -errno, "/dev/vfio/vfio", err);
	}
	return 0;
}

/* Only if all of its devices have a node of their own, and there is something to bind them to. */
static bool has_iommufd(const struct opening *opening, unsigned first)
{
	bool all = is_there(opening->root.n, "dev/iommu");

	for (unsigned i = first; i < opening->n_devices; i++)
		all &= opening->devices[i].group < 0 || opening->devices[i].cdev[0];
	return all;
}

static bool any_vfio(const struct opening *opening, unsigned first)
{
	for (unsigned i = first; i < opening->n_devices; i++) {
		if (opening->devices[i].group >= 0)
			return true;
	}
	return false;
}

/* The first devices decide for the life's others. */
int ways_open(struct opening *opening, unsigned first, struct err *err)
{
	const enum iommufd_opt want = opening->opts.iommufd;
	struct err why = {0};
	int r;

	if (!any_vfio(opening, first))
		return 0;
	if (opening->way == WAY_IOMMUFD)
		return open_iommufd(opening, first, err);
	if (opening->way == WAY_NONE && want != IOMMUFD_OFF &&
		(want == IOMMUFD_ON || has_iommufd(opening, first))) {
		r = open_iommufd(opening, first, &why);
		if (r == 0) {
			log_info("devices by iommufd");
			opening->way = WAY_IOMMUFD;
			return 0;
		}
		close_iommufd(opening, first);
		if (want == IOMMUFD_ON) {
			*err = why;
			return r;
		}
	}
	if (opening->way == WAY_NONE)
		log_info("devices by VFIO group and type1 container%s%s", why.msg[0] ? ": " : "", why.msg);
	r = open_type1(opening, first, err);
	opening->way = WAY_TYPE1;
	return r;
}
