/* SPDX-License-Identifier: Apache-2.0
 *
 * A user, a cgroup and a cookie for the VM. Core process, main thread.
 *
 * cgroup v2 (Documentation/admin-guide/cgroup-v2.rst): ours goes under the one we were started in,
 * which must be the root or have no process but us: a cgroup gives controllers either to processes
 * or to children. Nobody can remove ours when we end, as everybody is behind their walls then; the
 * next start in the same place does, and systemd when the unit ends.
 */
#include "vmm/tenant.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "seccomp/layers.h"
#include "vmm/pci/layout.h"

#define CONTROLLERS "+pids +memory"

static const char prefix[] = "bulkhead-";

static int number(const char *text, const char **ret_end, unsigned *ret)
{
	unsigned long value;
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || value >= UINT32_MAX)
		return -EINVAL;
	*ret = (unsigned)value;
	*ret_end = end;
	return 0;
}

int tenant_user(const char *text, struct tenant *tenant, struct err *err)
{
	const struct passwd *entry;
	const char *end = "";
	unsigned uid, gid;

	if (number(text, &end, &uid) == 0 && *end == '\0') {
		entry = getpwuid(uid);
		gid = entry ? entry->pw_gid : uid;
	} else if (*end == ':') {
		if (number(end + 1, &end, &gid) < 0 || *end != '\0')
			uid = 0;
	} else {
		entry = getpwnam(text);
		if (!entry)
			return err_set(err, -EINVAL, BLAME_HOST,
				"--user: «%.60s» is no user of this host; make one, `useradd -r "
				"NAME`, or give UID:GID", text);
		uid = entry->pw_uid;
		gid = entry->pw_gid;
	}
	if (uid == 0 || gid == 0)
		return err_set(err, -EINVAL, BLAME_HOST,
			"--user: «%.60s» is root, or no UID:GID; give the VM a user of its own",
			text);
	*tenant = (struct tenant){.has_user = true, .uid = uid, .gid = gid};
	return 0;
}

/* One cookie for all of the VM's processes: fork and exec keep it (core-scheduling.rst). */
static int take_cookie(struct err *err)
{
	enum { SCHED_CORE = 62, CREATE = 1, THREAD_GROUP = 1 };

	if (prctl(SCHED_CORE, CREATE, 0, THREAD_GROUP, 0) < 0)
		return layer_missing(LAYER_CORE_SCHED, -errno, err, "%s",
			errno == ENODEV ? "this processor has no SMT" : strerror(errno));
	layer_holds(LAYER_CORE_SCHED, "a cookie for this VM");
	return 0;
}

static int put(const char *dir, const char *file, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static int put(const char *dir, const char *file, const char *fmt, ...)
{
	char path[PATH_MAX], text[64];
	fd_owned fd = FD_NONE_INIT;
	va_list args;

	if (snprintf(path, sizeof(path), "%s/%s", dir, file) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	fd.n = open(path, O_WRONLY | O_CLOEXEC);
	return fd.n < 0 || write(fd.n, text, strlen(text)) < 0 ? -errno : 0;
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
		const char *end;
		unsigned pid;

		if (strncmp(d->d_name, prefix, strlen(prefix)) == 0 &&
			number(d->d_name + strlen(prefix), &end, &pid) == 0 && *end == '\0' &&
			kill((pid_t)pid, 0) < 0 && errno == ESRCH &&
			snprintf(path, sizeof(path), "%s/%s", home, d->d_name) < (int)sizeof(path))
			remove_tree(path);
	}
	if (dir)
		closedir(dir);
}

/* memory: bytes, 0: no limit; what is charged to a process besides guest RAM is small. */
static int make_leaf(const char *vm, const char *name, unsigned pids, uint64_t memory)
{
	char path[PATH_MAX];
	int r = 0;

	if (snprintf(path, sizeof(path), "%s/%s", vm, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return -errno;
	r = put(path, "pids.max", "%u", pids);
	if (r == 0 && memory)
		r = put(path, "memory.max", "%llu", (unsigned long long)memory);
	return r;
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
 * dear (it waits for an RCU grace period), so it comes last. */
static int move_in(const char *home, const char *vm)
{
	char core[PATH_MAX];
	int r;

	if (!has_controllers(home))
		return -ENODEV;
	if (snprintf(core, sizeof(core), "%s/core", vm) >= (int)sizeof(core))
		return -ENAMETOOLONG;
	r = put(home, "cgroup.subtree_control", CONTROLLERS);
	if (r < 0 && (r != -EBUSY || !alone(home)))
		return r;
	if (mkdir(vm, 0755) < 0 || mkdir(core, 0755) < 0)
		return -errno;
	if (r == 0)
		r = put(vm, "cgroup.subtree_control", CONTROLLERS);
	if (r == 0)
		return put(core, "cgroup.procs", "0");
	r = put(core, "cgroup.procs", "0");
	if (r == 0)
		r = put(home, "cgroup.subtree_control", CONTROLLERS);
	return r < 0 ? r : put(vm, "cgroup.subtree_control", CONTROLLERS);
}

static int make_leaves(const char *vm, const struct opts *opts, unsigned tasks)
{
	const uint64_t own = 32 * MiB, ram = opts->ram.size;
	char name[32];
	int r = make_leaf(vm, "core", tasks, 0); /* the broker is born there */

	if (r == 0)
		r = make_leaf(vm, "broker", 2, 0); /* a helper is born there */
	for (unsigned i = 0; i < opts->n_devices && r == 0; i++) {
		bool pins = strcmp(opts->devices[i].kind, "vdpa") == 0;

		/* Who touches guest RAM first is charged for it, and page tables are, too. */
		snprintf(name, sizeof(name), "helper-%u", i);
		r = make_leaf(vm, name, 1, pins ? own + ram + ram / 64 : own);
	}
	return r;
}

static int make_cgroup(struct tenant *tenant, const struct opts *opts, unsigned tasks,
	struct err *err)
{
	char home[PATH_MAX], vm[PATH_MAX];
	int r = find_home(home);

	if (r < 0)
		return layer_missing(LAYER_CGROUP, r, err, "no cgroup v2 here");
	sweep(home);
	if (snprintf(vm, sizeof(vm), "%s/%s%d", home, prefix, getpid()) >= (int)sizeof(vm))
		return layer_missing(LAYER_CGROUP, -ENAMETOOLONG, err, "%s", home);
	r = move_in(home, vm);
	if (r == 0)
		r = make_leaves(vm, opts, tasks);
	if (r < 0) {
		remove_tree(vm);
		if (access(vm, F_OK) == 0) { /* we are in it */
			(void)put(home, "cgroup.procs", "0");
			remove_tree(vm);
		}
		return layer_missing(LAYER_CGROUP, r, err, "%.100s: %s", home,
			r == -EBUSY ? "other processes are in it" :
			r == -ENODEV ? "it lacks the controllers pids and memory" : strerror(-r));
	}
	strcpy(tenant->cgroup, vm);
	layer_holds(LAYER_CGROUP, "%.150s", vm);
	return 0;
}

int tenant_init(struct tenant *tenant, const struct opts *opts, unsigned tasks, struct err *err)
{
	int r = 0;

	*tenant = (struct tenant){.has_user = false};
	if (opts->user)
		r = tenant_user(opts->user, tenant, err);
	else
		layer_missing(LAYER_USER, -EPERM, err, "uid %u, as started", geteuid());
	if (r == 0)
		r = take_cookie(err);
	return r < 0 ? r : make_cgroup(tenant, opts, tasks, err);
}
