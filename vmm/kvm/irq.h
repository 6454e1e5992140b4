/* SPDX-License-Identifier: Apache-2.0
 *
 * GSIs, their routes and irqfds: KVM_SET_GSI_ROUTING and KVM_IRQFD.
 *
 * Core process, any thread; one lock inside. GSIs 0-23 are the PIC's and IOAPIC's pins and are in
 * every routing table we set (the ioctl replaces the whole table); from 24 on they are handed out
 * one by one to MSI vectors. No peer ever names a GSI: they do not appear in the protocol.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "ipc/err.h"

enum { IRQ_PINS = 24, IRQ_GSIS = 4096 };

struct irq_route {
	uint32_t gsi;
	uint64_t addr;
	uint32_t data;
};

struct irq {
	pthread_mutex_t lock;
	int vm_fd;
	bool ext_dest_id;             /* irq_extend */
	unsigned n_routes;            /* MSI routes; the pins are added when the table is set */
	struct irq_route *routes;     /* IRQ_GSIS of them */
	uint8_t used[IRQ_GSIS / 8];
	struct kvm_irq_routing *table; /* storage for the ioctl, so that no vCPU allocates */
};

int irq_init(struct irq *irq, int vm_fd, struct err *err);

/* Before the guest runs: CPUID tells it that messages have KVM_FEATURE_MSI_EXT_DEST_ID's bits. */
void irq_extend(struct irq *irq);

/* A free GSI, or -ENOSPC. */
int irq_gsi_alloc(struct irq *irq);
/* Drops its route as well. The irqfd must be gone. */
void irq_gsi_free(struct irq *irq, uint32_t gsi);

/* Sets or changes the MSI message of a GSI. Returns when no interrupt can go the old way. 0, -errno. */
int irq_route(struct irq *irq, uint32_t gsi, uint64_t addr, uint32_t data);

/* Connects an eventfd to a GSI that has a route (route first, or the interrupt is lost), and takes
 * it away again. A signal that came while it was away is injected by irqfd_on. 0, -errno. */
int irqfd_on(struct irq *irq, int eventfd, uint32_t gsi);
int irqfd_off(struct irq *irq, int eventfd, uint32_t gsi);

/* A level-triggered pin: a signal of eventfd raises it, and KVM lowers it and signals resample when
 * the guest has ended the interrupt (KVM_IRQFD_FLAG_RESAMPLE). 0, -errno. */
int irqfd_on_pin(struct irq *irq, int eventfd, int resample, uint32_t gsi);

/* Level of a pin of the PIC/IOAPIC (KVM_IRQ_LINE): COM1, SCI. */
int irq_line(struct irq *irq, uint32_t gsi, int level);
