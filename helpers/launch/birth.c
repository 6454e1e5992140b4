/* SPDX-License-Identifier: Apache-2.0
 *
 * How a process is born: cloned into namespaces of its own, its ids mapped by us, then exec.
 *
 * Launcher process, and its child up to exec. We write the id maps, as the user of the VM is not ours
 * to become (user_namespaces(7): a map of another's id takes CAP_SETUID outside); the child waits for
 * that, and is root inside, so that exec leaves it what it needs to build its walls. It is pid 1 in its
 * pid namespace: when it ends, so does whatever it might have started. It execs the binary that was
 * there when we started, with exactly the descriptors it was planned to have. The opener alone is born
 * into none: it has to open what we may.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "helpers/launch/launch.h"
#include "ipc/frame.h"
#include "ipc/log.h"
#include "seccomp/birth.h"
#include "seccomp/layers.h"

enum { OUT_OF_THE_WAY = 64, ARGS = 1 + BIRTH_WORDS + 1, BIRTH_MS = 20000 };

static const uint64_t namespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET |
	CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;

/* What a child that could not become its process tells through its end of the pair. */
struct failure {
	int code;
	char step[20];
};

static const char mapping[] = "mapping its ids", joining[] = "its cgroup"; /* steps */

/* Everything the child needs, made before there is one. */
struct newborn {
	const struct birth_plan *plan;
	int sync, launchers; /* the pair they go in step by */
	int binary;
	bool inside;        /* of namespaces */
	bool joins;         /* its cgroup: clone could not put it there */
	bool drops_groups;  /* it may */
	const struct user *user; /* whom to become where no namespace maps it; NULL: nobody */
	struct birth words;
	char text[BIRTH_WORDS][BIRTH_WORD_MAX], name[32];
	char **user_args;   /* of the opener, behind its own; NULL: none */
};

/* ---- the child ------------------------------------------------------------------------------- */

static void __attribute__((noreturn)) give_up(int sync, const char *step)
{
	struct failure failure = {.code = errno};

	snprintf(failure.step, sizeof(failure.step), "%s", step);
	if (frame_send(sync, &failure, sizeof(failure), NULL, 0, &(int){0}) < 0)
		_exit(126);
	_exit(127);
}

/* The user's signals are ours to act on; they reach every process of our group. */
static void reset_signals(void)
{
	static const int not_theirs[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU,
		SIGUSR1, SIGPIPE, SIGXFSZ};
	sigset_t none;

	for (unsigned i = 0; i < sizeof(not_theirs) / sizeof(not_theirs[0]); i++)
		signal(not_theirs[i], SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int become_root_inside(bool drops_groups)
{
	if (drops_groups && setgroups(0, NULL) < 0)
		return -errno;
	return setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0 ? -errno : 0;
}

/* Without a namespace of its own that would map it. */
static int become_user(const struct user *user)
{
	return setgroups(0, NULL) < 0 || setresgid(user->gid, user->gid, user->gid) < 0 ||
		setresuid(user->uid, user->uid, user->uid) < 0 ? -errno : 0;
}

/* Down to what it needs; up is not a child's to go. */
static int limit_memlock(uint64_t bytes)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0)
		return -errno;
	if (bytes > limit.rlim_max)
		bytes = limit.rlim_max;
	return setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){bytes, bytes}) < 0 ? -errno : 0;
}

/* Puts each descriptor at its number: first all out of the way, then all into place. Behind them what
 * exec closes: *sync and *binary, at their new numbers. */
static int place_fds(const int *fds, int *sync, int *binary)
{
	int high[BIRTH_FDS + 2], n = 0;

	while (n < BIRTH_FDS && fds[n] >= 0)
		n++;
	for (int i = 0; i < n + 2; i++) {
		high[i] = fcntl(i < n ? fds[i] : i == n ? *sync : *binary, F_DUPFD_CLOEXEC,
			OUT_OF_THE_WAY);
		if (high[i] < 0)
			return -errno;
	}
	for (int i = 0; i < n + 2; i++)
		if (dup3(high[i], i, i < n ? 0 : O_CLOEXEC) < 0)
			return -errno;
	*sync = n;
	*binary = n + 1;
	return syscall(SYS_close_range, n + 2, ~0u, 0) < 0 ? -errno : 0;
}

