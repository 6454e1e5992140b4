/* SPDX-License-Identifier: Apache-2.0
 *
 * What a process holds: limits, cgroup, cookie, descriptors. bulkhead-audit.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "helpers/audit/audit.h"
#include "ipc/fd.h"

/* ---- limits, cgroup, cookie ------------------------------------------------------------------ */

static void check_limits(struct process *process)
{
	const struct promise *p = process->promise;
	const struct {
		const char *name;
		uint64_t max;
	} rows[] = {
		{"Max open files", p->max_files},
		{"Max processes", p->max_procs},
		{"Max file size", p->writes_files ? UINT64_MAX : 0},
		{"Max core file size", 0},
	};
	const char *name = layers[LAYER_LIMITS].name;
	char limits[4096];
	uint64_t values[4] = {0};
	unsigned weak = 0;
	int r = proc_read(process->dir, "limits", limits, sizeof(limits));

	if (r < 0) {
		finding(process, name, VERDICT_UNKNOWN, "%s", strerror(-r));
		return;
	}
	for (unsigned i = 0; i < 4; i++) {
		if (limits_field(limits, rows[i].name, &values[i]) && values[i] <= rows[i].max)
			continue;
		finding(process, name, VERDICT_WEAK, "%s: %" PRIu64 ", should be %" PRIu64
			" at most", rows[i].name, values[i], rows[i].max);
		weak++;
	}
	if (!weak)
		finding(process, name, VERDICT_OK, "%" PRIu64 " descriptors, %" PRIu64 " tasks, "
			"file size %s, no core", values[0], values[1], values[2] ? "any" : "0");
}

