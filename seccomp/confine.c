/* SPDX-License-Identifier: Apache-2.0
 *
 * Putting up the walls. Every process, once, with one thread.
 *
 * The order matters: namespaces first (they give the capabilities the rest needs), the root while
 * we may still mount, then no capabilities, then what needs none. The death signal comes after
 * every change of credentials, as those clear it. What a wall that does not go up means is said by
 * its row in layers.c.
 */
#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ipc/fd.h"
#include "seccomp/confine.h"
#include "seccomp/layers.h"

static int failed(struct err *err, enum layer layer, const char *call)
{
	int code = -errno;

	return layer_missing(layer, code, err, "%s: %s", call, strerror(-code));
}

static int write_proc(const char *path, const char *text)
{
	fd_owned fd = {open(path, O_WRONLY | O_CLOEXEC)};

	if (fd.n < 0 || write(fd.n, text, strlen(text)) < 0)
		return -errno;
	return 0;
}

int confine_map_ids(unsigned uid, unsigned gid)
{
	char map[32];
	int r;

	r = write_proc("/proc/self/setgroups", "deny");
	if (r < 0 && r != -ENOENT)
		return r;
	snprintf(map, sizeof(map), "0 %u 1", uid);
	r = write_proc("/proc/self/uid_map", map);
	if (r < 0)
		return r;
	snprintf(map, sizeof(map), "0 %u 1", gid);
	return write_proc("/proc/self/gid_map", map);
}

/* Not by way of capabilities: those a set-up needs are the new user namespace's. Files of ours in
 * /proc would belong to root from here on, and the id map with them. */
int confine_user(unsigned uid, unsigned gid, struct err *err)
{
	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return err_set(err, -errno, BLAME_HOST,
			"--user: cannot become uid %u, gid %u: %s; start as root", uid, gid,
			strerror(errno));
	if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
		return err_set(err, -errno, BLAME_HOST, "--user: prctl: %s", strerror(errno));
	layer_holds(LAYER_USER, "uid %u, gid %u, no other group", uid, gid);
	return 0;
}

static int wall_namespaces(const struct confine *confine, bool *ret_inside, struct err *err)
{
	unsigned uid = geteuid(), gid = getegid();
	int r;

	*ret_inside = !confine->unshare && !confine->bare;
	if (confine->bare)
		return layer_missing(LAYER_NAMESPACES, -EPERM, err, "born into none");
	if (!confine->unshare) {
		layer_holds(LAYER_NAMESPACES,
			"user, mount, pid, net, ipc, uts, cgroup, from birth");
		return 0;
	}
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
		    CLONE_NEWCGROUP) < 0)
		return failed(err, LAYER_NAMESPACES, "unshare");
	*ret_inside = true;
	r = confine_map_ids(uid, gid);
	if (r < 0)
		return layer_missing(LAYER_NAMESPACES, r, err, "id map: %s", strerror(-r));
	layer_holds(LAYER_NAMESPACES, "user, mount, net, ipc, uts, cgroup");
	return 0;
}

/* An empty tmpfs over /dev (which every host has), made the root; the old root is let go. */
static int wall_root(bool inside, struct err *err)
{
	const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;

	if (!inside) /* these would be the host's own mounts */
		return layer_missing(LAYER_ROOT, -EPERM, err, "no mount namespace of our own");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return failed(err, LAYER_ROOT, "making mounts private");
	if (mount("none", "/dev", "tmpfs", flags, "size=4k,nr_inodes=2,mode=555") < 0)
		return failed(err, LAYER_ROOT, "mounting an empty tmpfs");
	if (chdir("/dev") < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
		return failed(err, LAYER_ROOT, "pivot_root");
	if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return failed(err, LAYER_ROOT, "letting the old root go");
	if (mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | flags, NULL) < 0)
		return failed(err, LAYER_ROOT, "making it read-only");
	layer_holds(LAYER_ROOT, "empty, read-only");
	return 0;
}

static int wall_capabilities(struct err *err)
{
	const unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED |
		SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
		SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

	if (prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) < 0)
		return failed(err, LAYER_CAPABILITIES, "locking securebits");
	capng_clear(CAPNG_SELECT_ALL);
	if (capng_apply(CAPNG_SELECT_ALL) != 0)
		return failed(err, LAYER_CAPABILITIES, "dropping them");
	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) != 0)
			return layer_missing(LAYER_CAPABILITIES, -EPERM, err,
				"%lu stayed in the bounding set", cap);
	capng_setpid((int)getpid());
	if (capng_get_caps_process() != 0 ||
		capng_have_capabilities(CAPNG_SELECT_CAPS) != CAPNG_NONE)
		return layer_missing(LAYER_CAPABILITIES, -EPERM, err, "some stayed");
	layer_holds(LAYER_CAPABILITIES, "none, bounding set empty, securebits locked");
	return 0;
}

static int set_limit(int what, uint64_t value)
{
	return setrlimit(what, &(struct rlimit){value, value});
}

static int wall_limits(const struct confine *confine, struct err *err)
{
	uint64_t procs = confine->max_procs ? 1 + confine->max_procs : 0;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return failed(err, LAYER_NO_NEW_PRIVS, "prctl");
	layer_holds(LAYER_NO_NEW_PRIVS, "set");
	if (set_limit(RLIMIT_NOFILE, confine->max_fds) < 0 ||
		set_limit(RLIMIT_NPROC, procs) < 0 ||
		set_limit(RLIMIT_FSIZE, confine->file_size) < 0 || set_limit(RLIMIT_CORE, 0) < 0)
		return failed(err, LAYER_LIMITS, "setrlimit");
	layer_holds(LAYER_LIMITS, "%u descriptors, %u further tasks", confine->max_fds,
		confine->max_procs);
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return failed(err, LAYER_DUMPABLE, "prctl");
	layer_holds(LAYER_DUMPABLE, "no");
	return 0;
}

