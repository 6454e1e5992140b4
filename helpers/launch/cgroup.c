/* SPDX-License-Identifier: Apache-2.0
 *
 * The VM's cgroup: a leaf a process, with limits that fit it. Launcher process.
 *
 * cgroup v2 (Documentation/admin-guide/cgroup-v2.rst): ours goes under the one we were started in,
 * which must be the root or have no process but us: a cgroup gives controllers either to processes
 * or to children. Nobody can remove ours when we end, as we are in it; the next start in the same place
 * does, and systemd when the unit ends.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "helpers/launch/tenant.h"
#include "ipc/log.h"
#include "ipc/units.h"
#include "seccomp/layers.h"

#define CONTROLLERS "+pids +memory"

enum { POPULATE_THREADS_MAX = 8, OPENER_TASKS = 16 };

static const char prefix[] = "bulkhead-";

static int put_at(int at, const char *path, const char *text)
{
	fd_owned fd = {openat(at, path, O_WRONLY | O_CLOEXEC)};

	return fd.n < 0 || write(fd.n, text, strlen(text)) < 0 ? -errno : 0;
}

static int put(const char *dir, const char *file, const char *text)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", dir, file) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	return put_at(AT_FDCWD, path, text);
}

/* Where cgroup v2 is mounted, whole; and, below it, where we are. */
static int find_home(char ret[static PATH_MAX])
{
	char line[PATH_MAX + 512], mount[PATH_MAX] = "", root[PATH_MAX], at[PATH_MAX];
	FILE *file = fopen("/proc/self/mountinfo", "re");
	int r = -ENOENT;

	while (file && fgets(line, sizeof(line), file)) {
		if (strstr(line, " - cgroup2 ") &&
			sscanf(line, "%*s %*s %*s %4095s %4095s", root, at) == 2 &&
			strcmp(root, "/") == 0)
			strcpy(mount, at);
	}
	if (file)
		fclose(file);
	file = mount[0] ? fopen("/proc/self/cgroup", "re") : NULL;
	while (file && r < 0 && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "0::/", 4) != 0 || strncmp(line + 3, "/..", 3) == 0)
			continue;
		r = snprintf(ret, PATH_MAX, "%s%s", mount, line[4] ? line + 3 : "") < PATH_MAX
			? 0 : -ENAMETOOLONG;
	}
	if (file)
		fclose(file);
	return r;
}

/* Removes a VM's cgroup; the kernel keeps one that still has processes. */
static void remove_tree(const char *dir)
{
	char path[PATH_MAX];
	DIR *leaves = opendir(dir);

	for (struct dirent *d; leaves && (d = readdir(leaves)) != NULL;) {
		if (d->d_type == DT_DIR && d->d_name[0] != '.' &&
			snprintf(path, sizeof(path), "%s/%s", dir, d->d_name) < (int)sizeof(path))
			rmdir(path);
	}
	if (leaves)
		closedir(leaves);
	rmdir(dir);
}

/* What VMs that have ended left behind: no process has the number in the name any more. */
static void sweep(const char *home)
{
	char path[PATH_MAX];
	DIR *dir = opendir(home);

	for (struct dirent *d; dir && (d = readdir(dir)) != NULL;) {
		char *end;
		long pid = strncmp(d->d_name, prefix, strlen(prefix)) == 0
			? strtol(d->d_name + strlen(prefix), &end, 10) : 0;

		if (pid > 0 && *end == '\0' && kill((pid_t)pid, 0) < 0 && errno == ESRCH &&
			snprintf(path, sizeof(path), "%s/%s", home, d->d_name) < (int)sizeof(path))
			remove_tree(path);
	}
	if (dir)
		closedir(dir);
}

