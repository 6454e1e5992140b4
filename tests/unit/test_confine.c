/* SPDX-License-Identifier: Apache-2.0
 *
 * The walls, tried from inside by a child: what must not work any more does not.
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/log.h"
#include "seccomp/confine.h"
#include "seccomp/layers.h"
#include "tests/needs.h"

TestSuite(confine, .init = needs_namespaces);

#define EXPECT(what)                                                                               \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			fprintf(stderr, "inside: %s (errno %s)\n", #what, strerrorname_np(errno)); \
			failures++;                                                                \
		}                                                                                  \
	} while (0)

static int failures;
static uid_t outside; /* who we are, to the host */

static long landlock_abi(void)
{
	return syscall(444, NULL, 0, 1);
}

static void map(pid_t pid, const char *file, const char *text)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	cr_assert(fd >= 0 && write(fd, text, strlen(text)) > 0, "%s: %s", path, strerror(errno));
	close(fd);
}

/* A child in namespaces of its own, as the launcher's are born (helpers/launch/birth.c): but for that of
 * pids, so that there is somebody to signal. */
static pid_t born(void)
{
	const unsigned long namespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC |
		CLONE_NEWUTS | CLONE_NEWCGROUP;
	char uids[32], gids[32], go;
	int sync[2];
	pid_t pid;

	outside = geteuid();
	snprintf(uids, sizeof(uids), "0 %u 1", geteuid());
	snprintf(gids, sizeof(gids), "0 %u 1", getegid());
	if (pipe(sync) < 0)
		return -1;
	pid = (pid_t)syscall(SYS_clone, namespaces | SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid == 0) {
		alarm(20);
		if (read(sync[0], &go, 1) != 1 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
			_exit(98);
		close(sync[0]);
		close(sync[1]);
		return 0;
	}
	map(pid, "setgroups", "deny");
	map(pid, "uid_map", uids);
	map(pid, "gid_map", gids);
	if (write(sync[1], "", 1) != 1)
		kill(pid, SIGKILL);
	close(sync[0]);
	close(sync[1]);
	return pid;
}

/* Runs the checks in a child behind the walls; its exit status is the number that failed. */
static void inside(const struct confine *walls, void (*checks)(void))
{
	pid_t pid = born();
	int status;

	if (pid == 0) {
		struct err err;

		log_init("inside", LOG_ERROR, 2);
		if (confine_process(walls, &err) < 0) {
			fprintf(stderr, "%s\n", err.msg);
			_exit(99);
		}
		checks();
		_exit(failures);
	}
	cr_assert_gt(pid, 0);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "0x%x", status);
}

static const struct confine plain = {.max_fds = 16};

static void be_here(void)
{
}

/* A host that has not turned Landlock on: its calls fail as they do there. */
static int confine_without_landlock(bool allow_degraded)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	struct err err = {0};

	if (!ctx || seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EOPNOTSUPP), 444, 0) < 0 ||
		seccomp_load(ctx) < 0)
		return 90;
	layers_allow_degraded(allow_degraded);
	if (confine_process(&plain, &err) < 0)
		return strstr(err.msg, "Landlock: missing") && strstr(err.msg, "lsm=") &&
			strstr(err.msg, "--allow-degraded") ? 1 : 91;
	return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : 92; /* the later walls are up */
}

static int status_without_landlock(bool allow_degraded)
{
	int status = 0, log[2];
	char line[400] = "";
	pid_t pid;

	cr_assert_eq(pipe(log), 0);
	pid = born();
	if (pid == 0) {
		log_init("inside", LOG_WARN, log[1]);
		_exit(confine_without_landlock(allow_degraded));
	}
	close(log[1]);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(read(log[0], line, sizeof(line) - 1) >= 0);
	close(log[0]);
	cr_expect(!allow_degraded == !strstr(line, "Landlock: MISSING"), "«%s»", line);
	cr_expect(!strchr(line, '\n') || !strchr(line, '\n')[1], "one line: «%s»", line);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Test(confine, a_required_layer_that_is_missing_is_a_refusal)
{
	cr_expect_eq(status_without_landlock(false), 1);
}

Test(confine, degraded_goes_on_and_says_so)
{
	cr_expect_eq(status_without_landlock(true), 0);
}

/* Without namespaces of its own a process must leave the mounts alone: they are the host's. */
static int confine_without_namespaces(bool allow_degraded)
{
	const struct confine bare = {.bare = true, .max_fds = 16};
	struct err err = {0};

	if (unshare(CLONE_NEWNS) < 0)
		return 77;
	layers_allow_degraded(allow_degraded);
	if (confine_process(&bare, &err) < 0)
		return strstr(err.msg, "namespaces: missing") ? 1 : 91;
	return access("/proc/self/status", F_OK) == 0 ? 0 : 2;
}

static void status_without_namespaces(bool allow_degraded, int expected)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		log_init("inside", LOG_ERROR, 2);
		_exit(confine_without_namespaces(allow_degraded));
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		cr_skip_test("needs root, to be safe from what it tests");
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == expected, "0x%x", status);
}

