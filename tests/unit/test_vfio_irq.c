/* SPDX-License-Identifier: Apache-2.0
 *
 * The VFIO helper's interrupts on a kernel that has one kind of them on at a time, and may not have
 * the INTx line, or enough vectors. ioctl(2) is a double.
 *
 * links: helpers/vfio/irq.c
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdarg.h>
#include <sys/ioctl.h>

#include "helpers/vfio/vfio.h"
#include "ipc/log.h"

enum { DEVICE = 1000, NOTHING = -1 };

static struct vfio v = {.device = {DEVICE}, .irqs = {.error = {-1}, .request = {-1},
	.trigger = {-1}, .resample = {-1}}, .config.msix.vectors = 8};
static struct err err;
static int on = NOTHING;    /* which kind the kernel has on */
static unsigned vectors;    /* allocated of it */
static bool line_is_taken;  /* by a driver of the host's */
static unsigned vectors_left = 8;

/* vfio_pci_set_intx_trigger, vfio_pci_set_msi_trigger. */
static int trigger(const struct vfio_irq_set *set)
{
	int index = (int)set->index;

	if (set->count == 0) {
		cr_expect_eq(on, index, "%d off, %d is on", index, on);
		on = NOTHING;
		return 0;
	}
	errno = on != NOTHING && on != index ? EINVAL
		: index == VFIO_PCI_INTX_IRQ_INDEX && line_is_taken ? EBUSY : 0;
	if (errno)
		return -1;
	if (on == NOTHING && set->count > vectors_left)
		return (int)vectors_left;
	if (on == NOTHING)
		vectors = set->count;
	on = index;
	return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
	const struct vfio_irq_set *set;
	va_list ap;

	va_start(ap, request);
	set = va_arg(ap, void *);
	va_end(ap);
	cr_assert(fd == DEVICE && request == VFIO_DEVICE_SET_IRQS);
	if (set->flags & VFIO_IRQ_SET_ACTION_TRIGGER)
		return trigger(set);
	cr_expect(set->flags & VFIO_IRQ_SET_ACTION_UNMASK && on == VFIO_PCI_INTX_IRQ_INDEX);
	return 0;
}

static struct fd eventfd_double(void)
{
	return (struct fd){open("/dev/null", O_RDWR | O_CLOEXEC)};
}

static void setup(void)
{
	log_init("", LOG_ERROR, 2);
}

static void arm_pin(void)
{
	cr_assert_eq(irq_intx_arm(&v, eventfd_double(), eventfd_double(), &err), 0);
}

TestSuite(vfio_irq, .init = setup);

Test(vfio_irq, intx_is_on_while_neither_msi_nor_msix_is)
{
	arm_pin();
	cr_expect_eq(on, VFIO_PCI_INTX_IRQ_INDEX);
	cr_expect_eq(irq_msix_enable(&v, &err), 0);
	cr_expect(on == VFIO_PCI_MSIX_IRQ_INDEX && vectors == 1);
	cr_expect_eq(irq_arm(&v, IRQ_MSIX, 7, eventfd_double(), &err), 0);
	cr_expect_eq(irq_disable(&v, IRQ_MSIX, &err), 0);
	cr_expect_eq(on, VFIO_PCI_INTX_IRQ_INDEX);
	cr_expect_eq(irq_msi_enable(&v, 4, &err), 0);
	cr_expect(on == VFIO_PCI_MSI_IRQ_INDEX && vectors == 4);
	cr_expect_eq(irq_reset(&v, &err), 0);
	cr_expect_eq(on, VFIO_PCI_INTX_IRQ_INDEX);
	cr_expect_eq(irq_off(&v, &err), 0);
	cr_expect_eq(on, NOTHING);
}

Test(vfio_irq, all_vectors_at_once_where_none_can_be_added)
{
	v.facts.no_resize = true;
	cr_expect_eq(irq_msix_enable(&v, &err), 0);
	cr_expect_eq(vectors, 8);
}

Test(vfio_irq, too_few_vectors_and_the_pin_is_back)
{
	arm_pin();
	vectors_left = 2;
	cr_expect_eq(irq_msi_enable(&v, 4, &err), -ENOSPC);
	cr_expect_eq(on, VFIO_PCI_INTX_IRQ_INDEX);
	cr_expect_eq(irq_msi_enable(&v, 2, &err), 0, "%s", err.msg);
}

Test(vfio_irq, a_line_that_is_the_hosts_is_no_error)
{
	line_is_taken = true;
	arm_pin();
	cr_expect(on == NOTHING && v.irqs.trigger.n < 0);
	cr_expect_eq(irq_msix_enable(&v, &err), 0);
	cr_expect_eq(irq_reset(&v, &err), 0);
	cr_expect_eq(on, NOTHING);
}

/* It is neither the end of a reset nor of MSI-X. */
Test(vfio_irq, a_line_that_becomes_the_hosts_is_no_error)
{
	arm_pin();
	cr_expect_eq(irq_msix_enable(&v, &err), 0);
	line_is_taken = true;
	cr_expect_eq(irq_disable(&v, IRQ_MSIX, &err), 0, "%s", err.msg);
	cr_expect_eq(on, NOTHING);
	cr_expect_eq(irq_msix_enable(&v, &err), 0, "%s", err.msg);
	cr_expect_eq(on, VFIO_PCI_MSIX_IRQ_INDEX);
	cr_expect_eq(irq_reset(&v, &err), 0, "%s", err.msg);
	cr_expect_eq(on, NOTHING);
}
