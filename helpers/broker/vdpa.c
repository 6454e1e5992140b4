/* SPDX-License-Identifier: Apache-2.0
 *
 * What stands in the way of a vDPA device: the node, /sys/dev/char, and who else has it open.
 *
 * Broker process, at Start. A node can be open once only, and opening resets the device; so what is
 * opened here to find out is what the helper gets, and a device somebody uses is never touched.
 * Each refusal names the device, the cause and the next step.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "helpers/broker/broker.h"

int vdpa_check(const struct broker *broker, struct device *device, struct err *err)
{
	const char *path = device->path ? device->path : "";
	struct vdpa_device vdpa;
	struct stat st;
	int r = node_stat(AT_FDCWD, &st, "%s", path);

	if (r < 0)
		return err_set(err, r, BLAME_HOST,
			"--vdpa path=%s: %s; `vdpa dev show` lists the devices of this host, and "
			"`modprobe vhost-vdpa` makes nodes of those no other driver has", path,
			r == -ENOENT ? "there is no such device" : strerror(-r));
	if (vdpa_of_node(broker->root.n, &st, &vdpa) < 0)
		return err_set(err, -EINVAL, BLAME_HOST,
			"--vdpa path=%s is not a vhost-vdpa device%s; those are /dev/vhost-vdpa-N, "
			"and `ls /sys/bus/vdpa/devices/*` says which is which", path,
			S_ISCHR(st.st_mode) ? "" : ": it is no character device");
	snprintf(device->name, sizeof(device->name), "%s", vdpa.node);
	return 0;
}

/* vhost counts what it pins against the owner's RLIMIT_MEMLOCK whatever its capabilities
 * (vhost_vdpa_pa_map). Not every device pins, so less than all of RAM is no refusal here; if it
 * turns out to be needed, the helper says so. */
static void allow_memlock(const struct broker *broker, struct device *device)
{
	struct rlimit limit;

	device->memlock = ram_total(broker);
	if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0 || limit.rlim_max >= device->memlock)
		return;
	limit.rlim_cur = limit.rlim_max = device->memlock;
	if (setrlimit(RLIMIT_MEMLOCK, &limit) < 0)
		log_info("%s: RLIMIT_MEMLOCK stays below the guest's RAM: %s", device->name,
			strerror(errno));
}

/* How long VDUSE waits for its daemon's word, in seconds, 0: for ever. The device VDUSE has of it
 * is the parent of the one on the vdpa bus. What is not VDUSE's answers for itself: as long as
 * VDUSE waits by default. */
static unsigned silence(const struct stat *st)
{
	enum { VDUSE_MSG_DEFAULT_TIMEOUT = 30 };
	char path[64], text[16] = "";
	fd_owned file = FD_NONE_INIT;

	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/../../msg_timeout", major(st->st_rdev),
		minor(st->st_rdev));
	file.n = open(path, O_RDONLY | O_CLOEXEC);
	if (file.n < 0 || read(file.n, text, sizeof(text) - 1) <= 0)
		return VDUSE_MSG_DEFAULT_TIMEOUT;
	return (unsigned)strtoul(text, NULL, 10);
}

int vdpa_open(const struct broker *broker, struct device *device, struct err *err)
{
	struct vdpa_device vdpa;
	struct stat st;

	device->node.n = open(device->path, O_RDWR | O_CLOEXEC);
	if (device->node.n < 0)
		return explain(broker, device, 0, -errno, device->path, err);
	if (fstat(device->node.n, &st) < 0 || vdpa_of_node(broker->root.n, &st, &vdpa) < 0 ||
		strcmp(vdpa.node, device->name) != 0)
		return err_set(err, -ESTALE, BLAME_HOST,
			"--vdpa path=%s became another file while it was opened; start again",
			device->path);
	allow_memlock(broker, device);
	device->silence_s = silence(&st);
	nodes_watch(broker, device);
	return 0;
}
