/* SPDX-License-Identifier: Apache-2.0
 *
 * The whole program: build/bulkhead with everything on, and PVH kernels of a few bytes made here.
 *
 * Whatever it is, the test ends with no process of ours left behind.
 */
#include <criterion/criterion.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/kvm/process.h"

Test(process, boots_and_powers_off, .init = needs_a_vm, .timeout = 60)
{
	make_kernel(says_hi, sizeof(says_hi));
	start("--cpus boot=2", -1, 0);
	finish(0);
	cr_expect(strcmp(run.out_text, "hi") == 0, "%s", run.out_text);
	cr_expect(strstr(run.err_text, "start: kernel loaded, "));
	cr_expect(strstr(run.err_text, "start: the guest runs at "));
	cr_expect(strstr(run.err_text, "vcpu0: 4 exits to user space: io 3, interrupted 1"), "%s",
		run.err_text);
}

Test(process, finds_the_null_device, .init = needs_a_vm, .timeout = 60)
{
	/* CF8/CFC: vendor and device of 00:00.0, then 00:01.0, as they are, four bytes each */
	static const uint8_t code[] = {
		0xbf, LE32(0x80000000),				/* mov edi, enable */
		0x89, 0xf8, 0x66, 0xba, 0xf8, 0x0c, 0xef,	/* mov eax, edi; dx = cf8; out */
		0x66, 0xba, 0xfc, 0x0c, 0xed,			/* dx = cfc; in eax */
		0x66, 0xba, 0xf8, 0x03, 0xb9, LE32(4),		/* dx = COM1; ecx = 4 */
		0xee, 0xc1, 0xe8, 0x08, 0xe2, 0xfa,		/* out; shr eax, 8; loop */
		0x81, 0xc7, LE32(0x800),			/* next device */
		0x81, 0xff, LE32(0x80001000), 0x75, 0xd7,	/* cmp edi; jne */
		POWEROFF,
	};
	static const uint8_t bridge[] = {0x36, 0x1b, 0x08, 0x00};

	make_kernel(code, sizeof(code));
	start("--null id=dev", -1, 0);
	finish(0);
	cr_assert(run.out_len == 8, "%zu bytes", run.out_len);
	cr_expect(memcmp(run.out_text, bridge, 4) == 0);
	cr_expect(memcmp(run.out_text + 4, "\xff\xff\xff\xff", 4) != 0, "no device at 00:01.0");
}

Test(process, resets_in_place_three_times, .init = needs_a_vm, .timeout = 60)
{
	static const uint8_t code[] = {
		OUTB(0x3f8, 'b'),
		0xff, 0x05, LE32(0x300000),			/* inc dword [3 MiB]: RAM stays */
		0x83, 0x3d, LE32(0x300000), 0x04, 0x74, 16,	/* cmp; je: power off */
		OUTB(0xcf9, 0x02), OUTB(0xcf9, 0x06), 0xeb, 0xfe,
		POWEROFF,
	};

	make_kernel(code, sizeof(code));
	start("--cpus boot=2 --null", -1, 0);
	finish(0);
	cr_expect(strcmp(run.out_text, "bbbb") == 0, "%s", run.out_text);
}

Test(process, serial_file_has_a_size, .init = needs_a_vm, .timeout = 60)
{
	static const uint8_t code[] = {
		0xb9, LE32(5000), 0x66, 0xba, 0xf8, 0x03, 0xb0, 'x', 0xee, 0xe2, 0xfd, /* loop: out */
		POWEROFF,
	};
	char path[] = "/tmp/bulkhead-serial-XXXXXX", options[128];
	int fd = mkstemp(path);
	struct stat st;

	make_kernel(code, sizeof(code));
	snprintf(options, sizeof(options), "--serial file=%s,size=4K", path);
	start(options, -1, 0);
	finish(0);
	cr_expect(fstat(fd, &st) == 0 && st.st_size > 4000 && st.st_size <= 4096, "%lld bytes",
		(long long)st.st_size);
	unlink(path);
	close(fd);
}

/* A guest that only resets does not fill the log. */
Test(process, resets_have_a_budget, .init = needs_a_vm, .timeout = 60)
{
	static const uint8_t code[] = {
		0xff, 0x05, LE32(0x300000),
		0x83, 0x3d, LE32(0x300000), 0x78, 0x74, 16,	/* 120 times */
		OUTB(0xcf9, 0x02), OUTB(0xcf9, 0x06), 0xeb, 0xfe,
		POWEROFF,
	};
	unsigned said = 0;

	make_kernel(code, sizeof(code));
	start("", -1, 0);
	finish(0);
	for (const char *at = run.err_text; (at = strstr(at, "the guest boots again")); at++)
		said++;
	cr_expect(said >= 10 && said < 60, "%u times: %s", said, run.err_text);
}

