/* SPDX-License-Identifier: Apache-2.0
 *
 * The tracer: ptrace(2) on a process and all it comes to start. bulkhead-policy, one thread.
 *
 * In log mode a filter answers SECCOMP_RET_TRACE where it would have killed, and for allowed calls
 * too where the process logs at LOG_DEBUG: the thread stops here, is counted and goes on. Which
 * policy a thread is in it says itself (POLICY_ANNOUNCE); a new thread or process is in its parent's.
 * Needs no right but to trace one's own processes: nobody's memory is read, only call numbers and
 * arguments, and of /proc what number a process has in its pid namespace.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "helpers/policy/tool.h"
#include "ipc/log.h"

enum { TRACEES_MAX = 4096, FILTERS_MAX = 4 };

/* Filters add up: all that a thread has entered, or its parent had, decide about its calls. */
struct filters {
	const struct policy *policy[FILTERS_MAX];
	unsigned n;
};

struct tracee {
	pid_t tid, process;
	pid_t own; /* the process's number for itself; 0: it has entered none yet */
	struct filters filters;
	bool stopped; /* it ran into its first stop before its parent's event told whose it is */
};

static struct {
	struct tracee all[TRACEES_MAX];
	unsigned n;
	bool killed, reported;
	int status;
} state;

static struct tracee *find(pid_t tid)
{
	for (unsigned i = 0; i < state.n; i++)
		if (state.all[i].tid == tid)
			return &state.all[i];
	return NULL;
}

static struct tracee *add(pid_t tid)
{
	struct tracee *new = &state.all[state.n];

	if (state.n == TRACEES_MAX) {
		log_error("more than %u threads: %d is no longer followed", TRACEES_MAX, tid);
		return NULL;
	}
	state.n++;
	*new = (struct tracee){.tid = tid, .process = tid};
	return new;
}

/* A tracee may be gone at any time: killed from outside, ptrace says ESRCH and wait tells us. */
static void resume(pid_t tid, int signal)
{
	ptrace(PTRACE_CONT, tid, NULL, signal);
}

/* Both arrive, in either order: the parent's event, and the child's first stop. */
static void on_birth(const struct tracee *parent, bool thread)
{
	unsigned long message = 0;
	struct tracee *child;
	pid_t tid;

	if (ptrace(PTRACE_GETEVENTMSG, parent->tid, NULL, &message) < 0)
		return;
	tid = (pid_t)message;
	child = find(tid);
	if (!child)
		child = add(tid);
	if (!child)
		return;
	child->process = thread ? parent->process : tid;
	child->filters = parent->filters;
	child->own = thread ? parent->own : 0;
	if (child->stopped)
		resume(tid, 0);
	child->stopped = false;
}

static void kill_all(void)
{
	for (unsigned i = 0; i < state.n; i++)
		kill(state.all[i].process, SIGKILL);
}

/* "NStgid:\t77\t1": the innermost namespace is the last. */
static pid_t own_number(const struct tracee *tracee)
{
	char path[32], line[256];
	pid_t own = tracee->process;
	FILE *status;

	snprintf(path, sizeof(path), "/proc/%d/status", tracee->tid);
	status = fopen(path, "re");
	while (status && fgets(line, sizeof(line), status)) {
		if (strncmp(line, "NStgid:", 7) == 0)
			own = (pid_t)atoi(strrchr(line, '\t') + 1);
	}
	if (status)
		fclose(status);
	return own;
}

static void enter(struct tracee *tracee, const struct policy *policy)
{
	report_entered(policy);
	tracee->own = own_number(tracee);
	if (tracee->filters.n < FILTERS_MAX)
		tracee->filters.policy[tracee->filters.n++] = policy;
}

static void forbid(const struct watch *watch, const struct policy *policy,
	const struct call *call)
{
	char name[CALL_TEXT], row[CALL_TEXT];
	const uint64_t *a = call->args;
	uint64_t key;

	report_forbidden(policy, call);
	if (!watch->kill || state.killed)
		return;
	call_name(call->nr, name);
	row_for_call(call, row, &key);
	log_line(LOG_SAY, "%s: killed by %s (%s): %s, arguments %#llx %#llx %#llx %#llx %#llx "
		"%#llx; its row would be %s", watch->name, policy->process, policy->stage, name,
		(unsigned long long)a[0], (unsigned long long)a[1], (unsigned long long)a[2],
		(unsigned long long)a[3], (unsigned long long)a[4], (unsigned long long)a[5], row);
	state.killed = true;
	kill_all();
}

