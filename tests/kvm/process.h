/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests of the whole program: a PVH kernel of a few bytes made here, build/bulkhead started
 * with it, what it says, and its end, after which no process of ours may be left.
 */
#pragma once

#include <criterion/criterion.h>
#include <ctype.h>
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/needs.h"

enum { BASE = 0x100000, CODE_AT = 0x1000, ARGS_MAX = 32, DEADLINE_MS = 15000 };

#define OUTB(port, value) 0x66, 0xba, (port) & 0xff, (port) >> 8, 0xb0, (value), 0xee
#define POWEROFF 0x66, 0xba, 0x04, 0x06, 0x66, 0xb8, 0x00, 0x34, 0x66, 0xef, 0xf4, 0xeb, 0xfd
#define LE32(v) (v) & 0xff, (v) >> 8 & 0xff, (v) >> 16 & 0xff, (v) >> 24 & 0xff

static char kernel[] = "/tmp/bulkhead-kernel-XXXXXX";

/* ELF with a PVH note (Xen: docs/misc/pvh.pandoc) and the code as its only segment. */
static inline void make_kernel(const uint8_t *code, size_t len)
{
	struct {
		Elf64_Ehdr head;
		Elf64_Phdr load, note;
		Elf64_Nhdr nhdr;
		char name[4];
		uint32_t entry;
	} elf = {
		.head = {
			.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
				EV_CURRENT},
			.e_type = ET_EXEC, .e_machine = EM_X86_64, .e_version = EV_CURRENT,
			.e_entry = BASE, .e_phoff = sizeof(Elf64_Ehdr),
			.e_ehsize = sizeof(Elf64_Ehdr), .e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 2,
		},
		.load = {.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_offset = CODE_AT,
			.p_vaddr = BASE, .p_paddr = BASE, .p_filesz = len, .p_memsz = len,
			.p_align = CODE_AT},
		.note = {.p_type = PT_NOTE, .p_flags = PF_R, .p_align = 4,
			.p_filesz = sizeof(Elf64_Nhdr) + 8,
			.p_memsz = sizeof(Elf64_Nhdr) + 8},
		.nhdr = {.n_namesz = 4, .n_descsz = 4, .n_type = 18},
		.name = "Xen",
		.entry = BASE,
	};
	int fd = mkstemp(kernel);

	elf.note.p_offset = offsetof(__typeof__(elf), nhdr);
	cr_assert(fd >= 0 && pwrite(fd, &elf, sizeof(elf), 0) == (ssize_t)sizeof(elf));
	cr_assert(pwrite(fd, code, len, CODE_AT) == (ssize_t)len);
	fchmod(fd, 0644);
	close(fd);
}

struct run {
	pid_t pid;
	int in, out, err; /* our ends; -1: none */
	char out_text[65536], err_text[65536];
	size_t out_len, err_len;
	int status;
};

static struct run run;
static void (*before_exec)(void); /* what the starter is like; NULL: nothing special */
static const char *folder;        /* where the binaries are; NULL: in the build tree */
static bool __attribute__((unused)) bare; /* no VM on the command line: one with an API begins so */

static inline void binary(char ret[static PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", ret, PATH_MAX - 16);

	cr_assert(n > 0);
	ret[n] = '\0';
	*strrchr(ret, '/') = '\0';
	strcpy(strrchr(ret, '/'), "/bulkhead");
}

static inline void needs_a_vm(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, 0xae00 /* KVM_GET_API_VERSION */, 0) != 12)
		cr_skip_test("/dev/kvm: %s", fd < 0 ? strerror(errno) : "does not answer");
	close(fd);
	needs_namespaces();
}

/* The helpers are started by the VM's user, so it must get to where they are. */
static inline bool may_run_it(uid_t uid, gid_t gid)
{
	char path[PATH_MAX];
	int status = 0;
	pid_t child;

	binary(path);
	child = fork();
	if (child == 0)
		_exit(setgid(gid) == 0 && setuid(uid) == 0 && access(path, X_OK) == 0 ? 0 : 1);
	return waitpid(child, &status, 0) == child && status == 0;
}

/* Options as one string, cut at spaces; after -v, --kernel and --memory. tty >= 0: its standard
 * input and output. */
