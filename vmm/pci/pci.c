/* SPDX-License-Identifier: Apache-2.0
 *
 * The PCI root: config mechanism 1 (PCI Local Bus 3.0, 3.2.2.3.2), ECAM (PCIe 7.2.2), the host
 * bridge, and where BARs go at start.
 *
 * Core process. Functions are added by the main thread before the vCPUs run; config accesses come
 * from vCPU threads. Only bus 0 exists.
 */
#include <errno.h>
#include <string.h>

#include "vmm/pci/pci.h"

enum {
	CF8_PORT = 0xcf8,
	CF8_ENABLE = 1u << 31,
	RESET_CPU = 0x04, /* bit of port 0xcf9, which lies inside CF8's dword */
	IO_FIRST = 0x1000,
	IO_END = 0x10000,
	HEADER_TYPE = 0x0e,
	MULTI_FUNCTION = 0x80, /* of the header type of function 0 (PCI Local Bus 3.0, 6.2.1) */
};

/* A plain host bridge (class 06 00 00). Red Hat's generic id carries no quirks in any guest. */
static const uint8_t host_bridge[64] = {
	[0x00] = 0x36, 0x1b, 0x08, 0x00,
	[0x0b] = 0x06,
};

static uint32_t bridge_read(void *opaque, unsigned offset, unsigned size)
{
	uint32_t value = 0;

	(void)opaque;
	if (offset + size <= sizeof(host_bridge))
		memcpy(&value, host_bridge + offset, size);
	return value;
}

static void bridge_write(void *opaque, unsigned offset, unsigned size, uint32_t value)
{
	(void)opaque, (void)offset, (void)size, (void)value;
}

static void bridge_reset(void *opaque)
{
	(void)opaque;
}

static const struct pci_function_ops bridge_ops = {
	.config_read = bridge_read,
	.config_write = bridge_write,
	.reset = bridge_reset,
};

/* NULL: nothing there. */
static const struct pci_function *function_at(const struct pci *pci, unsigned devfn)
{
	const struct pci_function *fn = &pci->functions[devfn];

	return fn->ops ? fn : NULL;
}

static bool is_multi_function(const struct pci *pci, unsigned devfn)
{
	for (unsigned i = 1; i < PCI_FUNCTIONS; i++) {
		if (pci->functions[devfn + i].ops)
			return true;
	}
	return false;
}

/* A guest looks for other functions where function 0 says there are some. Only we know where the
 * others are; what the device says of itself is of its place in the host. */
static uint32_t with_multi_function(const struct pci *pci, unsigned devfn, unsigned offset,
	unsigned size, uint32_t value)
{
	unsigned shift = (HEADER_TYPE - offset) * 8;

	if (devfn % PCI_FUNCTIONS || offset > HEADER_TYPE || HEADER_TYPE - offset >= size ||
		!is_multi_function(pci, devfn))
		return value;
	return value | (uint32_t)MULTI_FUNCTION << shift;
}

static void config_read(struct pci *pci, unsigned devfn, unsigned offset, uint8_t *data,
	unsigned size)
{
	const struct pci_function *fn = function_at(pci, devfn);
	uint32_t value = ~0u;

	/* Naturally aligned, or nobody answers. */
	if (fn && offset % size == 0)
		value = with_multi_function(pci, devfn, offset, size,
			fn->ops->config_read(fn->opaque, offset, size));
	memcpy(data, &value, size);
}

static void config_write(struct pci *pci, unsigned devfn, unsigned offset, const uint8_t *data,
	unsigned size)
{
	const struct pci_function *fn = function_at(pci, devfn);
	uint32_t value = 0;

	memcpy(&value, data, size);
	if (fn && offset % size == 0)
		fn->ops->config_write(fn->opaque, offset, size, value);
}

static void cf8_read(void *opaque, uint64_t offset, uint8_t *data, unsigned size)
{
	struct pci *pci = opaque;
	uint32_t cf8;

	memset(data, 0xff, size);
	if (offset != 0 || size != 4)
		return;
	pthread_mutex_lock(&pci->cf8_lock);
	cf8 = pci->cf8;
	pthread_mutex_unlock(&pci->cf8_lock);
	memcpy(data, &cf8, 4);
}

static void cf8_write(void *opaque, uint64_t offset, const uint8_t *data, unsigned size)
{
	struct pci *pci = opaque;

	if (offset == RESET_PORT - CF8_PORT && size == 1) {
		if (data[0] & RESET_CPU)
			vm_ask(pci->vm, VM_RESET);
		return;
	}
	if (offset != 0 || size != 4)
		return;
	pthread_mutex_lock(&pci->cf8_lock);
	memcpy(&pci->cf8, data, 4);
	pthread_mutex_unlock(&pci->cf8_lock);
}

/* Where CFC points; false when CF8 names no function of bus 0. */
static bool cf8_target(struct pci *pci, uint64_t byte, unsigned *ret_devfn, unsigned *ret_offset)
{
	uint32_t cf8;

	pthread_mutex_lock(&pci->cf8_lock);
	cf8 = pci->cf8;
	pthread_mutex_unlock(&pci->cf8_lock);
	if (!(cf8 & CF8_ENABLE) || (cf8 >> 16 & 0xff) != 0)
		return false;
	*ret_devfn = cf8 >> 8 & 0xff;
	*ret_offset = (cf8 & 0xfc) + (unsigned)byte;
	return true;
}

static void cfc_read(void *opaque, uint64_t offset, uint8_t *data, unsigned size)
{
	unsigned devfn, reg;

	memset(data, 0xff, size);
	if (cf8_target(opaque, offset, &devfn, &reg))
		config_read(opaque, devfn, reg, data, size);
}

