/* SPDX-License-Identifier: Apache-2.0
 *
 * The main thread's wait: one ppoll over the descriptors the sources have just now.
 *
 * Core process, main thread. While it waits a vCPU thread may close one of them and open another of
 * the same number; ppoll goes on with the file it began with, and handlers look for themselves.
 */
#include "vmm/platform/events.h"

#include <poll.h>
#include <stddef.h>
#include <unistd.h>

#include "ipc/frame.h"
#include "ipc/operate.h"

_Static_assert(EVENTS_MAX >= VM_SLOTS + 10, "a channel a device");

void events_add(struct events *events, const int *fd, void (*ready)(void *opaque), void *opaque)
{
	if (events->n < EVENTS_MAX)
		events->sources[events->n++] = (struct event_source){fd, ready, opaque};
}

int64_t events_wait(const struct events *events, int ms)
{
	struct pollfd polled[EVENTS_MAX];
	int64_t lost;
	int n;

	for (unsigned i = 0; i < events->n; i++)
		polled[i] = (struct pollfd){.fd = *events->sources[i].fd, .events = POLLIN};
	n = poll_slice(polled, events->n, ms, &lost);
	for (unsigned i = 0; i < events->n && n > 0; i++) {
		if (polled[i].revents)
			events->sources[i].ready(events->sources[i].opaque);
	}
	return lost;
}

void event_clear(int eventfd)
{
	uint64_t count;

	while (read(eventfd, &count, sizeof(count)) == (ssize_t)sizeof(count))
		;
}
