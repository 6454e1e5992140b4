/* SPDX-License-Identifier: Apache-2.0
 *
 * What the host has for guest RAM: memory, huge pages, NUMA nodes. Read under a root that a test can
 * choose.
 *
 * Opener process, before guest RAM is made.
 */
#pragma once

#include <sched.h>

#include "ipc/config.h"
#include "ipc/err.h"

/* Is there enough of it, where it was asked for? */
int memory_check(int root, const struct ram_options *options, struct err *err);

/* Processors of a node, as far as a cpu_set_t goes; none on a node that is memory only. */
void memory_node_cpus(int root, unsigned node, cpu_set_t *ret);

/* Whether the kernel may give huge pages of its own accord (transparent ones, of shmem): "never" or
 * "deny" where it may not, else NULL. */
const char *memory_thp_off(int root);
/* What that means for this guest, at -v. */
void memory_say(int root, const struct ram_options *options);
