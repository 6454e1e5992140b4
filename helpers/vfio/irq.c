/* SPDX-License-Identifier: Apache-2.0
 *
 * MSI-X, ERR and REQ by VFIO_DEVICE_SET_IRQS (linux/vfio.h).
 *
 * VFIO helper. MSI-X is enabled with one vector and no eventfd, so the device is in MSI-X mode
 * however the guest masks; vectors are then armed one at a time, which allocates each at its first
 * use. Where the kernel cannot add vectors later (NORESIZE: no dynamic MSI-X), all of them are
 * allocated at once. The eventfds stay with the core: ours is closed when VFIO has it.
 */
#include <errno.h>
#include <linux/vfio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include "helpers/vfio/vfio.h"

/* VFIO_DEVICE_SET_IRQS with room for an eventfd a vector. */
static union {
	struct vfio_irq_set set;
	struct {
		struct vfio_irq_set head;
		int32_t fds[MSIX_MAX];
	} with;
} irqs;

static int set_irqs(const struct vfio *v, unsigned index, unsigned start, unsigned count,
	struct err *err)
{
	int r;

	irqs.set.argsz = (uint32_t)(sizeof(irqs.set) + count * sizeof(int32_t));
	irqs.set.flags = VFIO_IRQ_SET_ACTION_TRIGGER |
		(count ? VFIO_IRQ_SET_DATA_EVENTFD : VFIO_IRQ_SET_DATA_NONE);
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
	return set_irqs(v, index, start, 1, err);
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
	struct vfio_irq_info info = {.argsz = sizeof(info), .index = VFIO_PCI_MSIX_IRQ_INDEX};
	int r;

	if (ioctl(v->device.n, VFIO_DEVICE_GET_IRQ_INFO, &info) < 0)
		return err_set(err, -errno, BLAME_HOST, "VFIO_DEVICE_GET_IRQ_INFO: %s",
			strerror(errno));
	v->vectors = info.count;
	v->no_resize = info.flags & VFIO_IRQ_INFO_NORESIZE;
	if (v->config.msix.vectors > v->vectors)
		return err_set(err, -EINVAL, BLAME_HOST,
			"its MSI-X capability says %u vectors, VFIO %u", v->config.msix.vectors,
			v->vectors);
	r = watch(v, VFIO_PCI_ERR_IRQ_INDEX, &v->error, err);
	return r < 0 ? r : watch(v, VFIO_PCI_REQ_IRQ_INDEX, &v->request, err);
}

int vfio_msix_enable(struct err *err)
{
	unsigned count = vfio.no_resize ? vfio.config.msix.vectors : 1;
	int r;

	for (unsigned i = 0; i < count; i++)
		irqs.with.fds[i] = -1;
	r = set_irqs(&vfio, VFIO_PCI_MSIX_IRQ_INDEX, 0, count, err);
	if (r == 0)
		vfio.msix_on = true;
	return r;
}

int vfio_msix_disable(struct err *err)
{
	int r = vfio.msix_on ? set_irqs(&vfio, VFIO_PCI_MSIX_IRQ_INDEX, 0, 0, err) : 0;

	if (r == 0)
		vfio.msix_on = false;
	return r;
}

int vfio_msix_arm(unsigned vector, struct fd eventfd, struct err *err)
{
	fd_owned owned = eventfd;

	return set_one(&vfio, VFIO_PCI_MSIX_IRQ_INDEX, vector, owned.n, err);
}

int vfio_msix_disarm(unsigned vector, struct err *err)
{
	return set_one(&vfio, VFIO_PCI_MSIX_IRQ_INDEX, vector, -1, err);
}
