/* SPDX-License-Identifier: Apache-2.0
 *
 * BARs of a remote function: registers, decoding, memslots, and the accesses that still trap.
 *
 * Core process. A BAR that decodes is one range on a bus; its mappable ranges are memslots on top,
 * which KVM looks at first, so the bus sees only the MSI-X table and PBA pages, I/O BARs and
 * sub-page BARs.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ipc/log.h"
#include "vmm/pci/remote.h"

enum {
	COMMAND_IO = 1, COMMAND_MEM = 2,
	BAR_IO = 1, BAR_64 = 4, BAR_PREFETCH = 8, /* PCI 6.2.5.1 */
};

int bars_place(struct remote *fn, struct err *err)
{
	for (unsigned i = 0; i < PCI_BARS; i++) {
		const struct region_desc *d = &fn->desc.regions[i];
		struct bar *bar = &fn->bars[i];
		int r;

		*bar = (struct bar){.fn = fn, .index = i};
		if (d->size == 0)
			continue;
		r = pci_place_bar(fn->pci, d->size, d->io, d->is_64, &bar->placed, err);
		if (r < 0)
			return err_prefix(err, "%s: BAR %u", fn->peer.name, i);
		bar->addr = bar->placed;
	}
	return 0;
}

/* "0, 2, 4" */
static void name_bars(const struct remote *fn, char ret[static 32])
{
	size_t used = 0;

	snprintf(ret, 32, "none");
	for (unsigned i = 0; i < PCI_BARS; i++) {
		if (fn->desc.regions[i].size)
			used += (size_t)snprintf(ret + used, 32 - used, "%s%u", used ? ", " : "", i);
	}
}

int bars_trap(struct remote *fn, unsigned bars, struct err *err)
{
	char there[32];

	for (unsigned i = 0; i < PCI_BARS; i++) {
		if (!(bars & 1u << i))
			continue;
		if (fn->desc.regions[i].size == 0) {
			name_bars(fn, there);
			return err_set(err, -ENODEV, BLAME_HOST, "%s: x_exclude_mmap_bars: it has no "
				"BAR %u; its BARs are: %s", fn->peer.name, i, there);
		}
		fn->desc.regions[i].n_ranges = 0;
	}
	return 0;
}

/* The BAR a register belongs to, or -1; a 64-bit BAR has two registers. */
static int bar_of(const struct remote *fn, unsigned index, bool *ret_high)
{
	const struct region_desc *d = fn->desc.regions;

	*ret_high = index > 0 && d[index - 1].size && d[index - 1].is_64;
	if (*ret_high)
		index--;
	return d[index].size ? (int)index : -1;
}

uint32_t bar_register(const struct remote *fn, unsigned index)
{
	bool high;
	int i = bar_of(fn, index, &high);
	const struct region_desc *d;
	const struct bar *bar;

	if (i < 0)
		return 0;
	bar = &fn->bars[i];
	if (high)
		return (uint32_t)(bar->addr >> 32);
	d = &fn->desc.regions[i];
	if (d->io)
		return (uint32_t)bar->addr | BAR_IO;
	return (uint32_t)bar->addr | (d->is_64 ? BAR_64 : 0) | (d->prefetchable ? BAR_PREFETCH : 0);
}

/* Only the bits above the size stick, which is how a guest learns the size (6.2.5.1). */
void bar_register_write(struct remote *fn, unsigned index, uint32_t value)
{
	bool high;
	int i = bar_of(fn, index, &high);
	struct bar *bar;
	uint64_t size;

	if (i < 0)
		return;
	bar = &fn->bars[i];
	size = fn->desc.regions[i].size;
	if (high)
		bar->addr = (bar->addr & 0xffffffffull) | (uint64_t)value << 32;
	else
		bar->addr = (bar->addr & ~0xffffffffull) | value;
	bar->addr &= ~(size - 1);
	if (!fn->desc.regions[i].is_64)
		bar->addr &= 0xffffffffull;
}

