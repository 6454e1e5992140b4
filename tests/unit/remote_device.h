/* SPDX-License-Identifier: Apache-2.0
 *
 * A remote function, fn, with a recorded helper and a recorded KVM: the asks (vmm/peer.c), memslots
 * and irqs are doubles that write one word each to a trace; the buses, the PCI root and the MSI-X
 * table are the real ones.
 */
#pragma once

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/trace.h"
#include "vmm/pci/remote.h"

static uint8_t device_config[4096];
static struct function_desc desc;
static int device_fd = -1;
static bool refuse, refuse_reset, memory_off;
static struct { uint64_t gpa, size; bool used; } slots[32];

int ask_kick_arm(struct peer *p, unsigned queue, int eventfd, struct err *e)
{
	(void)p, (void)e;
	cr_assert_geq(eventfd, 0);
	traced("kick%u ", queue);
	return 0;
}

int ask_intx_arm(struct peer *p, int trigger, int resample, struct err *e)
{
	(void)p, (void)e;
	cr_assert(trigger >= 0 && resample >= 0 && trigger != resample);
	traced("intx ");
	return 0;
}

int ask_suspend(struct peer *p, struct err *e)
{
	(void)p, (void)e;
	traced("suspend ");
	return 0;
}

int ask_resume(struct peer *p, struct err *e)
{
	(void)p, (void)e;
	traced("resume ");
	return 0;
}

void tell_settled(struct peer *p)
{
	(void)p;
	traced("settled ");
}

int ask_config_read(struct peer *p, unsigned offset, unsigned size, uint32_t *ret)
{
	*ret = ~0u;
	if (!peer_serves(p))
		return -EPIPE;
	*ret = 0;
	memcpy(ret, device_config + offset, size);
	return 0;
}

int ask_config_write(struct peer *p, unsigned offset, unsigned size, uint32_t value)
{
	if (!peer_serves(p))
		return -EPIPE;
	traced("cfg%x/%u=%x ", offset, size, value);
	memcpy(device_config + offset, &value, size);
	return 0;
}

int ask_region_read(struct peer *p, unsigned index, uint64_t offset, unsigned size, uint64_t *ret)
{
	(void)p;
	traced("r%u+%llx/%u ", index, (unsigned long long)offset, size);
	*ret = refuse || memory_off ? ~0ull >> (64 - 8 * size) : 0x1122334455667788ull;
	return refuse ? -EIO : 0;
}

int ask_region_write(struct peer *p, unsigned index, uint64_t offset, unsigned size, uint64_t value)
{
	(void)p, (void)value;
	traced("w%u+%llx/%u ", index, (unsigned long long)offset, size);
	return 0;
}

int ask_msi_mode(struct peer *p, unsigned vectors)
{
	(void)p;
	(void)vectors;
	return 0;
}

int ask_msi_arm(struct peer *p, unsigned vector, int eventfd)
{
	(void)p;
	(void)vector;
	(void)eventfd;
	return 0;
}

int ask_msix_mode(struct peer *p, bool enable)
{
	(void)p;
	traced("msix%d ", enable);
	return 0;
}

int ask_msix_arm(struct peer *p, unsigned vector, int eventfd)
{
	(void)p, (void)eventfd;
	traced("arm%u ", vector);
	return 0;
}

int ask_reset(struct peer *p, bool whole)
{
	(void)p;
	traced(whole ? "reset-all " : "reset ");
	return refuse_reset ? -EIO : 0;
}

bool peer_on_event(struct peer *p)
{
	(void)p;
	return false;
}

void kvm_vfio_del(struct kvm_vfio *list, int place)
{
	(void)list, (void)place;
}

static uint8_t *last_host;

int vm_slot_add_rom(struct vm *vm, uint64_t gpa, uint64_t size, void *host)
{
	traced("rom");
	last_host = host;
	return vm_slot_add(vm, gpa, size, host);
}

int vm_slot_add(struct vm *vm, uint64_t gpa, uint64_t size, void *host)
{
	(void)vm;
	cr_assert_neq(host, NULL);
	for (int i = 0; i < 32; i++) {
		if (slots[i].used)
			continue;
		slots[i].used = true;
		slots[i].gpa = gpa;
		slots[i].size = size;
		traced("+%llx ", (unsigned long long)gpa);
		return i;
	}
	return -ENOSPC;
}

void vm_slot_del(struct vm *vm, int slot)
{
	(void)vm;
	cr_assert(slots[slot].used);
	slots[slot].used = false;
	traced("-%llx ", (unsigned long long)slots[slot].gpa);
}

