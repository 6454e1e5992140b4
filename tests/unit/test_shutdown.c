/* SPDX-License-Identifier: Apache-2.0
 *
 * How an operator's wish that the VM end becomes its end.
 *
 * links: vmm/shutdown.c
 */
#include <criterion/criterion.h>
#include <time.h>

#include "ipc/log.h"
#include "vmm/shutdown.h"

static struct vm vm;
static struct platform platform;
static struct shutdown down;
static bool listens = true;
static unsigned pressed;

void vm_ask(struct vm *which, enum vm_request request)
{
	which->request = (int)request;
}

bool platform_press_power(struct platform *which)
{
	cr_expect(which == &platform);
	pressed++;
	return listens;
}

static void make(void)
{
	log_init("", LOG_SAY, -1);
	shutdown_init(&down, &vm, &platform, 1);
}

TestSuite(shutdown, .init = make);

Test(shutdown, the_button_first_and_force_the_second_time)
{
	cr_expect(shutdown_left_ms(&down) == -1);
	shutdown_ask(&down, "signal 15");
	cr_expect(pressed == 1 && vm.request == VM_RUN);
	cr_expect(shutdown_left_ms(&down) > 0 && shutdown_left_ms(&down) <= 1000);
	shutdown_tick(&down);
	cr_expect(vm.request == VM_RUN, "it has time left");
	shutdown_ask(&down, "signal 15");
	cr_expect(pressed == 1 && vm.request == VM_CUT_OFF);
}

Test(shutdown, a_guest_that_takes_too_long_is_cut_off)
{
	shutdown_ask(&down, "signal 15");
	nanosleep(&(struct timespec){.tv_sec = 1, .tv_nsec = 50000000}, NULL);
	cr_expect(shutdown_left_ms(&down) == 0);
	shutdown_tick(&down);
	cr_expect(vm.request == VM_CUT_OFF);
}

Test(shutdown, a_guest_that_made_it_is_not_cut_off)
{
	shutdown_ask(&down, "signal 15");
	vm.request = VM_FATAL;
	nanosleep(&(struct timespec){.tv_sec = 1, .tv_nsec = 50000000}, NULL);
	shutdown_tick(&down);
	cr_expect(vm.request == VM_FATAL);
}

Test(shutdown, nobody_waits_for_a_guest_that_does_not_listen)
{
	listens = false;
	shutdown_ask(&down, "signal 15");
	cr_expect(pressed == 1 && vm.request == VM_CUT_OFF);
}

Test(shutdown, with_no_time_it_is_not_asked)
{
	shutdown_init(&down, &vm, &platform, 0);
	shutdown_ask(&down, "signal 15");
	cr_expect(pressed == 0 && vm.request == VM_CUT_OFF);
}

Test(shutdown, now_is_now)
{
	shutdown_now(&down, "signal 3");
	cr_expect(pressed == 0 && vm.request == VM_CUT_OFF);
}