Test(confine, born_into_no_namespaces_is_a_refusal)
{
	status_without_namespaces(false, 1);
}

Test(confine, degraded_without_namespaces_leaves_the_mounts_alone)
{
	status_without_namespaces(true, 0);
	inside(&plain, be_here);
}

static void no_files(void)
{
	struct dirent *entry;
	DIR *dir;
	int n = 0;

	EXPECT(open("/proc/self/status", O_RDONLY) < 0 && (errno == EACCES || errno == ENOENT));
	EXPECT(open("/etc/passwd", O_RDONLY) < 0);
	EXPECT(open("/x", O_CREAT | O_WRONLY, 0600) < 0);
	EXPECT(mkdir("/x", 0700) < 0);
	EXPECT(chdir("..") == 0 && open("etc", O_RDONLY) < 0);
	EXPECT(mount("none", "/", "tmpfs", 0, NULL) < 0);
	EXPECT(unshare(CLONE_NEWNS) < 0 && errno == EPERM);
	dir = opendir("/");
	if (dir) { /* Landlock refuses even that, where there is Landlock */
		while ((entry = readdir(dir)))
			n += entry->d_name[0] != '.';
		closedir(dir);
	}
	EXPECT(n == 0);
	if (landlock_abi() > 0)
		EXPECT(!dir && errno == EACCES);
}

Test(confine, nothing_to_open)
{
	inside(&plain, no_files);
}

static void no_rights(void)
{
	EXPECT(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	EXPECT(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
	EXPECT(prctl(PR_GET_SECUREBITS, 0, 0, 0, 0) == 0xef);
	for (unsigned long cap = 0; cap <= 40; cap++)
		EXPECT(prctl(PR_CAPBSET_READ, cap, 0, 0, 0) <= 0);
	EXPECT(prctl(PR_SET_SECUREBITS, 0, 0, 0, 0) < 0);
	EXPECT(sethostname("x", 1) < 0 && errno == EPERM);
	EXPECT(chroot("/") < 0 && errno == EPERM);
	EXPECT(setrlimit(RLIMIT_NOFILE, &(struct rlimit){64, 64}) < 0);
}

Test(confine, no_capabilities_and_no_way_back)
{
	inside(&plain, no_rights);
}

static void no_network(void)
{
	struct sockaddr_in loopback = {.sin_family = AF_INET, .sin_port = htons(1),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	EXPECT(fd >= 0);
	EXPECT(connect(fd, (void *)&loopback, sizeof(loopback)) < 0);
	EXPECT(errno == ENETUNREACH || errno == EACCES);
}

Test(confine, no_network)
{
	inside(&plain, no_network);
}

static void limits(void)
{
	struct rlimit limit;
	int n = 0;

	while (dup(0) >= 0)
		n++;
	EXPECT(errno == EMFILE && n < 16);
	EXPECT(getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max == 0);
	EXPECT(getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_max == 0);
	EXPECT(getrlimit(RLIMIT_NPROC, &limit) == 0 && limit.rlim_max == 0);
	if (outside != 0) /* the kernel lets uid 0 of the host fork */
		EXPECT(fork() < 0);
}

Test(confine, limits_are_set)
{
	inside(&plain, limits);
}

/* The core knows only later how many threads and descriptors the VM takes. */
static void limits_later(void)
{
	const struct confine vm = {.max_fds = 100, .max_procs = 9, .file_size = RLIM_INFINITY};
	struct rlimit limit;
	struct err err;

	EXPECT(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max > 100);
	EXPECT(getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max == 0);
	EXPECT(confine_limits(&vm, &err) == 0);
	EXPECT(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max == 100);
	EXPECT(getrlimit(RLIMIT_NPROC, &limit) == 0 && limit.rlim_max == 10); /* itself, too */
	EXPECT(getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_max == RLIM_INFINITY);
	EXPECT(confine_limits(&(struct confine){.max_fds = 101, .max_procs = 9}, &err) < 0);
	EXPECT(strstr(err.msg, "--allow-degraded"));
}

Test(confine, limits_can_come_later)
{
	inside(&(struct confine){.limits_later = true}, limits_later);
}

static void no_new_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (prctl(66 /* PR_GET_MDWE */, 0, 0, 0, 0) < 0)
		return; /* an old kernel; the log says so */
	EXPECT(mprotect(p, 4096, PROT_READ | PROT_EXEC) < 0 && errno == EACCES);
	EXPECT(mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
		-1, 0) == MAP_FAILED);
}

Test(confine, memory_stays_data)
{
	inside(&plain, no_new_code);
}

static void may_not_signal(void)
{
	EXPECT(kill(getppid(), 0) < 0 && errno == EPERM);
}

Test(confine, signals_stay_inside)
{
	if (landlock_abi() < 6)
		cr_skip_test("Landlock ABI %ld has no scopes", landlock_abi());
	inside(&plain, may_not_signal);
}

/* ---- the launcher's scopes ---------------------------------------------------------------------- */

/* An abstract socket of somebody outside. */
static int listener(struct sockaddr_un *ret)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(ret->sun_path + 1, sizeof(ret->sun_path) - 1, "bulkhead-test-%d", (int)getpid());
	cr_assert(bind(fd, (void *)ret, sizeof(*ret)) == 0 && listen(fd, 1) == 0);
	return fd;
}

