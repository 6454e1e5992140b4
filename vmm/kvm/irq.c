/* SPDX-License-Identifier: Apache-2.0
 *
 * The GSI routing table and irqfds.
 *
 * Core process, any thread. KVM_SET_GSI_ROUTING replaces the whole table and returns when no
 * interrupt can take an old route any more (Linux virt/kvm/irqchip.c, kvm_set_irq_routing: it waits
 * for SRCU), so the table is rebuilt from `routes` under the lock each time, in storage made at
 * start: a vCPU thread allocates nothing.
 */
#include "vmm/kvm/irq.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "ipc/log.h"
#include "ipc/cpus.h"

enum {
	PIC_PINS = 8,
	PIN_ROUTES = 2 * PIC_PINS - 1 + IRQ_PINS - 1,
	MSI_ROUTES = IRQ_GSIS - PIN_ROUTES, /* KVM takes at most 4096 entries of all kinds */
};

static void add_pin(struct kvm_irq_routing *table, uint32_t gsi, uint32_t chip, uint32_t pin)
{
	table->entries[table->nr++] = (struct kvm_irq_routing_entry){
		.gsi = gsi,
		.type = KVM_IRQ_ROUTING_IRQCHIP,
		.u.irqchip = {.irqchip = chip, .pin = pin},
	};
}

/* Like a PC: the timer is the PIC's pin 0 and the IOAPIC's pin 2 (the MADT says so with an
 * override), the PIC's pin 2 is its cascade, all else is the same on both. */
static void add_pins(struct kvm_irq_routing *table)
{
	for (unsigned pin = 0; pin < 2 * PIC_PINS; pin++) {
		if (pin != 2)
			add_pin(table, pin,
				pin < PIC_PINS ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE,
				pin % PIC_PINS);
	}
	for (unsigned pin = 0; pin < IRQ_PINS; pin++) {
		if (pin != 2)
			add_pin(table, pin, KVM_IRQCHIP_IOAPIC, pin == 0 ? 2 : pin);
	}
}

/* By KVM_FEATURE_MSI_EXT_DEST_ID (Linux Documentation/virt/kvm/x86/cpuid.rst) a message has bits
 * 14:8 of its destination in bits 11:5 of the address, where hardware has none; a route has them in
 * address_hi[31:8] (api.rst, KVM_X2APIC_API_USE_32BIT_IDS). Bit 4 would be a format for an interrupt
 * remapper, which is not there: such a message stays as it is, like one with an upper half. */
static struct irq_route translate(const struct irq *irq, const struct irq_route *route)
{
	enum { FORMAT = 1 << 4, EXT_SHIFT = 5, EXT_MASK = 0x7f << EXT_SHIFT };
	struct irq_route out = *route;
	uint64_t ext = route->addr & EXT_MASK;

	if (irq->ext_dest_id && !(route->addr & FORMAT) && route->addr >> 32 == 0)
		out.addr = (route->addr & ~(uint64_t)EXT_MASK) | ext >> EXT_SHIFT << (32 + 8);
	return out;
}

static int set_table(struct irq *irq)
{
	irq->table->nr = 0;
	irq->table->flags = 0;
	add_pins(irq->table);
	for (unsigned i = 0; i < irq->n_routes; i++) {
		const struct irq_route route = translate(irq, &irq->routes[i]);

		irq->table->entries[irq->table->nr++] = (struct kvm_irq_routing_entry){
			.gsi = route.gsi,
			.type = KVM_IRQ_ROUTING_MSI,
			.u.msi = {.address_lo = (uint32_t)route.addr,
				.address_hi = (uint32_t)(route.addr >> 32),
				.data = route.data},
		};
	}
	return ioctl(irq->vm_fd, KVM_SET_GSI_ROUTING, irq->table) < 0 ? -errno : 0;
}

int irq_init(struct irq *irq, int vm_fd, struct err *err)
{
	int r;

	*irq = (struct irq){.vm_fd = vm_fd};
	pthread_mutex_init(&irq->lock, NULL);
	irq->routes = calloc(MSI_ROUTES, sizeof(irq->routes[0]));
	irq->table = calloc(1, sizeof(*irq->table) + IRQ_GSIS * sizeof(irq->table->entries[0]));
	if (!irq->routes || !irq->table)
		return err_set(err, -ENOMEM, BLAME_HOST, "out of memory");
	memset(irq->used, 0xff, IRQ_PINS / 8);
	r = set_table(irq);
	if (r < 0)
		return err_set(err, r, BLAME_HOST, "KVM_SET_GSI_ROUTING: %s", strerror(-r));
	return 0;
}

