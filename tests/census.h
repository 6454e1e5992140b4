/* SPDX-License-Identifier: Apache-2.0
 *
 * What a process holds, read from /proc. Tests only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* How many descriptors pid has open; 0: this process. -1: cannot be told. */
int census_fds(pid_t pid);
/* The value of a field of /proc/PID/status. */
bool census_status(pid_t pid, const char *field, char *ret, size_t size);
/* Is pid in other namespaces than we are, in each of these kinds? */
bool census_own_namespaces(pid_t pid, const char *const *kinds);
