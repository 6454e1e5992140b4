/* SPDX-License-Identifier: Apache-2.0
 *
 * Guest RAM: one memfd, sealed SHRINK|GROW|SEAL, mapped once into the core.
 *
 * Core process. Made by the main thread at start; after that any thread may read and write it,
 * like the guest's vCPUs and devices do, so nothing read from it stays true.
 */
#pragma once

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>

#include "ipc/config.h"
#include "ipc/fd.h"
#include "vmm/pci/layout.h"

struct ram {
	struct fd memfd; /* closed once the broker has it and it is mapped */
	uint8_t *host;   /* ram_size bytes */
	struct layout layout;
	bool hugepages;
	cpu_set_t node_cpus; /* of the node it is bound to; none: of no node, or one without */
};

/* node_cpus: of the node RAM is bound to. */
int ram_create(struct ram *ram, const struct ram_options *options, const cpu_set_t *node_cpus,
	struct phys_space phys, struct err *err);
void ram_done(struct ram *ram);

/* The kernel refuses from here on whatever would unmap, move or replace the mapping, to us as well: it
 * stays until the process ends. (BARs are not sealed: their mappings go when a device is given
 * back.) */
int ram_seal(const struct ram *ram, struct err *err);

/* Host address of [gpa, gpa + len), or NULL when any byte of it is not RAM. */
void *ram_at(const struct ram *ram, uint64_t gpa, size_t len);
