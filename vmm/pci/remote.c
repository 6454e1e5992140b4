/* SPDX-License-Identifier: Apache-2.0
 *
 * Life and config space of a remote function.
 *
 * Core process: made and ended by the main thread, config accesses by vCPU threads, all under the
 * function's lock. The helper answers for every config byte except the ones overlay() and the
 * on_*() functions below name: BARs, ROM BAR, MSI, MSI-X message control.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/log.h"
#include "vmm/pci/remote.h"

enum { /* PCI 6.1, 6.7; PM 3.2; PCIe 7.5.3.4; Advanced Features 3 */
	REG_COMMAND = 0x04,
	REG_BARS = 0x10, REG_BARS_END = 0x28,
	REG_ROM = 0x30, REG_ROM_END = 0x34,
	REG_CAPS = 0x34,
	CAP_PM = 0x01, CAP_EXP = 0x10, CAP_AF = 0x13,
	PM_CONTROL = 4, PM_STATE = 3, PM_D3HOT = 3,
	EXP_DEVCAP_FLR = 0x10 /* of the register's last byte */, EXP_DEVCTL = 8,
	EXP_DEVCTL_FLR = 0x8000,
	AF_CAP_FLR = 2, AF_CONTROL = 4, AF_FLR = 1,
	CAPS_MAX = 48, /* what fits between 0x40 and 0x100: a list that is longer loops */
};

static bool overlaps(unsigned offset, unsigned size, unsigned start, unsigned len)
{
	return offset < start + len && start < offset + size;
}

static unsigned find_cap(const struct function_desc *desc, unsigned id)
{
	unsigned at = desc->config[REG_CAPS] & 0xfc;

	for (unsigned i = 0; i < CAPS_MAX && at >= 0x40; i++) {
		if (desc->config[at] == id)
			return at;
		at = desc->config[at + 1] & 0xfc;
	}
	return 0;
}

/* The value of bytes [offset, offset + size) that the core owns replaces the helper's. */
static uint32_t overlay(const struct remote *fn, unsigned offset, unsigned size, uint32_t value)
{
	for (unsigned i = 0; i < size; i++) {
		unsigned at = offset + i;
		uint32_t byte;

		if (at >= REG_BARS && at < REG_BARS_END)
			byte = bar_register(fn, (at - REG_BARS) / 4) >> (at % 4 * 8) & 0xff;
		else if (at >= REG_ROM && at < REG_ROM_END)
			byte = fn->rom.value >> (at % 4 * 8) & 0xff;
		else if (fn->msix.n && at - (fn->desc.msix.cap + 2) < 2)
			byte = (uint32_t)msix_control_read(&fn->msix) >> (at % 2 * 8) & 0xff;
		else if (fn->msi.len && at - (fn->desc.msi_cap + 2) < fn->msi.len - 2)
			byte = msi_read(&fn->msi, at - fn->desc.msi_cap);
		else
			continue;
		value = (value & ~(0xffu << (i * 8))) | byte << (i * 8);
	}
	return value;
}

static uint32_t config_read(void *opaque, unsigned offset, unsigned size)
{
	struct remote *fn = opaque;
	uint32_t value = ~0u;

	remote_lock(fn);
	if (offset + size <= fn->desc.config_size) {
		ask_config_read(&fn->peer, offset, size, &value);
		if (peer_serves(&fn->peer))
			value = overlay(fn, offset, size, value);
	} else if (peer_serves(&fn->peer)) {
		value = 0; /* a conventional function has no extended space: an empty list */
	}
	remote_unlock(fn);
	return value;
}

/* The register as the guest wants it: the bytes it wrote over the ones it did not. */
static uint32_t merge(uint32_t old, unsigned reg, unsigned offset, unsigned size, uint32_t value)
{
	for (unsigned i = 0; i < size; i++) {
		unsigned at = offset + i - reg;

		if (at < 4)
			old = (old & ~(0xffu << (at * 8))) | (value >> (i * 8) & 0xff) << (at * 8);
	}
	return old;
}

static void on_command(struct remote *fn, unsigned offset, unsigned size, uint32_t value)
{
	uint16_t old = fn->command;

	fn->command = (uint16_t)merge(old, REG_COMMAND, offset, size, value);
	/* Decoding that ends, ends before the device's; what begins, begins after it. */
	if (old & ~fn->command & 3)
		bars_update(fn);
	if (ask_config_write(&fn->peer, offset, size, value) == 0)
		bars_update(fn);
}

static void on_power(struct remote *fn, unsigned offset, unsigned size, uint32_t value)
{
	uint32_t state = merge(fn->d3 ? PM_D3HOT : 0, fn->pm_cap + PM_CONTROL, offset, size, value);
	bool d3 = (state & PM_STATE) == PM_D3HOT;

	if (d3)
		bars_hide(fn);
	fn->d3 = d3;
	if (ask_config_write(&fn->peer, offset, size, value) == 0)
		bars_update(fn);
}

/* What a function-level reset leaves behind (PCIe 6.6.2): nothing decodes, no BAR, no MSI, no MSI-X.
 * The kernel puts the device's config space back after it, so COMMAND is written down again. */
