/* SPDX-License-Identifier: Apache-2.0
 *
 * A PCI function as its helper describes it to the core: plain structs, and the two functions that
 * turn them into a Description message and, checked, back.
 *
 * The core trusts nothing in a description: describe_from_wire refuses whatever is out of range,
 * unaligned or overlapping before any other code sees it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ipc/bulkhead.pb-c.h"
#include "ipc/err.h"

enum {
	PCI_CONFIG_MAX = 4096,
	PCI_BARS = 6,
	REGION_RANGES = 4,
	MSIX_MAX = 2048,
	DOORBELLS_MAX = 512,
	/* PCI 3.0 §6.2.5.2 */
	ROM_MIN = 2048, ROM_MAX = 16 << 20,
};

struct region_range {
	uint64_t offset, size; /* bytes, page granular, inside the BAR */
};

struct region_desc {
	uint64_t size; /* bytes; 0: the BAR does not exist */
	bool io, is_64, prefetchable;
	uint64_t fd_offset;
	bool doorbell_pages; /* mapped page by page, write-only */
	unsigned n_ranges;
	struct region_range ranges[REGION_RANGES]; /* ascending, disjoint */
};

struct msix_desc {
	unsigned vectors; /* 0: no MSI-X */
	unsigned cap;     /* config space offset */
	unsigned table_bar, pba_bar;
	uint32_t table_offset, pba_offset;
};

struct doorbell_desc {
	unsigned count; /* 0: none */
	unsigned bar;
	uint32_t stride;
	uint64_t offset;
};

struct function_desc {
	unsigned config_size; /* 256 or 4096 */
	uint8_t config[PCI_CONFIG_MAX];
	struct region_desc regions[PCI_BARS];
	struct msix_desc msix;
	unsigned msi_cap; /* config space offset, 0: no MSI */
	struct doorbell_desc doorbells;
	bool can_reset, can_suspend;
	bool intx; /* interrupt pin A */
	/* Expansion ROM; 0: none. */
	uint64_t rom_size, rom_fd_offset;
};

/* MSI vectors by the capability (Multiple Message Capable), 1 to 32; 0: no MSI. */
unsigned desc_msi_vectors(const struct function_desc *desc);

/* Storage the wire form points into; as long-lived as the packet. */
struct describe_wire {
	Bulkhead__Description description;
	Bulkhead__MsixGeometry msix;
	Bulkhead__Doorbells doorbells;
	Bulkhead__Region regions[PCI_BARS], *region_ptrs[PCI_BARS];
	Bulkhead__Range ranges[PCI_BARS][REGION_RANGES], *range_ptrs[PCI_BARS][REGION_RANGES];
};

void describe_to_wire(const struct function_desc *desc, struct describe_wire *wire);

/* 0, or -EBADMSG with blame peer and the field at fault; *ret untouched on failure. */
int describe_from_wire(
	const Bulkhead__Description *description, struct function_desc *ret, struct err *err);
