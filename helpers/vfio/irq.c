/* SPDX-License-Identifier: Apache-2.0
 *
 * INTx, MSI, MSI-X, ERR and REQ by VFIO_DEVICE_SET_IRQS (linux/vfio.h).
 *
 * VFIO helper. MSI-X is enabled with one vector and no eventfd, so the device is in MSI-X mode
 * however the guest masks; vectors are then armed one at a time, which allocates each at its first
 * use. Where the kernel cannot add vectors later (NORESIZE: no dynamic MSI-X), all of them are
 * allocated at once. MSI has its vectors allocated together, as the device counts on it (PCI 3.0
 * §6.8.1.3). These eventfds stay with the core: ours is closed when VFIO has it.
 *
 * VFIO has one kind on at a time, so INTx is on exactly while neither MSI nor MSI-X is, once the
 * core has armed it; its two eventfds are kept for that. VFIO masks the pin at each interrupt and
 * unmasks it when KVM signals the second: nothing of an interrupt passes through this process.
 */
#include <errno.h>
#include <linux/vfio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include "helpers/vfio/vfio.h"
#include "ipc/log.h"

/* VFIO_DEVICE_SET_IRQS with room for an eventfd a vector. */
static union {
	struct vfio_irq_set set;
	struct {
		struct vfio_irq_set head;
		int32_t fds[MSIX_MAX];
	} with;
} irqs;

static int set_irqs(const struct vfio *v, unsigned index, unsigned start, unsigned count,
	unsigned action, struct err *err)
{
	int r;

	irqs.set.argsz = (uint32_t)(sizeof(irqs.set) + count * sizeof(int32_t));
	irqs.set.flags = action | (count && !(action & VFIO_IRQ_SET_DATA_NONE)
		? VFIO_IRQ_SET_DATA_EVENTFD : VFIO_IRQ_SET_DATA_NONE);
	irqs.set.index = index;
	irqs.set.start = start;
	irqs.set.count = count;
	r = ioctl(v->device.n, VFIO_DEVICE_SET_IRQS, &irqs.set);
	if (r > 0)
		return err_set(err, -ENOSPC, BLAME_HOST,
			"the host has only %d of %u interrupt vectors left for it", r, count);
	if (r < 0)
		return err_set(err, -errno, BLAME_HOST, "VFIO_DEVICE_SET_IRQS %u [%u, +%u]: %s",
			index, start, count, strerror(errno));
	return 0;
}

static int set_one(const struct vfio *v, unsigned index, unsigned start, int fd, struct err *err)
{
	irqs.with.fds[0] = fd;
	return set_irqs(v, index, start, 1, VFIO_IRQ_SET_ACTION_TRIGGER, err);
}

/* An eventfd for the ERR or REQ interrupt, where the device has it. */
static int watch(struct vfio *v, unsigned index, struct fd *ret, struct err *err)
{
	struct vfio_irq_info info = {.argsz = sizeof(info), .index = index};
	fd_owned fd = FD_NONE_INIT;
	int r;

	if (ioctl(v->device.n, VFIO_DEVICE_GET_IRQ_INFO, &info) < 0 || info.count == 0)
		return 0;
	fd.n = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd.n < 0)
		return err_set(err, -errno, BLAME_HOST, "eventfd: %s", strerror(errno));
	r = set_one(v, index, 0, fd.n, err);
	if (r == 0)
		*ret = fd_take(&fd);
	return r;
}

int irq_setup(struct vfio *v, struct err *err)
{
	int r = watch(v, VFIO_PCI_ERR_IRQ_INDEX, &v->irqs.error, err);

	return r < 0 ? r : watch(v, VFIO_PCI_REQ_IRQ_INDEX, &v->irqs.request, err);
}

static unsigned index_of(enum irq_mode mode)
{
	static const unsigned index[] = {[IRQ_INTX] = VFIO_PCI_INTX_IRQ_INDEX,
		[IRQ_MSI] = VFIO_PCI_MSI_IRQ_INDEX, [IRQ_MSIX] = VFIO_PCI_MSIX_IRQ_INDEX};

	return index[mode];
}

