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

static int count_vectors(const struct vfio *v, unsigned index, struct vfio_irq_info *ret,
	struct err *err)
{
	*ret = (struct vfio_irq_info){.argsz = sizeof(*ret), .index = index};
	if (ioctl(v->device.n, VFIO_DEVICE_GET_IRQ_INFO, ret) < 0)
		return err_set(err, -errno, BLAME_HOST, "VFIO_DEVICE_GET_IRQ_INFO %u: %s", index,
			strerror(errno));
	return 0;
}

int irq_setup(struct vfio *v, struct err *err)
{
	struct vfio_irq_info info;
	int r = count_vectors(v, VFIO_PCI_MSIX_IRQ_INDEX, &info, err);

	if (r < 0)
		return r;
	v->no_resize = info.flags & VFIO_IRQ_INFO_NORESIZE;
	if (v->config.msix.vectors > info.count)
		return err_set(err, -EINVAL, BLAME_HOST,
			"its MSI-X capability says %u vectors, VFIO %u", v->config.msix.vectors,
			info.count);
	r = count_vectors(v, VFIO_PCI_INTX_IRQ_INDEX, &info, err);
	if (r < 0)
		return r;
	v->has_intx = info.count == 1;
	config_map_intx(&v->config, v->has_intx);
	r = watch(v, VFIO_PCI_ERR_IRQ_INDEX, &v->error, err);
	return r < 0 ? r : watch(v, VFIO_PCI_REQ_IRQ_INDEX, &v->request, err);
}

/* Off; nothing is armed. A pin that was raised and not ended is forgotten with it. */
int irq_off(struct err *err)
{
	static const unsigned index[] = {[IRQ_INTX] = VFIO_PCI_INTX_IRQ_INDEX,
		[IRQ_MSI] = VFIO_PCI_MSI_IRQ_INDEX, [IRQ_MSIX] = VFIO_PCI_MSIX_IRQ_INDEX};
	int r = vfio.irq_mode == IRQ_NONE ? 0
		: set_irqs(&vfio, index[vfio.irq_mode], 0, 0, VFIO_IRQ_SET_ACTION_TRIGGER, err);

	if (r == 0)
		vfio.irq_mode = IRQ_NONE;
	return r;
}

/* What the guest ended between the two SET_IRQS below was not heard; unmasking what is not masked
 * does nothing, and a pin that is still raised triggers again. */
static int unmask_intx(struct err *err)
{
	return set_irqs(&vfio, VFIO_PCI_INTX_IRQ_INDEX, 0, 1,
		VFIO_IRQ_SET_ACTION_UNMASK | VFIO_IRQ_SET_DATA_NONE, err);
}

/* From nothing to INTx, when the core has armed it. */
static int enter_intx(struct err *err)
{
	int r;

	if (vfio.trigger.n < 0)
		return 0;
	r = set_one(&vfio, VFIO_PCI_INTX_IRQ_INDEX, 0, vfio.trigger.n, err);
	if (r < 0)
		return r;
	vfio.irq_mode = IRQ_INTX;
	irqs.with.fds[0] = vfio.resample.n;
	r = set_irqs(&vfio, VFIO_PCI_INTX_IRQ_INDEX, 0, 1, VFIO_IRQ_SET_ACTION_UNMASK, err);
	if (r == 0)
		r = unmask_intx(err);
	if (r < 0)
		irq_off(&(struct err){0});
	return r;
}

/* A line the host shares and the device cannot be silenced on (no Interrupt Disable, PCI 2.3) is
 * the host's; a driver that uses MSI goes without it. */
int vfio_intx_arm(struct fd trigger, struct fd resample, struct err *err)
{
	int r;

	fd_close(&vfio.trigger);
	fd_close(&vfio.resample);
	vfio.trigger = trigger;
	vfio.resample = resample;
	r = enter_intx(err);
	if (r < 0) {
		log_warn("its INTx cannot be had, the guest must use MSI or MSI-X: %s", err->msg);
		fd_close(&vfio.trigger);
		fd_close(&vfio.resample);
	}
	return 0;
}

static int enter(enum irq_mode mode, unsigned index, unsigned count, struct err *err)
{
	int r = irq_off(err);

	if (r < 0)
		return r;
	for (unsigned i = 0; i < count; i++)
		irqs.with.fds[i] = -1;
	r = set_irqs(&vfio, index, 0, count, VFIO_IRQ_SET_ACTION_TRIGGER, err);
	if (r == 0)
		vfio.irq_mode = mode;
	else
		enter_intx(&(struct err){0});
	return r;
}

int irq_reset(struct err *err)
{
	int r = irq_off(err);

	return r < 0 ? r : enter_intx(err);
}

int vfio_msi_enable(unsigned count, struct err *err)
{
	return enter(IRQ_MSI, VFIO_PCI_MSI_IRQ_INDEX, count, err);
}

int vfio_msi_disable(struct err *err)
{
	return vfio.irq_mode == IRQ_MSI ? irq_reset(err) : 0;
}

int vfio_msi_arm(unsigned vector, struct fd eventfd, struct err *err)
{
	fd_owned owned = eventfd;

	return set_one(&vfio, VFIO_PCI_MSI_IRQ_INDEX, vector, owned.n, err);
}

int vfio_msix_enable(struct err *err)
{
	return enter(IRQ_MSIX, VFIO_PCI_MSIX_IRQ_INDEX,
		vfio.no_resize ? vfio.config.msix.vectors : 1, err);
}

int vfio_msix_disable(struct err *err)
{
	return vfio.irq_mode == IRQ_MSIX ? irq_reset(err) : 0;
}

int vfio_msix_arm(unsigned vector, struct fd eventfd, struct err *err)
{
	fd_owned owned = eventfd;

	return set_one(&vfio, VFIO_PCI_MSIX_IRQ_INDEX, vector, owned.n, err);
}