static inline void start(const char *options, int tty, uid_t uid)
{
	char path[PATH_MAX], words[1024], memory[] = "size=32M";
	char *argv[ARGS_MAX] = {path, (char[]){"-v"}, (char[]){"--kernel"}, kernel,
		(char[]){"--memory"}, memory};
	int n = bare ? 2 : 6, in[2], out[2], err[2];

	binary(path);
	if (folder)
		snprintf(path, sizeof(path), "%s/bulkhead", folder);
	snprintf(words, sizeof(words), "%s", options);
	for (char *w = strtok(words, " "); w; w = strtok(NULL, " "))
		argv[n++] = w;
	if (getenv("BULKHEAD_ROWS") && !strstr(options, "--seccomp")) {
		static char more[3][10] = {"--seccomp", "log", "-v"};

		for (unsigned i = 0; i < 3; i++)
			argv[n++] = more[i];
	}
	argv[n] = NULL;
	cr_assert(pipe(in) == 0 && pipe(out) == 0 && pipe(err) == 0);
	run = (struct run){.in = in[1], .out = out[0], .err = err[0]};
	run.pid = fork();
	if (run.pid == 0) {
		setsid();
		if (tty >= 0)
			ioctl(tty, TIOCSCTTY, 0);
		dup2(tty >= 0 ? tty : in[0], 0);
		dup2(tty >= 0 ? tty : out[1], 1);
		dup2(err[1], 2);
		for (int fd = 3; fd < 64; fd++)
			close(fd);
		if (before_exec)
			before_exec();
		if (uid && setuid(uid) < 0)
			_exit(125);
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves no VM; setuid clears it */
		execv(path, argv);
		_exit(126);
	}
	close(in[0]);
	close(out[1]);
	close(err[1]);
}

/* What there is by now, without waiting. */
static inline void read_there_is(void)
{
	while (poll(&(struct pollfd){.fd = run.err, .events = POLLIN}, 1, 0) > 0) {
		ssize_t n = read(run.err, run.err_text + run.err_len, sizeof(run.err_text) - 1 - run.err_len);

		if (n <= 0)
			break;
		run.err_len += (size_t)n;
	}
}

/* Reads both until `want` is on `text`, or both are closed when want is NULL. */
static inline void read_until(const char *text, const char *want)
{
	for (int waited = 0; !want || !strstr(text, want); waited++) {
		struct pollfd p[2] = {{.fd = run.out, .events = POLLIN},
			{.fd = run.err, .events = POLLIN}};
		ssize_t n;

		if (run.out < 0 && run.err < 0)
			break;
		cr_assert(poll(p, 2, DEADLINE_MS) > 0 && waited < 100000, "it hangs: «%s» «%s»",
			run.out_text, run.err_text);
		if (p[0].revents) {
			n = read(run.out, run.out_text + run.out_len,
				sizeof(run.out_text) - 1 - run.out_len);
			run.out_len += n > 0 ? (size_t)n : 0;
			if (n <= 0)
				run.out = -1;
		}
		if (p[1].revents) {
			n = read(run.err, run.err_text + run.err_len,
				sizeof(run.err_text) - 1 - run.err_len);
			run.err_len += n > 0 ? (size_t)n : 0;
			if (n <= 0)
				run.err = -1;
		}
	}
	cr_assert(!want || strstr(text, want), "«%s» is not said: «%s» «%s»",
		want ? want : "", run.out_text, run.err_text);
}

/* A child's argv, which everybody may read: is it of that kind, and in that slot? */
static inline bool is_of(const char *pid, const char *kind, unsigned slot)
{
	char path[300], name[32], number[8], argv[128] = "", *word = argv;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/cmdline", pid);
	snprintf(name, sizeof(name), "bulkhead-%s", kind);
	snprintf(number, sizeof(number), "%u", slot);
	f = fopen(path, "r");
	if (!f || fread(argv, 1, sizeof(argv) - 2, f) == 0)
		argv[0] = '\0';
	if (f)
		fclose(f);
	for (unsigned i = 0; i < 4; i++) /* log level, mode, layers, slot */
		word += strlen(word) + 1;
	return strcmp(argv, name) == 0 && strcmp(word, number) == 0;
}

/* The launcher's child of that kind, "core" or "null", 0: there is none. */
static inline pid_t child_of(const char *kind, unsigned slot)
{
	char path[300], *end;
	DIR *proc = opendir("/proc");
	pid_t found = 0;

	for (struct dirent *d; !found && (d = readdir(proc)) != NULL;) {
		char stat[512] = "";
		int parent = 0;
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%s/stat", d->d_name);
		f = isdigit(d->d_name[0]) ? fopen(path, "r") : NULL;
		if (!f)
			continue;
		end = fgets(stat, sizeof(stat), f) ? strrchr(stat, ')') : NULL;
		fclose(f);
		if (end && sscanf(end + 1, " %*c %d", &parent) == 1 && parent == run.pid &&
			is_of(d->d_name, kind, slot))
			found = (pid_t)atoi(d->d_name);
	}
	closedir(proc);
	return found;
}

/* To be signalled: 0 would be our own process group. */
static inline pid_t living_child_of(const char *kind, unsigned slot)
{
	pid_t pid = child_of(kind, slot);

	cr_assert(pid > 0, "there is no bulkhead-%s of slot %u", kind, slot);
	return pid;
}

