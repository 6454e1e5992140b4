/* SPDX-License-Identifier: Apache-2.0
 *
 * What stands in the way of a vDPA device: the node, /sys/dev/char, and who else has it open.
 *
 * Opener process. A node can be open once only, and opening resets the device; so what is opened here to
 * find out is what the helper gets, and a device somebody uses is never touched.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "helpers/open/open.h"
#include "ipc/log.h"

int vdpa_check(const struct opening *opening, struct wanted *device, struct err *err)
{
	const char *path = device->opt->path;
	struct vdpa_device vdpa;
	struct stat st;
	int r = node_stat(AT_FDCWD, &st, "%s", path);

	if (r < 0)
		return err_set(err, r, BLAME_HOST,
			"--vdpa path=%s: %s; `vdpa dev show` lists the devices of this host, and "
			"`modprobe vhost-vdpa` makes nodes of those no other driver has", path,
			r == -ENOENT ? "there is no such device" : strerror(-r));
	if (vdpa_of_node(opening->root.n, &st, &vdpa) < 0)
		return err_set(err, -EINVAL, BLAME_HOST,
			"--vdpa path=%s is not a vhost-vdpa device%s; those are /dev/vhost-vdpa-N, "
			"and `ls /sys/bus/vdpa/devices/*` says which is which", path,
			S_ISCHR(st.st_mode) ? "" : ": it is no character device");
	snprintf(device->name, sizeof(device->name), "%s", vdpa.node);
	return 0;
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

/* `vdpa dev del` takes the node away and then waits for whoever has it open (vhost_vdpa_remove), and
 * tells nobody else; inotify(7) does. Without it the device works, and is waited for until the VM
 * ends. */
static void watch(struct wanted *device)
{
	device->watch.n = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (device->watch.n >= 0 &&
		inotify_add_watch(device->watch.n, device->opt->path, IN_ATTRIB) >= 0)
		return;
	log_warn("%s: inotify: %s; should the host remove it, that will not be noticed; %s",
		device->opt->path, strerror(errno), errno == ENOSYS
		? "it takes a kernel with CONFIG_INOTIFY_USER" : device->watch.n < 0
		? "look at fs.inotify.max_user_instances" : "look at fs.inotify.max_user_watches");
	fd_close(&device->watch);
}

int vdpa_open(const struct opening *opening, struct wanted *device, struct err *err)
{
	struct vdpa_device vdpa;
	struct stat st;

	device->node.n = open(device->opt->path, O_RDWR | O_CLOEXEC);
	if (device->node.n < 0)
		return explain(opening, device, 0, -errno, device->opt->path, err);
	if (fstat(device->node.n, &st) < 0 || vdpa_of_node(opening->root.n, &st, &vdpa) < 0 ||
		strcmp(vdpa.node, device->name) != 0)
		return err_set(err, -ESTALE, BLAME_HOST,
			"--vdpa path=%s became another file while it was opened; start again",
			device->opt->path);
	device->silence_s = silence(&st);
	watch(device);
	return 0;
}
