/* SPDX-License-Identifier: Apache-2.0
 *
 * Which processes are the VM: the core, and whoever descends from it, ours or not. bulkhead-audit.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "helpers/audit/audit.h"

void finding(struct process *process, const char *what, enum verdict verdict, const char *fmt, ...)
{
	struct finding *f = &process->findings[process->n];
	va_list args;

	if (process->n == FINDINGS_MAX)
		return;
	/* The last place is kept for what would otherwise be lost. */
	if (++process->n == FINDINGS_MAX) {
		*f = (struct finding){.what = "findings", .verdict = VERDICT_WEAK,
			.text = "more than can be listed"};
		return;
	}
	f->what = what;
	f->verdict = verdict;
	va_start(args, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, args);
	va_end(args);
	printable(f->text);
}

/* The name of the program a process runs: by /proc/PID/exe, or, where we may not look, by a name
 * the process may have given itself. */
static void name_of(struct process *process)
{
	char link[PATH_MAX], *slash, *deleted;

	if (proc_link(process->dir, "exe", link, sizeof(link)) < 0) {
		proc_read(process->dir, "comm", link, sizeof(link));
		link[strcspn(link, "\n")] = '\0';
	}
	deleted = strstr(link, " (deleted)");
	if (deleted)
		*deleted = '\0';
	slash = strrchr(link, '/');
	snprintf(process->binary, sizeof(process->binary), "%.63s", slash ? slash + 1 : link);
	printable(process->binary);
}

static int add(struct audit *audit, pid_t pid, pid_t parent)
{
	struct process *process = &audit->processes[audit->n];
	int r;

	if (audit->n == PROCESSES_MAX)
		return -E2BIG;
	*process = (struct process){.pid = pid, .parent = parent};
	r = proc_open(pid, &process->dir);
	if (r < 0)
		return r == -ENOENT && audit->n ? 0 : r; /* it has just ended */
	name_of(process);
	audit->n++;
	return 0;
}

struct search {
	struct audit *audit;
	pid_t parent;
};

/* proc(5): "pid (name) state ppid ..."; the name may hold anything, but ends at the last ')'. */
static int add_child(unsigned pid, void *opaque)
{
	struct search *search = opaque;
	char path[32], stat[512], *end, state;
	int parent;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	if (proc_read(AT_FDCWD, path, stat, sizeof(stat)) < 0)
		return 0; /* it has just ended */
	end = strrchr(stat, ')');
	if (!end || sscanf(end + 1, " %c %d", &state, &parent) != 2 || state == 'Z' ||
		parent != search->parent)
		return 0;
	return add(search->audit, (pid_t)pid, search->parent);
}

/* A stranger is named as one; who is under another parent than its own is a stranger, too. */
static const struct promise *expected(const struct audit *audit, const struct process *process)
{
	const struct promise *promise = promise_of(process->binary);
	const struct promise *parent = NULL;

	for (unsigned i = 0; i < audit->n; i++)
		if (audit->processes[i].pid == process->parent)
			parent = audit->processes[i].promise;
	if (promise == &promise_broker)
		return parent == &promise_core ? promise : NULL;
	return promise != &promise_core && parent == &promise_broker ? promise : NULL;
}

int audit_find(struct audit *audit, pid_t core, struct err *err)
{
	int r;

	*audit = (struct audit){.core = core};
	audit->pidfd = (int)syscall(SYS_pidfd_open, core, 0);
	if (audit->pidfd < 0)
		return err_set(err, -errno, BLAME_HOST, "%d: %s", core,
			errno == ESRCH ? "there is no such process" : strerror(errno));
	r = add(audit, core, 0);
	if (r < 0)
		return err_set(err, r, BLAME_HOST, "/proc/%d: %s", core, strerror(-r));
	audit->processes[0].promise = promise_of(audit->processes[0].binary);
	if (audit->processes[0].promise != &promise_core)
		return err_set(err, -EINVAL, BLAME_HOST,
			"%d runs «%s», not bulkhead; give the pid of a VM's core, see `pgrep -x "
			"bulkhead`", core, audit->processes[0].binary);
	for (unsigned i = 0; i < audit->n; i++) {
		struct search search = {audit, audit->processes[i].pid};

		if (i > 0)
			audit->processes[i].promise = expected(audit, &audit->processes[i]);
		r = proc_each(AT_FDCWD, "/proc", add_child, &search);
		if (r < 0)
			return err_set(err, r, BLAME_HOST, "%d: its descendants: %s", core,
				r == -E2BIG ? "more than a VM can have" : strerror(-r));
	}
	return 0;
}
