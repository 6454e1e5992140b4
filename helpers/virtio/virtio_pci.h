/* SPDX-License-Identifier: Apache-2.0
 *
 * A virtio device on PCI (virtio 1.2 §4.1), whatever drives its queues: config space, common
 * configuration, status, interrupts. A back end fills in struct virtio_pci and its ops, and has it
 * inside its own.
 *
 * Helper process, one thread. Every value a guest writes comes here; nothing it can write does more
 * than confuse its own driver. Queue contents are never looked at.
 *
 *   BAR 0, 32 KiB, all trapped:  0x0000 common configuration   0x1000 ISR   0x2000 device config
 *                                0x4000 MSI-X table            0x7000 PBA (both the core's)
 *   BAR 2, a page a queue:       queue q's notify register at q * 4096
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "helpers/helper.h"

enum { /* device types (§5) */
	VIRTIO_NET = 1, VIRTIO_BLOCK = 2, VIRTIO_SCSI = 8, VIRTIO_GPU = 16, VIRTIO_CRYPTO = 20,
	VIRTIO_FS = 26,
};

enum {
	VIRTIO_QUEUES_MAX = DOORBELLS_MAX,
	VIRTIO_CONFIG_MAX = 4096,
	VIRTIO_NO_VECTOR = 0xffff,
	VIRTIO_CONFIG_EVENT = VIRTIO_QUEUES_MAX, /* beside queue numbers: config changes */
};

struct virtio_queue {
	uint16_t max;    /* size after reset; a power of two */
	uint16_t size, vector;
	bool enabled;
	uint64_t desc, driver, device; /* guest-physical, as the guest wrote them */
};

struct virtio_pci;

/* All return 0 or -errno with *err filled, unless they return nothing. */
struct virtio_ops {
	int (*reset)(struct virtio_pci *vp, struct err *err);
	/* ACKNOWLEDGE, DRIVER or FAILED was added. */
	void (*status)(struct virtio_pci *vp, uint8_t status);
	/* 0: these features stand (FEATURES_OK read back from the device). */
	int (*features)(struct virtio_pci *vp, uint64_t features, struct err *err);
	/* DRIVER_OK: queues as they are in struct virtio_queue. */
	int (*start)(struct virtio_pci *vp, struct err *err);
	/* A queue enabled after DRIVER_OK. NULL: the device cannot. */
	int (*enable)(struct virtio_pci *vp, unsigned queue, struct err *err);
	/* DEVICE_NEEDS_RESET (§2.1.2); also of one that could not be started. */
	bool (*needs_reset)(const struct virtio_pci *vp);
	/* All config_size bytes. */
	int (*config_read)(const struct virtio_pci *vp, uint8_t *ret, struct err *err);
	void (*config_write)(struct virtio_pci *vp, unsigned offset, unsigned size,
		const uint8_t *data);
	/* A notification that did not go by its eventfd. */
	void (*kick)(struct virtio_pci *vp, unsigned queue);
	/* virtio_irq_fd says something new for this queue or VIRTIO_CONFIG_EVENT. */
	void (*rewire)(struct virtio_pci *vp, unsigned which);
};

struct virtio_pci {
	/* Filled by the back end. */
	const struct virtio_ops *ops;
	uint16_t type;
	uint64_t offered;         /* the device's features; virtio_pci_init masks what we are not */
	unsigned n_queues;        /* at least 1 */
	unsigned n_pages;         /* queues, from 0, whose notify register is a page to map */
	unsigned config_size;     /* of the device config, at most VIRTIO_CONFIG_MAX */
	struct virtio_queue queues[VIRTIO_QUEUES_MAX];

