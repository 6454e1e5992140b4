/* SPDX-License-Identifier: Apache-2.0
 *
 * What a vector of a remote function costs and does: eventfd, GSI, route, irqfd.
 *
 * Core process, the function's lock held. The core makes every eventfd and keeps it until the
 * vector is cold, so a helper's death never cuts an interrupt; the helper gets a duplicate for
 * VFIO_DEVICE_SET_IRQS and closes it. Nothing here reads an eventfd: KVM drains it, and the PBA
 * looks at readability while the irqfd is off. What is signalled meanwhile stays in its counter, and
 * KVM_IRQFD injects it when the irqfd is back (Linux virt/kvm/eventfd.c, kvm_irqfd_assign).
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ipc/log.h"
#include "vmm/pci/remote.h"

static int on_msix_mode(void *opaque, bool enable)
{
	struct remote *fn = opaque;

	return ask_msix_mode(&fn->peer, enable);
}

/* The guest is not told, so the operator is. The helper's refusals are logged by vmm/peer.c. */
static int silent(struct remote *fn, unsigned vector, int code, const char *cause)
{
	if (log_allowed(&fn->peer.refusals))
		log_warn("%s: interrupt vector %u stays silent: %s: %s", fn->peer.name, vector, cause,
			strerror(-code));
	return code;
}

static int on_msi_mode(void *opaque, bool enable)
{
	struct remote *fn = opaque;

	return ask_msi_mode(&fn->peer, enable ? fn->msi.table.n : 0);
}

/* MSI and MSI-X differ in nothing but the message to the helper. */
static int arm(struct remote *fn, struct vector_irq *irq, unsigned vector,
	int (*ask_arm)(struct peer *, unsigned, int))
{
	int eventfd_n, gsi, r;

	eventfd_n = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (eventfd_n < 0)
		return silent(fn, vector, -errno, "no eventfd (is `ulimit -Hn` too low?)");
	gsi = irq_gsi_alloc(&fn->vm->irq);
	if (gsi < 0) {
		close(eventfd_n);
		return silent(fn, vector, gsi, "no GSI (KVM has 4096)");
	}
	r = ask_arm(&fn->peer, vector, eventfd_n);
	if (r < 0) {
		irq_gsi_free(&fn->vm->irq, (uint32_t)gsi);
		close(eventfd_n);
		return r;
	}
	*irq = (struct vector_irq){.eventfd = eventfd_n, .gsi = (uint32_t)gsi};
	return 0;
}

static void cool(struct remote *fn, struct vector_irq *irq)
{
	irq_gsi_free(&fn->vm->irq, irq->gsi);
	close(irq->eventfd);
	*irq = (struct vector_irq){.eventfd = -1};
}

/* Route first: an irqfd without one loses the interrupt. */
static int live(struct remote *fn, const struct vector_irq *irq, uint64_t addr, uint32_t data)
{
	int r = irq_route(&fn->vm->irq, irq->gsi, addr, data);

	return r < 0 ? r : irqfd_on(&fn->vm->irq, irq->eventfd, irq->gsi);
}

static void quiet(struct remote *fn, const struct vector_irq *irq)
{
	irqfd_off(&fn->vm->irq, irq->eventfd, irq->gsi);
}

static bool pending(const struct vector_irq *irq)
{
	struct pollfd p = {.fd = irq->eventfd, .events = POLLIN};
	struct timespec now = {0};

	return ppoll(&p, 1, &now, NULL) == 1;
}

static int on_msix_arm(void *opaque, unsigned vector)
{
	struct remote *fn = opaque;

	return arm(fn, &fn->irqs[vector], vector, ask_msix_arm);
}

static void on_msix_cool(void *opaque, unsigned vector)
{
	struct remote *fn = opaque;

	cool(fn, &fn->irqs[vector]);
}

static int on_msix_live(void *opaque, unsigned vector, uint64_t addr, uint32_t data)
{
	struct remote *fn = opaque;

	return live(fn, &fn->irqs[vector], addr, data);
}

static void on_msix_quiet(void *opaque, unsigned vector)
{
	struct remote *fn = opaque;

	quiet(fn, &fn->irqs[vector]);
}

static bool on_msix_pending(void *opaque, unsigned vector)
{
	struct remote *fn = opaque;

	return pending(&fn->irqs[vector]);
}

const struct msix_ops remote_msix_ops = {
	.mode = on_msix_mode,
	.arm = on_msix_arm,
	.cool = on_msix_cool,
	.live = on_msix_live,
	.quiet = on_msix_quiet,
	.pending = on_msix_pending,
};

static int on_msi_arm(void *opaque, unsigned vector)
{
	struct remote *fn = opaque;

	return arm(fn, &fn->msi_irqs[vector], vector, ask_msi_arm);
}

static void on_msi_cool(void *opaque, unsigned vector)
{
	struct remote *fn = opaque;

	cool(fn, &fn->msi_irqs[vector]);
}

static int on_msi_live(void *opaque, unsigned vector, uint64_t addr, uint32_t data)
{
	struct remote *fn = opaque;

	return live(fn, &fn->msi_irqs[vector], addr, data);
}

static void on_msi_quiet(void *opaque, unsigned vector)
{
	struct remote *fn = opaque;

	quiet(fn, &fn->msi_irqs[vector]);
}

static bool on_msi_pending(void *opaque, unsigned vector)
{
	struct remote *fn = opaque;

	return pending(&fn->msi_irqs[vector]);
}

const struct msix_ops remote_msi_ops = {
	.mode = on_msi_mode,
	.arm = on_msi_arm,
	.cool = on_msi_cool,
	.live = on_msi_live,
	.quiet = on_msi_quiet,
	.pending = on_msi_pending,
};
