/* SPDX-License-Identifier: Apache-2.0
 *
 * May a process's memory be looked at by its own user? bulkhead-audit, as root.
 *
 * /proc does not say. Files of a process that is not dumpable belong to root, but to the root of the
 * user namespace it was exec'd in (fs/proc/base.c, task_dump_owner): of a helper that is the VM's user
 * either way. But the kernel refuses a process of the same user, in the same user namespace and
 * without capabilities, exactly when it may not be dumped (kernel/ptrace.c, __ptrace_may_access;
 * cap_ptrace_access_check). So a child becomes that, tries, and ends. From an outer namespace it
 * would prove nothing: who owns a user namespace has all capabilities in it.
 *
 * EACCES has other causes, which must not count as this one. One that goes by who is looked at, as
 * security modules do by label, has refused root the user namespace before (proc_ns_get_link asks the
 * same question). Capabilities of the process itself do it (cap_ptrace_access_check), and whatever
 * refuses a look at any process: so there is a control, with the same rights, that looks at one known
 * to be dumpable. Yama has no say in looks, only in attaching.
 */
#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helpers/audit/audit.h"
#include "ipc/fd.h"

enum answer { NOT_DUMPABLE, IS_DUMPABLE, REFUSED_ANYWAY, CANNOT_TELL };

/* A user namespace cannot be entered from within. */
static int enter_user_namespace(int dir, bool *ret_entered)
{
	fd_owned theirs = {openat(dir, "ns/user", O_RDONLY | O_CLOEXEC)};
	struct stat own, other;

	if (theirs.n < 0 || fstat(theirs.n, &other) < 0 || stat("/proc/self/ns/user", &own) < 0)
		return -errno;
	*ret_entered = own.st_dev != other.st_dev || own.st_ino != other.st_ino;
	return *ret_entered && setns(theirs.n, CLONE_NEWUSER) < 0 ? -errno : 0;
}

/* Same user, same group? A status file says so as seen by who opened it. */
static bool same_ids(int status, const struct ids *ids)
{
	char text[4096];
	ssize_t n = pread(status, text, sizeof(text) - 1, 0);
	struct ids own;

	text[n > 0 ? n : 0] = '\0';
	return status_ids(text, &own) && memcmp(&own, ids, sizeof(own)) == 0;
}

static bool without_capabilities(const struct process *process)
{
	char text[4096], value[32];

	return proc_read(process->dir, "status", text, sizeof(text)) == 0 &&
		status_field(text, "CapPrm", value, sizeof(value)) &&
		value[0] && strspn(value, "0") == strlen(value);
}

/* The control: a child of ours, with our rights, looks at us, who are dumpable from here on. Whoever
 * is of this user may then trace us, so nothing that root has opened stays. */
static bool may_look_at_its_like(void)
{
	char path[32], target[8];
	int status = 0;
	pid_t pid;

	if (close_range(0, ~0U, 0) < 0 || prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/exe", getpid());
	pid = fork();
	if (pid == 0)
		_exit(readlink(path, target, sizeof(target)) < 0);
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
		WEXITSTATUS(status) == 0;
}

static enum answer try(const struct process *process, const struct ids *ids)
{
	int status = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	unsigned uid = ids->uid[0], gid = ids->gid[0];
	bool bare = without_capabilities(process), entered = false;
	char target[8];

	if (status < 0 || enter_user_namespace(process->dir, &entered) < 0)
		return CANNOT_TELL;
	if (entered) /* where our processes are 0: helpers/launch/birth.c */
		uid = gid = 0;
	if (setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return CANNOT_TELL;
	capng_clear(CAPNG_SELECT_CAPS);
	if (capng_apply(CAPNG_SELECT_CAPS) != 0 || !same_ids(status, ids))
		return CANNOT_TELL;
	if (readlinkat(process->dir, "exe", target, sizeof(target)) >= 0)
		return IS_DUMPABLE;
	if (errno != EACCES)
		return CANNOT_TELL;
	return bare && may_look_at_its_like() ? NOT_DUMPABLE : REFUSED_ANYWAY;
}

int dumpable_to_its_user(const struct process *process, const struct ids *ids)
{
	int status = 0;
	pid_t pid;

	if (geteuid() != 0)
		return -EPERM;
	pid = fork();
	if (pid == 0)
		_exit((int)try(process, ids));
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -EAGAIN;
	switch (WEXITSTATUS(status)) {
	case NOT_DUMPABLE:
		return 0;
	case IS_DUMPABLE:
		return 1;
	case REFUSED_ANYWAY:
		return -ENODATA;
	default:
		return -EPERM;
	}
}