static int connects(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return connect(fd, (const void *)address, sizeof(*address));
}

/* Signals and abstract sockets, of those outside; its own children it may end, files are not its scopes'
 * business, and what it starts can still put up all its walls. */
static void scoped(const struct sockaddr_un *address)
{
	struct err err;
	pid_t child;

	EXPECT(kill(getppid(), 0) == 0);
	EXPECT(connects(address) == 0);
	EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && confine_scopes(&err) == 0);
	EXPECT(kill(getppid(), 0) < 0 && errno == EPERM);
	EXPECT(connects(address) < 0 && errno == EPERM);
	EXPECT(access("/proc/self/status", R_OK) == 0);
	child = fork();
	if (child == 0) {
		pause();
		_exit(0);
	}
	EXPECT(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
	inside(&plain, be_here);
}

Test(confine, scopes_keep_what_is_inside, .timeout = 30)
{
	struct sockaddr_un address;
	int status, fd;
	pid_t pid;

	if (landlock_abi() < 6)
		cr_skip_test("Landlock ABI %ld has no scopes", landlock_abi());
	fd = listener(&address);
	pid = fork();
	if (pid == 0) {
		log_init("scoped", LOG_ERROR, 2);
		scoped(&address);
		_exit(failures);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "0x%x", status);
	close(fd);
}

/* ---- with its parent ---------------------------------------------------------------------------- */

static void __attribute__((noreturn)) last_one(int pipe_fd)
{
	struct err err;

	if (confine_process(&plain, &err) < 0)
		_exit(1);
	if (write(pipe_fd, "r", 1) == 1)
		pause();
	_exit(0);
}

/* A grandchild must not outlive a child that is killed. Landlock's signal scope would keep the
 * kernel from delivering the death signal of a confined parent (Linux 6.12 to 6.18 at least), but to who
 * was born inside: so the launcher's scopes are there before its first child. */
static void outlive(bool scopes)
{
	int pipe_fds[2];
	pid_t middle;
	char byte;

	cr_assert_eq(pipe(pipe_fds), 0);
	middle = fork();
	if (middle == 0) {
		struct err err;

		close(pipe_fds[0]);
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || (scopes && confine_scopes(&err) < 0))
			_exit(1);
		if (born() == 0)
			last_one(pipe_fds[1]);
		pause();
	}
	close(pipe_fds[1]);
	cr_assert_eq(read(pipe_fds[0], &byte, 1), 1);
	usleep(100000);
	kill(middle, SIGKILL);
	waitpid(middle, NULL, 0);
	cr_assert_eq(poll(&(struct pollfd){.fd = pipe_fds[0], .events = POLLIN}, 1, 2000), 1,
		"it outlived its parent");
	cr_assert_eq(read(pipe_fds[0], &byte, 1), 0);
}

Test(confine, dies_with_its_parent, .timeout = 20)
{
	outlive(false);
}

Test(confine, dies_with_a_parent_in_scopes, .timeout = 20)
{
	outlive(true);
}

Test(confine, a_parent_that_is_gone_is_noticed)
{
	struct err err = {0};

	cr_expect_eq(confine_with_parent(getppid() + 1, &err), -ESRCH);
	cr_expect(strstr(err.msg, "parent: it is gone"), "%s", err.msg);
	cr_expect_eq(confine_with_parent(getppid(), &err), 0);
}