static char **make_argv(struct newborn *b)
{
	size_t n_user = 0;
	char **argv;

	while (b->user_args && b->user_args[n_user])
		n_user++;
	argv = calloc(ARGS + n_user, sizeof(*argv));
	if (!argv)
		return NULL;
	argv[0] = b->name;
	birth_write(&b->words, b->text, argv + 1);
	for (size_t i = 1; i < n_user; i++)
		argv[BIRTH_WORDS + i - 1] = b->user_args[i];
	return argv;
}

/* Not with a copy of the launcher's end: it could not see it go. */
static void wait_for_go(const struct newborn *b)
{
	struct frame go;

	close(b->launchers);
	if (frame_recv(b->sync, &go, &(int){BIRTH_MS}) < 0)
		_exit(125); /* who was to map our ids is gone, or could not */
	frame_done(&go);
}

static void __attribute__((noreturn)) become(struct newborn *b)
{
	char *environment[] = {NULL}, **argv;

	reset_signals();
	wait_for_go(b);
	if (b->plan->kind == KIND_API) /* one that is started anew would have the VM's */
		tenant_apart();
	errno = b->inside ? -become_root_inside(b->drops_groups) : b->user ? -become_user(b->user) : 0;
	if (errno != 0)
		give_up(b->sync, "its user");
	errno = b->plan->memlock == UINT64_MAX ? 0 : -limit_memlock(b->plan->memlock);
	if (errno != 0)
		give_up(b->sync, "RLIMIT_MEMLOCK");
	argv = make_argv(b);
	errno = argv ? -place_fds(b->plan->fds, &b->sync, &b->binary) : ENOMEM;
	if (errno != 0)
		give_up(b->sync, "descriptors");
	syscall(SYS_execveat, b->binary, "", argv, environment, AT_EMPTY_PATH);
	give_up(b->sync, "exec");
}

/* ---- the launcher ---------------------------------------------------------------------------- */

/* Into its cgroup at once, where the kernel has clone3: to move there later is dear, as it waits for an
 * RCU grace period. */
static long clone_child(struct newborn *b, uint64_t flags)
{
	struct clone_args args = {.flags = flags, .exit_signal = SIGCHLD};
	long pid = -1;

	if (b->plan->cgroup >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)b->plan->cgroup;
		pid = syscall(SYS_clone3, &args, sizeof(args));
		if (pid >= 0 || errno != ENOSYS)
			return pid;
	}
	b->joins = b->plan->cgroup >= 0;
	return syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);
}

/* By us, as a child of another cgroup namespace may not move where nsdelegate is (cgroups(7)). */
static int join(int cgroup, pid_t pid)
{
	fd_owned procs = {openat(cgroup, "cgroup.procs", O_WRONLY | O_CLOEXEC)};
	char text[16];

	snprintf(text, sizeof(text), "%d", (int)pid);
	return procs.n < 0 || write(procs.n, text, strlen(text)) < 0 ? -errno : 0;
}

static int write_proc(pid_t pid, const char *file, const char *text)
{
	char path[64];
	fd_owned fd = FD_NONE_INIT;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	fd.n = open(path, O_WRONLY | O_CLOEXEC);
	return fd.n < 0 || write(fd.n, text, strlen(text)) < 0 ? -errno : 0;
}

/* The VM's user and group outside are root's inside. Who is not root outside may not let it drop groups
 * (user_namespaces(7), setgroups). */
static int map_ids(const struct launch *launch, pid_t pid, bool drops_groups)
{
	const struct tenant *tenant = &launch->tenant;
	char map[32];
	int r = drops_groups ? 0 : write_proc(pid, "setgroups", "deny");

	if (r < 0 && r != -ENOENT)
		return r;
	snprintf(map, sizeof(map), "0 %u 1", tenant->has_user ? tenant->user.uid : geteuid());
	r = write_proc(pid, "uid_map", map);
	if (r < 0)
		return r;
	snprintf(map, sizeof(map), "0 %u 1", tenant->has_user ? tenant->user.gid : getegid());
	return write_proc(pid, "gid_map", map);
}

