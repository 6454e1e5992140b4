/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening /dev/kvm, the kernel, the initramfs and the serial port's output.
 *
 * Opener process, with the rights of whoever started us: the kernel's permission checks are the ones
 * that count, so nothing is looked at before it is opened.
 */
#include "helpers/open/open.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KVM_PATH "/dev/kvm"

static int refuse_kvm(int code, struct err *err)
{
	const struct group *group;
	struct stat st;

	if (code == -ENOENT || code == -ENXIO || code == -ENODEV)
		return err_set(err, code, BLAME_HOST,
			KVM_PATH ": there is no KVM here; turn on VT-x or AMD-V in the firmware (or "
			"nested virtualization), then `modprobe kvm_intel` or `modprobe kvm_amd`");
	if (code != -EACCES || stat(KVM_PATH, &st) < 0)
		return err_set(err, code, BLAME_HOST, KVM_PATH ": %s", strerror(-code));
	group = getgrgid(st.st_gid);
	if ((st.st_mode & (S_IRGRP | S_IWGRP)) != (S_IRGRP | S_IWGRP))
		return err_set(err, code, BLAME_HOST,
			KVM_PATH ": you may not use it, its mode is %04o; `chmod 660 " KVM_PATH "`, "
			"or run as its owner", st.st_mode & 07777);
	return err_set(err, code, BLAME_HOST,
		KVM_PATH ": you may not use it, group %s may; `usermod -aG %s $USER`, then log in "
		"again", group ? group->gr_name : "(unnamed)", group ? group->gr_name : "GROUP");
}

int kvm_open(struct fd *ret, struct err *err)
{
	int fd = open(KVM_PATH, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return refuse_kvm(-errno, err);
	ret->n = fd;
	return 0;
}

/* O_NONBLOCK: a FIFO given by mistake does not hold us up; on a file it means nothing. */
static int open_input(const struct opening *opening, const char *option, const char *path,
	struct fd *ret, struct err *err)
{
	int fd = name_open(opening, ALLOW_RO, path, O_RDONLY, err), code = fd;

	if (fd < 0 && !opening->walled) {
		return err_set(err, code, BLAME_HOST, "%s %.200s: %s; %s", option, path,
			strerror(-code), code == -ENOENT ? "check the path" :
				"make it readable for the user that runs bulkhead");
	}
	ret->n = fd;
	return fd < 0 ? fd : 0;
}

static int open_output(const struct opening *opening, const char *option, const char *path,
	struct fd *ret, struct err *err)
{
	int fd = name_open(opening, ALLOW_SERIAL, path, O_WRONLY | O_CREAT | O_APPEND, err), code = fd;

	if (fd < 0 && !opening->walled) {
		return err_set(err, code, BLAME_HOST, "%s %.200s: %s; give a path that can be "
			"written", option, path,
			code == -ENXIO ? "a FIFO nobody reads" : strerror(-code));
	}
	ret->n = fd;
	return fd < 0 ? fd : 0;
}

/* Standard output, but non-blocking: without O_NONBLOCK on the terminal or pipe itself, which we
 * share with others. A file never blocks; a socket has no second view, and rarely anyone else. Once, as
 * Landlock lets nobody open what is in /proc/self/fd. */
int out_open(struct opening *opening, struct err *err)
{
	struct stat st;
	int fd = -1;

	if (opening->out.n >= 0 || fstat(OPEN_FD_STDOUT, &st) < 0)
		return 0; /* closed: there is nobody to print for */
	if (S_ISCHR(st.st_mode) || S_ISFIFO(st.st_mode))
		fd = open("/proc/self/fd/4" /* OPEN_FD_STDOUT */, O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd >= 0 && dup3(fd, OPEN_FD_STDOUT, O_CLOEXEC) < 0)
		return err_set(err, -errno, BLAME_HOST, "standard output: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
	if (S_ISSOCK(st.st_mode))
		fcntl(OPEN_FD_STDOUT, F_SETFL, fcntl(OPEN_FD_STDOUT, F_GETFL) | O_NONBLOCK);
	opening->out.n = OPEN_FD_STDOUT;
	return 0;
}

/* Keys for the guest. */
static int open_stdin(struct fd *ret, struct err *err)
{
	ret->n = fcntl(OPEN_FD_STDIN, F_DUPFD_CLOEXEC, OPEN_FD_STDOUT + 1);
	return ret->n < 0 ? err_set(err, -errno, BLAME_HOST, "standard input: %s", strerror(errno)) : 0;
}

static int copy(int fd, struct fd *ret, struct err *err)
{
	ret->n = fcntl(fd, F_DUPFD_CLOEXEC, OPEN_FD_STDOUT + 1);
	return ret->n < 0 ? err_set(err, -errno, BLAME_HOST, "dup: %s", strerror(errno)) : 0;
}

static int open_serial(struct opening *opening, struct err *err)
{
	struct files *files = &opening->files;
	int r = 0;

	switch (opening->opts.serial) {
	case CONSOLE_FILE:
		return open_output(opening, "--serial file=", opening->opts.serial_path,
			&files->serial_out, err);
	case CONSOLE_PTY:
		r = copy(opening->serial.master.n, &files->serial_out, err);
		return r < 0 ? r : copy(opening->serial.master.n, &files->serial_in, err);
	case CONSOLE_TTY:
		r = out_open(opening, err);
		if (r == 0 && opening->out.n >= 0)
			r = copy(opening->out.n, &files->serial_out, err);
		return r < 0 ? r : open_stdin(&files->serial_in, err);
	default: return 0;
	}
}

int files_open(struct opening *opening, struct err *err)
{
	const struct opts *opts = &opening->opts;
	struct files *files = &opening->files;
	int r = open_input(opening, "--kernel", opts->kernel, &files->kernel, err);

	if (r == 0 && opts->initramfs)
		r = open_input(opening, "--initramfs", opts->initramfs, &files->initramfs, err);
	if (r == 0)
		r = copy(opening->kvm.n, &files->kvm, err);
	return r < 0 ? r : open_serial(opening, err);
}