static bool in_range(uint64_t offset, unsigned size, uint64_t start, uint64_t len)
{
	return offset >= start && offset - start < len && size <= len - (offset - start);
}

static bool in_table(const struct remote *fn, const struct bar *bar, uint64_t offset, unsigned size)
{
	const struct msix_desc *m = &fn->desc.msix;

	return m->vectors && m->table_bar == bar->index &&
		in_range(offset, size, m->table_offset, m->vectors * MSIX_ENTRY_SIZE);
}

static bool in_pba(const struct remote *fn, const struct bar *bar, uint64_t offset, unsigned size)
{
	const struct msix_desc *m = &fn->desc.msix;

	return m->vectors && m->pba_bar == bar->index &&
		in_range(offset, size, m->pba_offset, (m->vectors + 63) / 64 * 8);
}

static void slots_add(struct remote *fn, struct bar *bar)
{
	const struct region_desc *d = &fn->desc.regions[bar->index];

	if (bar->slots_in)
		return;
	for (unsigned k = 0; k < d->n_ranges; k++)
		bar->slots[k] = bar->host[k] == NULL ? -1
			: vm_slot_add(fn->vm, bar->decoded_at + d->ranges[k].offset,
				d->ranges[k].size, bar->host[k]);
	bar->slots_in = d->n_ranges > 0;
}

static void slots_del(struct remote *fn, struct bar *bar)
{
	if (!bar->slots_in)
		return;
	for (unsigned k = 0; k < fn->desc.regions[bar->index].n_ranges; k++) {
		if (bar->slots[k] >= 0)
			vm_slot_del(fn->vm, bar->slots[k]);
	}
	bar->slots_in = false;
}

/* What a trapped read got: all-ones is also what memory that is switched off reads as. */
static bool is_answer(uint64_t value, unsigned size)
{
	return value != ~0ull >> (64 - 8 * size);
}

/* A trapped access that was answered proves that the device's memory is back: after
 * remote_bar_fault took the memslots out, this is where they return. All of them: an access to a
 * doorbell page does not trap, as KVM has an ioeventfd below it. */
static void served(struct remote *fn)
{
	for (unsigned i = 0; i < PCI_BARS; i++)
		if (fn->bars[i].decoding)
			slots_add(fn, &fn->bars[i]);
}

static void bar_read(void *opaque, uint64_t offset, uint8_t *data, unsigned size)
{
	struct bar *bar = opaque;
	struct remote *fn = bar->fn;
	uint64_t value = ~0ull;

	remote_lock(fn);
	if (!bar->decoding || offset % size != 0) {
		memcpy(data, &value, size);
	} else if (!peer_serves(&fn->peer)) {
		memcpy(data, &value, size);
	} else if (in_table(fn, bar, offset, size)) {
		msix_table_read(&fn->msix, offset - fn->desc.msix.table_offset, data, size);
	} else if (in_pba(fn, bar, offset, size)) {
		msix_pba_read(&fn->msix, offset - fn->desc.msix.pba_offset, data, size);
	} else {
		if (ask_region_read(&fn->peer, bar->index, offset, size, &value) == 0 &&
			is_answer(value, size))
			served(fn);
		memcpy(data, &value, size);
	}
	remote_unlock(fn);
}

static void bar_write(void *opaque, uint64_t offset, const uint8_t *data, unsigned size)
{
	struct bar *bar = opaque;
	struct remote *fn = bar->fn;
	uint64_t value = 0;

	memcpy(&value, data, size);
	remote_lock(fn);
	if (bar->decoding && offset % size == 0 && peer_serves(&fn->peer)) {
		if (in_table(fn, bar, offset, size))
			msix_table_write(&fn->msix, offset - fn->desc.msix.table_offset, data, size);
		else if (!in_pba(fn, bar, offset, size) &&
			ask_region_write(&fn->peer, bar->index, offset, size, value) == 0 &&
			fn->desc.doorbells.count) /* else it may have gone nowhere */
			served(fn);
	}
	remote_unlock(fn);
}

