/* SPDX-License-Identifier: Apache-2.0
 *
 * Attempts to reach a file of the host, or to run one. In the actor, behind its walls.
 *
 * What they open is there for everybody to read on the host outside (page->file): it is not for
 * want of permission that they fail.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stddef.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/breakout/attempts.h"

static long let_go(long fd)
{
	if (fd >= 0)
		close((int)fd);
	return fd;
}

long try_open(void)
{
	return let_go(RAW(SYS_openat, AT_FDCWD, page->file, O_RDONLY));
}

long try_openat2(void)
{
	struct open_how how = {.flags = O_RDONLY};

	return let_go(RAW(SYS_openat2, AT_FDCWD, page->file, &how, sizeof(how)));
}

/* It is below a folder that may be read. */
long try_write_allowed(void)
{
	return let_go(RAW(SYS_openat, AT_FDCWD, page->program, O_WRONLY));
}

/* What is no mount has no propagation to change, which is found out behind every check. */
long try_mount(void)
{
	long r = RAW(SYS_mount, NULL, page->file, NULL, MS_PRIVATE, NULL);

	return r == -EINVAL ? THROUGH : r;
}

/* By inode, past every path; the file system is that of the directory we are in. */
long try_open_handle(void)
{
	return let_go(RAW(SYS_open_by_handle_at, AT_FDCWD, &page->file_handle, O_RDONLY));
}

/* A descriptor it has, opened anew and with more rights, by its name in /proc. */
long try_open_fd_name(void)
{
	return let_go(RAW(SYS_openat, AT_FDCWD, "/proc/thread-self/exe", O_RDONLY));
}

long try_open_kvm(void)
{
	return let_go(RAW(SYS_openat, AT_FDCWD, "/dev/kvm", O_RDWR));
}

/* ENOEXEC comes after every check there is: somebody would be another program now. */
static long as_good_as_run(long r)
{
	return r == -ENOEXEC ? THROUGH : r;
}

long try_exec(void)
{
	char *argv[] = {page->program, NULL}, *env[] = {NULL};

	return as_good_as_run(RAW(SYS_execve, page->program, argv, env));
}

long try_exec_memfd(void)
{
	char *argv[] = {page->program, NULL}, *env[] = {NULL};
	long fd = RAW(SYS_memfd_create, "code", 0), r;

	if (fd < 0)
		return fd;
	r = RAW(SYS_write, fd, "no program", 10);
	if (r > 0)
		r = as_good_as_run(RAW(SYS_execveat, fd, "", argv, env, AT_EMPTY_PATH));
	let_go(fd);
	return r;
}

long try_unix_path(void)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	long fd = RAW(SYS_socket, AF_UNIX, SOCK_STREAM, 0), r;

	if (fd < 0)
		return fd;
	strcpy(to.sun_path, page->socket);
	r = RAW(SYS_connect, fd, &to, sizeof(to));
	let_go(fd);
	return r;
}
