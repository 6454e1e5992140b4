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

/* Without it the device works, and `vdpa dev del` waits until the VM ends. */
static void cannot(const char *what, const char *next)
{
	if (errno == ENOSYS)
		next = "it takes a kernel with CONFIG_INOTIFY_USER";
	log_warn("%s: inotify: %s; should the host remove it, that will not be noticed; %s", what,
		strerror(errno), next);
}

void nodes_open(struct broker *broker)
{
	bool any = false;

	for (unsigned i = 0; i < broker->n_devices; i++)
		any |= strcmp(broker->devices[i].kind, "vdpa") == 0;
	if (!any)
		return;
	broker->nodes.n = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (broker->nodes.n < 0)
		cannot("vDPA devices", "look at fs.inotify.max_user_instances");
	if (broker->nodes.n != BROKER_FD_NODES) /* which alone the sealed policy lets be read */
		fd_close(&broker->nodes);
}

void nodes_watch(const struct broker *broker, struct device *device)
{
	if (broker->nodes.n < 0)
		return;
	device->watch = inotify_add_watch(broker->nodes.n, device->path, IN_ATTRIB);
	if (device->watch < 0)
		cannot(device->path, "look at fs.inotify.max_user_watches");
}

static bool is_gone(const struct device *device)
{
	/* Before its turn to be attached comes, the pinning of a large guest's RAM may take minutes. */
	const int fd = device->store.n >= 0 ? device->store.n : device->node.n;
	struct stat st;

	/* Not fstat(3): that is newfstatat(2) in glibc 2.33-2.38, which takes paths. */
	return fd >= 0 && syscall(SYS_fstat, fd, &st) == 0 && st.st_nlink == 0;
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

		if (device->watch <= 0 || !is_gone(device))
			continue;
		device->watch = 0;
		body.index = i;
		if (chan_tell(&broker->events, &PACKET(DEVICE_WANTED, device_wanted, &body)) < 0)
			log_warn("%s: its node was removed, and the core takes no news",
				device->name);
	}
}
