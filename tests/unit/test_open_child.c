/* SPDX-License-Identifier: Apache-2.0
 *
 * The process that opens what a client names: what its parent learns of it, and that one which does not
 * come back from open(2) holds the parent up for no longer than its end takes.
 *
 * links: helpers/open/child.c
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helpers/open/vm.h"
#include "ipc/frame.h"
#include "ipc/log.h"

static struct vm vm;
static struct opening opening;
static struct err err;
static enum { OPENS, REFUSES, STANDS_STILL, DIES } how;

/* ---- doubles: in the child ---------------------------------------------------------------------- */

static int open_something(struct opening *o, struct err *e)
{
	o->n_groups = 1;
	o->groups[0].number = 7;
	if (how == STANDS_STILL)
		for (;;)
			pause();
	if (how == DIES)
		_exit(3);
	return how == REFUSES ? err_set(e, -EACCES, BLAME_HOST, "no") : 0;
}

int open_machine(struct opening *o, struct err *e)
{
	return open_something(o, e);
}

int open_devices(struct opening *o, struct err *e)
{
	(void)o, (void)e;
	return 0;
}

/* ------------------------------------------------------------------------------------------------- */

static void begin(void)
{
	log_init("", LOG_SAY, -1);
	vm = (struct vm){.opening = &opening, .api.sock = FD_NONE_INIT, .report = FD_NONE_INIT};
}
TestSuite(open_child, .init = begin, .timeout = 60);

static int report(void)
{
	cr_assert_eq(child_begin(&vm, &err), 0, "%s", err.msg);
	cr_assert_eq(poll_ms(&(struct pollfd){.fd = vm.report.n, .events = POLLIN}, 1, 30000), 1);
	return child_end(&vm, &err);
}

static void expect_gone(void)
{
	cr_expect(vm.child == 0 && vm.report.n < 0);
	cr_expect(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, "it has been waited for");
}

Test(open_child, what_it_found_out_is_known)
{
	cr_expect_eq(report(), 0, "%s", err.msg);
	cr_expect(opening.n_groups == 1 && opening.groups[0].number == 7 && opening.groups[0].handed);
	expect_gone();
}

Test(open_child, why_it_failed_is_known)
{
	how = REFUSES;
	cr_expect_eq(report(), -EACCES);
	cr_expect(strcmp(err.msg, "no") == 0 && err.blame == BLAME_HOST, "%s", err.msg);
	cr_expect_eq(opening.n_groups, 0);
	expect_gone();
}

Test(open_child, one_that_dies_has_failed)
{
	how = DIES;
	cr_expect_eq(report(), -ETIMEDOUT);
	expect_gone();
}

/* Late, or its VM is to end. */
Test(open_child, one_that_stands_still_is_not_waited_for)
{
	const int64_t began = now_ms();

	how = STANDS_STILL;
	cr_assert_eq(child_begin(&vm, &err), 0, "%s", err.msg);
	cr_expect_eq(child_end(&vm, &err), -ETIMEDOUT);
	cr_expect(strstr(err.msg, "did not open in time"), "%s", err.msg);
	cr_expect_lt(now_ms() - began, 30000);
	expect_gone();
}
