/* SPDX-License-Identifier: Apache-2.0
 *
 * Starting helpers and ending them. Broker process, one thread.
 *
 * A helper is born into namespaces of its own by clone(2), maps its ids there so that exec leaves
 * it the capabilities it needs to build its walls (and drops when it has), and execs its binary
 * with exactly the descriptors of enum helper_fd. It is pid 1 in its pid namespace: when it ends,
 * so does whatever it might have started. A pidfd, not a pid, stands for it from then on.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helpers/broker/broker.h"
#include "helpers/helper.h"
#include "seccomp/confine.h"
#include "seccomp/layers.h"

enum { HELPER_FD_ERROR = HELPER_FD_EVENT + 1, OUT_OF_THE_WAY = 64 };

/* Everything the child needs, made before there is one. */
struct birth {
	char binary[PATH_MAX];
	char name[NAME_MAX_BYTES], level[4];
	unsigned uid, gid;
	uint64_t memlock;
	int broker, log, ask, event, error;
	int cgroup; /* -1: none */
	bool inside; /* of namespaces */
};

/* What a child that could not become a helper tells through the error pipe. */
struct failure {
	int code;
	char step[16];
};

static void __attribute__((noreturn)) give_up(int error, const char *step)
{
	struct failure failure = {.code = errno};

	snprintf(failure.step, sizeof(failure.step), "%s", step);
	if (write(error, &failure, sizeof(failure)) < 0)
		_exit(126);
	_exit(127);
}

/* Puts each descriptor at its number: first all out of the way, then all into place. */
static int place_fds(const struct birth *birth)
{
	const int from[] = {birth->broker, birth->log, birth->log, birth->ask, birth->event};
	int high[HELPER_FD_ERROR];

	for (int i = 0; i < HELPER_FD_ERROR; i++) {
		high[i] = fcntl(from[i], F_DUPFD_CLOEXEC, OUT_OF_THE_WAY);
		if (high[i] < 0)
			return -errno;
	}
	for (int i = 0; i < HELPER_FD_ERROR; i++)
		if (dup2(high[i], i) < 0)
			return -errno;
	if (dup3(birth->error, HELPER_FD_ERROR, O_CLOEXEC) < 0)
		return -errno;
	return syscall(SYS_close_range, HELPER_FD_ERROR + 1, ~0u, 0) < 0 ? -errno : 0;
}

/* Down to what this helper needs; up is not a child's to go. */
static int limit_memlock(uint64_t bytes)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0)
		return -errno;
	if (bytes > limit.rlim_max)
		bytes = limit.rlim_max;
	return setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){bytes, bytes}) < 0 ? -errno : 0;
}

static void __attribute__((noreturn)) become_helper(struct birth *birth, const char *mode)
{
	char mode_arg[8], layers_arg[16], bare[] = "bare";
	char *argv[] = {birth->binary, birth->name, birth->level, mode_arg, layers_arg,
		birth->inside ? NULL : bare, NULL};
	char *environment[] = {NULL};
	int error;

	snprintf(mode_arg, sizeof(mode_arg), "%s", mode);
	snprintf(layers_arg, sizeof(layers_arg), "%s", layers_word());
	error = fcntl(birth->error, F_DUPFD_CLOEXEC, OUT_OF_THE_WAY);
	if (error < 0)
		_exit(126);
	birth->error = error;
	if (birth->cgroup >= 0 && write(birth->cgroup, "0", 1) < 0)
		give_up(error, "its cgroup");
	errno = birth->inside ? -confine_map_ids(birth->uid, birth->gid) : 0;
	if (errno != 0)
		give_up(error, "mapping ids");
	errno = -limit_memlock(birth->memlock);
	if (errno != 0)
		give_up(error, "RLIMIT_MEMLOCK");
	errno = -place_fds(birth);
	if (errno != 0)
		give_up(error, "descriptors");
	execve(argv[0], argv, environment);
	give_up(HELPER_FD_ERROR, "exec");
}

static int open_leaf(const struct broker *broker, const char *leaf, struct fd *ret, struct err *err)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s/cgroup.procs", broker->cgroup, leaf) >= PATH_MAX)
		return err_set(err, -ENAMETOOLONG, BLAME_HOST, "cgroup: path too long");
	ret->n = open(path, O_WRONLY | O_CLOEXEC);
	return ret->n >= 0 ? 0 : err_set(err, -errno, BLAME_HOST, "%.200s: %s", path,
		strerror(errno));
}

int cgroup_init(struct broker *broker, struct err *err)
{
	fd_owned own = FD_NONE_INIT;
	char leaf[32];
	int r = open_leaf(broker, "broker", &own, err);

	if (r == 0 && write(own.n, "0", 1) < 0)
		r = err_set(err, -errno, BLAME_HOST, "cgroup: our leaf: %s", strerror(errno));
	for (unsigned i = 0; i < broker->n_devices && r == 0; i++) {
		snprintf(leaf, sizeof(leaf), "helper-%u", i);
		r = open_leaf(broker, leaf, &broker->devices[i].cgroup, err);
	}
	return r;
}

