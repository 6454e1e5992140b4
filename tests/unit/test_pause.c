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
static struct broker broker;
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

int remote_suspend(struct remote *fn, struct err *err)
{
	traced("suspend", fn - broker.remotes);
	return fn - broker.remotes == refuses ? err_set(err, -EIO, BLAME_HOST, "no") : 0;
}

int remote_resume(struct remote *fn, struct err *err)
{
	traced("resume", fn - broker.remotes);
	return fn - broker.remotes == refuses ? err_set(err, -EIO, BLAME_HOST, "no") : 0;
}

static void setup(void)
{
	broker.n = 3;
}

TestSuite(pause, .init = setup);

Test(pause, vcpus_stop_first_and_go_on_last)
{
	struct err err = {0};

	cr_assert_eq(vm_pause(&vm, &broker, &err), 0);
	cr_assert_str_eq(trace, "park suspend0 suspend1 suspend2 ");
	trace[0] = '\0';
	cr_assert_eq(vm_resume(&vm, &broker, &err), 0);
	cr_assert_str_eq(trace, "resume0 resume1 resume2 run ");
}

Test(pause, a_device_that_will_not_leaves_everything_running)
{
	struct err err = {0};

	refuses = 1;
	cr_assert_eq(vm_pause(&vm, &broker, &err), -EIO);
	cr_assert_str_eq(trace, "park suspend0 suspend1 resume0 run ");
	cr_assert_str_eq(err.msg, "no");
}

Test(pause, the_first_device_cannot)
{
	struct err err = {0};

	refuses = 0;
	cr_assert_eq(vm_pause(&vm, &broker, &err), -EIO);
	cr_assert_str_eq(trace, "park suspend0 run ");
}

Test(pause, one_that_does_not_go_on_does_not_hold_the_others)
{
	struct err err = {0};

	refuses = 0;
	cr_assert_eq(vm_resume(&vm, &broker, &err), -EIO);
	cr_assert_str_eq(trace, "resume0 resume1 resume2 run ");
}

Test(pause, without_devices)
{
	struct err err = {0};

	broker.n = 0;
	cr_assert_eq(vm_pause(&vm, &broker, &err), 0);
	cr_assert_eq(vm_resume(&vm, &broker, &err), 0);
	cr_assert_str_eq(trace, "park run ");
}

Test(pause, a_vcpu_that_does_not_stop)
{
	struct err err = {0};

	stuck = true;
	cr_assert_eq(vm_pause(&vm, &broker, &err), -ETIMEDOUT);
	cr_assert_str_eq(trace, "park run ", "devices are left alone");
}
