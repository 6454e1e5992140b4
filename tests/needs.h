/* SPDX-License-Identifier: Apache-2.0
 *
 * What a test needs of the machine it runs on; without it the test is a skip with the reason.
 */
#pragma once

#include <criterion/criterion.h>
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The walls begin with a user namespace: a chroot, or a container's own seccomp filter, refuses
 * one, and then bulkhead refuses to start. Asked in a child, so that the test stays where it is. */
static inline void needs_namespaces(void)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 ? errno : 0);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		cr_assert_fail("fork: %s", strerror(errno));
	if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
		cr_skip_test("a user namespace: %s here", strerror(WEXITSTATUS(status)));
}
