/* SPDX-License-Identifier: Apache-2.0
 *
 * What a vector of a remote function costs and does: eventfd, GSI, route, irqfd.
 *
 * Core process, the function's lock held. The core makes every eventfd and keeps it until the
 * vector is cold, so a helper's death never cuts an interrupt; the helper gets a duplicate for
 * VFIO_DEVICE_SET_IRQS and closes it. Nothing here reads an eventfd: KVM drains it, and the PBA
 * looks at readability while the irqfd is off (kernel facts 2.3).
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ipc/log.h"
#include "vmm/remote.h"

static int on_mode(void *opaque, bool enable)
{
	struct remote *fn = opaque;

	return ask_msix_mode(&fn->peer, enable);
}

/* The guest is not told, so the operator is. The helper's refusals are logged by vmm/peer.c. */
static int silent(struct remote *fn, unsigned vector, int code, const char *cause)
{
	if (log_allowed(&fn->peer.refusals))
		log_warn("%s: MSI-X vector %u stays silent: %s: %s", fn->peer.name, vector, cause,
			strerror(-code));
	return code;
}

static int on_arm(void *opaque, unsigned vector)
{
	struct remote *fn = opaque;
	int eventfd_n, gsi, r;

	eventfd_n = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (eventfd_n < 0)
		return silent(fn, vector, -errno, "no eventfd (is `ulimit -Hn` too low?)");
	gsi = irq_gsi_alloc(&fn->vm->irq);
	if (gsi < 0) {
		close(eventfd_n);
		return silent(fn, vector, gsi, "no GSI (KVM has 4096)");
	}
	r = ask_msix_arm(&fn->peer, vector, eventfd_n);
	if (r < 0) {
		irq_gsi_free(&fn->vm->irq, (uint32_t)gsi);
		close(eventfd_n);
		return r;
	}
	fn->irqs[vector] = (struct vector_irq){.eventfd = eventfd_n, .gsi = (uint32_t)gsi};
	return 0;
}

static void on_cool(void *opaque, unsigned vector)
{
	struct remote *fn = opaque;

	irq_gsi_free(&fn->vm->irq, fn->irqs[vector].gsi);
	close(fn->irqs[vector].eventfd);
	fn->irqs[vector] = (struct vector_irq){.eventfd = -1};
}

/* Route first: an irqfd without one loses the interrupt. */
static int on_live(void *opaque, unsigned vector, uint64_t addr, uint32_t data)
{
	struct remote *fn = opaque;
	const struct vector_irq *irq = &fn->irqs[vector];
	int r = irq_route(&fn->vm->irq, irq->gsi, addr, data);

	return r < 0 ? r : irqfd_on(&fn->vm->irq, irq->eventfd, irq->gsi);
}

static void on_quiet(void *opaque, unsigned vector)
{
	struct remote *fn = opaque;

	irqfd_off(&fn->vm->irq, fn->irqs[vector].eventfd, fn->irqs[vector].gsi);
}

static bool on_pending(void *opaque, unsigned vector)
{
	struct remote *fn = opaque;
	struct pollfd p = {.fd = fn->irqs[vector].eventfd, .events = POLLIN};
	struct timespec now = {0};

	return ppoll(&p, 1, &now, NULL) == 1;
}

const struct msix_ops remote_msix_ops = {
	.mode = on_mode,
	.arm = on_arm,
	.cool = on_cool,
	.live = on_live,
	.quiet = on_quiet,
	.pending = on_pending,
};
