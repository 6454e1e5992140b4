/* SPDX-License-Identifier: Apache-2.0
 *
 * The VFIO helper's reset of its device: interrupts off, the reset, interrupts as at power-on. ioctl(2)
 * is a double.
 *
 * links: helpers/vfio/reset.c helpers/host/address.c
 */
#include <errno.h>
#include <linux/vfio.h>
#include <sys/ioctl.h>

#include "helpers/vfio/vfio.h"
#include "tests/unit/trace.h"

enum { DEVICE = 1000 };

struct vfio vfio = {.name = "0000:00:10.0", .device = {DEVICE}, .group = FD_NONE_INIT};
static struct err err;
static int answer;      /* errno of VFIO_DEVICE_RESET, 0: done */
static unsigned busy;   /* so often EAGAIN first */
static unsigned resets;

int irq_off(struct err *e)
{
	(void)e;
	traced("off ");
	return 0;
}

int irq_reset(struct err *e)
{
	(void)e;
	traced("on ");
	return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
	cr_assert_eq(fd, DEVICE);
	cr_assert_eq(request, VFIO_DEVICE_RESET);
	errno = resets++ < busy ? EAGAIN : answer;
	return errno ? -1 : 0;
}

static int reset(void)
{
	struct fd none = FD_NONE_INIT;

	reset_setup(none, true);
	return vfio_reset(&err);
}

Test(vfio_reset, once)
{
	cr_assert_eq(reset(), 0, "%s", err.msg);
	cr_expect_eq(resets, 1);
	expect("off on ");
}

/* Somebody reads of the device in sysfs: it takes a moment, and no longer. */
Test(vfio_reset, of_a_busy_device)
{
	busy = 5;
	cr_assert_eq(reset(), 0, "%s", err.msg);
	cr_expect_eq(resets, 6);
	expect("off on ");
}

Test(vfio_reset, of_a_device_that_stays_busy)
{
	const int64_t began = now_ms();

	busy = UINT32_MAX;
	cr_assert_eq(reset(), -EAGAIN);
	cr_expect(now_ms() - began >= 2000);
	expect("off ");
}

Test(vfio_reset, that_fails_is_not_tried_again)
{
	answer = EIO;
	cr_assert_eq(reset(), -EIO);
	cr_expect_eq(resets, 1);
	cr_expect_not_null(strstr(err.msg, "VFIO_DEVICE_RESET"), "%s", err.msg);
	expect("off ");
}