Test(process, input_has_back_pressure, .init = needs_a_vm, .timeout = 60)
{
	char keys[2001];

	memset(keys, 'k', sizeof(keys) - 1);
	keys[sizeof(keys) - 1] = 'q';
	make_kernel(echoes, sizeof(echoes));
	start("", -1, 0);
	cr_assert(write(run.in, keys, sizeof(keys)) == (ssize_t)sizeof(keys));
	close(run.in);
	finish(0);
	cr_expect(run.out_len == 1 + sizeof(keys) && run.out_text[run.out_len - 1] == 'q',
		"%zu bytes of %zu", run.out_len, sizeof(keys) + 1);
}

Test(process, serial_file_null_and_off, .init = needs_a_vm, .timeout = 60)
{
	char path[] = "/tmp/bulkhead-serial-XXXXXX", options[128], got[8] = "";
	int fd = mkstemp(path);

	make_kernel(says_hi, sizeof(says_hi));
	snprintf(options, sizeof(options), "--serial file=%s", path);
	start(options, -1, 0);
	finish(0);
	cr_expect(read(fd, got, sizeof(got)) == 2 && strcmp(got, "hi") == 0 && run.out_len == 0);
	strcpy(strrchr(kernel, '-'), "-XXXXXX");
	make_kernel(says_hi, sizeof(says_hi));
	start(options, -1, 0);
	finish(0);
	cr_expect(pread(fd, got, sizeof(got), 0) == 4 && strcmp(got, "hihi") == 0, "appended: %s", got);
	unlink(path);
	strcpy(strrchr(kernel, '-'), "-XXXXXX");
	make_kernel(says_hi, sizeof(says_hi));
	start("--serial null", -1, 0);
	finish(0);
	cr_expect(run.out_len == 0);
	strcpy(strrchr(kernel, '-'), "-XXXXXX");
	make_kernel(says_hi, sizeof(says_hi));
	start("--serial off", -1, 0);
	finish(0);
	cr_expect(run.out_len == 0);
}

/* As some starters are: with so much open that what we open gets large numbers. */
static void leak_many(void)
{
	for (unsigned i = 0; i < 200; i++)
		open("/dev/null", O_RDONLY);
}

Test(process, resets_whatever_its_starter_had_open, .init = needs_a_vm, .timeout = 60)
{
	static const uint8_t code[] = {
		0xff, 0x05, LE32(0x300000),			/* inc dword [3 MiB]: RAM stays */
		0x83, 0x3d, LE32(0x300000), 0x02, 0x74, 16,	/* cmp; je: power off */
		OUTB(0xcf9, 0x02), OUTB(0xcf9, 0x06), 0xeb, 0xfe,
		POWEROFF,
	};

	make_kernel(code, sizeof(code));
	before_exec = leak_many;
	start("--null", -1, 0);
	finish(0);
}

static void leak_and_close(void)
{
	close(0);
	dup2(open("/etc", O_RDONLY | O_DIRECTORY), 7);
	dup2(socket(AF_UNIX, SOCK_STREAM, 0), 9);
	open("/dev/full", O_RDONLY); /* takes what was closed: so close again */
	close(0);
}

static void fd_name(pid_t pid, int fd, char ret[static 256])
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
	n = readlink(path, ret, 255);
	ret[n > 0 ? n : 0] = '\0';
}

/* Launcher, core, broker, and a null helper. */
static void whole_vm(pid_t ret[static 4])
{
	ret[0] = run.pid;
	ret[1] = child_of("core", 0);
	ret[2] = child_of("broker", 0);
	ret[3] = child_of("null", 0);
	cr_assert(ret[1] && ret[2] && ret[3], "core %d, broker %d, helper %d", ret[1], ret[2], ret[3]);
}

