/* SPDX-License-Identifier: Apache-2.0
 *
 * Interrupts of a virtio device on PCI: MSI-X vectors (virtio 1.2 §4.1.5.1.2), INTx and the ISR
 * (§4.1.4.5, §4.1.5.3).
 *
 * Helper process, one thread. With MSI-X on, an event's eventfd is the vector's, made by the core
 * and connected to KVM there: nothing of it passes through this process. Without, it is one of two
 * of our own; we set the ISR bit and raise the pin. The pin is level-triggered and KVM's to lower:
 * when the guest ends the interrupt, resample says so and we raise it again as long as ISR is not
 * 0. A vector that is not armed has its events collect in our own eventfd until it is.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>

#include "helpers/virtio/virtio_pci.h"

enum { OWN_QUEUE, OWN_CONFIG, RESAMPLE, ISR_QUEUE = 1, ISR_CONFIG = 2 };

static void signal_fd(int fd)
{
	const uint64_t one = 1;

	/* A full counter says as much as a signal. */
	if (fd >= 0 && write(fd, &one, sizeof(one)) < 0)
		return;
}

/* False: there was nothing. */
static bool drain(int fd)
{
	uint64_t count;

	return read(fd, &count, sizeof(count)) == (ssize_t)sizeof(count);
}

int virtio_irq_init(struct virtio_pci *vp, struct err *err)
{
	for (unsigned i = 0; i <= VIRTIO_QUEUES_MAX; i++)
		vp->vectors[i] = FD_NONE_INIT;
	vp->trigger = vp->resample = FD_NONE_INIT;
	for (unsigned i = 0; i < 2; i++) {
		vp->own[i].n = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (vp->own[i].n < 0)
			return err_set(err, -errno, BLAME_HOST, "eventfd: %s", strerror(errno));
	}
	return 0;
}

static unsigned vector_of(const struct virtio_pci *vp, unsigned which)
{
	return which == VIRTIO_CONFIG_EVENT ? vp->config_vector : vp->queues[which].vector;
}

int virtio_irq_fd(const struct virtio_pci *vp, unsigned which)
{
	unsigned vector = vector_of(vp, which);

	if (vp->msix && vector <= vp->n_queues && vp->vectors[vector].n >= 0)
		return vp->vectors[vector].n;
	return vp->own[which == VIRTIO_CONFIG_EVENT ? OWN_CONFIG : OWN_QUEUE].n;
}

/* vector: whose events go elsewhere now, or VIRTIO_NO_VECTOR for every event there is. */
static void rewire(struct virtio_pci *vp, unsigned vector)
{
	for (unsigned i = 0; i < vp->n_queues; i++)
		if (vector == VIRTIO_NO_VECTOR || vp->queues[i].vector == vector)
			vp->ops->rewire(vp, i);
	if (vector == VIRTIO_NO_VECTOR || vp->config_vector == vector)
		vp->ops->rewire(vp, VIRTIO_CONFIG_EVENT);
}

void virtio_irq_arm(struct virtio_pci *vp, unsigned vector, struct fd eventfd)
{
	fd_owned before = vp->vectors[vector];

	vp->vectors[vector] = eventfd;
	rewire(vp, vector);
	/* What came meanwhile is in our own eventfd, of this vector or another: an interrupt too
	 * many does no harm, one too few does. */
	for (unsigned i = 0; i < 2; i++) {
		struct pollfd p = {.fd = vp->own[i].n, .events = POLLIN};
		struct timespec now = {0};

		if (ppoll(&p, 1, &now, NULL) == 1)
			signal_fd(eventfd.n);
	}
}

/* Status bit 3 of config space (PCI 3.0 §6.2.3). */
bool virtio_irq_intx_pending(const struct virtio_pci *vp)
{
	return vp->isr && !vp->msix;
}

void virtio_irq_raise_pin(struct virtio_pci *vp)
{
	if (virtio_irq_intx_pending(vp) &&
		!(vp->pci[PCI_COMMAND_REG + 1] & PCI_COMMAND_NO_INTX >> 8))
		signal_fd(vp->trigger.n);
}

/* On the way in no vector is armed yet, so nothing goes anywhere else than before. */
void virtio_irq_mode(struct virtio_pci *vp, bool msix)
{
	struct fd before[VIRTIO_QUEUES_MAX + 1];

	vp->msix = msix;
	if (msix)
		return;
	memcpy(before, vp->vectors, sizeof(before));
	for (unsigned i = 0; i <= VIRTIO_QUEUES_MAX; i++)
		vp->vectors[i] = FD_NONE_INIT;
	rewire(vp, VIRTIO_NO_VECTOR);
	for (unsigned i = 0; i <= VIRTIO_QUEUES_MAX; i++)
		fd_close(&before[i]);
	virtio_irq_raise_pin(vp);
}

void virtio_irq_intx(struct virtio_pci *vp, struct fd trigger, struct fd resample)
{
	fd_close(&vp->trigger);
	fd_close(&vp->resample);
	vp->trigger = trigger;
	vp->resample = resample;
}

uint8_t virtio_irq_isr(struct virtio_pci *vp)
{
	uint8_t isr = vp->isr;

	vp->isr = 0;
	return isr;
}

/* With MSI-X our own eventfds are nobody's to hear: those events have no vector. */
void virtio_irq_event_fds(const struct virtio_pci *vp, int ret_fds[HELPER_EVENTS])
{
	ret_fds[OWN_QUEUE] = vp->msix ? -1 : vp->own[OWN_QUEUE].n;
	ret_fds[OWN_CONFIG] = vp->msix ? -1 : vp->own[OWN_CONFIG].n;
	ret_fds[RESAMPLE] = vp->resample.n;
}

void virtio_irq_on_event(struct virtio_pci *vp, unsigned which)
{
	if (which == RESAMPLE) {
		drain(vp->resample.n);
		virtio_irq_raise_pin(vp);
	} else if (drain(vp->own[which].n)) {
		vp->isr |= which == OWN_QUEUE ? ISR_QUEUE : ISR_CONFIG;
		virtio_irq_raise_pin(vp);
	}
}

void virtio_irq_signal(const struct virtio_pci *vp, unsigned which)
{
	signal_fd(virtio_irq_fd(vp, which));
}

void virtio_irq_reset(struct virtio_pci *vp)
{
	vp->isr = 0;
	vp->config_vector = VIRTIO_NO_VECTOR;
	drain(vp->own[OWN_QUEUE].n);
	drain(vp->own[OWN_CONFIG].n);
}
