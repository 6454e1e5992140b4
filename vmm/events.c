/* SPDX-License-Identifier: Apache-2.0
 *
 * The main thread's wait: one ppoll over the descriptors the sources have just now.
 *
 * Core process, main thread. While it waits a vCPU thread may close one of them and open another of
 * the same number; ppoll goes on with the file it began with, and handlers look for themselves.
 */
#include "vmm/events.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>

int events_add(struct events *events, int (*fd)(void *opaque), void (*ready)(void *opaque),
	void *opaque)
{
	if (events->n == EVENTS_MAX)
		return -ENOSPC;
	events->sources[events->n++] = (struct event_source){fd, ready, opaque};
	return 0;
}

void events_wait(const struct events *events)
{
	struct pollfd polled[EVENTS_MAX];

	for (unsigned i = 0; i < events->n; i++)
		polled[i] = (struct pollfd){.events = POLLIN,
			.fd = events->sources[i].fd(events->sources[i].opaque)};
	if (ppoll(polled, events->n, NULL, NULL) <= 0)
		return;
	for (unsigned i = 0; i < events->n; i++) {
		if (polled[i].revents)
			events->sources[i].ready(events->sources[i].opaque);
	}
}
