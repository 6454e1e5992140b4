/* SPDX-License-Identifier: Apache-2.0
 *
 * `bulkhead seccomp` as a tester uses it: build/bulkhead-policy with real programs under real
 * filters.
 *
 * links: seccomp/export.c seccomp/all.c seccomp/launch.c seccomp/core.c seccomp/broker.c seccomp/vfio.c seccomp/vdpa.c
 * links: seccomp/null.c seccomp/api.c seccomp/open.c
 */
#include <criterion/criterion.h>
#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "seccomp/policy.h"

enum { TEXT_MAX = 1 << 17, ARGS_MAX = 16 };

static struct {
	int status; /* as of wait */
	char out[TEXT_MAX], err[TEXT_MAX];
} ran;

static void binary(const char *name, char ret[static PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", ret, PATH_MAX - 32);

	cr_assert(n > 0);
	ret[n] = '\0';
	*strrchr(ret, '/') = '\0';
	strcpy(strrchr(ret, '/') + 1, name);
}

/* Runs build/NAME to its end; arguments up to NULL. */
static void run(const char *name, const char *first, ...)
{
	char path[PATH_MAX], *argv[ARGS_MAX] = {path};
	int out = memfd_create("out", 0), err = memfd_create("err", 0);
	unsigned n = 1;
	va_list args;
	pid_t pid;

	binary(name, path);
	va_start(args, first);
	for (const char *a = first; a && n < ARGS_MAX - 1; a = va_arg(args, const char *))
		argv[n++] = strdup(a);
	va_end(args);
	pid = fork();
	if (pid == 0) {
		dup2(out, 1);
		dup2(err, 2);
		execv(path, argv);
		_exit(126);
	}
	cr_assert_eq(waitpid(pid, &ran.status, 0), pid);
	while (n > 1)
		free(argv[--n]);
	ran.out[pread(out, ran.out, TEXT_MAX - 1, 0)] = '\0';
	ran.err[pread(err, ran.err, TEXT_MAX - 1, 0)] = '\0';
	close(out);
	close(err);
}

#define tool(...) run("bulkhead-policy", __VA_ARGS__)

static void expect_exit(int status)
{
	cr_expect(WIFEXITED(ran.status) && WEXITSTATUS(ran.status) == status, "0x%x: %s",
		ran.status, ran.err);
}

static void expect_said(const char *text, const char *want)
{
	cr_expect(strstr(text, want), "no «%s»: %s", want, text);
}

static void skip_in_sanitizer_builds(void)
{
#ifdef BULKHEAD_SANITIZER
	cr_skip_test("a sanitizer build loads no policy");
#endif
}

Test(policy_tool, is_a_verb_of_bulkhead)
{
	run("bulkhead", "--help", NULL);
	expect_exit(0);
	expect_said(ran.out, "bulkhead seccomp show|export|run ");
	run("bulkhead", "seccomp", "show", "null:run", NULL);
	expect_exit(0);
	expect_said(ran.out, "null, run: ");
	run("bulkhead", "seccomp", "show", "nul", NULL);
	expect_exit(1);
	expect_said(ran.err, "nul: no policy has that name");
}

Test(policy_tool, show_one_process)
{
	tool("show", "vfio", NULL);
	expect_exit(0);
	expect_said(ran.out, "vfio, setup: ");
	expect_said(ran.out, "vfio, run: ");
	expect_said(ran.out, "ioctl 0x3b6f VFIO_DEVICE_RESET");
	expect_said(ran.out, "reset.c by_itself\n");
	cr_expect(!strstr(ran.out, "vdpa, ") && !strstr(ran.out, "core, "), "%s", ran.out);
}

Test(policy_tool, show_one_stage)
{
	tool("show", "core:setup", NULL);
	expect_exit(0);
	expect_said(ran.out, "mmap arg2 &PROT_EXEC==0");
	expect_said(ran.out, "ENOSYS");
	cr_expect(!strstr(ran.out, "core, run"), "%s", ran.out);
}

Test(policy_tool, unknown_names_are_answered_with_the_known)
{
	static const char *const names[] = {"vfi", "vfio2", "", "vfio:", "vfio:runs", ":run"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		tool("show", names[i], NULL);
		expect_exit(1);
		for (const struct policy *const *p = policies; *p; p++) {
			char want[32];

			snprintf(want, sizeof(want), " %s:%s", (*p)->process, (*p)->stage);
			expect_said(ran.err, want);
		}
	}
}

Test(policy_tool, wrong_words_are_answered_with_the_usage)
{
	static const char *const words[][4] = {{NULL}, {"shw", NULL}, {"show", "a", "b", NULL},
		{"export", "vfio", NULL}, {"export", "--pid", "vfio", "f"}, {"run", "vfio", NULL},
		{"run", "vfio", "/bin/true", NULL}, {"run", "--log", "vfio", "--"},
		{"watch", NULL}};

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		tool(words[i][0], words[i][1], words[i][2], words[i][3], NULL);
		expect_exit(1);
		expect_said(ran.err, "usage: bulkhead seccomp show");
		cr_expect(ran.out[0] == '\0', "%s", ran.out);
	}
}