static void cfc_write(void *opaque, uint64_t offset, const uint8_t *data, unsigned size)
{
	unsigned devfn, reg;

	if (cf8_target(opaque, offset, &devfn, &reg))
		config_write(opaque, devfn, reg, data, size);
}

/* 8-byte ECAM accesses are two dwords to a function. */
static void ecam_read(void *opaque, uint64_t offset, uint8_t *data, unsigned size)
{
	for (unsigned done = 0; done < size; done += 4)
		config_read(opaque, offset >> 12 & 0xff, (offset + done) & 0xfff, data + done,
			size < 4 ? size : 4);
}

static void ecam_write(void *opaque, uint64_t offset, const uint8_t *data, unsigned size)
{
	for (unsigned done = 0; done < size; done += 4)
		config_write(opaque, offset >> 12 & 0xff, (offset + done) & 0xfff, data + done,
			size < 4 ? size : 4);
}

static const struct bus_ops cf8_ops = {.read = cf8_read, .write = cf8_write};
static const struct bus_ops cfc_ops = {.read = cfc_read, .write = cfc_write};
static const struct bus_ops ecam_ops = {.read = ecam_read, .write = ecam_write};

int pci_init(struct pci *pci, struct vm *vm, struct err *err)
{
	const struct layout *layout = &vm->ram.layout;
	int r;

	*pci = (struct pci){
		.vm = vm,
		.mmio32 = {.base = MMIO32_BASE, .end = MMIO32_END},
		.mmio64 = {.base = layout->mmio64_base, .end = layout->mmio64_end},
		.io = {.base = IO_FIRST, .end = IO_END},
	};
	pthread_mutex_init(&pci->cf8_lock, NULL);
	pci->functions[0] = (struct pci_function){.ops = &bridge_ops};
	r = bus_add(&vm->pio, CF8_PORT, 4, &cf8_ops, pci);
	if (r == 0)
		r = bus_add(&vm->pio, CF8_PORT + 4, 4, &cfc_ops, pci);
	if (r == 0)
		r = bus_add(&vm->mmio, ECAM_BASE, ECAM_SIZE, &ecam_ops, pci);
	if (r < 0)
		return err_set(err, r, BLAME_BUG, "PCI root: its ports or ECAM are taken");
	return 0;
}

void pci_reserve(struct pci *pci, unsigned devfn)
{
	pci->reserved |= 1u << devfn / PCI_FUNCTIONS;
}

/* 0 when there is none. */
static unsigned free_device(const struct pci *pci)
{
	for (unsigned i = 1; i < PCI_DEVICES; i++) {
		if (!(pci->reserved & 1u << i) && !pci->functions[i * PCI_FUNCTIONS].ops)
			return i * PCI_FUNCTIONS;
	}
	return 0;
}

int pci_add(struct pci *pci, unsigned devfn, const struct pci_function_ops *ops, void *opaque)
{
	if (devfn == 0)
		devfn = free_device(pci);
	if (devfn == 0)
		return -ENOSPC;
	if (pci->functions[devfn].ops)
		return -EEXIST;
	pci->functions[devfn] = (struct pci_function){.ops = ops, .opaque = opaque};
	return (int)devfn;
}

void pci_reset(struct pci *pci)
{
	pci->cf8 = 0;
	for (unsigned i = 0; i < PCI_DEVICES * PCI_FUNCTIONS; i++) {
		const struct pci_function *fn = function_at(pci, i);

		if (fn)
			fn->ops->reset(fn->opaque);
	}
}

static uint64_t align_up(uint64_t at, uint64_t size)
{
	return (at + size - 1) & ~(size - 1);
}

/* First fit: what alignment leaves between large BARs is for the small ones. size is a power of 2. */
static bool place(struct pci_window *window, uint64_t size, uint64_t *ret)
{
	uint64_t at = align_up(window->base, size);
	unsigned i;

	if (size > window->end - window->base)
		return false;
	for (i = 0; i < window->n; i++) {
		if (at + size <= window->taken[i].at)
			break;
		if (at < window->taken[i].end)
			at = align_up(window->taken[i].end, size);
	}
	if (at > window->end || size > window->end - at ||
		window->n == sizeof(window->taken) / sizeof(window->taken[0]))
		return false;
	memmove(&window->taken[i + 1], &window->taken[i],
		(window->n - i) * sizeof(window->taken[0]));
	window->taken[i].at = at;
	window->taken[i].end = at + size;
	window->n++;
	window->used += size;
	*ret = at;
	return true;
}

int pci_place_bar(struct pci *pci, uint64_t size, bool io, bool is_64, uint64_t *ret,
	struct err *err)
{
	uint64_t room = size < PAGE_SIZE && !io ? PAGE_SIZE : size;

	if (io ? place(&pci->io, room, ret)
	       : (is_64 && place(&pci->mmio64, room, ret)) || place(&pci->mmio32, room, ret))
		return 0;
	if (io)
		return err_set(err, -ENOSPC, BLAME_HOST,
			"no room for a BAR of %llu ports: %llu of %llu are in use; give the guest "
			"fewer devices with I/O BARs", (unsigned long long)size,
			(unsigned long long)pci->io.used,
			(unsigned long long)(pci->io.end - pci->io.base));
	return err_set(err, -ENOSPC, BLAME_HOST,
		"no room for a %s BAR of %llu KiB: %llu KiB of the window's %llu MiB below 4 GiB are in "
		"use, and what is left is too small or not aligned; give the guest fewer or smaller "
		"devices", is_64 ? "64-bit" : "32-bit", (unsigned long long)(size / KiB),
		(unsigned long long)(pci->mmio32.used / KiB),
		(unsigned long long)((MMIO32_END - MMIO32_BASE) / MiB));
}