static void forget(struct remote *fn)
{
	bars_hide(fn);
	msix_reset(&fn->msix);
	msi_reset(&fn->msi);
	fn->command = 0;
	fn->d3 = false;
}

/* The kernel's reset waits for what the device still does, and as long as the device needs; a bit in
 * a register would not. */
static void on_flr(struct remote *fn)
{
	forget(fn);
	for (unsigned i = 0; i < PCI_BARS; i++)
		fn->bars[i].addr = 0;
	fn->rom.value = 0;
	/* First: should the reset fail, the device's DMA is over all the same. */
	ask_config_write(&fn->peer, REG_COMMAND, 2, 0);
	if (ask_reset(&fn->peer, false) < 0)
		peer_fail(&fn->peer, "it was not reset as the guest asked");
	peer_begin(&fn->peer);
	ask_config_write(&fn->peer, REG_COMMAND, 2, 0);
}

/* Where the capability says that there is a function-level reset. */
static bool asks_flr(const struct remote *fn, unsigned offset, unsigned size, uint32_t value)
{
	const uint8_t *config = fn->desc.config;
	unsigned devctl = fn->exp_cap + EXP_DEVCTL, af = fn->af_cap + AF_CONTROL;

	if (fn->exp_cap && config[fn->exp_cap + 7] & EXP_DEVCAP_FLR &&
		overlaps(offset, size, devctl, 2))
		return merge(0, devctl, offset, size, value) & EXP_DEVCTL_FLR;
	if (fn->af_cap && config[fn->af_cap + 3] & AF_CAP_FLR && overlaps(offset, size, af, 1))
		return merge(0, af, offset, size, value) & AF_FLR;
	return false;
}

static void on_bar(struct remote *fn, unsigned offset, unsigned size, uint32_t value)
{
	unsigned index = (offset - REG_BARS) / 4;
	uint32_t old = bar_register(fn, index);

	bar_register_write(fn, index, merge(old, REG_BARS + index * 4, offset, size, value));
	bars_update(fn);
}

static void on_rom(struct remote *fn, unsigned offset, unsigned size, uint32_t value)
{
	rom_register_write(fn, merge(fn->rom.value, REG_ROM, offset, size, value));
	bars_update(fn);
}

static void on_msix_control(struct remote *fn, unsigned offset, unsigned size, uint32_t value)
{
	unsigned reg = fn->desc.msix.cap;
	uint32_t old = (uint32_t)msix_control_read(&fn->msix) << 16;

	msix_control_write(&fn->msix, (uint16_t)(merge(old, reg, offset, size, value) >> 16));
}

static void config_write(void *opaque, unsigned offset, unsigned size, uint32_t value)
{
	struct remote *fn = opaque;

	remote_lock(fn);
	if (!peer_serves(&fn->peer) || offset + size > fn->desc.config_size)
		;
	else if (offset >= REG_BARS && offset < REG_BARS_END)
		on_bar(fn, offset, size, value);
	else if (offset >= REG_ROM && offset < REG_ROM_END)
		on_rom(fn, offset, size, value);
	else if (overlaps(offset, size, REG_COMMAND, 2))
		on_command(fn, offset, size, value);
	else if (fn->msix.n && overlaps(offset, size, fn->desc.msix.cap + 2, 2))
		on_msix_control(fn, offset, size, value);
	else if (fn->msi.len && overlaps(offset, size, fn->desc.msi_cap, fn->msi.len))
		msi_write(&fn->msi, offset - fn->desc.msi_cap, size, value);
	else if (fn->pm_cap && overlaps(offset, size, fn->pm_cap + PM_CONTROL, 2))
		on_power(fn, offset, size, value);
	else if (asks_flr(fn, offset, size, value))
		on_flr(fn);
	else
		ask_config_write(&fn->peer, offset, size, value);
	remote_unlock(fn);
}

/* Nothing of the device is left in guest or KVM, and nothing of ours keeps it open. */
static void let_go(struct remote *fn)
{
	forget(fn);
	bars_unmap_device(fn);
	kvm_vfio_del(&fn->vm->vfio, fn->vfio_file);
	fn->vfio_file = -1;
}

static void reset(void *opaque)
{
	struct remote *fn = opaque;

	remote_lock(fn);
	forget(fn);
	for (unsigned i = 0; i < PCI_BARS; i++)
		fn->bars[i].addr = fn->bars[i].placed;
	fn->rom.value = fn->rom.placed;
	if (peer_serves(&fn->peer)) {
		ask_config_write(&fn->peer, REG_COMMAND, 2, 0); /* as in on_flr */
		if (ask_reset(&fn->peer, true) < 0)
			peer_fail(&fn->peer, "it was not reset for the guest's new start");
		peer_begin(&fn->peer); /* a reset has a deadline of its own */
		ask_config_write(&fn->peer, REG_COMMAND, 2, 0);
	}
	/* One that is failed is closed, which resets it and ends its DMA before another kernel is
	 * loaded under it. */
	if (!peer_serves(&fn->peer))
		let_go(fn);
	remote_unlock(fn);
}

