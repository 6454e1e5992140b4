/* SPDX-License-Identifier: Apache-2.0
 *
 * Why a device is not to be had: what stands in the way by the host's own account, or else what the
 * kernel said.
 *
 * Opener process, once something has failed: who has what open is looked for now, which takes its time
 * on a large host.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "helpers/open/open.h"
#include "seccomp/layers.h"

/* The first of what stands there; but for interrupt remapping when it was waived: then it is only
 * what the kernel says EPERM for. */
static struct obstacle *first(struct verdict *verdict, int code)
{
	struct obstacle *waived = NULL;

	for (unsigned i = 0; i < verdict->n; i++) {
		struct obstacle *o = &verdict->obstacles[i];

		if (o->kind != OBSTACLE_NO_REMAPPING || !layers_degraded())
			return o;
		waived = o;
	}
	return code == -EPERM ? waived : NULL;
}

static int from_kernel(const struct wanted *device, int code, const char *what, struct err *err)
{
	if (code == -EBUSY)
		return err_set(err, code, BLAME_HOST,
			"%s is in use: %s: another process, or a host driver, has it or another "
			"device of its IOMMU group (as root, `bulkhead devices` names it)",
			device->name, what);
	return err_set(err, code, BLAME_HOST, "%s: %s: %s; %s", device->name, what, strerror(-code),
		device->opt->kind == KIND_VDPA
			? "its back end does not answer a reset, or is gone (`vdpa dev show`)"
			: "`dmesg | tail` may say why");
}

/* All that stands in the way. */
static struct verdict look(const struct opening *opening, const struct wanted *device, unsigned how)
{
	const pid_t ours = getpid(); /* it may hold the group of this device, for another */
	struct host host = host_at(opening->root.n);
	struct verdict verdict = {0};
	struct vdpa_device vdpa;
	struct function f;
	struct stat st;

	host.ours = &ours;
	host.n_ours = 1;
	if (device->opt->kind != KIND_VDPA) {
		if (pci_read(opening->root.n, device->name, &f, NULL) == 0)
			take_pci(&host, &f, how | TAKE_NODES, &verdict);
	} else if (node_stat(AT_FDCWD, &st, "%s", device->opt->path) == 0 &&
		vdpa_of_node(opening->root.n, &st, &vdpa) == 0) {
		take_vdpa(&host, &vdpa, &verdict);
		/* By its node, as the operator has named it. */
		for (unsigned i = 0; i < verdict.n; i++)
			snprintf(verdict.obstacles[i].of, WORD, "%.63s", device->name);
	}
	host_close(&host);
	return verdict;
}

int explain(const struct opening *opening, const struct wanted *device, unsigned how, int code,
	const char *what, struct err *err)
{
	struct verdict verdict = look(opening, device, how);
	const struct obstacle *o = first(&verdict, code);

	if (!o)
		return from_kernel(device, code, what, err);
	if (o->kind != OBSTACLE_NO_REMAPPING || !layers_degraded())
		return obstacle_refuse(o, device->name, code, err);
	return err_set(err, code, BLAME_HOST,
		"%s: --allow-degraded goes on without interrupt remapping, but this host's kernel "
		"does not; give vfio_iommu_type1, or iommufd, allow_unsafe_interrupts=1",
		device->name);
}
