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

enum { SLICE_MS = 1000 };

_Static_assert(EVENTS_MAX >= VM_SLOTS + 10, "a channel a device");

void events_add(struct events *events, const int *fd, void (*ready)(void *opaque), void *opaque)
{
	if (events->n < EVENTS_MAX)
		events->sources[events->n++] = (struct event_source){fd, ready, opaque};
}

int64_t events_wait(const struct events *events, int ms)
{
	const int slice = ms > SLICE_MS ? SLICE_MS : ms;
	const struct timespec time = {.tv_sec = slice / 1000, .tv_nsec = slice % 1000 * 1000000l};
	const int64_t before = now_ms();
	struct pollfd polled[EVENTS_MAX];
	int64_t lost;
	int n;

	for (unsigned i = 0; i < events->n; i++)
		polled[i] = (struct pollfd){.fd = *events->sources[i].fd, .events = POLLIN};
	n = ppoll(polled, events->n, ms < 0 ? NULL : &time, NULL);
	lost = now_ms() - before - slice;
	for (unsigned i = 0; i < events->n && n > 0; i++) {
		if (polled[i].revents)
			events->sources[i].ready(events->sources[i].opaque);
	}
	return ms >= 0 && lost > 0 ? lost : 0;
}

void event_clear(int eventfd)
{
	uint64_t count;

	while (read(eventfd, &count, sizeof(count)) == (ssize_t)sizeof(count))
		;
}
