/* SPDX-License-Identifier: Apache-2.0
 *
 * Which processes are the VM: the launcher, and whoever descends from it, ours or not. bulkhead-audit.
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
#include "ipc/fd.h"

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

/* Has the VM an API? Its opener stays, then, and has walls. By the command line, as an api may be there
 * no more; and by the api, as a command line may be longer than is looked at. */
static bool is_operated(const struct audit *audit)
{
	static const char option[] = "--api-socket";
	static char words[16384];
	const int dir = audit->processes[0].dir;
	fd_owned fd = {openat(dir, "cmdline", O_RDONLY | O_CLOEXEC)};
	ssize_t n = fd.n < 0 ? 0 : read(fd.n, words, sizeof(words) - 1);

	words[n > 0 ? n : 0] = '\0';
	for (const char *word = words; word < words + n; word += strlen(word) + 1)
		if (strncmp(word, option, sizeof(option) - 1) == 0)
			return true;
	for (unsigned i = 0; i < audit->n; i++)
		if (audit->processes[i].promise == &promise_api)
			return true;
	return false;
}

static const struct process *parent_of(const struct audit *audit, const struct process *process)
{
	for (const struct process *p = audit->processes; p < process; p++)
		if (p->pid == process->parent)
			return p;
	return NULL;
}

/* All are the launcher's children, but who opens for an API, and of none but helpers there are two. Who is
 * not as it should be is a stranger, named as one. */
static const struct promise *expected(const struct audit *audit, const struct process *process)
{
	const struct promise *promise = promise_of(process->binary);
	const struct process *parent = parent_of(audit, process);

	if (promise == &promise_opener && parent && parent->promise == &promise_opener)
		return &promise_child;
	if (!promise || promise == &promise_launcher || process->parent != audit->launcher)
		return NULL;
	for (const struct process *p = audit->processes; p < process; p++)
		if (p->promise == promise && !promise->helper)
			return NULL;
	return promise;
}

static const struct process *find(const struct audit *audit, const struct promise *promise)
{
	for (unsigned i = 0; i < audit->n; i++)
		if (audit->processes[i].promise == promise)
			return &audit->processes[i];
	return NULL;
}

static void wall_openers(struct audit *audit)
{
	for (unsigned i = 0; i < audit->n && is_operated(audit); i++)
		if (audit->processes[i].promise == &promise_opener)
			audit->processes[i].promise = &promise_walled;
}

int audit_find(struct audit *audit, pid_t launcher, struct err *err)
{
	int r;

	*audit = (struct audit){.launcher = launcher};
	audit->pidfd = (int)syscall(SYS_pidfd_open, launcher, 0);
	if (audit->pidfd < 0)
		return err_set(err, -errno, BLAME_HOST, "%d: %s", launcher,
			errno == ESRCH ? "there is no such process" : strerror(errno));
	r = add(audit, launcher, 0);
	if (r < 0)
		return err_set(err, r, BLAME_HOST, "/proc/%d: %s", launcher, strerror(-r));
	audit->processes[0].promise = promise_of(audit->processes[0].binary);
	if (audit->processes[0].promise != &promise_launcher)
		return err_set(err, -EINVAL, BLAME_HOST,
			"%d runs «%s», not bulkhead; give the pid of a VM, see `pgrep -x bulkhead`",
			launcher, audit->processes[0].binary);
	for (unsigned i = 0; i < audit->n; i++) {
		struct search search = {audit, audit->processes[i].pid};

		if (i > 0)
			audit->processes[i].promise = expected(audit, &audit->processes[i]);
		r = proc_each(AT_FDCWD, "/proc", add_child, &search);
		if (r < 0)
			return err_set(err, r, BLAME_HOST, "%d: its descendants: %s", launcher,
				r == -E2BIG ? "more than a VM can have" : strerror(-r));
	}
	wall_openers(audit);
	audit->core = find(audit, &promise_core);
	audit->tenant = audit->core ? audit->core : find(audit, &promise_api);
	if (!audit->tenant)
		audit->tenant = find(audit, &promise_walled);
	return audit->tenant ? 0 : err_set(err, -ESRCH, BLAME_HOST,
		"%d has no core: its VM begins, or has ended; try again", launcher);
}