/* What a starter leaves open is closed, and what it left closed is nobody's number. */
Test(process, holds_no_descriptor_it_was_not_given, .init = needs_a_vm, .timeout = 60)
{
	char name[256];
	pid_t all[4];

	make_kernel(sleeps, sizeof(sleeps));
	before_exec = leak_and_close;
	start("--null", -1, 0);
	read_until(run.out_text, "!");
	fd_name(run.pid, 0, name);
	cr_expect(strstr(name, "null"), "0 is %s", name);
	whole_vm(all);
	for (unsigned i = 0; i < 4; i++) {
		for (int fd = 3; fd < 64; fd++) {
			fd_name(all[i], fd, name);
			cr_expect(!strstr(name, "etc") && !strstr(name, "full"), "%d is %s", fd, name);
		}
	}
	kill(run.pid, SIGTERM);
	finish(3);
}

Test(process, sigkill_leaves_nobody, .init = needs_a_vm, .timeout = 60)
{
	make_kernel(sleeps, sizeof(sleeps));
	start("--null --null", -1, 0);
	read_until(run.out_text, "!");
	cr_expect(left_behind() == 5, "launcher, core, broker, two helpers");
	kill(run.pid, SIGKILL);
	waitpid(run.pid, &run.status, 0);
	for (unsigned ms = 0; ms < 2000 && left_behind() > 0; ms += 10)
		usleep(10000);
	cr_expect(left_behind() == 0);
	unlink(kernel);
}

/* "Key:\tvalue" of a status file. */
static void expect_status(const char *path, const char *line)
{
	char text[4096] = "";
	FILE *f = fopen(path, "r");

	cr_assert(f, "%s", path);
	cr_assert(fread(text, 1, sizeof(text) - 1, f) > 0);
	fclose(f);
	cr_expect(strstr(text, line), "%s: no «%s»", path, line);
}

