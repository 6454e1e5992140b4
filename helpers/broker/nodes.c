/* SPDX-License-Identifier: Apache-2.0
 *
 * Has the host removed the node of a vDPA device? `vdpa dev del` takes the node away and then waits for
 * whoever has it open (vhost_vdpa_remove), and tells nobody else.
 *
 * Broker process. inotify(7) is the first descriptor that is opened, and has the only number that the
 * sealed policy lets be read. That a node went is told as a change of its number of links.
 */
#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "helpers/broker/broker.h"

int nodes_open(struct broker *broker, struct err *err)
{
	bool any = false;

	for (unsigned i = 0; i < broker->n_devices; i++)
		any |= strcmp(broker->devices[i].kind, "vdpa") == 0;
	if (!any)
		return 0;
	broker->nodes.n = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (broker->nodes.n < 0)
		return err_set(err, -errno, BLAME_HOST, "inotify: %s; look at "
			"fs.inotify.max_user_instances", strerror(errno));
	if (broker->nodes.n != BROKER_FD_NODES)
		return err_set(err, -EBADF, BLAME_BUG, "a descriptor too many at the start");
	return 0;
}

int nodes_watch(const struct broker *broker, struct device *device, struct err *err)
{
	device->watch = inotify_add_watch(broker->nodes.n, device->path, IN_ATTRIB);
	if (device->watch < 0)
		return err_set(err, -errno, BLAME_HOST, "%s: inotify: %s; look at "
			"fs.inotify.max_user_watches", device->path, strerror(errno));
	return 0;
}

static bool is_gone(const struct device *device)
{
	struct stat st;

	/* Not fstat(3): that is newfstatat(2) in glibc 2.33-2.38, which takes paths. */
	return device->store.n >= 0 && syscall(SYS_fstat, device->store.n, &st) == 0 &&
		st.st_nlink == 0;
}

void nodes_changed(struct broker *broker)
{
	char events[1024] __attribute__((aligned(8)));
	Bulkhead__DeviceWanted body = BULKHEAD__DEVICE_WANTED__INIT;

	/* What it was is looked at, not read. */
	while (read(broker->nodes.n, events, sizeof(events)) > 0)
		;
	for (unsigned i = 0; i < broker->n_devices; i++) {
		struct device *device = &broker->devices[i];

		if (device->watch == 0 || !is_gone(device))
			continue;
		device->watch = 0;
		body.index = i;
		if (chan_tell(&broker->events, &PACKET(DEVICE_WANTED, device_wanted, &body)) < 0)
			log_warn("%s: its node was removed, and the core takes no news",
				device->name);
	}
}
