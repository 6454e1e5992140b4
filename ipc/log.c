/* SPDX-License-Identifier: Apache-2.0
 *
 * Log lines. Every process, every thread: the state is set once, before there are threads. A line
 * is built on the stack and leaves in one write(2), so lines of several threads never mix. What
 * cannot be written is lost: nothing here waits, fails or allocates. A reader that has stopped
 * reading must not stop us: a broker that sleeps in write(2) does not see the core hang up.
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ipc/log.h"

enum { LINE_MAX_BYTES = 640 };

static struct {
	const char *prefix;
	enum log_level level;
	int fd;
} state = {.prefix = "", .level = LOG_WARN, .fd = 2};

void log_init(const char *prefix, enum log_level level, int fd)
{
	state.prefix = prefix;
	state.level = level;
	state.fd = fd;
}

bool log_enabled(enum log_level level)
{
	return level <= state.level;
}

void log_put(const char *line, size_t len)
{
	struct pollfd p = {.fd = state.fd, .events = POLLOUT};
	const struct timespec now = {0};
	int saved = errno;

	/* A writable pipe or socket takes a line whole; O_NONBLOCK would be set for all who share
	 * the operator's descriptor. */
	if (ppoll(&p, 1, &now, NULL) == 1 && write(state.fd, line, len) < 0)
		errno = saved; /* nobody to tell */
	errno = saved;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	static const char *const tags[] = {"", "error: ", "warning: ", "", ""};
	const char *colon = state.prefix[0] ? ": " : "";
	char line[LINE_MAX_BYTES];
	va_list args;
	size_t len;
	int n;

	if (!log_enabled(level))
		return;
	n = snprintf(line, sizeof(line), "%s%s%s", state.prefix, colon, tags[level]);
	if (n < 0 || (size_t)n >= sizeof(line))
		return;
	va_start(args, fmt);
	vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, args);
	va_end(args);
	len = strlen(line);
	line[len++] = '\n';
	log_put(line, len);
}

void text_clean(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

bool log_allowed(struct log_budget *budget)
{
	unsigned burst = budget->burst ? budget->burst : 10;
	struct timespec now;
	unsigned long refill;

	clock_gettime(CLOCK_MONOTONIC, &now);
	refill = (unsigned long)(now.tv_sec - budget->last_s);
	budget->last_s = now.tv_sec;
	budget->used = refill >= budget->used ? 0 : budget->used - (unsigned)refill;
	if (budget->used >= burst) {
		budget->dropped++;
		return false;
	}
	budget->used++;
	return true;
}
