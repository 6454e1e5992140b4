/* SPDX-License-Identifier: Apache-2.0
 *
 * The words a process is born with: what is written is read, and what nobody wrote is refused with a
 * word for who started it by hand. And a birth that fails says which step, and leaves nobody behind.
 *
 * links: helpers/launch/birth.c
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helpers/launch/launch.h"
#include "seccomp/birth.h"
#include "seccomp/layers.h"
#include "tests/needs.h"

static struct err err;

void tenant_apart(void) {}

static int read_words(int argc, char **words, struct birth *ret)
{
	char *argv[8] = {(char *)(uintptr_t)"bulkhead-x"};

	for (int i = 1; i < argc; i++)
		argv[i] = words[i - 1];
	err = (struct err){0};
	return birth_read(argc, argv, ret, &err);
}

Test(birth, words_come_as_they_went)
{
	for (unsigned i = 0; i < 4 * 3 * 2 * 2; i++) {
		const struct birth in = {.level = (enum log_level)(i % 4), .mode = (enum seccomp_mode)(i / 4 % 3),
			.degraded = i / 12 % 2, .bare = i / 24 % 2, .number = i * 7};
		char words[BIRTH_WORDS][BIRTH_WORD_MAX], *argv[BIRTH_WORDS + 1];
		struct birth out;
		int n = 0;

		birth_write(&in, words, argv);
		while (argv[n])
			n++;
		cr_assert_eq(read_words(1 + n, argv, &out), 0, "%u: %s", i, err.msg);
		cr_expect(out.level == in.level && out.mode == in.mode && out.degraded == in.degraded &&
			out.bare == in.bare && out.number == in.number, "%u", i);
		cr_expect_eq(layers_degraded(), in.degraded, "%u", i);
	}
}

Test(birth, started_by_hand)
{
	static const struct {
		int argc;
		const char *words[6];
	} bad[] = {
		{1, {NULL}}, {2, {"--help"}}, {4, {"1", "true", "strict"}},
		{5, {"1", "yes", "strict", "0"}}, {5, {"1", "true", "loose", "0"}},
		{5, {"1", "", "strict", "0"}}, {6, {"1", "true", "strict", "0", "baree"}},
		{6, {"1", "true", "strict", "0", ""}}, {7, {"1", "true", "strict", "0", "bare", "x"}},
	};
	struct birth out;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_expect_eq(read_words(bad[i].argc, (char **)(uintptr_t)bad[i].words, &out), -EINVAL, "%u", i);
		cr_expect(strstr(err.msg, "started by hand? usage: bulkhead-x LOG-LEVEL") &&
			strstr(err.msg, "by bulkhead"), "%s", err.msg);
	}
}

/* ---- a process --------------------------------------------------------------------------------- */

static int start(int binary, int cgroup, int fd)
{
	static struct launch launch;
	const struct birth_plan plan = {.kind = KIND_NULL, .cgroup = cgroup, .memlock = UINT64_MAX,
		.fds = {fd, fd, fd, -1}};

	launch_init(&launch);
	launch.binaries[KIND_NULL].n = binary;
	err = (struct err){0};
	return birth(&launch, &plan, &err);
}

void launch_init(struct launch *launch)
{
	*launch = (struct launch){.opts.allow_degraded = false};
}

static void expect_refused(int r, int code, const char *says)
{
	cr_expect_eq(r, code, "%d: %s", r, err.msg);
	cr_expect(strstr(err.msg, says), "«%s» lacks «%s»", err.msg, says);
	cr_expect(waitpid(-1, NULL, 0) > 0, "it is reaped like any other");
	cr_expect(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, "somebody stayed behind");
}

TestSuite(newborn, .init = needs_namespaces, .timeout = 30);

/* Exec is told by the end of the pair; who ends right after it has been born all the same. */
Test(newborn, one_that_ends_at_once)
{
	int status, pid = start(open("/bin/true", O_PATH | O_CLOEXEC), -1, STDERR_FILENO);

	cr_assert_gt(pid, 0, "%s", err.msg);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "0x%x", status);
}

/* Its descriptors are those of its plan, from 0 on. */
Test(newborn, has_what_was_planned)
{
	int out[2], status, pid;
	char text[64] = "";

	cr_assert_eq(pipe2(out, O_CLOEXEC), 0);
	pid = start(open("/bin/pwd", O_PATH | O_CLOEXEC), -1, out[1]);
	cr_assert_gt(pid, 0, "%s", err.msg);
	close(out[1]);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_gt(read(out[0], text, sizeof(text) - 1), 0, "its standard output is the plan's");
	cr_expect_eq(read(out[0], text, 1), 0, "and nobody else has it");
}

Test(newborn, what_is_no_program)
{
	char path[] = "/tmp/bulkhead-test-XXXXXX";
	int file = mkstemp(path), plain;

	cr_assert_eq(write(file, "no program", 10), 10);
	close(file);
	plain = open(path, O_PATH | O_CLOEXEC);
	expect_refused(start(plain, -1, STDERR_FILENO), -EACCES,
		"cannot start bulkhead-null: exec: Permission denied; the VM's user must be able to run it");
	cr_assert_eq(chmod(path, 0755), 0);
	expect_refused(start(plain, -1, STDERR_FILENO), -ENOEXEC, "cannot start bulkhead-null: exec: Exec format");
	expect_refused(start(-1, -1, STDERR_FILENO), -EBADF, "cannot start bulkhead-null: descriptors: ");
	unlink(path);
}

/* Not a cgroup: it is not born elsewhere instead. */
Test(newborn, a_leaf_that_is_none)
{
	int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	cr_expect_lt(start(-1, tmp, STDERR_FILENO), 0);
	cr_expect(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, "somebody stayed behind");
}
