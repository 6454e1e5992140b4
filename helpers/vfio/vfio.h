/* SPDX-License-Identifier: Apache-2.0
 *
 * The VFIO helper: one PCI device by its VFIO descriptor.
 *
 * VFIO helper process, one thread, one device for the life of the process: main.c has it,
 * everything else is given it.
 */
#pragma once

#include "helpers/helper.h"
#include "helpers/vfio/facts.h"
#include "helpers/vfio/map.h"

enum irq_mode { IRQ_NONE, IRQ_INTX, IRQ_MSI, IRQ_MSIX };

/* irq.c */
struct irqs {
	struct fd error, request;    /* eventfds: ERR and REQ */
	enum irq_mode mode;          /* the one kind VFIO has on */
	struct fd trigger, resample; /* INTx: kept for the time after MSI or MSI-X */
};

/* reset.c: what resets it. */
struct resets {
	bool own, power_only; /* VFIO_DEVICE_RESET does; by leaving D3hot and no other way */
	bool has_bus;         /* there is a hot reset */
	bool bus, alone;      /* it may be had for now; it reaches this function and no other */
	struct fd group;      /* by type1: shown to the kernel at a hot reset */
};

struct vfio {
	char name[64];
	struct fd device;
	struct facts facts;
	uint64_t config_at; /* where config space begins in the descriptor */
	struct config_map config;
	struct region_desc regions[PCI_BARS];
	uint64_t rom_size, rom_at; /* 0: no expansion ROM */
	struct irqs irqs;
	struct resets resets;
};

/* open.c: the device descriptor, out of what came with Open; a group is left there. */
int open_device(struct helper_open *open, struct fd *ret, struct err *err);

/* regions.c: config space, BARs, ROM, and what of them may be mapped. What of it cannot be true is
 * noted. */
int regions_read(struct vfio *v, struct notes *notes, struct err *err);

/* describe.c */
int describe(const struct vfio *v, struct function_desc *ret, struct err *err);

/* access.c: as in struct helper_ops. */
int access_config_read(const struct vfio *v, unsigned offset, unsigned size, uint32_t *ret,
	struct err *err);
int access_config_write(const struct vfio *v, unsigned offset, unsigned size, uint32_t value,
	struct err *err);
int access_region_read(const struct vfio *v, unsigned index, uint64_t offset, unsigned size,
	uint64_t *ret, struct err *err);
int access_region_write(const struct vfio *v, unsigned index, uint64_t offset, unsigned size,
	uint64_t value, struct err *err);

/* irq.c */
int irq_setup(struct vfio *v, struct err *err);
/* No interrupt of any kind, nothing armed. */
int irq_off(struct vfio *v, struct err *err);
/* No vector armed, and back to INTx, with no interrupt in service. */
int irq_reset(struct vfio *v, struct err *err);
int irq_intx_arm(struct vfio *v, struct fd trigger, struct fd resample, struct err *err);
int irq_msi_enable(struct vfio *v, unsigned count, struct err *err);
int irq_msix_enable(struct vfio *v, struct err *err);
/* Leaves MSI or MSI-X, if that is on. */
int irq_disable(struct vfio *v, enum irq_mode mode, struct err *err);
int irq_arm(struct vfio *v, enum irq_mode mode, unsigned vector, struct fd eventfd,
	struct err *err);

/* reset.c: finds out what resets it; takes the group, and keeps it if it is of use. */
void reset_setup(struct vfio *v, struct fd group);
/* Devices of the VM have come or gone: whose is the bus now? */
void reset_settled(struct vfio *v);
/* whole: all of the VM is reset, and so may be whatever else of it is on the bus. */
int reset_device(struct vfio *v, bool whole, struct err *err);

/* known.c: says what is known of a device of that vendor and id that a guest will not get. */
void known_warn(unsigned vendor, unsigned device);