static int cgroup_value(const char *path, const char *file, char *ret, size_t size)
{
	static const char *const mounts[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
	char name[PATH_MAX];
	int r = -ENOENT;

	for (unsigned i = 0; i < 2 && r < 0; i++) {
		snprintf(name, sizeof(name), "%s%s/%s", mounts[i], path, file);
		r = proc_read(AT_FDCWD, name, ret, size);
	}
	ret[strcspn(ret, "\n")] = '\0';
	return r;
}

/* Its cgroup v2, if that is a leaf of the VM's own, bulkhead-PID; else "". 0 or -errno. */
static int leaf_of(const struct audit *audit, const struct process *process, char ret[PATH_MAX])
{
	char text[PATH_MAX], own[32];
	const char *path;
	int r = proc_read(process->dir, "cgroup", text, sizeof(text));

	snprintf(own, sizeof(own), "/bulkhead-%d/", audit->launcher);
	path = strstr(text, "0::");
	path = path ? path + 3 : "";
	snprintf(ret, PATH_MAX, "%.*s", (int)strcspn(path, "\n"), path);
	if (!strstr(ret, own))
		*ret = '\0';
	return r;
}

/* Another process of the VM whose leaf it is, too, or NULL. The opener's child is in the opener's. */
static const struct process *shares_leaf(const struct audit *audit, const struct process *process,
	const char *path)
{
	char other[PATH_MAX];

	for (unsigned i = 0; i < audit->n; i++) {
		const struct process *p = &audit->processes[i];

		if (p != process && p->promise != &promise_child && leaf_of(audit, p, other) == 0 && strcmp(path, other) == 0)
			return p;
	}
	return NULL;
}

/* Whoever starts processes is not counted. */
static bool bounded(const struct promise *promise, const char *pids, const char *memory)
{
	return (strcmp(pids, "max") != 0 || promise == &promise_launcher) &&
		(strcmp(memory, "max") != 0 || !promise->helper);
}

static void check_cgroup(const struct audit *audit, struct process *process)
{
	const char *name = layers[LAYER_CGROUP].name;
	char path[PATH_MAX], launcher[PATH_MAX], pids[32], memory[32];
	const struct process *other;
	int r = leaf_of(audit, process, path);

	if (r == 0)
		r = leaf_of(audit, &audit->processes[0], launcher);
	if (r < 0)
		finding(process, name, VERDICT_UNKNOWN, "%s", strerror(-r));
	else if (!*path && *launcher)
		finding(process, name, VERDICT_WEAK, "outside the VM's");
	else if (!*path)
		finding(process, name, VERDICT_NOT_HERE, "none of its own; to have one: %s",
			layers[LAYER_CGROUP].get);
	else if (process->promise != &promise_child && (other = shares_leaf(audit, process, path)) != NULL)
		finding(process, name, VERDICT_WEAK, "the leaf of %.40s %d", other->binary, other->pid);
	else if (cgroup_value(path, "pids.max", pids, sizeof(pids)) < 0 ||
		cgroup_value(path, "memory.max", memory, sizeof(memory)) < 0)
		finding(process, name, VERDICT_UNKNOWN, "%s: its limits cannot be read", path);
	else
		finding(process, name, bounded(process->promise, pids, memory) ? VERDICT_OK : VERDICT_WEAK,
			"%s: pids.max %s, memory.max %s", path, pids, memory);
}

static int cookie_of(pid_t pid, uint64_t *ret)
{
	enum { SCHED_CORE = 62, GET = 0, THREAD = 0 };
	unsigned long value = 0;

	if (prctl(SCHED_CORE, GET, pid, THREAD, &value) < 0)
		return -errno;
	*ret = value;
	return 0;
}

/* Whoever hears clients is not on a core with the guest; with whom else, it does not matter. */
static void check_apart(struct process *process, uint64_t own, uint64_t vms, uint64_t ours)
{
	const bool shared = own == vms && vms != 0 && vms != ours;

	finding(process, layers[LAYER_CORE_SCHED].name, shared ? VERDICT_WEAK : VERDICT_OK,
		shared ? "the VM's cookie" : "not the VM's cookie");
}

static void check_cookie(const struct audit *audit, struct process *process)
{
	const char *name = layers[LAYER_CORE_SCHED].name;
	uint64_t own = 0, vms = 0, ours = 0;
	int r = cookie_of(process->pid, &own);

	if (r == -EINVAL || r == -ENODEV)
		finding(process, name, VERDICT_NOT_HERE, "%s",
			r == -ENODEV ? "no SMT" : "not in this kernel");
	else if (r < 0 || cookie_of(audit->launcher, &vms) < 0 || cookie_of(0, &ours) < 0)
		finding(process, name, VERDICT_UNKNOWN, "%s", strerror(-r));
	else if (process->promise->apart)
		check_apart(process, own, vms, ours);
	else if (own == 0 || own != vms || own == ours)
		finding(process, name, VERDICT_WEAK, "%s", own == 0 ? "no cookie" :
			own == ours ? "the operator's cookie" : "another cookie than the launcher's");
	else
		finding(process, name, VERDICT_OK, "the VM's cookie");
}

void check_resources(struct audit *audit, struct process *process)
{
	if (!process->promise)
		return;
	if (!process->promise->free)
		check_limits(process);
	check_cgroup(audit, process);
	check_cookie(audit, process);
}

/* ---- descriptors ----------------------------------------------------------------------------- */

struct holding {
	const struct audit *audit;
	struct process *process;
	int pidfd;
	unsigned n[HELD_KINDS], weak, taking, unread;
};

/* "vfio/12" for /sys/devices/virtual/vfio/12: the last two components. */
static void device_name(dev_t device, char *ret, size_t size)
{
	char path[64], link[PATH_MAX], *at;

	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u", major(device), minor(device));
	if (proc_link(AT_FDCWD, path, link, sizeof(link)) < 0) {
		*ret = '\0';
		return;
	}
	at = strrchr(link, '/');
	while (at && at > link && at[-1] != '/')
		at--;
	snprintf(ret, size, "%.*s", (int)size - 1, at ? at : link);
}

/* Would the kernel let a descriptor pass to this socket of theirs? */
static bool takes_fds(int pidfd, unsigned number)
{
	enum { PASSRIGHTS = 83 };
	fd_owned copy = {(int)syscall(SYS_pidfd_getfd, pidfd, number, 0)};
	socklen_t len = sizeof(int);
	int value = 0;

	return copy.n >= 0 && getsockopt(copy.n, SOL_SOCKET, PASSRIGHTS, &value, &len) == 0 &&
		value;
}

static bool is_standard(const struct promise *promise, unsigned number)
{
	return number <= (promise->last_standard ? promise->last_standard : 2);
}

/* Descriptors that lead outside, and that several may have: the log, and what the user gave. A child of
 * the opener has what the opener has. */
static bool is_users(const struct process *process, unsigned number)
{
	const struct promise *promise = process->promise;

	return number == 2 || !promise || promise == &promise_opener || promise == &promise_child ||
		(promise == &promise_launcher && number < 2) ||
		(promise->last_standard && number > 2 && is_standard(promise, number));
}

struct end {
	const struct process *process;
	const char *link;
};

static int is_end(unsigned number, void *opaque)
{
	const struct end *end = opaque;
	char file[32], link[64];

	snprintf(file, sizeof(file), "fd/%u", number);
	return !is_users(end->process, number) &&
		proc_link(end->process->dir, file, link, sizeof(link)) == 0 &&
		strcmp(link, end->link) == 0;
}

/* Whoever else has that end of a channel, or NULL. */
static const struct process *shares_end(const struct holding *holding, const char *link)
{
	for (unsigned i = 0; i < holding->audit->n; i++) {
		struct end end = {&holding->audit->processes[i], link};

		if (end.process != holding->process && proc_each(end.process->dir, "fd", is_end, &end) > 0)
			return end.process;
	}
	return NULL;
}

/* A socket that is the user's standard input or output is the core's to read and write, and no channel. */
static bool is_stdio(const struct audit *audit, const char *link)
{
	char standard[64];

	return (proc_link(audit->processes[0].dir, "fd/0", standard, sizeof(standard)) == 0 &&
			strcmp(standard, link) == 0) ||
		(proc_link(audit->processes[0].dir, "fd/1", standard, sizeof(standard)) == 0 &&
			strcmp(standard, link) == 0);
}

static void check_end(struct holding *holding, unsigned number, const char *link)
{
	const struct process *other = is_users(holding->process, number) ? NULL
		: shares_end(holding, link);

	if (other) {
		finding(holding->process, "descriptors", VERDICT_WEAK, "%u is a %s that %.40s %d has, too",
			number, link, other->binary, other->pid);
		holding->weak++;
	}
	if (number > 2 && !is_stdio(holding->audit, link) && takes_fds(holding->pidfd, number))
		holding->taking++;
}

/* A bit a kind. */
static uint64_t fds_allowed(const struct promise *promise, unsigned number)
{
	return is_standard(promise, number) ? promise->standard_fds
		: number < FD_FLOOR ? promise->fds
				    : promise->fds | promise->high_fds;
}

static int check_fd(unsigned number, void *opaque)
{
	struct holding *holding = opaque;
	const struct promise *promise = holding->process->promise;
	char file[32], link[200], device[128] = "";
	struct stat st = {0};
	enum held kind;

	snprintf(file, sizeof(file), "fd/%u", number);
	if (proc_link(holding->process->dir, file, link, sizeof(link)) < 0 ||
		fstatat(holding->process->dir, file, &st, 0) < 0) {
		holding->unread++;
		return 0;
	}
	if (S_ISCHR(st.st_mode))
		device_name(st.st_rdev, device, sizeof(device));
	kind = held_of(link, st.st_mode, device);
	holding->n[kind]++;
	if (!(fds_allowed(promise, number) >> kind & 1)) {
		finding(holding->process, "descriptors", VERDICT_WEAK, "%u is a %s: %s", number,
			held_names[kind], link);
		holding->weak++;
	}
	if (kind == HELD_SOCKET)
		check_end(holding, number, link);
	return 0;
}

static void check_sockets(struct process *process, const struct holding *holding)
{
	const char *name = layers[LAYER_PASSRIGHTS].name;
	const struct holding *h = holding;
	socklen_t len = sizeof(int);
	fd_owned probe = {socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)};
	int value;

	/* A helper gets eventfds from the core for as long as it lives. */
	if (process->promise != &promise_core && process->promise != &promise_broker)
		return;
	if (getsockopt(probe.n, SOL_SOCKET, 83, &value, &len) < 0)
		finding(process, name, VERDICT_NOT_HERE, "%s", layers[LAYER_PASSRIGHTS].get);
	else if (geteuid() != 0)
		finding(process, name, VERDICT_UNKNOWN, "%s", strerror(EPERM));
	else if (h->taking)
		finding(process, name, VERDICT_WEAK, "%u sockets would take descriptors",
			h->taking);
	else
		finding(process, name, VERDICT_OK, "no socket takes descriptors");
}

