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

static long landlock_abi(void)
{
	return syscall(444, NULL, 0, 1);
}

/* Runs the checks in a child behind the walls; its exit status is the number that failed. */
static void inside(const struct confine *walls, void (*checks)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct err err;

		alarm(20);
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

static const struct confine plain = {.unshare = true, .max_fds = 16, .die_with_parent = true};

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
	pid = fork();
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
static int confine_without_namespaces(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	struct err err = {0};

	if (unshare(CLONE_NEWNS) < 0)
		return 77;
	if (!ctx || seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(unshare), 0) < 0 ||
		seccomp_load(ctx) < 0)
		return 90;
	layers_allow_degraded(true);
	if (confine_process(&plain, &err) < 0)
		return 91;
	return access("/proc/self/status", F_OK) == 0 ? 0 : 1;
}

Test(confine, degraded_without_namespaces_leaves_the_mounts_alone)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		log_init("inside", LOG_ERROR, 2);
		_exit(confine_without_namespaces());
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		cr_skip_test("needs root, to be safe from what it tests");
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "0x%x", status);
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
	if (getuid() != 0 && geteuid() != 0) /* the kernel lets uid 0 of the host fork */
		EXPECT(fork() < 0);
}

Test(confine, limits_are_set)
{
	inside(&plain, limits);
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

static void may_signal(void)
{
	EXPECT(kill(getppid(), 0) == 0);
}

Test(confine, signals_stay_inside)
{
	struct confine walls = plain;

	if (landlock_abi() >= 6)
		inside(&walls, may_not_signal);
	walls.kills = true;
	inside(&walls, may_signal);
}

/* A grandchild must not outlive a child that is killed. Landlock's signal scope would keep the
 * kernel from delivering the death signal of a confined parent (Linux 6.12 to 6.18 at least): a
 * parent whose children count on it has kills set; the others' children watch their channel. */
static void outlive(const struct confine *middle_walls)
{
	int pipe_fds[2];
	pid_t middle;
	char byte;

	cr_assert_eq(pipe(pipe_fds), 0);
	middle = fork();
	if (middle == 0) {
		struct err err;
		pid_t last = fork();

		if (last == 0) {
			close(pipe_fds[0]);
			alarm(20);
			if (confine_process(&plain, &err) < 0)
				_exit(1);
			if (write(pipe_fds[1], "r", 1) == 1)
				pause();
			_exit(0);
		}
		if (middle_walls && confine_process(middle_walls, &err) < 0)
			_exit(1);
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
	outlive(NULL);
}

Test(confine, dies_with_a_confined_parent_that_may_kill, .timeout = 20)
{
	struct confine walls = plain;

	walls.kills = true;
	outlive(&walls);
}
