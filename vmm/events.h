/* SPDX-License-Identifier: Apache-2.0
 *
 * What the main thread waits for: descriptors, and what to do when one is readable.
 *
 * Core process, main thread. A source says anew before each wait which descriptor it has, or -1 for
 * none: a channel is closed by the thread that finds it broken, and input is only wanted while
 * there is room for it.
 */
#pragma once

enum { EVENTS_MAX = 40 };

struct event_source {
	int (*fd)(void *opaque);
	void (*ready)(void *opaque); /* readable, hung up or in error; may find nothing there */
	void *opaque;
};

struct events {
	unsigned n;
	struct event_source sources[EVENTS_MAX];
};

/* Sources are named once, at start. 0 or -ENOSPC. */
int events_add(struct events *events, int (*fd)(void *opaque), void (*ready)(void *opaque),
	void *opaque);

/* Waits until something is ready and handles it. */
void events_wait(const struct events *events);
