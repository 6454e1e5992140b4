/* SPDX-License-Identifier: Apache-2.0
 *
 * What happens to the VM, told to whoever reads --event-monitor. bulkhead-api.
 *
 * Names and form are Cloud Hypervisor's (event_monitor/src/lib.rs), pretty-printed JSON and an empty
 * line. An event is written whole or not at all: up to PIPE_BUF bytes, and never waited for. libvirt
 * counts braces to find where one ends, so there are none in what others named.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { EVENT_WORD_MAX = 64, EVENT_MAX = 4096 };

struct event_property {
	const char *key, *value;
};

/* fd: where they go, also when it is /dev/null. */
void events_begin(int fd);
/* When the VMM began, CLOCK_MONOTONIC: what timestamps count from. */
void events_since(int64_t start_us);

/* Properties in the order of their keys; none: null. */
void event_tell(const char *source, const char *event, const struct event_property *properties,
	size_t n);

/* Its bytes, for tests: their number. */
size_t event_write(char to[static EVENT_MAX], int64_t since_ns, const char *source,
	const char *event, const struct event_property *properties, size_t n);

#define EVENT(source, event) event_tell(source, event, NULL, 0)
#define EVENT_OF(source, event, ...)                                                               \
	event_tell(source, event, (const struct event_property[]){__VA_ARGS__},                    \
		sizeof((const struct event_property[]){__VA_ARGS__}) /                             \
			sizeof(struct event_property))