static const char *next_step(const struct failure *failure)
{
	if (strcmp(failure->step, mapping) == 0)
		return "; start it as root, or without --user";
	if (strcmp(failure->step, joining) == 0)
		return "; start it alone in a cgroup that is its user's: `systemd-run --scope -p Delegate=yes`";
	if (failure->code == EACCES)
		return "; the VM's user must be able to run it";
	return failure->code == ETIMEDOUT ? "; the host has no time for it just now: try again" : "";
}

static int refuse(const struct newborn *b, const struct failure *failure, struct err *err)
{
	return err_set(err, -failure->code, BLAME_HOST, "cannot start %s: %s: %s%s", b->name,
		failure->step, strerror(failure->code), next_step(failure));
}

/* Maps the child's ids, lets it go on, and waits for what becomes of it: exec closes its end, and so does
 * an end before, which is seen when it is reaped. */
static int see_through(const struct launch *launch, const struct newborn *b, pid_t pid, struct err *err)
{
	static struct frame told;
	struct failure failure = {.code = 0};
	const int joined = b->joins ? join(b->plan->cgroup, pid) : 0;
	int r = joined;

	if (r == 0 && b->inside)
		r = map_ids(launch, pid, b->drops_groups);
	if (r == 0)
		r = frame_send(b->launchers, "", 1, NULL, 0, &(int){0});
	failure.code = -r;
	snprintf(failure.step, sizeof(failure.step), "%s", joined < 0 ? joining : mapping);
	if (r < 0)
		return refuse(b, &failure, err);
	r = frame_recv(b->launchers, &told, &(int){BIRTH_MS});
	if (r == -ETIMEDOUT)
		failure = (struct failure){ETIMEDOUT, "exec"};
	else if (r < 0 || told.len != sizeof(failure))
		return 0;
	else
		memcpy(&failure, told.data, sizeof(failure));
	failure.step[sizeof(failure.step) - 1] = '\0';
	return refuse(b, &failure, err);
}

/* A limit, and no wall that this host lets nobody put up. */
static bool is_limit(int code)
{
	return code == EAGAIN || code == ENOMEM;
}

static int clone_inside(struct newborn *b, const struct launch *launch, struct err *err)
{
	long pid;
	int code;

	b->inside = b->plan->kind != KIND_OPENER;
	pid = clone_child(b, b->inside ? namespaces : 0);
	code = errno;
	if (pid < 0 && b->inside && !is_limit(code)) {
		if (!launch->opts.allow_degraded)
			return layer_missing(LAYER_NAMESPACES, -code, err, "%s: %s", b->name,
				strerror(code));
		b->inside = false;
		b->words.bare = true; /* it says what it lacks */
		pid = clone_child(b, 0);
		code = errno;
	}
	return pid >= 0 ? (int)pid : err_set(err, -code, BLAME_HOST, "cannot start %s: clone: %s%s",
		b->name, strerror(code), is_limit(code)
			? "; look at the limits on processes (ulimit -u, pids.max) and at free memory" : "");
}

int birth(struct launch *launch, const struct birth_plan *plan, struct err *err)
{
	struct newborn b = {.plan = plan, .binary = launch->binaries[plan->kind].n,
		.drops_groups = geteuid() == 0,
		.words = {.level = (enum log_level)(LOG_WARN + launch->opts.verbose),
			.mode = launch->opts.seccomp, .degraded = launch->opts.allow_degraded,
			.number = plan->slot},
		.user = plan->kind != KIND_OPENER && launch->tenant.has_user ? &launch->tenant.user : NULL,
		.user_args = plan->kind == KIND_OPENER ? launch->args : NULL};
	struct fd ours, theirs;
	int r = frame_pair(&ours, &theirs), pid;

	if (r < 0)
		return err_set(err, r, BLAME_HOST, "socketpair: %s", strerror(-r));
	snprintf(b.name, sizeof(b.name), "bulkhead-%s", word_kind_name(plan->kind));
	b.sync = theirs.n;
	b.launchers = ours.n;
	pid = clone_inside(&b, launch, err);
	if (pid == 0)
		become(&b);
	fd_close(&theirs);
	r = pid < 0 ? pid : see_through(launch, &b, pid, err);
	fd_close(&ours);
	if (r < 0 && pid > 0)
		kill(pid, SIGKILL); /* and reaped like any other */
	return r < 0 ? r : pid;
}