static void expect_confined_threads(pid_t pid)
{
	char path[300];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	for (struct dirent *d; (d = readdir(dir)) != NULL;) {
		if (!isdigit(d->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%s/status", pid, d->d_name);
		expect_status(path, "Seccomp:\t2");
		expect_status(path, "NoNewPrivs:\t1");
		expect_status(path, "CapBnd:\t0000000000000000");
		if (pid != run.pid) /* which maps ids, and ends */
			expect_status(path, "CapEff:\t0000000000000000");
	}
	closedir(dir);
}

/* Its binaries it has by O_PATH, so that they can be neither read nor written. */
static void expect_no_device(pid_t pid)
{
	char path[300], target[PATH_MAX];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (!dir)
		cr_skip_test("its descriptors: %s (only root may look)", strerror(errno));
	for (struct dirent *d; (d = readdir(dir)) != NULL;) {
		memset(target, 0, sizeof(target));
		snprintf(path, sizeof(path), "/proc/%d/fd/%.20s", pid, d->d_name);
		if (readlink(path, target, sizeof(target) - 1) > 0)
			cr_expect(!strstr(target, "/vfio") && !strstr(target, "/dev/") &&
				!strstr(target, "guest-ram"), "%s", target);
	}
	closedir(dir);
}

Test(process, every_thread_is_confined, .init = needs_a_vm, .timeout = 60)
{
	pid_t all[4];

	make_kernel(sleeps, sizeof(sleeps));
	start("--cpus boot=3 --null", -1, 0);
	read_until(run.out_text, "!");
	whole_vm(all);
	for (unsigned i = 0; i < 4; i++)
		expect_confined_threads(all[i]);
	for (unsigned i = 0; i < 4; i++)
		expect_no_device(all[i]);
	kill(run.pid, SIGTERM);
	finish(3);
}

/* Files are opened as root; core, broker and helper are somebody else's from birth. */
Test(process, becomes_the_user_it_is_given, .init = needs_a_vm, .timeout = 60)
{
	char path[300];
	pid_t all[4];

	make_kernel(sleeps, sizeof(sleeps));
	if (geteuid() != 0 || !may_run_it(64321, 64322)) {
		unlink(kernel);
		cr_skip_test("needs root, and a build tree that uid 64321 may look into");
	}
	start("--null --user 64321:64322", -1, 0);
	read_until(run.out_text, "!");
	whole_vm(all);
	for (unsigned i = 1; i < 4; i++) {
		snprintf(path, sizeof(path), "/proc/%d/status", all[i]);
		expect_status(path, "Uid:\t64321\t64321\t64321\t64321");
		expect_status(path, "Gid:\t64322\t64322\t64322\t64322");
		expect_status(path, "Groups:\t \n");
	}
	cr_expect(strstr(run.err_text, "bulkhead: confine: user: uid 64321"), "%s", run.err_text);
	kill(run.pid, SIGTERM);
	finish(3);
}

Test(process, a_guest_that_breaks_itself_is_status_2, .init = needs_a_vm, .timeout = 60)
{
	static const uint8_t code[] = {0xb8, LE32(0xd0000000), 0xff, 0xe0}; /* jmp into a hole */

	make_kernel(code, sizeof(code));
	start("--null", -1, 0);
	finish(2);
	cr_expect(strstr(run.err_text, "vcpu0: the guest cannot go on"));
	cr_expect(strstr(run.err_text, "rip 0010:d0000000"), "%s", run.err_text);
}

/* As `make install PREFIX=…` lays them out, in a folder that no build knew of. */
Test(process, an_installed_one_finds_its_helpers, .init = needs_a_vm, .timeout = 60)
{
	char top[] = "/tmp/bulkhead-installed-XXXXXX", path[PATH_MAX], bin[64];
	char command[3 * PATH_MAX];

	cr_assert(mkdtemp(top) && chmod(top, 0755) == 0);
	binary(path);
	*strrchr(path, '/') = '\0';
	snprintf(command, sizeof(command), "cd %s && mkdir -p bin libexec/bulkhead && cp %s/bulkhead "
		"bin && cp %s/bulkhead-* libexec/bulkhead", top, path, path);
	cr_assert_eq(system(command), 0);
	snprintf(bin, sizeof(bin), "%s/bin", top);
	folder = bin;
	make_kernel(says_hi, sizeof(says_hi));
	start("--null", -1, 0);
	finish(0);
	cr_expect(strcmp(run.out_text, "hi") == 0, "%s", run.err_text);
	snprintf(command, sizeof(command), "rm -r %s", top);
	cr_assert_eq(system(command), 0);
}

Test(process, refusals_are_one_line_and_status_1)
{
	static const struct {
		const char *options, *says;
	} bad[] = {
		{"--initramfs /nonexistent", "--initramfs /nonexistent: No such file"},
		{"--initramfs /tmp", "is a directory"},
		{"--serial file=/nonexistent/x", "--serial file= /nonexistent/x"},
		{"--log-file /nonexistent/x", "--log-file /nonexistent/x"},
		{"--cpus boot=9999", "--cpus boot"},
		{"--kernel again", "--kernel is given twice"},
		{"--device path=/sys/bus/pci/devices/ffff:1f:1f.7", "ffff:1f:1f.7"},
	};

	make_kernel(says_hi, sizeof(says_hi));
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		start(bad[i].options, -1, 0);
		read_until(NULL, NULL);
		waitpid(run.pid, &run.status, 0);
		if (strstr(run.err_text, "/dev/kvm"))
			continue; /* refused for another good reason */
		cr_expect(WIFEXITED(run.status) && WEXITSTATUS(run.status) == 1);
		cr_expect(strstr(run.err_text, bad[i].says), "%s", run.err_text);
		cr_expect(errors() == 1, "%u lines: %s", errors(), run.err_text);
		cr_expect(left_behind() == 0, "%u processes stay", left_behind());
	}
	unlink(kernel);
}

/* Whoever finds it out says it, and no other that its end leads to, whatever they are at just then. */
Test(process, what_is_no_kernel_is_one_line_and_status_1, .init = needs_a_vm, .timeout = 120)
{
	for (unsigned i = 0; i < 20; i++) {
		strcpy(strrchr(kernel, '-'), "-XXXXXX");
		make_kernel(says_hi, sizeof(says_hi));
		cr_assert_eq(truncate(kernel, i ? 600 : 0), 0);
		start("--null --null", -1, 0);
		finish(1);
		cr_expect(errors() == 1 && strstr(run.err_text, "--kernel"), "%u: %s", errors(), run.err_text);
	}
}

Test(process, no_rights_on_kvm_name_the_group)
{
	struct stat st;

	if (geteuid() != 0 || stat("/dev/kvm", &st) < 0 || st.st_mode & S_IWOTH)
		cr_skip_test("needs root and a /dev/kvm that is not everybody's");
	make_kernel(says_hi, sizeof(says_hi));
	start("", -1, 65534);
	read_until(NULL, NULL);
	waitpid(run.pid, &run.status, 0);
	unlink(kernel);
	if (WEXITSTATUS(run.status) == 126)
		cr_skip_test("nobody may not run the build tree's binary");
	cr_expect(WIFEXITED(run.status) && WEXITSTATUS(run.status) == 1);
	cr_expect(strstr(run.err_text, "/dev/kvm: you may not use it"), "%s", run.err_text);
}