/* Landlock by its numbers, as the C library has no names for it (Linux landlock.h). */
struct landlock_attr {
	uint64_t fs, net, scoped;
};

enum {
	SYS_LANDLOCK_CREATE = 444, SYS_LANDLOCK_RESTRICT = 446, GET_VERSION = 1,
	SCOPE_ABSTRACT_UNIX = 1, SCOPE_SIGNAL = 2,
	ABI_SCOPES = 6,
};

static long landlock_abi(void)
{
	return syscall(SYS_LANDLOCK_CREATE, NULL, 0, GET_VERSION);
}

static int landlock_enter(const struct landlock_attr *attr, size_t size)
{
	fd_owned ruleset = {(int)syscall(SYS_LANDLOCK_CREATE, attr, size, 0)};

	if (ruleset.n < 0 || syscall(SYS_LANDLOCK_RESTRICT, ruleset.n, 0) < 0)
		return -errno;
	return 0;
}

static bool root_opens(void)
{
	fd_owned fd = {open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};

	return fd.n >= 0;
}

/* What each version of Landlock added (linux/landlock.h). A right asked for before its version makes
 * the call fail. */
static const struct {
	long abi;
	struct landlock_attr rights;
} landlock_since[] = {
	{1, {.fs = 0x1fff}},             /* execute, read, write, make, remove */
	{2, {.fs = 1 << 13}},            /* refer */
	{3, {.fs = 1 << 14}},            /* truncate */
	{4, {.net = 1 << 0 | 1 << 1}},   /* TCP: bind, connect */
	{5, {.fs = 1 << 15}},            /* ioctl of devices */
	{ABI_SCOPES, {.scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL}},
	{9, {.fs = 1 << 16}},            /* sockets by path */
	{10, {.net = 1 << 2 | 1 << 3}},  /* UDP: bind, connect and send */
};

static int wall_landlock(const struct confine *confine, struct err *err)
{
	struct landlock_attr attr = {0};
	long abi = landlock_abi();
	size_t size = abi < 4 ? sizeof(attr.fs) : abi < ABI_SCOPES
		? offsetof(struct landlock_attr, scoped) : sizeof(attr);

	if (abi < 1)
		return failed(err, LAYER_LANDLOCK, "probing it");
	for (unsigned i = 0; i < sizeof(landlock_since) / sizeof(landlock_since[0]); i++) {
		const struct landlock_attr *rights = &landlock_since[i].rights;

		if (landlock_since[i].abi > abi)
			break;
		attr.fs |= rights->fs;
		attr.net |= rights->net;
		attr.scoped |= rights->scoped;
	}
	if (confine->kills)
		attr.scoped &= ~(uint64_t)SCOPE_SIGNAL;
	if (landlock_enter(&attr, size) < 0)
		return failed(err, LAYER_LANDLOCK, "denying all");
	if (root_opens()) /* nothing outside us could see that it does not hold */
		return layer_missing(LAYER_LANDLOCK, -EACCES, err, "the root can still be opened");
	layer_holds(LAYER_LANDLOCK, "all denied, ABI %ld", abi);
	if (abi < ABI_SCOPES)
		return layer_missing(LAYER_SCOPES, -ENOTSUP, err, "Landlock ABI %ld", abi);
	layer_holds(LAYER_SCOPES, "abstract sockets%s", confine->kills ? "" : ", signals");
	return 0;
}

int confine_signals(struct err *err)
{
	const struct landlock_attr attr = {.scoped = SCOPE_SIGNAL};

	if (landlock_abi() < ABI_SCOPES)
		return 0; /* wall_landlock has said what this kernel has */
	if (landlock_enter(&attr, sizeof(attr)) < 0)
		return failed(err, LAYER_SCOPES, "signals");
	layer_holds(LAYER_SCOPES, "signals");
	return 0;
}

static int wall_mdwe(struct err *err)
{
	enum { SET_MDWE = 65, GET_MDWE = 66, REFUSE_EXEC_GAIN = 1 };

	if (prctl(SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0) < 0 ||
		prctl(GET_MDWE, 0, 0, 0, 0) != REFUSE_EXEC_GAIN)
		return failed(err, LAYER_MDWE, "prctl");
	layer_holds(LAYER_MDWE, "no memory becomes executable");
	return 0;
}

/* A parent that ended before the signal was asked for is noticed by who its child is now, or,
 * across pid namespaces, where there is nothing to see, by its channel, which has hung up. */
int confine_with_parent(int parent, struct err *err)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return failed(err, LAYER_PARENT, "prctl");
	if (getppid() != parent)
		return err_set(err, -ESRCH, BLAME_HOST, "confine: parent: it is gone");
	layer_holds(LAYER_PARENT, "we die with it");
	return 0;
}

int confine_process(const struct confine *confine, struct err *err)
{
	pid_t parent = getppid();
	bool inside;
	int r;

	r = wall_namespaces(confine, &inside, err);
	if (r == 0)
		r = wall_root(inside, err);
	if (r == 0)
		r = wall_capabilities(err);
	if (r == 0)
		r = wall_limits(confine, err);
	if (r == 0)
		r = wall_landlock(confine, err);
	if (r == 0)
		r = wall_mdwe(err);
	if (r == 0 && confine->die_with_parent)
		r = confine_with_parent(parent, err);
	return r;
}
