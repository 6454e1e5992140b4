/* SPDX-License-Identifier: Apache-2.0
 *
 * Where test VMs live: a folder of this harness's own, with the test binaries, the page, a program
 * nobody can run and sockets to be reached. Harness process, before the first VM.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/breakout/trial.h"
#include "tests/breakout/vm.h"

struct page *vm_page;
char vm_folder[64], vm_socket[80];

static const char *const programs[] = {"bulkhead", "bulkhead-open", "bulkhead-api",
	"bulkhead-core", "bulkhead-broker", "bulkhead-null", "bulkhead-vfio", "bulkhead-vdpa", "guest"};

static void copy(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC), out;
	char buf[65536];
	ssize_t n;

	if (in < 0)
		vm_die(from);
	out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, (size_t)n) != n)
			vm_die(to);
	close(in);
	close(out);
}

static void put_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, mode);

	if (fd < 0 || write(fd, text, strlen(text)) < 0 || fchmod(fd, mode) < 0)
		vm_die(path);
	close(fd);
}

static void make_page(void)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/page", vm_folder);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0 || fchmod(fd, 0666) < 0 || ftruncate(fd, PAGE_BYTES) < 0)
		vm_die(path);
	vm_page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (vm_page == MAP_FAILED)
		vm_die(path);
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
		vm_die(vm_page->socket);
	return fd;
}

static void listen_tcp(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (void *)&at, len) < 0 || listen(fd, 64) < 0 ||
		getsockname(fd, (void *)&at, &len) < 0)
		vm_die("127.0.0.1");
	vm_page->port = ntohs(at.sin_port);
}

/* ".../0000:01:00.0/": its name, as a group knows it. */
static void name_device(const char *path)
{
	const char *name = path;

	for (const char *at = path; *at; at++)
		if (at[0] == '/' && at[1])
			name = at + 1;
	snprintf(vm_page->device, NAME_BYTES, "%.*s", (int)strcspn(name, "/"), name);
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

	snprintf(vm_folder, sizeof(vm_folder), "%.40s/breakout-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(vm_folder) || chmod(vm_folder, 0755) < 0)
		vm_die(vm_folder);
	for (unsigned i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		snprintf(from, sizeof(from), "%s/%s", binaries, programs[i]);
		snprintf(to, sizeof(to), "%s/%s", vm_folder, programs[i]);
		copy(from, to);
	}
	snprintf(vm_socket, sizeof(vm_socket), "%s/api", vm_folder);
	make_page();
	snprintf(vm_page->file, PATH_BYTES, "/etc/passwd");
	snprintf(vm_page->program, PATH_BYTES, "%s/program", vm_folder);
	put_file(vm_page->program, "no program", 0755);
	snprintf(vm_page->socket, PATH_BYTES, "%s/socket", vm_folder);
	if (devices.vfio)
		name_device(devices.vfio);
	take_handle();
	listen_unix(false);
	listen_unix(true);
	listen_tcp();
	if (chmod(vm_page->socket, 0777) < 0)
		vm_die(vm_page->socket);
}

void vm_place_remove(void)
{
	static const char *const more[] = {"page", "program", "socket"};
	char path[128];

	for (unsigned i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", vm_folder, programs[i]);
		unlink(path);
	}
	for (unsigned i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", vm_folder, more[i]);
		unlink(path);
	}
	rmdir(vm_folder);
}