static bool no_room;

int vm_ioeventfd_add(struct vm *vm, int eventfd, uint64_t gpa)
{
	(void)vm;
	cr_assert_geq(eventfd, 0);
	if (no_room)
		return -ENOSPC;
	traced("!%llx ", (unsigned long long)gpa);
	return 0;
}

void vm_ioeventfd_del(struct vm *vm, int eventfd, uint64_t gpa)
{
	(void)vm, (void)eventfd;
	traced("~%llx ", (unsigned long long)gpa);
}

void vm_ask(struct vm *vm, enum vm_request request)
{
	(void)vm;
	traced("vm%d ", request);
}

int irq_gsi_alloc(struct irq *irq)
{
	(void)irq;
	return 24;
}

void irq_gsi_free(struct irq *irq, uint32_t gsi)
{
	(void)irq, (void)gsi;
	traced("free ");
}

int irq_route(struct irq *irq, uint32_t gsi, uint64_t addr, uint32_t data)
{
	(void)irq, (void)gsi, (void)addr, (void)data;
	traced("route ");
	return 0;
}

int irqfd_on(struct irq *irq, int fd, uint32_t gsi)
{
	(void)irq, (void)fd, (void)gsi;
	traced("on ");
	return 0;
}

int irqfd_off(struct irq *irq, int fd, uint32_t gsi)
{
	(void)irq, (void)fd, (void)gsi;
	traced("off ");
	return 0;
}

int irqfd_on_pin(struct irq *irq, int fd, int resample, uint32_t gsi)
{
	(void)irq, (void)fd, (void)resample;
	traced("pin%u ", gsi);
	return 0;
}

static struct vm vm;
static struct pci pci;
static struct device_config config = {.name = "0000:00:03.0"};
static struct remote fn;

enum { PM = 0x40, MSIX = 0x50, EXP = 0x60, ECAM_FN = 1 << 15 };

/* An NVMe as QEMU makes it: BAR0 16 KiB, 64-bit, table at 0x2000, PBA at 0x3000; a second BAR of
 * 32 ports. */
static void describe(void)
{
	desc.config_size = 4096;
	desc.config[0x34] = PM;
	desc.config[PM] = 0x01;
	desc.config[PM + 1] = MSIX;
	desc.config[MSIX] = 0x11;
	desc.config[MSIX + 1] = EXP;
	desc.config[EXP] = 0x10;
	desc.config[EXP + 7] = 0x10; /* function level reset */
	desc.regions[0] = (struct region_desc){.size = 0x4000, .is_64 = true, .n_ranges = 1,
		.ranges = {{0, 0x2000}}};
	desc.regions[2] = (struct region_desc){.size = 32, .io = true};
	desc.msix = (struct msix_desc){.vectors = 65, .cap = MSIX, .table_offset = 0x2000,
		.pba_offset = 0x3000};
	memcpy(device_config, desc.config, sizeof(device_config));
	device_config[0] = 0x36;
}

/* What the slot does once the helper has described the device. */
static inline int create(struct remote *ret, const char *name, struct err *err)
{
	peer_init(&ret->peer, name, FD_NONE_INIT, FD_NONE_INIT);
	ret->vfio_file = -1;
	return remote_create(ret, &desc, device_fd, &vm, &pci, &config, err);
}

static void setup(void)
{
	struct err err = {0};

	describe();
	device_fd = memfd_create("bar", 0);
	cr_assert_eq(ftruncate(device_fd, 0x4000), 0);
	vm.ram.layout.mmio64_base = 0x8000000000ull;
	vm.ram.layout.mmio64_end = 0xfd00000000ull;
	bus_init(&vm.mmio);
	bus_init(&vm.pio);
	cr_assert_eq(pci_init(&pci, &vm, &err), 0);
	cr_assert_eq(create(&fn, "0000:00:03.0", &err), 0, "%s", err.msg);
	trace[0] = '\0';
}

/* Config space of device n on bus 0; 1 is fn. */
static inline void cfg_of(unsigned n, unsigned reg, unsigned size, uint32_t value)
{
	cr_assert(bus_write(&vm.mmio, ECAM_BASE + n * ECAM_FN + reg, (const uint8_t *)&value, size));
}

static inline uint32_t cfg_get_of(unsigned n, unsigned reg, unsigned size)
{
	uint32_t value = 0;

	cr_assert(bus_read(&vm.mmio, ECAM_BASE + n * ECAM_FN + reg, (uint8_t *)&value, size));
	return value;
}
