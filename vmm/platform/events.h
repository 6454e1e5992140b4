/* SPDX-License-Identifier: Apache-2.0
 *
 * What the main thread waits for: descriptors, and what to do when one is readable.
 *
 * Core process, main thread. A source points at its descriptor, which may be another, or -1 for
 * none, at each wait: a channel is closed by whoever finds it broken.
 */
#pragma once

#include <stdint.h>

enum { EVENTS_MAX = 40 };

struct event_source {
	const int *fd;
	void (*ready)(void *opaque); /* readable, hung up or in error; may find nothing there */
	void *opaque;
};

struct events {
	unsigned n;
	struct event_source sources[EVENTS_MAX];
};

/* Sources are named once, at start; one too many is left out (EVENTS_MAX has room for a channel a
 * device and ten more). */
void events_add(struct events *events, const int *fd, void (*ready)(void *opaque), void *opaque);

/* Waits until something is ready, at most ms milliseconds (-1: for as long as it takes) or a second, and
 * handles it. Returns the milliseconds for which everything stood still (ipc/frame.h, poll_slice). */
int64_t events_wait(const struct events *events, int ms);

/* Takes the count out of a non-blocking eventfd. */
void event_clear(int eventfd);