/* Off; nothing is armed. A pin that was raised and not ended is forgotten with it. */
int irq_off(struct vfio *v, struct err *err)
{
	int r = v->irqs.mode == IRQ_NONE ? 0
		: set_irqs(v, index_of(v->irqs.mode), 0, 0, VFIO_IRQ_SET_ACTION_TRIGGER, err);

	if (r == 0)
		v->irqs.mode = IRQ_NONE;
	return r;
}

/* What the guest ended between the two SET_IRQS below was not heard; unmasking what is not masked
 * does nothing, and a pin that is still raised triggers again. */
static int unmask_intx(const struct vfio *v, struct err *err)
{
	return set_irqs(v, VFIO_PCI_INTX_IRQ_INDEX, 0, 1,
		VFIO_IRQ_SET_ACTION_UNMASK | VFIO_IRQ_SET_DATA_NONE, err);
}

/* From nothing to INTx, when the core has armed it. */
static int enter_intx(struct vfio *v, struct err *err)
{
	int r;

	if (v->irqs.trigger.n < 0)
		return 0;
	r = set_one(v, VFIO_PCI_INTX_IRQ_INDEX, 0, v->irqs.trigger.n, err);
	if (r < 0)
		return r;
	v->irqs.mode = IRQ_INTX;
	irqs.with.fds[0] = v->irqs.resample.n;
	r = set_irqs(v, VFIO_PCI_INTX_IRQ_INDEX, 0, 1, VFIO_IRQ_SET_ACTION_UNMASK, err);
	if (r == 0)
		r = unmask_intx(v, err);
	if (r < 0)
		irq_off(v, &(struct err){0});
	return r;
}

/* A line the host shares and the device cannot be silenced on (no Interrupt Disable, PCI 2.3) is
 * the host's, from the start or by the time we come back to it: the kernel wants it for itself alone
 * then. A driver that uses MSI goes without it. */
static void try_intx(struct vfio *v)
{
	struct err err = {0};

	if (enter_intx(v, &err) == 0)
		return;
	log_warn("its INTx cannot be had, the guest must use MSI or MSI-X: %s", err.msg);
	fd_close(&v->irqs.trigger);
	fd_close(&v->irqs.resample);
}

int irq_intx_arm(struct vfio *v, struct fd trigger, struct fd resample, struct err *err)
{
	(void)err;
	fd_close(&v->irqs.trigger);
	fd_close(&v->irqs.resample);
	v->irqs.trigger = trigger;
	v->irqs.resample = resample;
	try_intx(v);
	return 0;
}

static int enter(struct vfio *v, enum irq_mode mode, unsigned count, struct err *err)
{
	int r = irq_off(v, err);

	if (r < 0)
		return r;
	for (unsigned i = 0; i < count; i++)
		irqs.with.fds[i] = -1;
	r = set_irqs(v, index_of(mode), 0, count, VFIO_IRQ_SET_ACTION_TRIGGER, err);
	if (r == 0)
		v->irqs.mode = mode;
	else
		try_intx(v);
	return r;
}

int irq_reset(struct vfio *v, struct err *err)
{
	int r = irq_off(v, err);

	if (r == 0)
		try_intx(v);
	return r;
}

int irq_msi_enable(struct vfio *v, unsigned count, struct err *err)
{
	return enter(v, IRQ_MSI, count, err);
}

int irq_msix_enable(struct vfio *v, struct err *err)
{
	return enter(v, IRQ_MSIX, v->facts.no_resize ? v->config.msix.vectors : 1, err);
}

int irq_disable(struct vfio *v, enum irq_mode mode, struct err *err)
{
	return v->irqs.mode == mode ? irq_reset(v, err) : 0;
}

int irq_arm(struct vfio *v, enum irq_mode mode, unsigned vector, struct fd eventfd,
	struct err *err)
{
	fd_owned owned = eventfd;

	return set_one(v, index_of(mode), vector, owned.n, err);
}