static int make_leaf(const char *vm, const char *name, unsigned pids, struct fd *ret)
{
	char path[PATH_MAX], text[16];
	int r;

	if (snprintf(path, sizeof(path), "%s/%s", vm, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return -errno;
	snprintf(text, sizeof(text), "%u", pids);
	r = put(path, "pids.max", text);
	if (r < 0)
		return r;
	ret->n = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return ret->n < 0 ? -errno : 0;
}

/* A short file of a cgroup's; "" when it is none. */
static void get(const char *dir, const char *file, char *ret, size_t size)
{
	char path[PATH_MAX];
	fd_owned fd = FD_NONE_INIT;
	ssize_t n = 0;

	if (snprintf(path, sizeof(path), "%s/%s", dir, file) < (int)sizeof(path))
		fd.n = open(path, O_RDONLY | O_CLOEXEC);
	if (fd.n >= 0)
		n = read(fd.n, ret, size - 1);
	ret[n > 0 ? n : 0] = '\0';
}

static bool has_controllers(const char *home)
{
	char list[256];
	bool pids = false, memory = false;

	get(home, "cgroup.controllers", list, sizeof(list));
	for (char *save, *word = strtok_r(list, " \n", &save); word;
		word = strtok_r(NULL, " \n", &save)) {
		pids |= strcmp(word, "pids") == 0;
		memory |= strcmp(word, "memory") == 0;
	}
	return pids && memory;
}

static bool alone(const char *home)
{
	char procs[32], own[32];

	get(home, "cgroup.procs", procs, sizeof(procs));
	snprintf(own, sizeof(own), "%d\n", getpid());
	return strcmp(procs, own) == 0;
}

/* Controllers go to children once no process but the root's is left in the home itself. To move is
 * dear (it waits for an RCU grace period): we do it once, and nobody else does (birth.c). */
static int move_in(const char *home, const char *vm)
{
	char own[PATH_MAX];
	int r;

	if (!has_controllers(home))
		return -ENODEV;
	if (snprintf(own, sizeof(own), "%s/launch", vm) >= (int)sizeof(own))
		return -ENAMETOOLONG;
	r = put(home, "cgroup.subtree_control", CONTROLLERS);
	if (r < 0 && (r != -EBUSY || !alone(home)))
		return r;
	if (mkdir(vm, 0755) < 0 || mkdir(own, 0755) < 0)
		return -errno;
	if (r == 0)
		r = put(vm, "cgroup.subtree_control", CONTROLLERS);
	if (r == 0)
		return put(own, "cgroup.procs", "0");
	r = put(own, "cgroup.procs", "0");
	if (r == 0)
		r = put(home, "cgroup.subtree_control", CONTROLLERS);
	return r < 0 ? r : put(vm, "cgroup.subtree_control", CONTROLLERS);
}

/* vCPU threads, before them those that fault RAM in, and KVM's own that recovers huge pages. How many vCPUs
 * a client will ask for nobody knows yet. */
static unsigned core_tasks(const struct opts *opts)
{
	unsigned vcpus = opts_has_api(opts) ? opts->max_cpus : opts->cpus.boot;

	return 2 + (vcpus > POPULATE_THREADS_MAX ? vcpus : POPULATE_THREADS_MAX);
}

static int make_leaves(struct tenant *tenant, const char *vm, const struct opts *opts)
{
	const bool api = opts_has_api(opts);
	const struct { enum word_kind kind; unsigned tasks; } fixed[] = {
		{KIND_OPENER, OPENER_TASKS}, {KIND_CORE, core_tasks(opts)}, {KIND_BROKER, 1}, {KIND_API, 1},
	};
	char name[32];
	int r = 0;

	for (unsigned i = 0; i < (api ? 4 : 3) && r == 0; i++)
		r = make_leaf(vm, word_kind_name(fixed[i].kind), fixed[i].tasks,
			&tenant->leaves[fixed[i].kind]);
	for (unsigned i = 0; i < (api ? VM_SLOTS : opts->n_devices) && r == 0; i++) {
		snprintf(name, sizeof(name), "helper-%u", i);
		r = make_leaf(vm, name, 1, &tenant->leaves[KIND_VFIO + i]);
	}
	return r;
}

static void forget_leaves(struct tenant *tenant)
{
	for (unsigned i = 0; i < sizeof(tenant->leaves) / sizeof(tenant->leaves[0]); i++)
		fd_close(&tenant->leaves[i]);
}

int cgroup_make(struct tenant *tenant, const struct opts *opts, struct err *err)
{
	char home[PATH_MAX], *vm = tenant->cgroup;
	int r = find_home(home);

	if (r < 0)
		return layer_missing(LAYER_CGROUP, r, err, "no cgroup v2 here");
	sweep(home);
	if (snprintf(vm, sizeof(tenant->cgroup), "%s/%s%d", home, prefix, getpid()) >=
		(int)sizeof(tenant->cgroup))
		r = -ENAMETOOLONG;
	if (r == 0)
		r = move_in(home, vm);
	if (r == 0)
		r = make_leaves(tenant, vm, opts);
	if (r == 0) {
		layer_holds(LAYER_CGROUP, "%.150s", vm);
		return 0;
	}
	forget_leaves(tenant);
	remove_tree(vm);
	if (access(vm, F_OK) == 0) { /* we are in it */
		(void)put(home, "cgroup.procs", "0");
		remove_tree(vm);
	}
	vm[0] = '\0';
	return layer_missing(LAYER_CGROUP, r, err, "%.100s: %s", home,
		r == -EBUSY ? "other processes are in it" :
		r == -ENODEV ? "it lacks the controllers pids and memory" : strerror(-r));
}

int cgroup_leaf(const struct tenant *tenant, enum word_kind kind, unsigned slot, uint64_t ram)
{
	const uint64_t own = 32 * MiB;
	bool helper = kind >= KIND_VFIO;
	int leaf = tenant->leaves[helper ? KIND_VFIO + slot : (unsigned)kind].n;
	uint64_t limit = kind == KIND_VDPA ? own + ram + ram / 64 : own;
	char text[32];
	int r;

	if (leaf < 0 || !helper)
		return leaf;
	/* Who touches guest RAM first is charged for it, and page tables are, too. */
	snprintf(text, sizeof(text), "%llu", (unsigned long long)limit);
	r = put_at(leaf, "memory.max", text);
	if (r < 0)
		log_warn("cgroup: helper-%u: memory.max: %s", slot, strerror(-r));
	return leaf;
}
