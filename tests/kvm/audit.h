/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests of `bulkhead audit`: what it says of the VM that runs.
 */
#pragma once

#include "tests/kvm/process.h"

static struct {
	char text[16384];
	int status;
} report;

static inline void audit_as(uid_t uid)
{
	char path[PATH_MAX], pid[16];
	char *argv[] = {path, (char[]){"audit"}, pid, NULL};
	size_t used = 0;
	int out[2];
	pid_t child;
	ssize_t n;

	binary(path);
	snprintf(pid, sizeof(pid), "%d", run.pid);
	cr_assert(pipe(out) == 0);
	child = fork();
	if (child == 0) {
		dup2(out[1], 1);
		if (uid && setuid(uid) < 0)
			_exit(125);
		execv(path, argv);
		_exit(126);
	}
	close(out[1]);
	while ((n = read(out[0], report.text + used, sizeof(report.text) - 1 - used)) > 0)
		used += (size_t)n;
	report.text[used] = '\0';
	close(out[0]);
	cr_assert(waitpid(child, &report.status, 0) == child && WIFEXITED(report.status));
	report.status = WEXITSTATUS(report.status);
	if (report.status == 126)
		cr_skip_test("nobody may not run the build tree's binary");
}

static inline void needs_an_audit(void)
{
#ifdef BULKHEAD_SANITIZER
	cr_skip_test("a build with sanitizers loads no filters");
#endif
	if (geteuid() != 0)
		cr_skip_test("only root can read the filters of others");
	needs_a_vm();
	make_kernel(sleeps, sizeof(sleeps));
}

static inline unsigned count(const char *word)
{
	unsigned n = 0;

	for (const char *at = report.text; (at = strstr(at, word)) != NULL; at++)
		n++;
	return n;
}
