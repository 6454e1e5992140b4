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
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "helpers/broker/broker.h"

/* The last component of what a link points to; "" when there is none. */
static void link_name(const char *path, char *ret, size_t size)
{
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	target[n > 0 ? n : 0] = '\0';
	snprintf(ret, size, "%.*s", (int)size - 1,
		strrchr(target, '/') ? strrchr(target, '/') + 1 : target);
}

/* Its device in sysfs is called vhost-vdpa-N and is a child of one on the vdpa bus. Fills
 * device->name. */
static int check_kind(struct device *device, const struct stat *st, struct err *err)
{
	char path[64], bus[16];

	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u", major(st->st_rdev),
		minor(st->st_rdev));
	link_name(path, device->name, sizeof(device->name));
	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/../subsystem", major(st->st_rdev),
		minor(st->st_rdev));
	link_name(path, bus, sizeof(bus));
	if (S_ISCHR(st->st_mode) && strncmp(device->name, "vhost-vdpa-", 11) == 0 &&
		strcmp(bus, "vdpa") == 0)
		return 0;
	return err_set(err, -EINVAL, BLAME_HOST,
		"--vdpa path=%s is not a vhost-vdpa device%s; those are /dev/vhost-vdpa-N, and "
		"`ls /sys/bus/vdpa/devices/*` says which is which", device->path,
		S_ISCHR(st->st_mode) ? "" : ": it is no character device");
}

static int explain_open(const struct device *device, const struct stat *st, struct err *err)
{
	int code = -errno;

	if (code == -EBUSY)
		return err_set(err, code, BLAME_HOST,
			"%s is in use: another process has it open (`fuser -v %s` names it)",
			device->name, device->path);
	if (code == -EACCES || code == -EPERM)
		return err_set(err, code, BLAME_HOST,
			"%s: no right to open %s, which belongs to uid %u, mode %04o; run as root, or "
			"give it to your user: `chown $USER %s`, for good by a udev rule",
			device->name, device->path, st->st_uid, st->st_mode & 07777, device->path);
	return err_set(err, code, BLAME_HOST,
		"%s cannot be opened: %s; its back end does not answer a reset, or is gone (`vdpa dev "
		"show`)", device->name, strerror(-code));
}

/* vhost counts what it pins against the owner's RLIMIT_MEMLOCK whatever its capabilities
 * (vhost_vdpa_pa_map). Not every device pins, so less than all of RAM is no refusal here; if it
 * turns out to be needed, the helper says so. */
static void allow_memlock(const struct broker *broker, struct device *device)
{
	struct rlimit limit;
	uint64_t ram = 0;

	for (unsigned i = 0; i < broker->n_ram; i++)
		ram += broker->ram[i].size;
	device->memlock = ram;
	if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0 || limit.rlim_max >= ram)
		return;
	limit.rlim_cur = limit.rlim_max = ram;
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

int vdpa_check(struct broker *broker, struct device *device, struct err *err)
{
	const char *path = device->path ? device->path : "";
	struct stat st, opened;
	int r;

	if (stat(path, &st) < 0)
		return err_set(err, -errno, BLAME_HOST,
			"--vdpa path=%s: %s; `vdpa dev show` lists the devices of this host, and "
			"`modprobe vhost-vdpa` makes nodes of those no other driver has", path,
			errno == ENOENT ? "there is no such device" : strerror(errno));
	r = check_kind(device, &st, err);
	if (r < 0)
		return r;
	for (const struct device *other = broker->devices; other < device; other++)
		if (strcmp(other->name, device->name) == 0)
			return err_set(err, -EEXIST, BLAME_HOST,
				"%s is named twice (--vdpa); once is enough", device->name);
	device->node.n = open(path, O_RDWR | O_CLOEXEC);
	if (device->node.n < 0)
		return explain_open(device, &st, err);
	if (fstat(device->node.n, &opened) < 0 || opened.st_rdev != st.st_rdev ||
		!S_ISCHR(opened.st_mode))
		return err_set(err, -ESTALE, BLAME_HOST,
			"--vdpa path=%s became another file while it was opened; start again", path);
	allow_memlock(broker, device);
	device->silence_s = silence(&st);
	return nodes_watch(broker, device, err);
}
