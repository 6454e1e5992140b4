/* SPDX-License-Identifier: Apache-2.0
 *
 * Putting up the walls. Core, broker and helpers, once, with one thread; launcher and opener a few.
 *
 * The order matters: namespaces are there from birth (they give the capabilities the rest needs); the
 * root while we may still mount, then no capabilities, then what needs none. The death signal comes
 * after every change of credentials, as those clear it. What a wall that does not go up means is said
 * by its row in layers.c.
 */
#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/securebits.h>
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

static int wall_namespaces(const struct confine *confine, struct err *err)
{
	if (confine->bare)
		return layer_missing(LAYER_NAMESPACES, -EPERM, err, "born into none");
	layer_holds(LAYER_NAMESPACES, "user, mount, pid, net, ipc, uts, cgroup, from birth");
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

int confine_limits(const struct confine *confine, struct err *err)
{
	uint64_t procs = confine->max_procs ? 1 + confine->max_procs : 0;

	if (set_limit(RLIMIT_NOFILE, confine->max_fds) < 0 ||
		set_limit(RLIMIT_NPROC, procs) < 0 ||
		set_limit(RLIMIT_FSIZE, confine->file_size) < 0)
		return failed(err, LAYER_LIMITS, "setrlimit");
	layer_holds(LAYER_LIMITS, "%u descriptors, %u further tasks", confine->max_fds,
		confine->max_procs);
	return 0;
}

static int wall_privileges(struct err *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return failed(err, LAYER_NO_NEW_PRIVS, "prctl");
	layer_holds(LAYER_NO_NEW_PRIVS, "set");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || set_limit(RLIMIT_CORE, 0) < 0)
		return failed(err, LAYER_DUMPABLE, "prctl, setrlimit");
	layer_holds(LAYER_DUMPABLE, "no");
	return 0;
}

/* Landlock by its numbers, as the C library has no names for it (Linux landlock.h). */
struct landlock_attr {
	uint64_t fs, net, scoped;
};

enum {
	SYS_LANDLOCK_CREATE = 444, SYS_LANDLOCK_ADD = 445, SYS_LANDLOCK_RESTRICT = 446,
	GET_VERSION = 1, RULE_BELOW = 1,
	SCOPE_ABSTRACT_UNIX = 1, SCOPE_SIGNAL = 2,
	ABI_SCOPES = 6,
};

static long landlock_abi(void)
{
	return syscall(SYS_LANDLOCK_CREATE, NULL, 0, GET_VERSION);
}

/* A rule for what is below a folder, or for one file (Linux landlock.h, packed). */
struct __attribute__((packed)) landlock_below {
	uint64_t allowed;
	int32_t fd;
};

static int landlock_enter(const struct landlock_attr *attr, size_t size, const struct confine_file *files,
	unsigned n)
{
	fd_owned ruleset = {(int)syscall(SYS_LANDLOCK_CREATE, attr, size, 0)};

	for (unsigned i = 0; i < n && ruleset.n >= 0; i++) {
		const struct landlock_below rule = {files[i].rights & attr->fs, files[i].fd};

		if (syscall(SYS_LANDLOCK_ADD, ruleset.n, RULE_BELOW, &rule, 0) < 0)
			return -errno;
	}
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

/* All there is to deny in this version; *ret_size: as much as it knows of the struct. */
static struct landlock_attr all_rights(long abi, size_t *ret_size)
{
	struct landlock_attr attr = {0};

	*ret_size = abi < 4 ? sizeof(attr.fs) : abi < ABI_SCOPES
		? offsetof(struct landlock_attr, scoped) : sizeof(attr);
	for (unsigned i = 0; i < sizeof(landlock_since) / sizeof(landlock_since[0]); i++) {
		const struct landlock_attr *rights = &landlock_since[i].rights;

		if (landlock_since[i].abi > abi)
			break;
		attr.fs |= rights->fs;
		attr.net |= rights->net;
		attr.scoped |= rights->scoped;
	}
	return attr;
}

static int report_landlock(const char *what, long abi, struct err *err)
{
	layer_holds(LAYER_LANDLOCK, "%s, ABI %ld", what, abi);
	if (abi < ABI_SCOPES)
		return layer_missing(LAYER_SCOPES, -ENOTSUP, err, "Landlock ABI %ld", abi);
	layer_holds(LAYER_SCOPES, "abstract sockets, signals");
	return 0;
}

static int wall_landlock(struct err *err)
{
	long abi = landlock_abi();
	size_t size;
	const struct landlock_attr attr = all_rights(abi, &size);

	if (abi < 1)
		return failed(err, LAYER_LANDLOCK, "probing it");
	if (landlock_enter(&attr, size, NULL, 0) < 0)
		return failed(err, LAYER_LANDLOCK, "denying all");
	if (root_opens()) /* nothing outside us could see that it does not hold */
		return layer_missing(LAYER_LANDLOCK, -EACCES, err, "the root can still be opened");
	return report_landlock("all denied", abi, err);
}

int confine_to_files(const struct confine_file *files, unsigned n, struct err *err)
{
	long abi = landlock_abi();
	size_t size;
	const struct landlock_attr attr = all_rights(abi, &size);

	if (abi < 1)
		return failed(err, LAYER_LANDLOCK, "probing it");
	if (landlock_enter(&attr, size, files, n) < 0)
		return failed(err, LAYER_LANDLOCK, "what may be opened");
	return report_landlock("what --allow names", abi, err);
}

int confine_scopes(struct err *err)
{
	const struct landlock_attr attr = {.scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL};
	long abi = landlock_abi();

	if (abi < ABI_SCOPES)
		return layer_missing(LAYER_SCOPES, -ENOTSUP, err, "Landlock ABI %ld", abi);
	if (landlock_enter(&attr, sizeof(attr), NULL, 0) < 0)
		return failed(err, LAYER_SCOPES, "entering them");
	layer_holds(LAYER_SCOPES, "abstract sockets, signals");
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

/* Of who was never root: he has none, and may neither lock securebits nor empty his bounding set. With
 * no_new_privs none of that can give him any. */
static int drop_capabilities(struct err *err)
{
	capng_clear(CAPNG_SELECT_CAPS);
	if (capng_apply(CAPNG_SELECT_CAPS) != 0)
		return failed(err, LAYER_CAPABILITIES, "dropping them");
	layer_holds(LAYER_CAPABILITIES, "none");
	return 0;
}

int confine_capabilities(struct err *err)
{
	int r = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) ? wall_capabilities(err)
		: drop_capabilities(err);

	if (r == 0)
		r = wall_privileges(err);
	return r < 0 ? r : wall_mdwe(err);
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
	int r = wall_namespaces(confine, err);

	if (r == 0)
		r = wall_root(!confine->bare, err);
	if (r == 0)
		r = wall_capabilities(err);
	if (r == 0)
		r = wall_privileges(err);
	if (r == 0 && !confine->limits_later)
		r = confine_limits(confine, err);
	if (r == 0)
		r = wall_landlock(err);
	if (r == 0)
		r = wall_mdwe(err);
	return r < 0 ? r : confine_with_parent(getppid(), err);
}
