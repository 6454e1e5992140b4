/* SPDX-License-Identifier: Apache-2.0
 *
 * Has the host removed the node of a vDPA device? `vdpa dev del` takes the node away and then waits for
 * whoever has it open (vhost_vdpa_remove), and tells nobody else.
 *
 * Broker process. The opener has had the node watched by inotify(7), which tells of a change of its number
 * of links.
 */
#include <errno.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "helpers/broker/broker.h"

static bool is_gone(const struct device *device)
{
	/* Before its turn to be attached comes, the pinning of a large guest's RAM may take minutes. */
	const int fd = device->store.n >= 0 ? device->store.n : device->node.n;
	struct stat st;

	/* Not fstat(3): that is newfstatat(2) in glibc 2.33-2.38, which takes paths. */
	return fd >= 0 && syscall(SYS_fstat, fd, &st) == 0 && st.st_nlink == 0;
}

void node_changed(struct broker *broker, struct device *device)
{
	char events[1024] __attribute__((aligned(8)));
	Bulkhead__DeviceWanted body = BULKHEAD__DEVICE_WANTED__INIT;
	ssize_t n;

	/* What it was is looked at, not read. */
	do
		n = read(device->watch.n, events, sizeof(events));
	while (n > 0);
	if (n == 0 || errno != EAGAIN)
		fd_close(&device->watch); /* no inotify at all, or what says nothing more */
	if (!is_gone(device))
		return;
	fd_close(&device->watch);
	body.slot = (uint32_t)(device - broker->devices);
	body.generation = device->generation;
	if (chan_tell(&broker->events, &PACKET(DEVICE_WANTED, device_wanted, &body)) < 0)
		log_warn("%s: its node was removed, and the core takes no news", device->name);
}
