/* SPDX-License-Identifier: Apache-2.0
 *
 * Pause and resume: in which order vCPUs and devices stand still and go on, also when one does not.
 *
 * links: vmm/pause.c
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/kvm/vcpu.h"
#include "vmm/pause.h"

static char trace[256];
static int refuses = -1; /* the device that will neither suspend nor resume */
static struct devices devices;
static struct vm vm;

static void traced(const char *what, long n)
{
	size_t at = strlen(trace);

	if (n < 0)
		snprintf(trace + at, sizeof(trace) - at, "%s ", what);
	else
		snprintf(trace + at, sizeof(trace) - at, "%s%ld ", what, n);
}

static bool stuck;

bool vcpus_park(struct vm *v)
{
	(void)v;
	traced("park", -1);
	return !stuck;
}

void vcpus_resume(struct vm *v)
{
	(void)v;
	traced("run", -1);
}

static long slot_of(const struct remote *fn)
{
	for (long i = 0; i < VM_SLOTS; i++) {
		if (fn == &devices.slots[i].remote)
			return i;
	}
	return -1;
}

int remote_suspend(struct remote *fn, struct err *err)
{
	traced("suspend", slot_of(fn));
	return slot_of(fn) == refuses ? err_set(err, -EIO, BLAME_HOST, "no") : 0;
}

int remote_resume(struct remote *fn, struct err *err)
{
	traced("resume", slot_of(fn));
	return slot_of(fn) == refuses ? err_set(err, -EIO, BLAME_HOST, "no") : 0;
}

static void setup(void)
{
	for (unsigned i = 0; i < 3; i++)
		devices.slots[i].step = SLOT_HERE;
}

TestSuite(pause, .init = setup);

Test(pause, vcpus_stop_first_and_go_on_last)
{
	struct err err = {0};

	cr_assert_eq(vm_pause(&vm, &devices, &err), 0);
	cr_assert_str_eq(trace, "park suspend0 suspend1 suspend2 ");
	trace[0] = '\0';
	cr_assert_eq(vm_resume(&vm, &devices, &err), 0);
	cr_assert_str_eq(trace, "resume0 resume1 resume2 run ");
}

Test(pause, a_device_that_will_not_leaves_everything_running)
{
	struct err err = {0};

	refuses = 1;
	cr_assert_eq(vm_pause(&vm, &devices, &err), -EIO);
	cr_assert_str_eq(trace, "park suspend0 suspend1 resume0 run ");
	cr_assert_str_eq(err.msg, "no");
}

Test(pause, the_first_device_cannot)
{
	struct err err = {0};

	refuses = 0;
	cr_assert_eq(vm_pause(&vm, &devices, &err), -EIO);
	cr_assert_str_eq(trace, "park suspend0 run ");
}

Test(pause, one_that_does_not_go_on_does_not_hold_the_others)
{
	struct err err = {0};

	refuses = 0;
	cr_assert_eq(vm_resume(&vm, &devices, &err), -EIO);
	cr_assert_str_eq(trace, "resume0 resume1 resume2 run ");
}

Test(pause, without_devices)
{
	struct err err = {0};

	for (unsigned i = 0; i < 3; i++)
		devices.slots[i].step = SLOT_FREE;
	cr_assert_eq(vm_pause(&vm, &devices, &err), 0);
	cr_assert_eq(vm_resume(&vm, &devices, &err), 0);
	cr_assert_str_eq(trace, "park run ");
}

/* A slot that is free, or whose device has not got there yet, is left alone; the ones behind it are not. */
Test(pause, slots_without_a_device_are_passed_over)
{
	struct err err = {0};

	devices.slots[0].step = SLOT_FREE;
	devices.slots[1].step = SLOT_OPENS;
	devices.slots[VM_SLOTS - 1].step = SLOT_HERE;
	cr_assert_eq(vm_pause(&vm, &devices, &err), 0);
	cr_assert_eq(vm_resume(&vm, &devices, &err), 0);
	cr_assert_str_eq(trace, "park suspend2 suspend29 resume2 resume29 run ");
	trace[0] = '\0';
	refuses = VM_SLOTS - 1;
	cr_assert_eq(vm_pause(&vm, &devices, &err), -EIO);
	cr_assert_str_eq(trace, "park suspend2 suspend29 resume2 run ");
}

Test(pause, a_vcpu_that_does_not_stop)
{
	struct err err = {0};

	stuck = true;
	cr_assert_eq(vm_pause(&vm, &devices, &err), -ETIMEDOUT);
	cr_assert_str_eq(trace, "park run ", "devices are left alone");
}
