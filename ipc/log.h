/* SPDX-License-Identifier: Apache-2.0
 *
 * One line a call, with the process's prefix, in one write(2) to one descriptor.
 *
 * Every process, every thread; nothing is allocated and stdio is not used, so it works under every
 * run-time policy. In helpers descriptor 2 is a SEQPACKET socket to the broker, which checks,
 * counts and relays the lines; in core and broker it is what the operator gave them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* LOG_SAY: what the operator has just asked to be told. */
enum log_level { LOG_SAY, LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* prefix must live as long as the process. level: the most talkative level that is still printed. */
void log_init(const char *prefix, enum log_level level, int fd);
bool log_enabled(enum log_level level);
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Writes a finished line, or drops it when the reader is not ready. */
void log_put(const char *line, size_t len);

#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

/* Words of a peer's, on their way to a person: all but printable ASCII becomes a question mark. */
void text_clean(char *text);

/* A budget for lines a hostile party can provoke: at most burst lines, refilled one a second. */
struct log_budget {
	unsigned burst; /* 0 means 10 */
	unsigned used;
	long last_s;
	unsigned long dropped;
};
bool log_allowed(struct log_budget *budget);
