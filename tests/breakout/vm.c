/* SPDX-License-Identifier: Apache-2.0
 *
 * Starting, watching and ending a test VM. Harness process.
 *
 * The VM is a session of its own: whoever belongs to it is found by that, and the test ends with
 * none of them left.
 */
#include "tests/breakout/vm.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int kmsg = -1; /* from where the last VM started */

void vm_die(const char *what)
{
	fprintf(stderr, "breakout: %s: %s\n", what, strerror(errno));
	exit(2);
}

int64_t clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

/* ---- a VM ------------------------------------------------------------------------------------ */

static void __attribute__((noreturn)) become(const char *const *options, int out, int err)
{
	char binary[128], kernel[128];
	const char *argv[10 + OPTIONS_MAX] = {binary, "--kernel", kernel, "--memory", "size=32M", "-v"};
	unsigned n = 6;
	int null = open("/dev/null", O_RDWR);

	snprintf(binary, sizeof(binary), "%s/bulkhead", vm_folder);
	snprintf(kernel, sizeof(kernel), "%s/guest", vm_folder);
	for (unsigned i = 0; options[i] && i < OPTIONS_MAX; i++)
		argv[n++] = options[i];
	setsid();
	if (chdir("/") < 0)
		_exit(126);
	signal(SIGXFSZ, SIG_IGN); /* whoever started us may have or not; so an errno tells */
	dup2(null, 0);
	dup2(out, 1);
	dup2(err, 2);
	if (null > 2)
		close(null);
	execv(binary, (char *const *)(uintptr_t)argv);
	_exit(126);
}

void vm_start(struct vm *vm, const char *const *options)
{
	int out[2], err[2];

	if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
		vm_die("pipe");
	vm->out = out[0];
	vm->err = err[0];
	vm->out_len = vm->err_len = 0;
	vm->out_text[0] = vm->err_text[0] = '\0';
	vm->ended = false;
	vm->pid = fork();
	if (vm->pid == 0)
		become(options, out[1], err[1]);
	close(out[1]);
	close(err[1]);
	if (kmsg < 0)
		kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	lseek(kmsg, 0, SEEK_END);
}

/* "audit: type=1326 ... exe="/tmp/breakout-x/bulkhead-null" sig=31 arch=c000003e syscall=257 ..." */
int vm_recorded_call(void)
{
	char record[2048];
	int call = -1;
	ssize_t n;

	while ((n = read(kmsg, record, sizeof(record) - 1)) > 0 || (n < 0 && errno == EPIPE)) {
		const char *at;

		record[n > 0 ? n : 0] = '\0';
		at = strstr(record, vm_folder);
		if (strstr(record, "type=1326 ") && at && strstr(at, " sig=31 ") &&
			strstr(at, "syscall="))
			call = atoi(strstr(at, "syscall=") + strlen("syscall="));
	}
	return call;
}

/* What does not fit is forgotten from the front: the guest goes on talking. */
static void take(int *fd, char *text, size_t *len)
{
	ssize_t n;

	if (*len > TEXT_MAX - 4096) {
		memmove(text, text + TEXT_MAX / 2, *len - TEXT_MAX / 2);
		*len -= TEXT_MAX / 2;
	}
	n = read(*fd, text + *len, TEXT_MAX - 1 - *len);
	if (n <= 0) {
		close(*fd);
		*fd = -1;
		return;
	}
	*len += (size_t)n;
	text[*len] = '\0';
}

/* Takes in what comes within ms; false: nothing does. */
static bool hear(struct vm *vm, int ms)
{
	struct pollfd p[2] = {{.fd = vm->out, .events = POLLIN}, {.fd = vm->err, .events = POLLIN}};

	if (poll(p, 2, ms) <= 0)
		return false;
	if (p[0].revents)
		take(&vm->out, vm->out_text, &vm->out_len);
	if (p[1].revents)
		take(&vm->err, vm->err_text, &vm->err_len);
	return true;
}

void vm_pump(struct vm *vm, int ms)
{
	int64_t end = clock_ms() + ms, left;

	while ((left = end - clock_ms()) > 0 && hear(vm, (int)left))
		;
	if (vm->ended || waitpid(vm->pid, &vm->status, WNOHANG) != vm->pid)
		return;
	vm->ended = true;
	while (hear(vm, 0)) /* its last words */
		;
}

unsigned vm_rounds(const struct vm *vm, char ret_last[static 8])
{
	unsigned rounds = 0;
	size_t from = 0;

	ret_last[0] = '\0';
	for (size_t i = 0; i < vm->out_len; i++) {
		if (vm->out_text[i] != '\n')
			continue;
		rounds++;
		snprintf(ret_last, 8, "%.*s", (int)(i - from), vm->out_text + from);
		from = i + 1;
	}
	return rounds;
}

bool vm_said(const struct vm *vm, const char *words)
{
	return strstr(vm->err_text, words) != NULL;
}

bool vm_wait_end(struct vm *vm, int ms)
{
	int64_t end = clock_ms() + ms;

	while (!vm->ended && clock_ms() < end)
		vm_pump(vm, 5);
	return vm->ended;
}

/* ---- its processes --------------------------------------------------------------------------- */

struct stat_line {
	char name[32], state;
	int session;
};

/* /proc/PID/stat (proc(5)): the name in brackets, then the state, then numbers. */
static bool read_stat(pid_t pid, struct stat_line *ret)
{
	char path[64], text[1024], *at;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	at = strrchr(text, ')');
	if (!at || !strchr(text, '('))
		return false;
	*at = '\0';
	snprintf(ret->name, sizeof(ret->name), "%s", strchr(text, '(') + 1);
	ret->state = at[2];
	return sscanf(at + 3, "%*d %*d %d", &ret->session) == 1;
}

static pid_t each(const struct vm *vm, const char *name, unsigned nth, unsigned *ret_left)
{
	DIR *proc = opendir("/proc");
	pid_t found = 0;

	for (struct dirent *d; proc && !found && (d = readdir(proc)) != NULL;) {
		struct stat_line stat;

		if (!isdigit(d->d_name[0]) || !read_stat(atoi(d->d_name), &stat) ||
			stat.session != vm->pid)
			continue;
		if (ret_left && stat.state != 'Z')
			(*ret_left)++;
		if (name && strcmp(stat.name, name) == 0 && nth-- == 0)
			found = atoi(d->d_name);
	}
	closedir(proc);
	return found;
}

pid_t vm_process(const struct vm *vm, const char *name, unsigned nth)
{
	return each(vm, name, nth, NULL);
}

unsigned vm_left(const struct vm *vm)
{
	unsigned left = 0;

	each(vm, NULL, 0, &left);
	return left;
}

int fds_of(pid_t pid)
{
	char path[64];
	int n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (!dir)
		return -1;
	for (struct dirent *d; (d = readdir(dir)) != NULL;)
		n += d->d_name[0] != '.';
	closedir(dir);
	return n;
}

void vm_stop(struct vm *vm)
{
	if (!vm->ended) {
		kill(vm->pid, SIGTERM);
		if (!vm_wait_end(vm, 5000)) {
			kill(vm->pid, SIGKILL);
			vm_wait_end(vm, 5000);
		}
	}
	for (int64_t end = clock_ms() + 2000; vm_left(vm) && clock_ms() < end;)
		usleep(2000);
	if (vm->out >= 0)
		close(vm->out);
	if (vm->err >= 0)
		close(vm->err);
}
