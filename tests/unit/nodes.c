/* SPDX-License-Identifier: Apache-2.0
 *
 * Device nodes that are files (nodes.h). What is no such file goes to the kernel as it is.
 */
#include "tests/unit/nodes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { LINE = 64 };

bool nodes_as_root = true;
char nodes_opened[32];

struct node {
	char kind, number[32], state[16];
	unsigned mode;
};

static bool parse(const char *line, struct node *ret)
{
	memset(ret, 0, sizeof(*ret));
	return sscanf(line, "node %c %31s %o %15s", &ret->kind, ret->number, &ret->mode,
		       ret->state) >= 3;
}

static bool node_of(int fd, struct node *ret)
{
	char line[LINE];
	ssize_t n = fd < 0 ? 0 : pread(fd, line, sizeof(line) - 1, 0);

	line[n > 0 ? n : 0] = '\0';
	return parse(line, ret);
}

static bool node_at(int dir, const char *path, struct node *ret)
{
	int fd = (int)syscall(SYS_openat, dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
	bool is = node_of(fd, ret);

	if (fd >= 0)
		close(fd);
	return is;
}

/* Disks are looked at by root only. */
static bool may_open(const struct node *node)
{
	return nodes_as_root || node->kind == 'b' || (node->mode & 06) == 06;
}

static int as_node(const struct node *node, struct stat *ret)
{
	unsigned major = 0, minor = 0;

	sscanf(node->number, "%u:%u", &major, &minor);
	ret->st_mode = (node->kind == 'b' ? S_IFBLK : S_IFCHR) | node->mode;
	ret->st_rdev = makedev(major, minor);
	ret->st_uid = 0;
	return 0;
}

int statx(int dir, const char *path, int flags, unsigned mask, struct statx *ret)
{
	int r = (int)syscall(SYS_statx, dir, path, flags, mask | STATX_SIZE, ret);
	struct node node;
	struct stat st;

	if (r < 0 || !S_ISREG(ret->stx_mode) || ret->stx_size >= LINE ||
		!node_at(dir, path, &node))
		return r;
	as_node(&node, &st);
	ret->stx_mode = (uint16_t)st.st_mode;
	ret->stx_uid = st.st_uid;
	ret->stx_rdev_major = major(st.st_rdev);
	ret->stx_rdev_minor = minor(st.st_rdev);
	return 0;
}

int fstat(int fd, struct stat *ret)
{
	int r = (int)syscall(SYS_fstat, fd, ret);
	struct node node;

	if (r == 0 && S_ISREG(ret->st_mode) && ret->st_size < LINE && node_of(fd, &node))
		return as_node(&node, ret);
	return r;
}

int openat(int dir, const char *path, int flags, ...)
{
	const bool use = (flags & O_ACCMODE) == O_RDWR || (flags & O_EXCL && !(flags & O_CREAT));
	struct node node;
	va_list args;
	mode_t mode;
	int fd;

	va_start(args, flags);
	mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
	va_end(args);
	if (!use || !node_at(dir, path, &node))
		return (int)syscall(SYS_openat, dir, path, flags, mode);
	errno = !may_open(&node) ? EACCES
		: strcmp(node.state, "busy") == 0 ||
			(flags & O_EXCL && strcmp(node.state, "claimed") == 0) ? EBUSY : 0;
	if (errno)
		return -1;
	fd = (int)syscall(SYS_openat, dir, path, O_RDONLY | O_CLOEXEC, 0);
	if (!(flags & O_EXCL))
		snprintf(nodes_opened, sizeof(nodes_opened), "%s", node.number);
	return fd;
}

int open(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
	va_end(args);
	return openat(AT_FDCWD, path, flags, mode);
}

int faccessat(int dir, const char *path, int mode, int flags)
{
	struct node node;

	if (mode & W_OK && node_at(dir, path, &node))
		return may_open(&node) ? 0 : -1;
	return (int)syscall(SYS_faccessat2, dir, path, mode, flags);
}