/* Every process of the session it made: its children are in it. */
static inline unsigned left_behind(void)
{
	DIR *proc = opendir("/proc");
	unsigned n = 0;

	for (struct dirent *d; (d = readdir(proc)) != NULL;) {
		char path[300], state = 0;
		int session = 0;
		FILE *stat;

		if (!isdigit(d->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/stat", d->d_name);
		stat = fopen(path, "r");
		if (!stat)
			continue;
		if (fscanf(stat, "%*d (%*[^)]) %c %*d %*d %d", &state, &session) == 2 &&
			session == run.pid && state != 'Z')
			n++;
		fclose(stat);
	}
	closedir(proc);
	return n;
}

/* To the processes of the session, or to those of them that lead a group. */
static inline void to_session(int signal, bool leaders)
{
	DIR *proc = opendir("/proc");

	for (struct dirent *d; (d = readdir(proc)) != NULL;) {
		pid_t pid = (pid_t)atoi(d->d_name);

		if (pid > 0 && getsid(pid) == run.pid &&
			(!leaders || (pid != run.pid && getpgid(pid) == pid)))
			kill(pid, signal);
	}
	closedir(proc);
}

/* Lines that say so. */
static inline unsigned errors(void)
{
	unsigned n = 0;

	for (const char *at = run.err_text; (at = strstr(at, "error: ")) != NULL; at++)
		n++;
	return n;
}

static inline void drop(void)
{
	kill(run.pid, SIGKILL);
	waitpid(run.pid, &run.status, 0);
	close(run.in);
	close(run.out);
	close(run.err);
}

/* Started so far that there is one of that kind, and not so far that all is there: looked at in steps,
 * between which everything stands still, and does so after it. */
static inline pid_t start_until(const char *options, const char *kind)
{
	for (unsigned tries = 0; tries < 50; tries++) {
		start(options, -1, 0);
		for (unsigned i = 0; i < 1000 && !strstr(run.err_text, "devices attached"); i++) {
			pid_t pid;

			kill(run.pid, SIGSTOP); /* which starts the others */
			to_session(SIGSTOP, false);
			read_there_is();
			pid = child_of(kind, 0);
			if (pid && !strstr(run.err_text, "devices attached"))
				return pid;
			to_session(SIGCONT, false);
			kill(run.pid, SIGCONT); /* which may have no session yet */
			usleep(2000);
		}
		drop();
	}
	cr_assert_fail("no %s", kind);
	return 0;
}

static inline char state_of(pid_t pid)
{
	char path[64], stat[512] = "", *end;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "r");
	end = f && fgets(stat, sizeof(stat), f) ? strrchr(stat, ')') : NULL;
	if (f)
		fclose(f);
	return end ? end[2] : '?';
}

/* For `make check-rows`: what the tracer said, to the end of that file. */
static inline void keep_report(void)
{
	const char *path = getenv("BULKHEAD_ROWS"), *line = run.err_text;
	FILE *f = path ? fopen(path, "a") : NULL;

	if (!f)
		return;
	setvbuf(f, NULL, _IOLBF, BUFSIZ); /* tests run side by side: a line, a write */
	while ((line = strstr(line, "bulkhead seccomp: ")) != NULL) {
		fprintf(f, "%.*s\n", (int)strcspn(line, "\n"), line);
		line++;
	}
	fclose(f);
}

static inline void finish(int want)
{
	read_until(NULL, NULL);
	cr_assert(waitpid(run.pid, &run.status, 0) == run.pid);
	cr_expect(WIFEXITED(run.status) && WEXITSTATUS(run.status) == want, "status 0x%x: %s",
		run.status, run.err_text);
	cr_expect(left_behind() == 0, "%u processes stay", left_behind());
	keep_report();
	unlink(kernel);
}

static const uint8_t says_hi[] = {OUTB(0x3f8, 'h'), OUTB(0x3f8, 'i'), POWEROFF};
/* sti-less hlt: until somebody ends it */
static const uint8_t __attribute__((unused)) sleeps[] = {OUTB(0x3f8, '!'), 0xf4, 0xeb, 0xfd};
/* in al, LSR; test al, 1; jz; in al, dx: echo until 'q'; with an interrupt for each, untaken */
static const uint8_t __attribute__((unused)) echoes[] = {
	OUTB(0x3f9, 0x01),
	OUTB(0x3f8, '!'),
	0x66, 0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, 0xf7, /* mov dx, LSR; in; test; jz */
	0x66, 0xba, 0xf8, 0x03, 0xec, 0xee,		      /* mov dx, data; in; out */
	0x3c, 'q', 0x75, 0xed,				      /* cmp al, 'q'; jne */
	POWEROFF,
};
