/* SPDX-License-Identifier: Apache-2.0
 *
 * The layers of confinement on the whole program, and `bulkhead audit` of it from outside.
 */
#include <sched.h>
#include <seccomp.h>

#include "tests/kvm/audit.h"

/* A host without Landlock in lsm=. */
static void no_landlock(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);

	if (!ctx || seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EOPNOTSUPP), 444, 0) < 0 ||
		seccomp_load(ctx) < 0)
		_exit(124);
}

Test(layers, a_required_one_that_is_missing_is_a_refusal, .init = needs_a_vm, .timeout = 60)
{
	make_kernel(sleeps, sizeof(sleeps));
	before_exec = no_landlock;
	start("--null", -1, 0);
	finish(1);
	cr_expect(strstr(run.err_text, "error: confine: Landlock: missing"), "%s", run.err_text);
	cr_expect(strstr(run.err_text, "name it in lsm= at boot"), "%s", run.err_text);
	cr_expect(strstr(run.err_text, "--allow-degraded"), "%s", run.err_text);
}

Test(layers, degraded_every_process_says_what_it_lacks, .init = needs_a_vm, .timeout = 60)
{
	static const char *const lines[] = {
		"bulkhead: confine: Landlock scopes: not here",
		"bulkhead-core: warning: confine: Landlock: MISSING",
		"bulkhead-broker: warning: confine: Landlock: MISSING",
		"bulkhead-null[null0]: warning: confine: Landlock: MISSING",
	};

	make_kernel(sleeps, sizeof(sleeps));
	before_exec = no_landlock;
	start("--null --allow-degraded", -1, 0);
	read_until(run.out_text, "!");
	kill(run.pid, SIGTERM);
	finish(3);
	for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		cr_expect(strstr(run.err_text, lines[i]), "no «%s»: %s", lines[i], run.err_text);
}

/* A host, or a container, that lets nobody have a user namespace. */
static void no_namespaces(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);

	if (!ctx || seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) < 0 ||
		seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
			SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_NEWUSER, CLONE_NEWUSER)) < 0 ||
		seccomp_load(ctx) < 0)
		_exit(124);
}

Test(layers, without_namespaces_the_user_is_the_vms_all_the_same, .init = needs_a_vm, .timeout = 60)
{
	static const char *const kinds[] = {"core", "broker", "null"};

	make_kernel(sleeps, sizeof(sleeps));
	if (geteuid() != 0 || !may_run_it(64321, 64322)) {
		unlink(kernel);
		cr_skip_test("needs root, and a build tree that uid 64321 may look into");
	}
	before_exec = no_namespaces;
	start("--null --user 64321:64322 --allow-degraded", -1, 0);
	read_until(run.out_text, "!");
	for (unsigned i = 0; i < 3; i++) {
		char path[64], text[4096] = "";
		int fd;

		snprintf(path, sizeof(path), "/proc/%d/status", child_of(kinds[i], 0));
		fd = open(path, O_RDONLY | O_CLOEXEC);
		cr_assert(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0, "%s: %s", kinds[i], run.err_text);
		close(fd);
		cr_expect(strstr(text, "Uid:\t64321\t64321\t64321\t64321") &&
			strstr(text, "Gid:\t64322\t64322\t64322\t64322") && strstr(text, "Groups:\t \n"),
			"%s: %s", kinds[i], text);
	}
	kill(run.pid, SIGTERM);
	finish(3);
}

/* ---- `bulkhead audit` --------------------------------------------------------------------------- */

Test(audit, a_healthy_vm_is_as_promised_and_goes_on, .init = needs_an_audit, .timeout = 60)
{
	start("--cpus boot=2 --null --null", -1, 0);
	read_until(run.out_text, "!");
	for (unsigned i = 0; i < 10; i++) {
		audit_as(0);
		cr_assert_eq(report.status, 0, "%s", report.text);
	}
	cr_expect(strstr(report.text, "bulkhead: launcher\n") && strstr(report.text, "core: core\n") &&
		strstr(report.text, "broker: broker\n") && strstr(report.text, "null: null helper\n"), "%s",
		report.text);
	cr_expect(strstr(report.text, "3 threads, every filter as shipped"), "%s", report.text);
	cr_expect_eq(count("  ok        binary "), 5, "%s", report.text);
	cr_expect_eq(count("  ok        dumpable "), 4, "%s", report.text);
	cr_expect_eq(count("own user, mnt, net, ipc, uts, cgroup, pid"), 4, "%s", report.text);
	cr_expect_eq(count("none in any of five sets"), 4, "%s", report.text);
	cr_expect_eq(count("none but to start and end processes"), 1, "%s", report.text);
	kill(run.pid, SIGTERM);
	finish(3);
}

/* One byte more in one helper, and it runs like the other. */
Test(audit, a_binary_that_was_not_built_with_it_is_named, .init = needs_an_audit, .timeout = 60)
{
	char copies[] = "/tmp/bulkhead-copies-XXXXXX", path[PATH_MAX], command[8 * PATH_MAX + 200];

	binary(path);
	cr_assert(mkdtemp(copies) != NULL);
	snprintf(command, sizeof(command), "cd %s && cp %s %s-open %s-api %s-core %s-broker %s-null "
		"%s-vfio %s-vdpa . && chmod 755 . && echo >>bulkhead-null", copies, path, path, path, path,
		path, path, path, path);
	cr_assert_eq(system(command), 0);
	folder = copies;
	start("--null", -1, 0);
	read_until(run.out_text, "!");
	audit_as(0);
	cr_expect_eq(report.status, 1, "%s", report.text);
	cr_expect(strstr(report.text, "bulkhead-null is not the binary that was built with this "
		"audit (sha256 "), "%s", report.text);
	cr_expect_eq(count("  WEAK "), 1, "%s", report.text);
	cr_expect_eq(count(", sha256 "), 3, "%s", report.text);
	kill(run.pid, SIGTERM);
	finish(3);
	snprintf(command, sizeof(command), "rm -r %s", copies);
	cr_assert_eq(system(command), 0);
}

