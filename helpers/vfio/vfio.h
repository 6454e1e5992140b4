/* SPDX-License-Identifier: Apache-2.0
 *
 * The VFIO helper: one PCI device by its VFIO descriptor.
 *
 * VFIO helper process, one thread, one device for the life of the process.
 */
#pragma once

#include "helpers/helper.h"
#include "helpers/vfio/config.h"

enum irq_mode { IRQ_NONE, IRQ_INTX, IRQ_MSI, IRQ_MSIX };

struct vfio {
	char name[64];
	struct fd device, group; /* group: only for a reset of more than the device */
	bool can_reset, own_reset;
	uint64_t config_at; /* where config space begins in the descriptor */
	struct config_map config;
	struct region_desc regions[PCI_BARS];
	uint64_t rom_size, rom_at; /* 0: no expansion ROM */
	struct fd error, request; /* eventfds: ERR and REQ */
	bool no_resize;           /* all vectors are allocated when MSI-X is enabled */
	bool has_intx;
	enum irq_mode irq_mode;      /* the one kind VFIO has on */
	struct fd trigger, resample; /* INTx: kept for the time after MSI or MSI-X */
};

/* open.c: the device descriptor, out of what came with Open; a group is left there. */
int open_device(struct helper_open *open, struct fd *ret, struct err *err);

/* regions.c: config space, BARs and what of them may be mapped. */
int regions_read(struct vfio *vfio, struct err *err);
int vfio_config_read(unsigned offset, unsigned size, uint32_t *ret, struct err *err);
int vfio_config_write(unsigned offset, unsigned size, uint32_t value, struct err *err);
int vfio_region_read(unsigned index, uint64_t offset, unsigned size, uint64_t *ret,
	struct err *err);
int vfio_region_write(unsigned index, uint64_t offset, unsigned size, uint64_t value,
	struct err *err);

/* irq.c */
int irq_setup(struct vfio *vfio, struct err *err);
/* No interrupt of any kind, nothing armed. */
int irq_off(struct err *err);
/* No vector armed, and back to INTx, with no interrupt in service. */
int irq_reset(struct err *err);
int vfio_intx_arm(struct fd trigger, struct fd resample, struct err *err);
int vfio_msi_enable(unsigned count, struct err *err);
int vfio_msi_disable(struct err *err);
int vfio_msi_arm(unsigned vector, struct fd eventfd, struct err *err);
int vfio_msix_enable(struct err *err);
int vfio_msix_disable(struct err *err);
int vfio_msix_arm(unsigned vector, struct fd eventfd, struct err *err);

/* reset.c: what resets it; takes the group. own_reset: VFIO_DEVICE_RESET does. */
void reset_setup(struct fd group, bool own_reset);
void vfio_ready(void);
int vfio_reset(struct err *err);

extern struct vfio vfio;
