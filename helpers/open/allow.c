/* SPDX-License-Identifier: Apache-2.0
 *
 * What a client of the API may name: what --allow says, and what the command line names itself.
 *
 * Opener process. All of it is pinned at argv time, with the operator's rights; a client's path is then
 * looked up below what was pinned, by a way that leads nowhere else (openat2(2)), and only a regular
 * file is opened: a FIFO would hold us up, a device node can act on being opened. Outside of that there
 * is one answer for everything, so that a client learns nothing of the host.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "helpers/open/open.h"

static void without_slashes(char *path)
{
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		path[--len] = '\0';
}

/* A file is looked up in its folder each time, as it may be replaced. A device is only ever compared. */
static int pin(struct opening *opening, enum allow_kind kind, const char *path, struct err *err)
{
	struct allowed *a = &opening->allowed[opening->n_allowed];
	char folder[PATH_MAX];
	char *slash;
	struct stat st;

	if (opening->n_allowed == ALLOWED_MAX || snprintf(a->path, PATH_MAX, "%s", path) >= PATH_MAX)
		return err_set(err, -ENAMETOOLONG, BLAME_HOST, "--allow %s=%.100s: it is too long",
			allow_name(kind), path);
	without_slashes(a->path);
	a->kind = kind;
	a->dir = FD_NONE_INIT;
	a->file = NULL;
	opening->n_allowed++;
	if (kind == ALLOW_DEVICE)
		return 0;
	strcpy(folder, a->path);
	if (stat(a->path, &st) < 0 || !S_ISDIR(st.st_mode)) {
		slash = strrchr(folder, '/');
		a->file = strrchr(a->path, '/') + 1;
		slash[slash == folder] = '\0';
	}
	a->dir.n = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return a->dir.n < 0 ? err_set(err, -errno, BLAME_HOST, "--allow %s=%.200s: %s; give a folder, or "
		"a file in one, that is there", allow_name(kind), path, strerror(errno)) : 0;
}

/* The command line's own paths; a relative one is no client's to name. */
static int pin_own(struct opening *opening, enum allow_kind kind, const char *path, struct err *err)
{
	return path && path[0] == '/' ? pin(opening, kind, path, err) : 0;
}

int allow_pin(struct opening *opening, struct err *err)
{
	const struct opts *opts = &opening->argv;
	int r = 0;

	for (unsigned i = 0; i < opts->n_allow && r == 0; i++)
		r = pin(opening, opts->allow[i].kind, opts->allow[i].path, err);
	if (r == 0)
		r = pin_own(opening, ALLOW_RO, opts->kernel, err);
	if (r == 0)
		r = pin_own(opening, ALLOW_RO, opts->initramfs, err);
	if (r == 0)
		r = pin_own(opening, ALLOW_SERIAL, opts->serial_path, err);
	for (unsigned i = 0; i < opts->n_devices && r == 0; i++) {
		r = pin_own(opening, ALLOW_DEVICE, opts->devices[i].path, err);
		if (r == 0 && opts->devices[i].rom && strcmp(opts->devices[i].rom, "off") != 0)
			r = pin_own(opening, ALLOW_RO, opts->devices[i].rom, err);
	}
	return r;
}

/* The part of path below what is allowed; NULL: it is not below it. */
static const char *below(const struct allowed *a, const char *path)
{
	size_t len = strlen(a->path);

	if (a->file || a->kind == ALLOW_DEVICE) {
		if (strcmp(path, a->path) == 0)
			return a->file ? a->file : path;
		if (a->file)
			return NULL;
	}
	if (strncmp(path, a->path, len) != 0)
		return NULL;
	path += len;
	if (len > 1 && *path++ != '/')
		return NULL;
	path += strspn(path, "/");
	return *path ? path : NULL;
}

static int open_below(int dir, const char *path, int flags)
{
	struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC),
		.mode = flags & O_CREAT ? 0640 : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
			RESOLVE_NO_XDEV};
	long fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

static bool is_file(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

/* Looked at before it is opened, and after. A new file is ours alone to have made. */
static int open_file(int dir, const char *path, int flags)
{
	fd_owned seen = {open_below(dir, path, O_PATH)}, file = FD_NONE_INIT;

	if (seen.n == -ENOENT && flags & O_CREAT) {
		file.n = open_below(dir, path, flags | O_EXCL);
	} else if (seen.n >= 0 && is_file(seen.n)) {
		file.n = open_below(dir, path, flags & ~O_CREAT);
	} else {
		return seen.n < 0 ? seen.n : -EINVAL;
	}
	if (file.n < 0)
		return file.n;
	return is_file(file.n) ? fd_take(&file).n : -EINVAL;
}

static int refuse(enum allow_kind kind, const char *path, struct err *err)
{
	return err_set(err, -EACCES, BLAME_HOST, "%.200s: no --allow %s= names it, or it is not there, or "
		"no %s; start bulkhead with one that does", path, allow_name(kind),
		kind == ALLOW_DEVICE ? "device" : "file that the VM's user may have");
}

int name_open(const struct opening *opening, enum allow_kind kind, const char *path, int flags,
	struct err *err)
{
	if (!opening->walled) {
		int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0640);

		return fd < 0 ? -errno : fd;
	}
	for (unsigned i = 0; i < opening->n_allowed; i++) {
		const struct allowed *a = &opening->allowed[i];
		const char *rest = a->kind == kind ? below(a, path) : NULL;
		int fd = rest ? open_file(a->dir.n, rest, flags | O_NONBLOCK | O_NOCTTY) : -ENOENT;

		if (fd >= 0)
			return fd;
	}
	return refuse(kind, path, err);
}

int name_allows(const struct opening *opening, const char *path, struct err *err)
{
	for (unsigned i = 0; i < opening->n_allowed && opening->walled; i++) {
		const struct allowed *a = &opening->allowed[i];
		const char *rest = a->kind == ALLOW_DEVICE ? below(a, path) : NULL;

		if (rest && (rest == path || !strchr(rest, '/')))
			return 0;
	}
	return opening->walled ? refuse(ALLOW_DEVICE, path, err) : 0;
}
