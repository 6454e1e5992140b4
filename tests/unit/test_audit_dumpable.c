/* SPDX-License-Identifier: Apache-2.0
 *
 * What bulkhead-audit takes for "not dumpable", on processes that are, that are not, and of which it
 * cannot be told.
 *
 * links: helpers/audit/proc.c helpers/audit/dumpable.c
 */
#include <cap-ng.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helpers/audit/audit.h"

enum { NOBODY = 65534 };

static void needs_root(void)
{
	if (geteuid() != 0)
		cr_skip_test("only root can become the user of another process");
}

/* A process of nobody's, that stays until it is killed. */
static void target(bool dumpable, bool capable, int ready)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (prctl(PR_SET_KEEPCAPS, capable, 0, 0, 0) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
		setresuid(NOBODY, NOBODY, NOBODY) < 0)
		_exit(1);
	capng_clear(CAPNG_SELECT_CAPS);
	if (capable)
		capng_update(CAPNG_ADD, CAPNG_PERMITTED, CAP_NET_RAW);
	if (capng_apply(CAPNG_SELECT_CAPS) != 0 || prctl(PR_SET_DUMPABLE, dumpable, 0, 0, 0) < 0 ||
		write(ready, "", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static int verdict(bool dumpable, bool capable)
{
	struct process process = {.pid = 0};
	char status[4096];
	struct ids ids;
	int ready[2], r;

	cr_assert_eq(pipe(ready), 0);
	process.pid = fork();
	cr_assert_geq(process.pid, 0);
	if (process.pid == 0)
		target(dumpable, capable, ready[1]);
	close(ready[1]);
	cr_assert_eq(read(ready[0], status, 1), 1, "the target did not come up");
	cr_assert_eq(proc_open(process.pid, &process.dir), 0);
	cr_assert_eq(proc_read(process.dir, "status", status, sizeof(status)), 0);
	cr_assert(status_ids(status, &ids));
	cr_assert_eq(ids.uid[0], NOBODY);
	r = dumpable_to_its_user(&process, &ids);
	kill(process.pid, SIGKILL);
	waitpid(process.pid, NULL, 0);
	close(process.dir);
	close(ready[0]);
	return r;
}

Test(audit_dumpable, told_apart, .init = needs_root)
{
	cr_expect_eq(verdict(true, false), 1);
	cr_expect_eq(verdict(false, false), 0);
}

/* Who has none may not look at who has some, dumpable or not. */
Test(audit_dumpable, capabilities_hide_it, .init = needs_root)
{
	cr_expect_eq(verdict(true, true), -ENODATA);
	cr_expect_eq(verdict(false, true), -ENODATA);
}

/* As a security module would: no look at any process. */
Test(audit_dumpable, a_refusal_of_every_look_proves_nothing, .init = needs_root)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	cr_assert(filter != NULL);
	cr_assert_eq(seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(readlink), 0), 0);
	cr_assert_eq(seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(readlinkat), 0), 0);
	cr_assert_eq(seccomp_load(filter), 0);
	seccomp_release(filter);
	cr_expect_eq(verdict(true, false), -ENODATA);
	cr_expect_eq(verdict(false, false), -ENODATA);
}

/* Another refusal is no EACCES, and more rights may help. */
Test(audit_dumpable, who_has_ended_cannot_be_told, .init = needs_root)
{
	struct process process = {.pid = fork()};
	struct ids ids = {.uid = {0}};

	if (process.pid == 0)
		for (;;)
			pause();
	cr_assert_eq(proc_open(process.pid, &process.dir), 0);
	kill(process.pid, SIGKILL);
	waitpid(process.pid, NULL, 0);
	cr_expect_eq(dumpable_to_its_user(&process, &ids), -EPERM);
	close(process.dir);
}
