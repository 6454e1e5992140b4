/* SPDX-License-Identifier: Apache-2.0
 *
 * The VFIO helper's resets, and its opening, which is one: interrupts off, the ways there are in
 * their order, interrupts as at power-on; and a device somebody looks at for a moment. ioctl(2) is
 * a double.
 *
 * links: helpers/vfio/reset.c helpers/vfio/open.c helpers/host/address.c helpers/retry.c
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <sys/ioctl.h>

#include "helpers/vfio/vfio.h"
#include "ipc/log.h"
#include "tests/unit/trace.h"

enum { DEVICE = 1000, GROUP = 1001, OPENED = 1002, OURS = 7, THEIRS = 8 };

static struct vfio v = {.name = "0000:05:01.0", .device = {DEVICE}};
static struct err err;
static int itself, bus;      /* errno of the resets, 0: done */
static int busy_code;        /* or this, so often first */
static unsigned busy, tries; /* of each reset, and of opening */
static unsigned n_reached;   /* functions on the bus, 0: it cannot be reset */
static unsigned sibling;     /* group of the second of them */

int irq_off(struct vfio *of, struct err *e)
{
	(void)of, (void)e;
	traced("off ");
	return 0;
}

int irq_reset(struct vfio *of, struct err *e)
{
	(void)of, (void)e;
	traced("on ");
	return 0;
}

/* Of `what`, which is traced once however often it is asked for. */
static int answer(const char *what, int code)
{
	static const char *last = "";

	if (what != last)
		tries = 0;
	last = what;
	if (tries == 0)
		traced("%s", what);
	errno = tries++ < busy ? busy_code : code;
	if (errno)
		return -1;
	tries = 0;
	return 0;
}

static int reach(struct vfio_pci_hot_reset_info *info)
{
	if (!n_reached) {
		errno = ENODEV;
		return -1;
	}
	info->count = n_reached;
	info->devices[0] = (struct vfio_pci_dependent_device){.group_id = OURS, .bus = 5,
		.devfn = 1 << 3};
	info->devices[1] = (struct vfio_pci_dependent_device){.group_id = sibling, .bus = 5,
		.devfn = 2 << 3};
	return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;
	int r;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (request == VFIO_GROUP_GET_DEVICE_FD) {
		cr_assert(fd == GROUP && strcmp(arg, v.name) == 0);
		r = answer("", itself);
		return r < 0 ? r : OPENED;
	}
	cr_assert_eq(fd, DEVICE);
	if (request == VFIO_DEVICE_GET_PCI_HOT_RESET_INFO)
		return reach(arg);
	if (request == VFIO_DEVICE_RESET)
		return answer("itself ", itself);
	cr_assert_eq(request, VFIO_DEVICE_PCI_HOT_RESET);
	cr_assert_eq(((struct vfio_pci_hot_reset *)arg)->count, 1, "the group is shown");
	return answer("bus ", bus);
}

/* A reset of its own, of that kind; how many functions are on its bus, in one group or two. */
static void device(bool own, bool flr, unsigned reached, unsigned sibling_group)
{
	log_init("test", LOG_SAY, STDERR_FILENO);
	v.facts.can_reset = own;
	v.config.has_flr = flr;
	v.config.power_resets = true;
	n_reached = reached;
	sibling = sibling_group;
	reset_setup(&v, (struct fd){open("/dev/null", O_RDONLY | O_CLOEXEC)});
	cr_assert_eq(v.resets.group.n >= 0, reached != 0, "a group is kept where it is of use");
	reset_settled(&v);
}

static int reset(bool whole)
{
	tries = 0;
	return reset_device(&v, whole, &err);
}

Test(vfio_reset, by_itself)
{
	device(true, true, 0, 0);
	cr_assert_eq(reset(false), 0, "%s", err.msg);
	expect("off itself on ");
	itself = EIO;
	cr_assert_eq(reset(true), -EIO);
	cr_expect_not_null(strstr(err.msg, "VFIO_DEVICE_RESET"), "%s", err.msg);
	expect("off itself ");
}

/* Somebody reads of the device in sysfs: it takes a moment, and no longer. */
Test(vfio_reset, of_a_busy_device)
{
	device(true, true, 0, 0);
	busy = 5;
	busy_code = EAGAIN;
	cr_assert_eq(reset(false), 0, "%s", err.msg);
	expect("off itself on ");
}

