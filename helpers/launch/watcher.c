/* SPDX-License-Identifier: Apache-2.0
 *
 * Starting the tracer of --seccomp log (the other side: helpers/policy/watch.c).
 *
 * Launcher process, before there is another. The tracer is our child, so that we keep the pid, terminal
 * and exit status the operator knows.
 */
#include "helpers/launch/watcher.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "helpers/launch/binary.h"

enum { FD_READY = 3 };

static void __attribute__((noreturn)) become_watcher(char *binary, int level, int ready)
{
	char pid[16], level_text[16], verb[] = "watch";
	char *argv[] = {binary, verb, pid, level_text, NULL};
	sigset_t none;

	snprintf(pid, sizeof(pid), "%d", (int)getppid());
	snprintf(level_text, sizeof(level_text), "%d", level);
	setsid(); /* signals to our group or terminal are ours: it ends when we do */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if ((ready == FD_READY ? fcntl(ready, F_SETFD, 0) : dup2(ready, FD_READY)) >= 0 &&
		syscall(SYS_close_range, FD_READY + 1, ~0u, 0) == 0)
		execv(binary, argv);
	_exit(127);
}

int watcher_start(int level, struct err *err)
{
	char binary[PATH_MAX], byte;
	int ready[2], r = binary_find("policy", binary, err);
	ssize_t n;
	pid_t pid;

	if (r < 0)
		return r;
	if (pipe2(ready, O_CLOEXEC) < 0)
		return err_set(err, -errno, BLAME_HOST, "pipe: %s", strerror(errno));
	/* Yama lets a child trace its parent only when it is told so; without Yama: EINVAL. */
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
	pid = fork();
	if (pid == 0)
		become_watcher(binary, level, ready[1]);
	close(ready[1]);
	n = pid < 0 ? -1 : read(ready[0], &byte, 1);
	close(ready[0]);
	prctl(PR_SET_PTRACER, 0, 0, 0, 0);
	if (n != 1)
		return err_set(err, -ECHILD, BLAME_HOST, "--seccomp log: %s does not trace us; "
			"what stopped it is in the line above", binary);
	return 0;
}
