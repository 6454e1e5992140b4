/* SPDX-License-Identifier: Apache-2.0
 *
 * Doorbells and the interrupt pin of a remote function: what goes between guest and helper, or the
 * kernel behind it, without a message.
 *
 * Core process, the function's lock held; made by the main thread. A doorbell is an eventfd of ours
 * that the helper has too. While its BAR decodes, KVM turns a guest's write there into a signal; a
 * write KVM has no room for traps, and the helper signals it itself. Where the device has doorbell
 * pages, a memslot lies on top and the write reaches the device. The eventfds live until the end.
 *
 * The pages follow the BAR only, not the device's status: they stay while it is reset, as those of
 * a VFIO device do, and what a guest writes there then is between it and its device. Taking them
 * out and in would be a memslot update, felt by all vCPUs, at each start of a driver.
 */
#include <errno.h>
#include <string.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ipc/log.h"
#include "vmm/pci/remote.h"

enum { PIN_GSI_BASE = 16, PIN_GSIS = 8, PIN_A = 0 }; /* dsdt.c, _PRT */

static int make_eventfd(struct remote *fn, struct fd *ret, struct err *err)
{
	ret->n = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (ret->n < 0)
		return err_set(err, -errno, BLAME_HOST, "%s: eventfd: %s; the limit on open files "
			"(`ulimit -Hn`) may be too low", fn->peer.name, strerror(errno));
	return 0;
}

int doorbells_make(struct remote *fn, struct err *err)
{
	const struct doorbell_desc *d = &fn->desc.doorbells;
	int r = 0;

	fn->doorbells = calloc(d->count + 1, sizeof(*fn->doorbells));
	if (!fn->doorbells)
		return err_set(err, -ENOMEM, BLAME_HOST, "%s: out of memory", fn->peer.name);
	for (unsigned i = 0; i < d->count; i++)
		fn->doorbells[i].eventfd = FD_NONE_INIT;
	for (unsigned i = 0; i < d->count && r == 0; i++) {
		r = make_eventfd(fn, &fn->doorbells[i].eventfd, err);
		if (r == 0)
			r = ask_kick_arm(&fn->peer, i, fn->doorbells[i].eventfd.n, err);
	}
	return r;
}

static uint64_t doorbell_at(const struct remote *fn, const struct bar *bar, unsigned i)
{
	return bar->decoded_at + fn->desc.doorbells.offset + i * (uint64_t)fn->desc.doorbells.stride;
}

void doorbells_on(struct remote *fn, const struct bar *bar)
{
	if (fn->desc.doorbells.bar != bar->index)
		return;
	for (unsigned i = 0; i < fn->desc.doorbells.count; i++) {
		struct doorbell *d = &fn->doorbells[i];
		int r = d->on ? 0 : vm_ioeventfd_add(fn->vm, d->eventfd.n, doorbell_at(fn, bar, i));

		d->on = r == 0;
		if (r < 0 && log_allowed(&fn->peer.refusals))
			log_warn("%s: KVM_IOEVENTFD: %s; queue %u is notified by exits, which is slow",
				fn->peer.name, strerror(-r), i);
	}
}

void doorbells_off(struct remote *fn, const struct bar *bar)
{
	if (fn->desc.doorbells.bar != bar->index)
		return;
	for (unsigned i = 0; i < fn->desc.doorbells.count; i++) {
		if (fn->doorbells[i].on)
			vm_ioeventfd_del(fn->vm, fn->doorbells[i].eventfd.n, doorbell_at(fn, bar, i));
		fn->doorbells[i].on = false;
	}
}

/* The helper raises the pin only while MSI-X is off, and only it knows when. */
int intx_make(struct remote *fn, unsigned device, struct err *err)
{
	uint32_t gsi = PIN_GSI_BASE + (device + PIN_A) % PIN_GSIS;
	int r;

	if (!fn->desc.intx)
		return 0;
	r = make_eventfd(fn, &fn->pin, err);
	if (r == 0)
		r = make_eventfd(fn, &fn->pin_resample, err);
	if (r < 0)
		return r;
	r = irqfd_on_pin(&fn->vm->irq, fn->pin.n, fn->pin_resample.n, gsi);
	if (r < 0)
		return err_set(err, r, BLAME_HOST, "%s: KVM_IRQFD with RESAMPLE: %s", fn->peer.name,
			strerror(-r));
	return ask_intx_arm(&fn->peer, fn->pin.n, fn->pin_resample.n, err);
}

/* BARs are hidden by now. The last descriptor of an eventfd takes its irqfd with it: KVM holds the
 * context only, and its release says so (Linux virt/kvm/eventfd.c, irqfd_wakeup: EPOLLHUP). */
void doorbells_drop(struct remote *fn)
{
	for (unsigned i = 0; fn->doorbells && i < fn->desc.doorbells.count; i++)
		fd_close(&fn->doorbells[i].eventfd);
	free(fn->doorbells);
	fn->doorbells = NULL;
	fd_close(&fn->pin);
	fd_close(&fn->pin_resample);
}
