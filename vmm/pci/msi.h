/* SPDX-License-Identifier: Apache-2.0
 *
 * The MSI capability a guest sees (PCI Local Bus 3.0, 6.8.1), on top of msix.h: vector i is an
 * entry with the capability's address, its data with i in the low bits, and its mask bit.
 *
 * Core process, called with the function's lock held. Pure but for the ops.
 */
#pragma once

#include "vmm/pci/msix.h"

enum { MSI_VECTORS_MAX = 32 };

struct msi {
	struct msix table; /* table.n: vectors the guest has now */
	struct msix_vector vectors[MSI_VECTORS_MAX];
	unsigned len;      /* bytes of the capability, 0: none */
	uint16_t control;  /* Message Control as the guest reads it */
	uint64_t addr;
	uint16_t data;
	uint32_t mask;
};

/* control: Message Control of the device, which says how many vectors, how wide an address, and
 * whether they can be masked. */
void msi_init(struct msi *msi, const struct msix_ops *ops, void *opaque, uint16_t control);

/* Like power-on. Every vector ends cold. */
void msi_reset(struct msi *msi);

/* Bytes of the capability from 2 (Message Control) to len; offset is relative to the capability. */
uint8_t msi_read(const struct msi *msi, unsigned offset);
/* The bytes of [offset, offset + size), size 1 to 4, that are the capability's and writable. */
void msi_write(struct msi *msi, unsigned offset, unsigned size, uint32_t value);