void irq_extend(struct irq *irq)
{
	irq->ext_dest_id = true;
	/* Its redirection entries have eight bits (Linux arch/x86/kvm/ioapic.h), whatever the guest
	 * writes beside them. */
	log_warn("--cpus: KVM's IOAPIC reaches APIC ids up to %d: in the guest, keep the interrupts "
		"of pins (INTx, COM1, ACPI) on those; MSI and MSI-X reach all", MSI_DEST_MAX);
}

int irq_gsi_alloc(struct irq *irq)
{
	int gsi = -ENOSPC;

	pthread_mutex_lock(&irq->lock);
	for (unsigned i = 0; i < IRQ_PINS + MSI_ROUTES && gsi < 0; i++) {
		if (irq->used[i / 8] & 1u << i % 8)
			continue;
		irq->used[i / 8] |= (uint8_t)(1u << i % 8);
		gsi = (int)i;
	}
	pthread_mutex_unlock(&irq->lock);
	return gsi;
}

static struct irq_route *route_of(struct irq *irq, uint32_t gsi)
{
	for (unsigned i = 0; i < irq->n_routes; i++) {
		if (irq->routes[i].gsi == gsi)
			return &irq->routes[i];
	}
	return NULL;
}

/* KVM keeps the route until the table is set the next time; nothing signals the GSI by then. */
void irq_gsi_free(struct irq *irq, uint32_t gsi)
{
	struct irq_route *route;

	if (gsi < IRQ_PINS || gsi >= IRQ_GSIS)
		return;
	pthread_mutex_lock(&irq->lock);
	route = route_of(irq, gsi);
	if (route)
		*route = irq->routes[--irq->n_routes];
	irq->used[gsi / 8] &= (uint8_t)~(1u << gsi % 8);
	pthread_mutex_unlock(&irq->lock);
}

/* With the lock held. A message KVM refuses (a destination with bits that must be zero) leaves
 * everything as it was. */
static int route_set(struct irq *irq, const struct irq_route *wanted)
{
	struct irq_route *route = route_of(irq, wanted->gsi), before;
	bool is_new = !route;
	int r;

	if (is_new && irq->n_routes == MSI_ROUTES)
		return -ENOSPC;
	if (is_new)
		route = &irq->routes[irq->n_routes++];
	before = *route;
	*route = *wanted;
	r = set_table(irq);
	if (r < 0 && is_new)
		irq->n_routes--;
	else if (r < 0)
		*route = before;
	return r;
}

int irq_route(struct irq *irq, uint32_t gsi, uint64_t addr, uint32_t data)
{
	const struct irq_route wanted = {.gsi = gsi, .addr = addr, .data = data};
	int r;

	if (gsi < IRQ_PINS || gsi >= IRQ_GSIS)
		return -EINVAL;
	pthread_mutex_lock(&irq->lock);
	r = route_set(irq, &wanted);
	pthread_mutex_unlock(&irq->lock);
	return r;
}

static int irqfd(struct irq *irq, int eventfd, uint32_t gsi, uint32_t flags)
{
	struct kvm_irqfd args = {.fd = (uint32_t)eventfd, .gsi = gsi, .flags = flags};

	return ioctl(irq->vm_fd, KVM_IRQFD, &args) < 0 ? -errno : 0;
}

int irqfd_on(struct irq *irq, int eventfd, uint32_t gsi)
{
	return irqfd(irq, eventfd, gsi, 0);
}

int irqfd_off(struct irq *irq, int eventfd, uint32_t gsi)
{
	return irqfd(irq, eventfd, gsi, KVM_IRQFD_FLAG_DEASSIGN);
}

int irqfd_on_pin(struct irq *irq, int eventfd, int resample, uint32_t gsi)
{
	struct kvm_irqfd args = {.fd = (uint32_t)eventfd, .gsi = gsi,
		.flags = KVM_IRQFD_FLAG_RESAMPLE, .resamplefd = (uint32_t)resample};

	return ioctl(irq->vm_fd, KVM_IRQFD, &args) < 0 ? -errno : 0;
}

int irq_line(struct irq *irq, uint32_t gsi, int level)
{
	struct kvm_irq_level args = {.irq = gsi, .level = (uint32_t)level};

	return ioctl(irq->vm_fd, KVM_IRQ_LINE, &args) < 0 ? -errno : 0;
}