static const struct pci_function_ops remote_ops = {
	.config_read = config_read,
	.config_write = config_write,
	.reset = reset,
};

static int make_vectors(struct remote *fn, struct err *err)
{
	unsigned n = fn->desc.msix.vectors;

	fn->vectors = calloc(n + 1, sizeof(*fn->vectors));
	fn->irqs = calloc(n + 1, sizeof(*fn->irqs));
	if (!fn->vectors || !fn->irqs)
		return err_set(err, -ENOMEM, BLAME_HOST, "%s: out of memory for %u MSI-X vectors",
			fn->peer.name, n);
	msix_init(&fn->msix, &remote_msix_ops, fn, fn->vectors, n);
	if (fn->desc.msi_cap)
		msi_init(&fn->msi, &remote_msi_ops, fn,
			(uint16_t)(fn->desc.config[fn->desc.msi_cap + 2] |
				fn->desc.config[fn->desc.msi_cap + 3] << 8));
	return 0;
}

static int make(struct remote *fn, int device_fd, const struct device_config *config, struct err *err)
{
	int r = bars_trap(fn, config->trapped, err);

	if (r == 0)
		r = make_vectors(fn, err);
	if (r == 0)
		r = bars_place(fn, err);
	if (r == 0)
		r = bars_map_device(fn, device_fd, err);
	if (r == 0)
		r = rom_make(fn, device_fd, config, err);
	if (r == 0)
		r = doorbells_make(fn, err);
	return r;
}

int remote_create(struct remote *fn, const struct function_desc *desc, int device_fd, struct vm *vm,
	struct pci *pci, const struct device_config *config, struct err *err)
{
	unsigned devfn;
	int r;

	*fn = (struct remote){.vm = vm, .pci = pci, .peer = fn->peer, .vfio_file = fn->vfio_file,
		.pin = FD_NONE_INIT, .pin_resample = FD_NONE_INIT, .p2p = config->p2p, .desc = *desc};
	pthread_mutex_init(&fn->lock, NULL);
	pthread_mutex_init(&fn->turn, NULL);
	r = make(fn, device_fd, config, err);
	if (r < 0)
		return r;
	fn->pm_cap = find_cap(&fn->desc, CAP_PM);
	fn->exp_cap = find_cap(&fn->desc, CAP_EXP);
	fn->af_cap = find_cap(&fn->desc, CAP_AF);
	r = pci_add(pci, config->devfn, &remote_ops, fn);
	if (r < 0)
		return err_set(err, r, BLAME_HOST, "%s: bus 0 is full: at most %d devices",
			fn->peer.name, PCI_DEVICES - 1);
	devfn = (unsigned)r;
	r = intx_make(fn, devfn / PCI_FUNCTIONS, err);
	if (r < 0)
		return r;
	log_info("%s: device 0000:00:%02x.%u of the guest, INTx %s, %u MSI and %u MSI-X vectors, "
		"%u doorbells", fn->peer.name, devfn / PCI_FUNCTIONS, devfn % PCI_FUNCTIONS,
		fn->desc.intx ? "on" : "off", desc_msi_vectors(&fn->desc), fn->msix.n,
		fn->desc.doorbells.count);
	return 0;
}

/* With nothing decoding: a guest that finds MEM set does not write it, and the core would never learn. */
int remote_settle(struct remote *fn, struct err *err)
{
	int r = 0;

	remote_lock(fn);
	tell_settled(&fn->peer);
	if (fn->command == 0 && ask_config_write(&fn->peer, REG_COMMAND, 2, 0) < 0)
		r = err_set(err, -EIO, BLAME_PEER, "%s: its COMMAND register cannot be written",
			fn->peer.name);
	remote_unlock(fn);
	return r;
}

int remote_suspend(struct remote *fn, struct err *err)
{
	int r = 0;

	remote_lock(fn);
	if (fn->desc.can_suspend && peer_serves(&fn->peer))
		r = ask_suspend(&fn->peer, err);
	remote_unlock(fn);
	return r;
}

int remote_resume(struct remote *fn, struct err *err)
{
	int r = 0;

	remote_lock(fn);
	if (fn->desc.can_suspend && peer_serves(&fn->peer))
		r = ask_resume(&fn->peer, err);
	remote_unlock(fn);
	return r;
}

void remote_take(struct remote *fn)
{
	fn->take_at = 0;
	remote_lock(fn);
	peer_fail(&fn->peer, "the host has taken the device back");
	let_go(fn);
	remote_unlock(fn);
}

void remote_drop(struct remote *fn)
{
	remote_lock(fn);
	/* First: nothing is asked of a helper that is about to end. */
	peer_step(&fn->peer, PEER_GIVEN_BACK, NULL);
	let_go(fn);
	rom_drop(fn);
	doorbells_drop(fn);
	free(fn->vectors);
	free(fn->irqs);
	fn->vectors = NULL;
	fn->irqs = NULL;
	fn->msix.n = 0;
	fn->msi.len = 0;
	remote_unlock(fn);
}
