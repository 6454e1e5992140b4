/* SPDX-License-Identifier: Apache-2.0
 *
 * --seccomp log: the tracer that counts what the policies would have killed.
 */
#pragma once

#include "ipc/err.h"

/* Starts bulkhead-policy as a child that traces us and all processes we come to start; it reports
 * to standard error when we end. Before anything else is started. level: a log level;
 * LOG_DEBUG: the report also says how often each row was used. 0 or -errno. */
int watcher_start(int level, struct err *err);