void check_descriptors(struct audit *audit, struct process *process)
{
	struct holding holding = {.audit = audit, .process = process,
		.pidfd = (int)syscall(SYS_pidfd_open, process->pid, 0)};
	char list[200] = "";
	unsigned devices;
	size_t used = 0;
	int r;

	if (!process->promise)
		return;
	r = proc_each(process->dir, "fd", check_fd, &holding);
	if (holding.pidfd >= 0)
		close(holding.pidfd);
	if (r < 0) {
		finding(process, "descriptors", VERDICT_UNKNOWN, "%s", strerror(-r));
		return;
	}
	devices = holding.n[HELD_VFIO_DEVICE] + holding.n[HELD_VDPA];
	if (devices > process->promise->max_devices)
		finding(process, "descriptors", VERDICT_WEAK, "%u devices, should be %u at most",
			devices, process->promise->max_devices);
	for (unsigned i = 0; i < HELD_KINDS && used < sizeof(list); i++)
		if (holding.n[i])
			used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%u %s",
				used ? ", " : "", holding.n[i], held_names[i]);
	if (holding.unread)
		finding(process, "descriptors", VERDICT_UNKNOWN, "%u cannot be looked at",
			holding.unread);
	else if (!holding.weak && devices <= process->promise->max_devices)
		finding(process, "descriptors", VERDICT_OK, "%s", list);
	check_sockets(process, &holding);
}
