/* SPDX-License-Identifier: Apache-2.0
 *
 * Who opens what a client names: a child for each request, as an open(2) can take for ever and be ended by
 * nothing but the end of who called.
 *
 * Opener process, and the child. It has our channels to core and broker, and tells them itself; we learn
 * by one report how it went, and what has to be known when the next device is added. What it opened is
 * closed with it. It is known by its pidfd, so that we may end it, and nobody else.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helpers/open/vm.h"
#include "ipc/log.h"

enum { END_MS = 1000, LOOK_MS = 5 };

/* What the child found out, small enough for one write (PIPE_BUF). */
struct report {
	int code; /* 0 or -errno */
	enum blame blame;
	enum way way;
	unsigned n_groups;
	int groups[GROUPS_MAX];
	signed char group[VM_SLOTS]; /* of each device: an index of groups, -1: none */
	char msg[sizeof((struct err){0}.msg)];
};
_Static_assert(sizeof(struct report) <= 4096, "a write of a pipe is whole up to PIPE_BUF");

static void fill(const struct opening *opening, int code, const struct err *err, struct report *ret)
{
	*ret = (struct report){.code = code, .blame = err->blame, .way = opening->way,
		.n_groups = opening->n_groups};
	for (unsigned i = 0; i < opening->n_groups; i++)
		ret->groups[i] = opening->groups[i].number;
	for (unsigned i = 0; i < opening->n_devices; i++)
		ret->group[i] = (signed char)opening->devices[i].group;
	memcpy(ret->msg, err->msg, sizeof(ret->msg));
}

static void __attribute__((noreturn)) open_and_tell(struct vm *vm, int report_fd)
{
	struct opening *opening = vm->opening;
	struct err err = {0};
	struct report report;
	int r;

	/* The words and the api are our parent's alone. */
	close(BIRTH_FD_WORDS);
	fd_close(&vm->api.sock);
	r = open_machine(opening, &err);
	if (r == 0)
		r = open_devices(opening, &err);
	fill(opening, r, &err, &report);
	_exit(write(report_fd, &report, sizeof(report)) != (ssize_t)sizeof(report));
}

/* One that has ended; false: none has. */
static bool reap(idtype_t which, int id)
{
	siginfo_t info = {.si_pid = 0};

	return waitid(which, (id_t)id, &info, WEXITED | WNOHANG) == 0 && info.si_pid != 0;
}

/* A report fits a pipe that is empty (pipe(7)), and who has none to read does not wait for it. */
int child_begin(struct vm *vm, struct err *err)
{
	int ends[2], pidfd = -1;

	while (reap(P_ALL, 0)) {} /* whoever was not waited for */
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_set(err, -errno, BLAME_HOST, "pipe: %s", strerror(errno));
	/* Not fork(3), which has more to ask of the kernel from one C library to the next. */
	vm->child = (pid_t)syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, NULL, &pidfd, NULL, NULL);
	if (vm->child == 0)
		open_and_tell(vm, ends[1]);
	close(ends[1]);
	vm->report.n = ends[0];
	vm->pidfd.n = pidfd;
	if (vm->child > 0)
		return 0;
	vm->child = 0;
	fd_close(&vm->report);
	return err_set(err, -errno, BLAME_HOST, "bulkhead-open: clone: %s; look at pids.max", strerror(errno));
}

/* One that is inside an open(2) no signal ends stays, as a zombie of ours at last; nobody waits for it. */
static void end_child(struct vm *vm)
{
	const int64_t until = now_ms() + END_MS;
	bool ended;

	syscall(SYS_pidfd_send_signal, vm->pidfd.n, SIGKILL, NULL, 0);
	while (!(ended = reap(P_PIDFD, vm->pidfd.n)) && now_ms() < until)
		poll_ms(NULL, 0, LOOK_MS);
	if (!ended)
		log_error("pid %d is in the kernel, opening what does not open; it ends when that does",
			(int)vm->child);
	vm->child = 0;
	fd_close(&vm->pidfd);
}

/* What it was given is handed over, or gone with it. */
static void forget_given(struct opening *opening)
{
	for (unsigned i = 0; i < opening->n_devices; i++)
		fd_close(&opening->devices[i].given);
}

static void take(struct opening *opening, const struct report *report)
{
	opening->way = report->way;
	opening->n_groups = report->n_groups <= GROUPS_MAX ? report->n_groups : 0;
	for (unsigned i = 0; i < opening->n_groups; i++)
		opening->groups[i] = (struct iommu_group){.number = report->groups[i],
			.fd = FD_NONE_INIT, .handed = true};
	for (unsigned i = 0; i < opening->n_devices; i++)
		opening->devices[i].group = report->group[i];
}

int child_end(struct vm *vm, struct err *err)
{
	struct report report;
	bool said = vm->report.n >= 0 &&
		read(vm->report.n, &report, sizeof(report)) == (ssize_t)sizeof(report);

	fd_close(&vm->report);
	end_child(vm);
	forget_given(vm->opening);
	if (!said)
		return err_set(err, -ETIMEDOUT, BLAME_HOST, "what was to be opened did not open in time; "
			"is it on a network, or a device that does not answer?");
	report.msg[sizeof(report.msg) - 1] = '\0';
	if (report.code < 0)
		return err_set(err, report.code, report.blame, "%s", report.msg);
	take(vm->opening, &report);
	return 0;
}