/* Helpers lie beside the broker's own binary. */
static int find_binary(const char *kind, char ret[static PATH_MAX], struct err *err)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0)
		return err_set(err, -errno, BLAME_HOST, "/proc/self/exe: %s; is /proc mounted?",
			strerror(errno));
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	if (snprintf(ret, PATH_MAX, "%s/bulkhead-%s", self, kind) >= PATH_MAX)
		return err_set(err, -ENAMETOOLONG, BLAME_HOST, "%s: path too long", self);
	return 0;
}

static int start(struct birth *birth, struct device *device, const char *mode, struct err *err)
{
	const unsigned long flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET |
		CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | CLONE_PIDFD | SIGCHLD;
	struct failure failure = {0};
	int pidfd = -1, error[2];
	ssize_t n;
	long pid;

	if (pipe2(error, O_CLOEXEC) < 0)
		return err_set(err, -errno, BLAME_HOST, "pipe: %s", strerror(errno));
	birth->error = error[1];
	birth->inside = true;
	pid = syscall(SYS_clone, flags, NULL, &pidfd, NULL, NULL);
	if (pid < 0 && layers_degraded()) { /* the helper says what it lacks */
		birth->inside = false;
		pid = syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, NULL, &pidfd, NULL, NULL);
	}
	if (pid == 0)
		become_helper(birth, mode);
	failure.code = errno;
	close(error[1]);
	if (pid < 0) {
		close(error[0]);
		return layer_missing(LAYER_NAMESPACES, -failure.code, err, "a helper's: %s",
			strerror(failure.code));
	}
	device->pid = (pid_t)pid;
	device->pidfd.n = pidfd;
	n = read(error[0], &failure, sizeof(failure));
	close(error[0]);
	if (n != (ssize_t)sizeof(failure))
		return 0; /* exec closed it */
	failure.step[sizeof(failure.step) - 1] = '\0';
	return err_set(err, -failure.code, BLAME_HOST, "cannot start %s: %s: %s%s", birth->binary,
		failure.step, strerror(failure.code), failure.code == EACCES ? "; the VM's user must be "
			"able to run it" : "");
}

int spawn_helper(const struct broker *broker, struct device *device, struct fd *ret_ask,
	struct fd *ret_event, struct err *err)
{
	fd_owned ours = FD_NONE_INIT, theirs = FD_NONE_INIT, log = FD_NONE_INIT;
	fd_owned ask = FD_NONE_INIT, ask_peer = FD_NONE_INIT;
	fd_owned event = FD_NONE_INIT, event_peer = FD_NONE_INIT;
	struct birth birth = {.uid = geteuid(), .gid = getegid(), .memlock = device->memlock};
	int r = find_binary(device->kind, birth.binary, err);

	if (r < 0)
		return r;
	if (frame_pair(&ours, &theirs) < 0 || frame_pair(&device->log, &log) < 0 ||
		frame_pair(&ask, &ask_peer) < 0 || frame_pair(&event, &event_peer) < 0)
		return err_set(err, -errno, BLAME_HOST, "socketpair: %s", strerror(errno));
	snprintf(birth.name, sizeof(birth.name), "%s", device->name);
	snprintf(birth.level, sizeof(birth.level), "%d", (int)broker->level % 10);
	birth.broker = theirs.n;
	birth.log = log.n;
	birth.ask = ask_peer.n;
	birth.event = event_peer.n;
	birth.cgroup = device->cgroup.n;
	r = start(&birth, device, policy_mode_name(broker->mode), err);
	chan_init(&device->chan, fd_take(&ours), ACTOR_BROKER, ACTOR_HELPER, device->name);
	if (r < 0)
		return r;
	*ret_ask = fd_take(&ask);
	*ret_event = fd_take(&event);
	return 0;
}

int helper_reap(struct device *device, int timeout_ms, char *ret_cause, size_t size)
{
	struct timespec time = {.tv_sec = timeout_ms / 1000,
		.tv_nsec = timeout_ms % 1000 * 1000000l};
	struct pollfd poll_fd = {.fd = device->pidfd.n, .events = POLLIN};
	siginfo_t info = {0};

	if (ppoll(&poll_fd, 1, &time, NULL) <= 0)
		return -ETIMEDOUT;
	/* sigdescr and friends may look for translations; the abbreviation does not. */
	if (waitid(P_PIDFD, (id_t)device->pidfd.n, &info, WEXITED) < 0)
		snprintf(ret_cause, size, "is gone");
	else if (info.si_code == CLD_EXITED)
		snprintf(ret_cause, size, "exited with status %d", info.si_status);
	else if (info.si_status == SIGSYS)
		snprintf(ret_cause, size, "killed by seccomp (SIGSYS)");
	else
		snprintf(ret_cause, size, "killed by signal %d (%s)", info.si_status,
			sigabbrev_np(info.si_status) ? sigabbrev_np(info.si_status) : "?");
	device->pid = 0;
	fd_close(&device->pidfd);
	chan_close(&device->chan);
	return 0;
}

void helper_kill(const struct device *device)
{
	if (device->pid)
		syscall(SYS_pidfd_send_signal, device->pidfd.n, SIGKILL, NULL, 0);
}
