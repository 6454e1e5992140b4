/* SPDX-License-Identifier: Apache-2.0
 *
 * See kvm.h.
 */
#include "tests/fuzz/kvm.h"

#include <errno.h>

#include "vmm/kvm/vm.h"

enum { SLOTS = 8, GSIS = 16 };

static struct input *in;
static struct { uint64_t gpa, size; } slots[SLOTS];
static unsigned n_gsis, n_bells;
static bool gsi_used[GSIS];

void kvm_begin(struct input *input)
{
	in = input;
}

void kvm_end(void)
{
	for (unsigned i = 0; i < SLOTS; i++)
		require(!slots[i].size);
	require(n_gsis == 0 && n_bells == 0);
}

static void check_window(const struct vm *vm, uint64_t gpa, uint64_t size)
{
	const struct layout *l = &vm->ram.layout;

	require(size && gpa + size > gpa);
	require((gpa >= MMIO32_BASE && gpa + size <= MMIO32_END) ||
		(gpa >= l->mmio64_base && gpa + size <= l->mmio64_end));
}

int vm_slot_add_rom(struct vm *vm, uint64_t gpa, uint64_t size, void *host)
{
	return vm_slot_add(vm, gpa, size, host);
}

int vm_slot_add(struct vm *vm, uint64_t gpa, uint64_t size, void *host)
{
	int free_slot = -ENOSPC;

	require(host && gpa % PAGE_SIZE == 0 && size % PAGE_SIZE == 0);
	check_window(vm, gpa, size);
	for (int i = 0; i < SLOTS; i++) {
		if (!slots[i].size)
			free_slot = i;
		else
			require(gpa >= slots[i].gpa + slots[i].size || slots[i].gpa >= gpa + size);
	}
	if (free_slot >= 0 && take(in, 1) <= 0xf0) {
		slots[free_slot].gpa = gpa;
		slots[free_slot].size = size;
		return free_slot;
	}
	return -ENOSPC;
}

void vm_slot_del(struct vm *vm, int slot)
{
	(void)vm;
	require(slot >= 0 && slot < SLOTS && slots[slot].size);
	slots[slot].size = 0;
}

int vm_ioeventfd_add(struct vm *vm, int eventfd, uint64_t gpa)
{
	require(eventfd >= 0);
	check_window(vm, gpa, 4);
	if (take(in, 1) > 0xf0)
		return -ENOSPC;
	n_bells++;
	return 0;
}

void vm_ioeventfd_del(struct vm *vm, int eventfd, uint64_t gpa)
{
	require(eventfd >= 0 && n_bells);
	check_window(vm, gpa, 4);
	n_bells--;
}

int irq_gsi_alloc(struct irq *irq)
{
	(void)irq;
	for (int i = 0; i < GSIS; i++) {
		if (gsi_used[i])
			continue;
		gsi_used[i] = true;
		n_gsis++;
		return i;
	}
	return -ENOSPC;
}

void irq_gsi_free(struct irq *irq, uint32_t gsi)
{
	(void)irq;
	require(gsi < GSIS && gsi_used[gsi]);
	gsi_used[gsi] = false;
	n_gsis--;
}

int irq_route(struct irq *irq, uint32_t gsi, uint64_t addr, uint32_t data)
{
	(void)irq, (void)addr, (void)data;
	require(gsi < GSIS && gsi_used[gsi]);
	return take(in, 1) > 0xf0 ? -EINVAL : 0;
}

int irqfd_on(struct irq *irq, int fd, uint32_t gsi)
{
	(void)irq;
	require(fd >= 0 && gsi < GSIS && gsi_used[gsi]);
	return take(in, 1) > 0xf0 ? -EBUSY : 0;
}

int irqfd_off(struct irq *irq, int fd, uint32_t gsi)
{
	(void)irq;
	require(fd >= 0 && gsi < GSIS && gsi_used[gsi]);
	return 0;
}

int irqfd_on_pin(struct irq *irq, int fd, int resample, uint32_t gsi)
{
	(void)irq, (void)fd, (void)resample, (void)gsi;
	return 0;
}

/* Resets are for other tests. */
void vm_ask(struct vm *vm, enum vm_request request)
{
	(void)vm, (void)request;
}