static const struct bus_ops bar_ops = {.read = bar_read, .write = bar_write};

static struct bus *bus_of(const struct remote *fn, const struct bar *bar)
{
	return fn->desc.regions[bar->index].io ? &fn->vm->pio : &fn->vm->mmio;
}

static void decode_off(struct remote *fn, struct bar *bar)
{
	if (!bar->decoding)
		return;
	slots_del(fn, bar);
	doorbells_off(fn, bar);
	bus_remove(bus_of(fn, bar), bar->decoded_at);
	bar->decoding = false;
}

/* May a BAR answer here? Only inside the windows the root decodes: anything else (0, a sizing
 * probe, RAM, the APICs) is no move but an address nobody answers. */
static bool placeable(const struct remote *fn, const struct bar *bar)
{
	const struct region_desc *d = &fn->desc.regions[bar->index];
	const struct layout *layout = &fn->vm->ram.layout;
	uint64_t end = bar->addr + d->size;

	if (end < bar->addr)
		return false;
	if (d->io)
		return bar->addr >= 0x1000 && end <= 0x10000;
	return (bar->addr >= MMIO32_BASE && end <= MMIO32_END) ||
		(bar->addr >= layout->mmio64_base && end <= layout->mmio64_end);
}

/* The mapping for DMA stays where the BAR was put at start. Said once. */
static void note_move(struct remote *fn, const struct bar *bar)
{
	if (!fn->p2p || bar->addr == bar->placed || fn->desc.regions[bar->index].n_ranges == 0)
		return;
	fn->p2p = false;
	log_warn("%s: the guest has moved BAR %u: other devices' DMA reaches it at 0x%llx as before, and "
		"not at 0x%llx", fn->peer.name, bar->index, (unsigned long long)bar->placed,
		(unsigned long long)bar->addr);
}

static void decode_on(struct remote *fn, struct bar *bar)
{
	if (bar->decoding && bar->decoded_at == bar->addr)
		return;
	decode_off(fn, bar);
	if (!placeable(fn, bar))
		return;
	/* Overlaps another BAR: on a bus both would answer; here the later one stays silent. */
	if (bus_add(bus_of(fn, bar), bar->addr, fn->desc.regions[bar->index].size, &bar_ops, bar) < 0)
		return;
	bar->decoding = true;
	bar->decoded_at = bar->addr;
	note_move(fn, bar);
	doorbells_on(fn, bar);
	slots_add(fn, bar);
}

void bars_update(struct remote *fn)
{
	for (unsigned i = 0; i < PCI_BARS; i++) {
		const struct region_desc *d = &fn->desc.regions[i];

		if (d->size == 0)
			continue;
		if (!fn->d3 && (fn->command & (d->io ? COMMAND_IO : COMMAND_MEM)))
			decode_on(fn, &fn->bars[i]);
		else
			decode_off(fn, &fn->bars[i]);
	}
	rom_update(fn, !fn->d3 && fn->command & COMMAND_MEM);
}

void bars_hide(struct remote *fn)
{
	for (unsigned i = 0; i < PCI_BARS; i++)
		decode_off(fn, &fn->bars[i]);
	rom_update(fn, false);
}

bool remote_bar_fault(struct remote *fn, bool doorbells)
{
	bool any = false;

	remote_lock(fn);
	for (unsigned i = 0; i < PCI_BARS; i++) {
		if (fn->desc.regions[i].doorbell_pages != doorbells)
			continue;
		any = any || fn->bars[i].slots_in;
		slots_del(fn, &fn->bars[i]);
	}
	remote_unlock(fn);
	return any;
}

void remote_bar_back(struct remote *fn)
{
	remote_lock(fn);
	served(fn);
	remote_unlock(fn);
}