/* What it executes stays as it was, but in a page that is no longer the file's. */
static void touch_code(pid_t pid)
{
	char file[64], line[300], perms[5] = "";
	unsigned long start = 0;
	uint8_t byte;
	FILE *maps;
	int mem;

	snprintf(file, sizeof(file), "/proc/%d/maps", pid);
	maps = fopen(file, "r");
	while (maps && strcmp(perms, "r-xp") != 0 && fgets(line, sizeof(line), maps))
		sscanf(line, "%lx-%*x %4s", &start, perms);
	cr_assert_str_eq(perms, "r-xp");
	fclose(maps);
	snprintf(file, sizeof(file), "/proc/%d/mem", pid);
	mem = open(file, O_RDWR | O_CLOEXEC);
	if (mem < 0 || pread(mem, &byte, 1, (off_t)start) != 1 ||
		pwrite(mem, &byte, 1, (off_t)start) != 1)
		cr_skip_test("%s: %s", file, strerror(errno));
	close(mem);
}

Test(audit, code_that_was_changed_is_named, .init = needs_an_audit, .timeout = 60)
{
	start("--null", -1, 0);
	read_until(run.out_text, "!");
	touch_code(run.pid);
	audit_as(0);
	cr_expect_eq(report.status, 1, "%s", report.text);
	cr_expect(strstr(report.text, "the code at "), "%s", report.text);
	cr_expect_eq(count("  WEAK "), 1, "%s", report.text);
	kill(run.pid, SIGTERM);
	finish(3);
}

Test(audit, filters_that_stop_nothing_are_named, .init = needs_an_audit, .timeout = 60)
{
	start("--null --seccomp false", -1, 0);
	read_until(run.out_text, "!");
	audit_as(0);
	cr_expect_eq(report.status, 1, "%s", report.text);
	cr_expect(strstr(report.text, "(vcpu0): no filter at all"), "%s", report.text);
	cr_expect(strstr(report.text, "(bulkhead-null): no filter at all"), "%s", report.text);
	kill(run.pid, SIGTERM);
	finish(3);
}

Test(audit, without_rights_it_cannot_tell, .init = needs_an_audit, .timeout = 60)
{
	start("--null", -1, 0);
	read_until(run.out_text, "!");
	audit_as(65534);
	cr_expect_eq(report.status, 2, "%s", report.text);
	cr_expect(!strstr(report.text, "WEAK") && strstr(report.text, "unknown"), "%s",
		report.text);
	kill(run.pid, SIGTERM);
	finish(3);
}

Test(audit, a_user_of_its_own, .init = needs_an_audit, .timeout = 60)
{
	if (!may_run_it(64321, 64322)) {
		unlink(kernel);
		cr_skip_test("uid 64321 may not run the build tree's binary");
	}
	start("--null --user 64321:64322", -1, 0);
	read_until(run.out_text, "!");
	audit_as(0);
	cr_expect_eq(report.status, 0, "%s", report.text);
	cr_expect(strstr(report.text, "uid 64321, gid 64322"), "%s", report.text);
	cr_expect(!strstr(report.text, "root outside"), "%s", report.text);
	kill(run.pid, SIGTERM);
	finish(3);
}

/* A VM whose opener stands still, and all others have come as far as that lets them. */
static pid_t start_with_opener(void)
{
	for (unsigned tries = 0; tries < 20; tries++) {
		pid_t opener;

		start_until("--null", "core");
		opener = child_of("open", 0);
		to_session(SIGCONT, false);
		if (opener)
			kill(opener, SIGSTOP);
		usleep(500000);
		if (opener && state_of(opener) == 'T')
			return opener;
		drop();
	}
	cr_skip_test("it is too quick to be seen here");
}

/* While it opens, it is known as who it is; that the others are not sealed yet is said of them. */
Test(audit, the_opener_is_known_while_it_lives, .init = needs_an_audit, .timeout = 60)
{
	pid_t opener = start_with_opener();

	audit_as(0);
	cr_expect_eq(report.status, 1, "%s", report.text);
	cr_expect(strstr(report.text, "bulkhead-open: opener\n"), "%s", report.text);
	cr_expect(!strstr(report.text, "stranger"), "%s", report.text);
	cr_expect(strstr(report.text, "none: it opens what the operator may, and ends"), "%s", report.text);
	kill(opener, SIGCONT);
	read_until(run.out_text, "!");
	while (child_of("open", 0))
		usleep(10000);
	audit_as(0);
	cr_expect_eq(report.status, 0, "%s", report.text);
	kill(run.pid, SIGTERM);
	finish(3);
}

Test(audit, only_a_launcher_can_be_audited, .init = needs_an_audit, .timeout = 60)
{
	run.pid = getpid();
	audit_as(0);
	cr_expect_eq(report.status, 2);
	unlink(kernel);
}
