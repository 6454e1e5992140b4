/* SPDX-License-Identifier: Apache-2.0
 *
 * The opener behind its walls, in children of the test: whom it is by then, what it opens and what it
 * does not, and that none of it depends on who started it.
 *
 * links: helpers/open/walls.c helpers/open/allow.c helpers/opts/opts_user.c helpers/opts/opts_api.c
 * links: helpers/opts/opts_value.c seccomp/open.c
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helpers/open/open.h"
#include "ipc/log.h"

enum { OTHER = 64321 };

static struct opening opening;
static char dir[32], ro[40], file[48], serial[40], beside[40];
static volatile bool *ok; /* the child's word, as it may not be able to say much more */
static uid_t starter;     /* who starts it; 0: who runs the test */

static void begin(void)
{
#ifdef BULKHEAD_SANITIZER
	cr_skip_test("a sanitizer's process dies under the production policies; they are off here");
#endif
	ok = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	strcpy(dir, "/tmp/bulkhead-walls-XXXXXX");
	cr_assert(ok != MAP_FAILED && mkdtemp(dir) && chmod(dir, 0755) == 0);
	snprintf(ro, sizeof(ro), "%s/ro", dir);
	snprintf(file, sizeof(file), "%s/file", ro);
	snprintf(serial, sizeof(serial), "%s/serial", dir);
	snprintf(beside, sizeof(beside), "%s/beside", dir);
	cr_assert(mkdir(ro, 0777) == 0 && mkdir(serial, 0777) == 0 && chmod(ro, 0777) == 0 && chmod(serial, 0777) == 0);
	close(open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	close(open(beside, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	opening = (struct opening){.root = {open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)},
		.argv = {.n_allow = 2, .allow = {{ALLOW_RO, ro}, {ALLOW_SERIAL, serial}}}};
}

static void end(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", dir);
	cr_expect_eq(system(command), 0);
}

TestSuite(walls, .init = begin, .fini = end, .timeout = 30);

/* The test as the opener: `try` says whether all is as it should be. Its wait status. */
static int behind_walls(const char *user, bool (*try)(void))
{
	struct err err = {0};
	int status = 0;
	pid_t pid;

	*ok = false;
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		log_init("test", LOG_ERROR, 2);
		opening.argv.user = user;
		if (starter && (setgid(starter) < 0 || setuid(starter) < 0))
			_exit(98);
		if (allow_pin(&opening, &err) < 0 ||
			walls_up(&opening, &(struct birth){.mode = SECCOMP_MODE_KILL}, &err) < 0) {
			log_error("%s", err.msg);
			_exit(99);
		}
		opening.walled = true;
		*ok = try();
		_exit(0);
	}
	cr_assert(waitpid(pid, &status, 0) == pid);
	return status;
}

static void needs_root(void)
{
	if (geteuid() != 0)
		cr_skip_test("only root can become somebody");
}

static bool has(const char *field, const char *value)
{
	char status[4096], want[128];
	fd_owned fd = {openat(AT_FDCWD, "/proc/self/status", O_RDONLY | O_CLOEXEC)};
	ssize_t n = read(fd.n, status, sizeof(status) - 1);

	status[n > 0 ? n : 0] = '\0';
	snprintf(want, sizeof(want), "\n%s:\t%s\n", field, value);
	return strstr(status, want) != NULL;
}

static bool without_rights(void)
{
	return has("CapEff", "0000000000000000") && has("CapPrm", "0000000000000000") &&
		has("CapInh", "0000000000000000") && has("CapAmb", "0000000000000000") &&
		has("NoNewPrivs", "1") && has("Seccomp", "2");
}

static bool is_somebody_else(void)
{
	return without_rights() && has("CapBnd", "0000000000000000") &&
		has("Uid", "64321\t64321\t64321\t64321") && has("Gid", "64322\t64322\t64322\t64322") &&
		has("Groups", " ");
}

Test(walls, root_becomes_the_vms_user_and_has_nothing_left)
{
	needs_root();
	cr_expect_eq(behind_walls("64321:64322", is_somebody_else), 0);
	cr_expect(*ok);
}

static bool is_bare_root(void)
{
	return without_rights() && has("CapBnd", "0000000000000000") && has("Uid", "0\t0\t0\t0");
}

Test(walls, root_without_a_user_is_root_of_nothing)
{
	needs_root();
	cr_expect_eq(behind_walls(NULL, is_bare_root), 0);
	cr_expect(*ok);
}

/* Who has no capability cannot lock that, and need not. */
Test(walls, who_is_not_root_gets_them_too)
{
	starter = geteuid() == 0 ? OTHER : 0;
	cr_expect_eq(behind_walls(NULL, without_rights), 0);
	cr_expect(*ok);
}

static int opens(enum allow_kind kind, const char *path, int flags)
{
	struct err err = {0};
	int fd = name_open(&opening, kind, path, flags, &err);

	return fd < 0 ? fd : close(fd);
}

static int raw_open(const char *path, int flags)
{
	int fd = openat(AT_FDCWD, path, flags | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : close(fd);
}

/* By name_open, and by a kernel that was asked past it. */
static bool opens_what_is_allowed(void)
{
	char made[64], other[64];

	snprintf(made, sizeof(made), "%s/made", serial);
	snprintf(other, sizeof(other), "%s/other", ro);
	return opens(ALLOW_RO, file, O_RDONLY) == 0 && opens(ALLOW_RO, beside, O_RDONLY) == -EACCES &&
		opens(ALLOW_SERIAL, made, O_WRONLY | O_CREAT | O_APPEND) == 0 &&
		raw_open(beside, O_RDONLY) == -EACCES && raw_open("/etc/passwd", O_RDONLY) == -EACCES &&
		raw_open(file, O_WRONLY) == -EACCES && raw_open(other, O_WRONLY | O_CREAT) == -EACCES &&
		raw_open(made, O_RDONLY) == -EACCES && raw_open(dir, O_RDONLY | O_DIRECTORY) == -EACCES &&
		raw_open("/proc/self/status", O_RDONLY) == 0 && raw_open("/sys/kernel", O_RDONLY) == 0 &&
		raw_open("/sys/kernel/mm/ksm/run", O_WRONLY) == -EACCES;
}

Test(walls, what_allow_names_is_all_that_opens)
{
	cr_expect_eq(behind_walls(NULL, opens_what_is_allowed), 0);
	cr_expect(*ok);
}

/* A terminal's node opens; a node that is nobody's to ask for does not. */
static bool opens_few_nodes(void)
{
	return raw_open("/dev/ptmx", O_RDWR | O_NOCTTY) == 0 && raw_open("/dev/null", O_RDWR) == -EACCES &&
		raw_open("/dev/zero", O_RDONLY) == -EACCES;
}

static bool opens_nodes(void)
{
	return raw_open("/dev/ptmx", O_RDWR | O_NOCTTY) == 0 && raw_open("/dev/null", O_RDWR) == 0;
}

Test(walls, nodes_are_those_a_client_may_come_to)
{
	if (access("/dev/ptmx", R_OK | W_OK) < 0)
		cr_skip_test("/dev/ptmx: %s", strerror(errno));
	cr_expect_eq(behind_walls(NULL, opens_few_nodes), 0);
	cr_expect(*ok);
	opening.n_allowed = 0;
	opening.argv.allow[opening.argv.n_allow++] = (struct allow_opt){ALLOW_DEVICE, "/dev/vhost-vdpa-0"};
	cr_expect_eq(behind_walls(NULL, opens_nodes), 0);
	cr_expect(*ok);
}

static bool makes_a_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0) >= 0;
}

static bool executes(void)
{
	return execl("/bin/true", "true", NULL) == 0;
}

static bool becomes_root(void)
{
	return setuid(0) == 0;
}

Test(walls, whatever_else_it_calls_it_dies_of)
{
	bool (*const tries[])(void) = {makes_a_socket, executes, becomes_root};

	for (unsigned i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		int status = behind_walls(NULL, tries[i]);

		cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS && !*ok, "%u: 0x%x", i, status);
	}
}