Test(vfio_reset, of_a_device_that_stays_busy)
{
	const int64_t began = now_ms();

	device(true, true, 0, 0);
	busy = UINT32_MAX;
	busy_code = EAGAIN;
	cr_assert_eq(reset(false), -EAGAIN);
	cr_expect(now_ms() - began >= 2000);
	expect("off itself ");
}

/* The kernel takes no lock of a bus it would have to wait for, nor one a faulting vCPU has. */
Test(vfio_reset, of_a_busy_bus_at_sixteen_reboots)
{
	device(false, false, 1, 0);
	busy = 3;
	for (unsigned i = 0; i < 16; i++) {
		busy_code = i % 2 ? EAGAIN : EBUSY;
		cr_assert_eq(reset(true), 0, "%s", err.msg);
		expect("off bus on ");
	}
	busy = UINT32_MAX;
	cr_assert_eq(reset(true), -EAGAIN);
	cr_expect_not_null(strstr(err.msg, "PCI_HOT_RESET"), "%s", err.msg);
}

/* Opening resets too, and EAGAIN is all it says; in use is in use. */
Test(vfio_reset, opening_a_busy_device)
{
	struct helper_open open = {.name = v.name, .device = {GROUP}};
	struct fd fd = FD_NONE_INIT;

	busy = 5;
	busy_code = EAGAIN;
	cr_assert_eq(open_device(&open, &fd, &err), 0, "%s", err.msg);
	cr_expect_eq(fd.n, OPENED);
	tries = 0;
	busy_code = EBUSY;
	cr_assert_eq(open_device(&open, &fd, &err), -EBUSY);
	cr_expect_eq(tries, 1, "asked once");
	cr_expect_not_null(strstr(err.msg, "in use"), "%s", err.msg);
}

Test(vfio_reset, that_fails_falls_back_to_the_bus)
{
	device(true, true, 1, 0);
	itself = ENOTTY;
	cr_assert_eq(reset(false), 0, "%s", err.msg);
	expect("off itself bus on ");
	bus = ENOTTY;
	cr_assert_eq(reset(true), -ENOTTY);
	expect("off itself bus ");
}

/* A guest that resets one function does not expect it of another. */
Test(vfio_reset, of_a_bus_with_another_function_is_for_a_reboot)
{
	device(true, true, 2, OURS);
	itself = EIO;
	cr_assert_eq(reset(false), -EIO);
	expect("off itself ");
	cr_assert_eq(reset(true), 0, "%s", err.msg);
	expect("off itself bus on ");
}

Test(vfio_reset, never_of_a_bus_with_what_is_not_ours)
{
	device(true, true, 2, THEIRS);
	itself = EIO;
	cr_assert_eq(reset(true), -EIO);
	expect("off itself ");
}

/* Whose the others are changes as devices of the VM come and go. */
Test(vfio_reset, of_a_bus_that_becomes_ours_and_is_not_any_more)
{
	device(true, true, 2, THEIRS);
	itself = EIO;
	sibling = OURS;
	reset_settled(&v);
	cr_assert_eq(reset(true), 0, "%s", err.msg);
	expect("off itself bus on ");
	sibling = THEIRS;
	reset_settled(&v);
	cr_assert_eq(reset(true), -EIO);
	expect("off itself ");
	n_reached = 0;
	reset_settled(&v);
	cr_assert_eq(reset(true), -EIO, "its reach is not known any more");
	expect("off itself ");
}

Test(vfio_reset, by_power_state_alone_comes_after_the_bus)
{
	device(true, false, 2, OURS);
	cr_assert_eq(reset(true), 0, "%s", err.msg);
	expect("off bus on ");
	cr_assert_eq(reset(false), 0, "%s", err.msg);
	expect("off itself on ");
	bus = EIO;
	cr_assert_eq(reset(true), 0, "%s", err.msg);
	expect("off bus itself on ");
}

Test(vfio_reset, by_power_state_where_the_bus_cannot_be)
{
	device(true, false, 0, 0);
	cr_assert_eq(reset(true), 0, "%s", err.msg);
	expect("off itself on ");
}

Test(vfio_reset, there_is_none)
{
	device(false, false, 0, 0);
	cr_assert_eq(reset(true), 0, "which was said at the start");
	expect("off on ");
}

/* Of a group the kernel tells late that one of its functions is not with VFIO. */
Test(vfio_reset, of_a_bus_that_turns_out_not_to_be_ours)
{
	device(false, false, 2, OURS);
	bus = EINVAL;
	cr_assert_eq(reset(true), 0, "%s", err.msg);
	expect("off bus on ");
	cr_assert_eq(reset(true), 0, "%s", err.msg);
	expect("off on ");
}