static size_t file_bytes(const char *path, char *ret, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret, size);

	cr_assert(n > 0, "%s", path);
	close(fd);
	unlink(path);
	return (size_t)n;
}

/* The file is what the kernel gets, for every policy. */
Test(policy_tool, export_writes_the_filter)
{
	static char file[TEXT_MAX], filter[TEXT_MAX];
	char dir[] = "/tmp/bulkhead-policy-XXXXXX", path[64], text[70], name[32], pid[16];

	cr_assert(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/filter", dir);
	snprintf(text, sizeof(text), "%s.pfc", path);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	for (const struct policy *const *p = policies; *p; p++) {
		int fd = memfd_create("filter", 0);
		ssize_t n;

		snprintf(name, sizeof(name), "%s:%s", (*p)->process, (*p)->stage);
		tool("export", "--pid", pid, name, path, NULL);
		expect_exit(0);
		cr_assert_eq(policy_export(*p, POLICY_BPF, 0, fd), 0);
		n = pread(fd, filter, sizeof(filter), 0);
		close(fd);
		cr_assert(n > 0 && file_bytes(path, file, sizeof(file)) == (size_t)n, "%s", name);
		cr_expect(memcmp(file, filter, (size_t)n) == 0, "%s", name);
		file[file_bytes(text, file, sizeof(file) - 1)] = '\0';
		expect_said(file, (*p)->open ? "filter for syscall \"ptrace\"" : "filter for syscall \"recvmsg\"");
		expect_said(file, "KILL_PROCESS");
	}
	rmdir(dir);
}

Test(policy_tool, export_says_why_it_cannot)
{
	tool("export", "vfio", "/nonexistent/x", NULL);
	expect_exit(1);
	expect_said(ran.err, "/nonexistent/x: No such file or directory");
	tool("export", "vfio", "/dev/full", NULL);
	expect_exit(1);
	expect_said(ran.err, "/dev/full: ");
	tool("export", "--pid", "self", "core", "/dev/null", NULL);
	expect_exit(1);
	expect_said(ran.err, "--pid self: not a pid");
}

Test(policy_tool, run_dies_by_sigsys_and_says_on_which_call, .init = skip_in_sanitizer_builds)
{
	for (const struct policy *const *p = policies; *p; p++) {
		if (strcmp((*p)->stage, "run") != 0 || (*p)->open || *p == &policy_open_run) /* which may brk */
			continue;
		tool("run", (*p)->process, "--", "/bin/true", NULL);
		cr_expect(WIFSIGNALED(ran.status) && WTERMSIG(ran.status) == SIGSYS, "0x%x",
			ran.status);
		expect_said(ran.err, "/bin/true: killed by ");
		expect_said(ran.err, (*p)->process);
		expect_said(ran.err, ": brk, arguments 0 ");
		expect_said(ran.err, "its row would be ALLOW(brk, \"why\")");
	}
}

/* The launcher's, which is all its children's, lets a program be what it is. */
Test(policy_tool, run_ends_as_the_command_did, .init = skip_in_sanitizer_builds)
{
	tool("run", "launch", "--", "/bin/true", NULL);
	expect_exit(0);
	cr_expect(ran.err[0] == '\0', "%s", ran.err);
	tool("run", "launch", "--", "/bin/false", NULL);
	expect_exit(1);
	tool("run", "--log", "vfio", "--", "/bin/sh", "-c", "kill -TERM $$", NULL);
	cr_expect(WIFSIGNALED(ran.status) && WTERMSIG(ran.status) == SIGTERM, "0x%x", ran.status);
	tool("run", "vfio", "--", "/nonexistent/command", NULL);
	expect_exit(127);
	expect_said(ran.err, "/nonexistent/command: No such file");
}

/* Children too; the masked row's own words, the request's name, another value's number. */
Test(policy_tool, run_log_lists_all_with_their_rows, .init = skip_in_sanitizer_builds)
{
	tool("run", "--log", "vdpa", "--", "/bin/sh", "-c", "/bin/cat /dev/null; exit 5", NULL);
	expect_exit(5);
	expect_said(ran.err, "vdpa (run), entered 1 times: ");
	expect_said(ran.err, "vdpa (run): brk would have been killed, ");
	expect_said(ran.err, "its row: ALLOW_MASKED(mmap, 2, PROT_EXEC, 0, \"why\")");
	expect_said(ran.err, "its row: ALLOW_IF(mmap, 2, 0x5, \"why\")");
	expect_said(ran.err, "its row: ALLOW(fadvise64, \"why\")"); /* cat, not sh */
	expect_said(ran.err, "its row: ALLOW(wait4, \"why\")");
	cr_expect(!strstr(ran.err, "its row: ALLOW(write,"), "%s", ran.err);
}

/* A program whose first call is rmdir(what); one that has to be loaded would not get there. */
static void make_rmdir(const char *path, const char *what)
{
	static const uint8_t code[] = {0xb8, 84, 0, 0, 0, /* mov $SYS_rmdir, %eax */
		0x48, 0x8d, 0x3d, 11, 0, 0, 0,            /* lea what(%rip), %rdi */
		0x0f, 0x05, 0x31, 0xff,                   /* syscall; xor %edi, %edi */
		0xb8, 231, 0, 0, 0, 0x0f, 0x05};          /* mov $SYS_exit_group, %eax; syscall */
	struct {
		Elf64_Ehdr file;
		Elf64_Phdr segment;
		uint8_t code[sizeof(code)];
		char what[64];
	} program = {.file = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
			.e_type = ET_EXEC, .e_machine = EM_X86_64, .e_version = EV_CURRENT,
			.e_entry = 0x400000 + sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr),
			.e_phoff = sizeof(Elf64_Ehdr), .e_ehsize = sizeof(Elf64_Ehdr),
			.e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 1},
		.segment = {.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = 0x400000,
			.p_filesz = sizeof(program), .p_memsz = sizeof(program), .p_align = 4096}};
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);

	memcpy(program.code, code, sizeof(code));
	snprintf(program.what, sizeof(program.what), "%s", what);
	cr_assert_eq(write(fd, &program, sizeof(program)), (ssize_t)sizeof(program), "%s", path);
	close(fd);
}

/* The forbidden call is not made: what it would have removed is still there. */
Test(policy_tool, run_stops_before_the_call, .init = skip_in_sanitizer_builds)
{
	char dir[] = "/tmp/bulkhead-policy-XXXXXX", inside[64], program[64];

	cr_assert(mkdtemp(dir));
	snprintf(inside, sizeof(inside), "%s/d", dir);
	snprintf(program, sizeof(program), "%s/program", dir);
	make_rmdir(program, inside);
	cr_assert_eq(mkdir(inside, 0700), 0);
	tool("run", "broker:setup", "--", program, NULL);
	cr_expect(WIFSIGNALED(ran.status) && WTERMSIG(ran.status) == SIGSYS, "0x%x", ran.status);
	expect_said(ran.err, "/program: killed by broker (setup): rmdir, ");
	cr_expect(rmdir(inside) == 0, "%s is gone", inside);
	cr_assert_eq(mkdir(inside, 0700), 0);
	tool("run", "launch", "--", program, NULL);
	expect_exit(0);
	cr_expect(rmdir(inside) < 0, "the program does nothing: this tests nothing");
	unlink(program);
	rmdir(dir);
}