	/* The transport's own. */
	uint8_t pci[256];         /* config space */
	uint64_t accepted;        /* features the driver wrote */
	uint32_t feature_select, accepted_select;
	uint16_t queue_select, config_vector;
	uint8_t status, generation, isr;
	uint8_t config[VIRTIO_CONFIG_MAX]; /* as last read */
	bool msix;
	struct fd vectors[VIRTIO_QUEUES_MAX + 1]; /* the core's eventfds, armed ones */
	struct fd own[2];         /* queue and config events while no vector takes them */
	struct fd trigger, resample; /* INTx */
};

/* virtio_pci.c. Makes config space and the eventfds of its own. */
int virtio_pci_init(struct virtio_pci *vp, struct err *err);
void virtio_pci_describe(const struct virtio_pci *vp, struct function_desc *ret);
/* As at power-on. */
int virtio_pci_reset(struct virtio_pci *vp, struct err *err);

/* virtio_features.c: what of the features is left without those that need one that is not there. */
uint64_t virtio_features_fit(uint16_t type, uint64_t features);

/* virtio_regs.c: the BARs; helper_ops, bound to vp. */
int virtio_region_read(struct virtio_pci *vp, unsigned bar, uint64_t offset, unsigned size,
	uint64_t *ret, struct err *err);
int virtio_region_write(struct virtio_pci *vp, unsigned bar, uint64_t offset, unsigned size,
	uint64_t value, struct err *err);
/* Every queue as the device has it; then, each time, as if the driver had written status 0. */
void virtio_regs_init(struct virtio_pci *vp);
int virtio_regs_reset(struct virtio_pci *vp, struct err *err);

/* virtio_irq.c. What the back end signals for a queue or VIRTIO_CONFIG_EVENT: the armed vector's
 * eventfd, or one of ours. Borrowed; good until the next rewire of `which`. */
int virtio_irq_fd(const struct virtio_pci *vp, unsigned which);
int virtio_irq_init(struct virtio_pci *vp, struct err *err);
void virtio_irq_mode(struct virtio_pci *vp, bool msix);
/* Takes eventfd; one that holds nothing disarms. */
void virtio_irq_arm(struct virtio_pci *vp, unsigned vector, struct fd eventfd);
void virtio_irq_intx(struct virtio_pci *vp, struct fd trigger, struct fd resample);
void virtio_irq_event_fds(const struct virtio_pci *vp, int ret_fds[HELPER_EVENTS]);
void virtio_irq_on_event(struct virtio_pci *vp, unsigned which);
/* A queue's interrupt or VIRTIO_CONFIG_EVENT's, where the device does not raise it. */
void virtio_irq_signal(const struct virtio_pci *vp, unsigned which);
bool virtio_irq_intx_pending(const struct virtio_pci *vp);
/* Whatever kept the pin low may be over: INTx disabled in COMMAND, MSI-X. */
void virtio_irq_raise_pin(struct virtio_pci *vp);
/* Reading the ISR clears it (§4.1.4.5). */
uint8_t virtio_irq_isr(struct virtio_pci *vp);
void virtio_irq_reset(struct virtio_pci *vp);

/* virtio_config.c: the 256 bytes of config space; helper_ops, bound to vp. */
void virtio_config_build(struct virtio_pci *vp);
int virtio_config_read(struct virtio_pci *vp, unsigned offset, unsigned size, uint32_t *ret,
	struct err *err);
int virtio_config_write(struct virtio_pci *vp, unsigned offset, unsigned size, uint32_t value,
	struct err *err);

enum {
	VIRTIO_BAR_REGS = 0, VIRTIO_BAR_NOTIFY = 2,
	REGS_COMMON = 0x0000, REGS_ISR = 0x1000, REGS_DEVICE = 0x2000, REGS_TABLE = 0x4000,
	REGS_PBA = 0x7000, REGS_SIZE = 0x8000,
	COMMON_SIZE = 56, NOTIFY_STRIDE = 4096,
	VIRTIO_CAP_MSIX = 0x40,
	PCI_COMMAND_REG = 0x04, PCI_COMMAND_NO_INTX = 0x0400,
};
