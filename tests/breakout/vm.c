/* SPDX-License-Identifier: Apache-2.0
 *
 * Starting, watching and ending a test VM. Harness process.
 *
 * The VM is a session of its own: whoever belongs to it is found by that, and the test ends with
 * none of them left. The place is a folder of its own, so that harnesses do not meet.
 */
#include "tests/breakout/vm.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct page *vm_page;
static char place[64];

static const char *const programs[] = {"bulkhead", "bulkhead-broker", "bulkhead-null",
	"bulkhead-vfio", "bulkhead-vdpa", "guest"};

static void __attribute__((noreturn)) die(const char *what)
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

/* ---- the place ------------------------------------------------------------------------------- */

static void copy(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC), out;
	char buf[65536];
	ssize_t n;

	if (in < 0)
		die(from);
	out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, (size_t)n) != n)
			die(to);
	close(in);
	close(out);
}

static void put_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, mode);

	if (fd < 0 || write(fd, text, strlen(text)) < 0 || fchmod(fd, mode) < 0)
		die(path);
	close(fd);
}

static void make_page(void)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/page", place);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0 || fchmod(fd, 0666) < 0 || ftruncate(fd, PAGE_BYTES) < 0)
		die(path);
	vm_page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (vm_page == MAP_FAILED)
		die(path);
	close(fd);
}

static int listen_unix(bool abstract)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	size_t len = strlen(vm_page->socket);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(at.sun_path + abstract, vm_page->socket, len);
	len += offsetof(struct sockaddr_un, sun_path) + 1;
	if (bind(fd, (void *)&at, (socklen_t)len) < 0 || listen(fd, 64) < 0)
		die(vm_page->socket);
	return fd;
}

static void listen_tcp(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (void *)&at, len) < 0 || listen(fd, 64) < 0 ||
		getsockname(fd, (void *)&at, &len) < 0)
		die("127.0.0.1");
	vm_page->port = ntohs(at.sin_port);
}

/* The kernel's number for a file, for open_by_handle_at. */
static void take_handle(void)
{
	struct {
		struct file_handle head;
		unsigned char bytes[HANDLE_BYTES];
	} handle = {.head.handle_bytes = HANDLE_BYTES};
	int mount;

	if (name_to_handle_at(AT_FDCWD, vm_page->file, &handle.head, &mount, 0) < 0)
		return;
	vm_page->file_handle.bytes = handle.head.handle_bytes;
	vm_page->file_handle.type = handle.head.handle_type;
	memcpy(vm_page->file_handle.handle, handle.head.f_handle, handle.head.handle_bytes);
}

void vm_place(const char *binaries)
{
	const char *tmp = getenv("TMPDIR");
	char from[PATH_MAX], to[PATH_MAX];

	snprintf(place, sizeof(place), "%.40s/breakout-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(place) || chmod(place, 0755) < 0)
		die(place);
	for (unsigned i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		snprintf(from, sizeof(from), "%s/%s", binaries, programs[i]);
		snprintf(to, sizeof(to), "%s/%s", place, programs[i]);
		copy(from, to);
	}
	make_page();
	snprintf(vm_page->file, PATH_BYTES, "/etc/passwd");
	snprintf(vm_page->program, PATH_BYTES, "%s/program", place);
	put_file(vm_page->program, "no program", 0755);
	snprintf(vm_page->socket, PATH_BYTES, "%s/socket", place);
	take_handle();
	listen_unix(false);
	listen_unix(true);
	listen_tcp();
	if (chmod(vm_page->socket, 0777) < 0)
		die(vm_page->socket);
}

void vm_place_remove(void)
{
	static const char *const more[] = {"page", "program", "socket"};
	char path[128];

	for (unsigned i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", place, programs[i]);
		unlink(path);
	}
	for (unsigned i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", place, more[i]);
		unlink(path);
	}
	rmdir(place);
}

/* ---- a VM ------------------------------------------------------------------------------------ */

static void __attribute__((noreturn)) become(const char *const *options, int out, int err)
{
	char binary[128], kernel[128];
	const char *argv[10 + OPTIONS_MAX] = {binary, "--kernel", kernel, "--memory", "size=32M", "-v"};
	unsigned n = 6;
	int null = open("/dev/null", O_RDWR);

	snprintf(binary, sizeof(binary), "%s/bulkhead", place);
	snprintf(kernel, sizeof(kernel), "%s/guest", place);
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
		die("pipe");
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

void vm_pump(struct vm *vm, int ms)
{
	int64_t end = clock_ms() + ms, left;

	while ((left = end - clock_ms()) > 0) {
		struct pollfd p[2] = {{.fd = vm->out, .events = POLLIN},
			{.fd = vm->err, .events = POLLIN}};

		if (poll(p, 2, (int)left) <= 0)
			break;
		if (p[0].revents)
			take(&vm->out, vm->out_text, &vm->out_len);
		if (p[1].revents)
			take(&vm->err, vm->err_text, &vm->err_len);
	}
	if (!vm->ended && waitpid(vm->pid, &vm->status, WNOHANG) == vm->pid)
		vm->ended = true;
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
	int session, exit_code;
};

/* /proc/PID/stat (proc(5)): the name in brackets, then numbers; the 52nd field is the exit code. */
static bool read_stat(pid_t pid, struct stat_line *ret)
{
	char path[64], text[1024], *at;
	int field = 3;
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
	ret->exit_code = -1;
	for (char *word = strtok(at + 2, " "); word; word = strtok(NULL, " "), field++) {
		if (field == 6)
			ret->session = atoi(word);
		if (field == 52)
			ret->exit_code = atoi(word);
	}
	return true;
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

int zombie_status(pid_t pid)
{
	struct stat_line stat;

	return read_stat(pid, &stat) && stat.state == 'Z' ? stat.exit_code : -1;
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
