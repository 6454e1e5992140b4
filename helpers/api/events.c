/* SPDX-License-Identifier: Apache-2.0
 *
 * Events. bulkhead-api. What the reader has no room for is dropped, counted, and told in the log.
 */
#include "helpers/api/events.h"

#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "ipc/log.h"

static struct {
	int fd;
	int64_t start_us;
	unsigned long lost;
	struct log_budget budget;
} events = {.fd = -1, .budget = {.burst = 3}};

void events_begin(int fd)
{
	events.fd = fd;
}

void events_since(int64_t start_us)
{
	events.start_us = start_us;
}

struct text {
	char *at;
	size_t len;
};

static void __attribute__((format(printf, 2, 3))) put(struct text *text, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(text->at + text->len, EVENT_MAX - text->len, fmt, args);
	va_end(args);
	text->len += n > 0 && (size_t)n < EVENT_MAX - text->len ? (size_t)n : 0;
}

/* Braces and quotes by their numbers, as RFC 8259 has it; what is not ASCII is a question mark. */
static void put_word(struct text *text, const char *word)
{
	put(text, "\"");
	for (unsigned i = 0; i < EVENT_WORD_MAX && word[i]; i++) {
		unsigned char c = (unsigned char)word[i];

		if (c < ' ' || c == '{' || c == '}' || c == '"' || c == '\\')
			put(text, "\\u%04x", c);
		else
			put(text, "%c", c > '~' ? '?' : c);
	}
	put(text, "\"");
}

size_t event_write(char to[static EVENT_MAX], int64_t since_ns, const char *source,
	const char *event, const struct event_property *properties, size_t n)
{
	struct text text = {to, 0};

	put(&text, "{\n  \"timestamp\": {\n    \"secs\": %lld,\n    \"nanos\": %lld\n  },\n"
		"  \"source\": \"%s\",\n  \"event\": \"%s\",\n  \"properties\": %s",
		(long long)(since_ns / 1000000000), (long long)(since_ns % 1000000000), source,
		event, n ? "{" : "null");
	for (size_t i = 0; i < n; i++) {
		put(&text, "%s\n    \"%s\": ", i ? "," : "", properties[i].key);
		put_word(&text, properties[i].value);
	}
	put(&text, "%s\n}\n\n", n ? "\n  }" : "");
	return text.len;
}

static bool write_whole(const char *bytes, size_t len)
{
	struct pollfd p = {.fd = events.fd, .events = POLLOUT};

	/* A pipe that is writable takes PIPE_BUF bytes whole. */
	return ppoll(&p, 1, &(struct timespec){0}, NULL) == 1 && (p.revents & POLLOUT) &&
		write(events.fd, bytes, len) == (ssize_t)len;
}

void event_tell(const char *source, const char *event, const struct event_property *properties,
	size_t n)
{
	char bytes[EVENT_MAX];
	struct timespec now;
	int64_t since;

	clock_gettime(CLOCK_MONOTONIC, &now);
	since = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - events.start_us * 1000;
	if (events.fd >= 0 && !write_whole(bytes, event_write(bytes, since > 0 ? since : 0, source,
		event, properties, n))) {
		events.lost++;
		if (log_allowed(&events.budget))
			log_warn("event monitor: takes no more, %lu events are lost; read it faster",
				events.lost);
	}
	log_info("event: %s %s", source, event);
}
