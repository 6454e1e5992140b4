/* SPDX-License-Identifier: Apache-2.0
 *
 * What of a VM's configuration is numbers, as launcher, opener and core all know it.
 *
 * Paths stay with the opener (helpers/opts/opts.h); the core is told by CoreConfig and CoreDevice.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ipc/cpus.h"
#include "ipc/operate.h"
#include "ipc/units.h"

enum { NUMA_NODES_MAX = 1024 }; /* Linux on x86 has at most 2^CONFIG_NODES_SHIFT, 10 */

struct ram_options {
	uint64_t size;
	bool hugepages;
	uint64_t hugepage_size; /* 2 MiB or 1 GiB */
	bool prefault;
	bool on_node; /* all of it on one NUMA node of the host */
	unsigned node;
};

/* A serial file with less room would hold little but our own words. */
#define SERIAL_LIMIT_MIN (4 * KiB)

/* What a guest has to power off in, once it was asked. */
enum { SHUTDOWN_TIMEOUT_S = 60, SHUTDOWN_TIMEOUT_MAX_S = 86400 };

enum { ID_MAX = 65 /* a device's id, with its final 0 */ };

/* The guest's bus. */
enum { PCI_DEVICES = 32, PCI_FUNCTIONS = 8 };

/* Its expansion ROM is... */
enum rom_mode { ROM_OWN /* the device's, if it has one */, ROM_OFF, ROM_FILE };
