/* SPDX-License-Identifier: Apache-2.0
 *
 * The MSI-X table, PBA and control register a guest sees (PCI Local Bus 3.0, 6.8.2), as a state
 * machine over the four things that can be done to a vector.
 *
 * Core process, called with the function's lock held. Nothing here knows KVM or the helper; the
 * ops do. A vector is
 *
 *   cold    the host has spent nothing on it; the first unmasked use arms it
 *   armed   an eventfd, a GSI and the device's vector belong to it; interrupts collect in the
 *           eventfd, which is what the PBA bit shows
 *   live    armed, and its eventfd is an irqfd: device to local APIC without user space
 *
 * Masking and re-routing move a vector between armed and live and cost no message to the helper.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct msix_ops {
	/* The device enters or leaves MSI-X mode. Leaving: every vector is cold again. */
	int (*mode)(void *opaque, bool enable);
	int (*arm)(void *opaque, unsigned vector);  /* cold to armed; 0 or -errno */
	void (*cool)(void *opaque, unsigned vector); /* armed to cold; the device's part is mode's */
	int (*live)(void *opaque, unsigned vector, uint64_t addr, uint32_t data);
	void (*quiet)(void *opaque, unsigned vector); /* live to armed */
	bool (*pending)(void *opaque, unsigned vector); /* of an armed, not live vector */
};

struct msix_vector {
	uint32_t entry[4]; /* address low, address high, data, control: little endian as stored */
	bool armed, live;
	uint64_t live_addr; /* the message its route has now */
	uint32_t live_data;
};

enum { MSIX_ENTRY_SIZE = 16, MSIX_CTRL_ENABLE = 0x8000, MSIX_CTRL_MASKALL = 0x4000 };

struct msix {
	const struct msix_ops *ops;
	void *opaque;
	unsigned n;
	struct msix_vector *vectors; /* n of them, owned by the caller */
	bool enabled, mask_all;
};

/* Zeroed vectors become a table with every vector masked. */
void msix_init(struct msix *msix, const struct msix_ops *ops, void *opaque,
	struct msix_vector *vectors, unsigned n);

/* Like power-on. Every vector ends cold. */
void msix_reset(struct msix *msix);

/* Accesses inside the table or PBA; offset is relative to it, size 1 to 16. Bytes past the last
 * vector read 0. The PBA is read-only. */
void msix_table_read(const struct msix *msix, uint64_t offset, uint8_t *data, unsigned size);
void msix_table_write(struct msix *msix, uint64_t offset, const uint8_t *data, unsigned size);
void msix_pba_read(const struct msix *msix, uint64_t offset, uint8_t *data, unsigned size);

/* Message Control, the word at capability + 2. */
uint16_t msix_control_read(const struct msix *msix);
void msix_control_write(struct msix *msix, uint16_t control);