/* A filter said TRACE: it has no row for the call, or it tells about all calls (LOG_DEBUG). */
static void on_call(const struct watch *watch, struct tracee *tracee)
{
	const struct filters *filters = &tracee->filters;
	struct __ptrace_syscall_info info;
	struct call call;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, tracee->tid, sizeof(info), &info) <= 0 ||
		info.op != PTRACE_SYSCALL_INFO_SECCOMP)
		return;
	call.nr = (int)info.seccomp.nr;
	memcpy(call.args, info.seccomp.args, sizeof(call.args));
	if (call.nr == POLICY_ANNOUNCE && policy_by_announcement(call.args)) {
		enter(tracee, policy_by_announcement(call.args));
		return;
	}
	for (unsigned i = 0; watch->begun && i < filters->n; i++) {
		const struct policy_row *row = row_of(filters->policy[i], &call, tracee->own);

		if (row)
			report_used(filters->policy[i], row, &call);
		else
			forbid(watch, filters->policy[i], &call);
	}
}

static bool alone(const struct watch *watch)
{
	for (unsigned i = 0; i < state.n; i++)
		if (state.all[i].process != watch->leader)
			return false;
	return true;
}

static void report(const struct watch *watch)
{
	if (!watch->kill && !state.reported)
		report_print(watch->rows);
	state.reported = true;
}

static bool stops(int signal)
{
	return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

static void on_stop(struct watch *watch, struct tracee *tracee, int status)
{
	int event = status >> 16, signal = WSTOPSIG(status);
	pid_t tid = tracee->tid;

	switch (event) {
	case PTRACE_EVENT_SECCOMP: on_call(watch, tracee); break;
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK: on_birth(tracee, false); break;
	case PTRACE_EVENT_CLONE: on_birth(tracee, true); break;
	case PTRACE_EVENT_EXEC: watch->begun = true; break;
	case PTRACE_EVENT_EXIT:
		/* Before whoever waits for the leader hears of its end. */
		if (tid == watch->leader && alone(watch))
			report(watch);
		break;
	case PTRACE_EVENT_STOP:
		if (stops(signal)) {
			ptrace(PTRACE_LISTEN, tid, NULL, 0);
			return;
		}
		break;
	case 0: resume(tid, signal); return;
	default: break;
	}
	resume(tid, 0);
}

static void on_end(const struct watch *watch, pid_t tid, int status)
{
	struct tracee *tracee = find(tid);

	if (tid == watch->leader)
		state.status = status;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		log_line(LOG_SAY, "%d: killed by SIGSYS: a call by another ABI (i386, x32)", tid);
	if (tracee)
		*tracee = state.all[--state.n];
}

int watch_attach(const struct watch *watch, struct err *err)
{
	const unsigned long options = PTRACE_O_EXITKILL | PTRACE_O_TRACESECCOMP |
		PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
		PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT;

	if (ptrace(PTRACE_SEIZE, watch->leader, NULL, options) < 0)
		return err_set(err, -errno, BLAME_HOST,
			"cannot trace %s: %s; it must not be traced already, and sysctl "
			"kernel.yama.ptrace_scope must be 0 or 1 (2: as root)", watch->name,
			strerror(errno));
	add(watch->leader);
	return 0;
}

int watch_run(struct watch *watch, int *ret_status)
{
	for (;;) {
		struct tracee *tracee;
		int status;
		pid_t tid = waitpid(-1, &status, __WALL);

		if (tid < 0 && errno == EINTR)
			continue;
		if (tid < 0)
			break;
		if (!WIFSTOPPED(status)) {
			on_end(watch, tid, status);
			continue;
		}
		tracee = find(tid);
		if (tracee)
			on_stop(watch, tracee, status);
		else if ((tracee = add(tid)) != NULL)
			tracee->stopped = true;
		else
			ptrace(PTRACE_DETACH, tid, NULL, 0);
	}
	report(watch);
	*ret_status = state.status;
	return state.killed ? WATCH_KILLED : 0;
}
