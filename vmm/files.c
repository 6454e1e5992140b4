/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening /dev/kvm, the kernel, the initramfs, the log and the serial port's output.
 *
 * Core process, main thread, with the rights of whoever started us: the kernel's permission checks
 * are the ones that count, so nothing is looked at before it is opened.
 */
#include "vmm/files.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <sys/syscall.h>

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

static int open_kvm(struct fd *ret, struct err *err)
{
	int fd = open(KVM_PATH, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return refuse_kvm(-errno, err);
	ret->n = fd;
	return 0;
}

/* O_NONBLOCK: a FIFO given by mistake does not hold us up; on a file it means nothing. */
static int open_input(const char *option, const char *path, struct fd *ret, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), code;

	if (fd < 0) {
		code = -errno;
		return err_set(err, code, BLAME_HOST, "%s %.200s: %s; %s", option, path,
			strerror(-code), code == -ENOENT ? "check the path" :
				"make it readable for the user that runs bulkhead");
	}
	ret->n = fd;
	return 0;
}

static int open_output(const char *option, const char *path, int flags, struct fd *ret,
	struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags, 0640);
	int code;

	if (fd < 0) {
		code = -errno;
		return err_set(err, code, BLAME_HOST, "%s %.200s: %s; give a path that can be "
			"written", option, path,
			code == -ENXIO ? "a FIFO nobody reads" : strerror(-code));
	}
	ret->n = fd;
	return 0;
}

/* Standard output, but non-blocking: without O_NONBLOCK on the terminal or pipe itself, which we
 * share with others. A file never blocks; a socket has no second view, and rarely anyone else. */
static int open_stdout(struct fd *ret, struct err *err)
{
	struct stat st;
	int fd = -1;

	if (fstat(STDOUT_FILENO, &st) < 0)
		return 0; /* closed: there is nobody to print for */
	if (S_ISCHR(st.st_mode) || S_ISFIFO(st.st_mode))
		fd = open("/proc/self/fd/1", O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return err_set(err, -errno, BLAME_HOST, "standard output: %s", strerror(errno));
	if (S_ISSOCK(st.st_mode))
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	ret->n = fd;
	return 0;
}

int files_open(struct files *files, const struct opts *opts, struct err *err)
{
	int r = 0;

	*files = (struct files){FD_NONE_INIT, FD_NONE_INIT, FD_NONE_INIT, FD_NONE_INIT,
		FD_NONE_INIT};
	if (opts->log_file)
		r = open_output("--log-file", opts->log_file, O_APPEND, &files->log, err);
	if (r == 0)
		r = open_input("--kernel", opts->kernel, &files->kernel, err);
	if (r == 0 && opts->initramfs)
		r = open_input("--initramfs", opts->initramfs, &files->initramfs, err);
	if (r == 0)
		r = open_kvm(&files->kvm, err);
	if (r == 0 && opts->serial == SERIAL_FILE)
		r = open_output("--serial file=", opts->serial_path, O_APPEND, &files->serial_out,
			err);
	if (r == 0 && opts->serial == SERIAL_TTY)
		r = open_stdout(&files->serial_out, err);
	return r;
}

int files_fill_standard(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static void close_between(const struct files *files)
{
	const int ours[] = {files->kvm.n, files->kernel.n, files->initramfs.n, files->log.n,
		files->serial_out.n};
	unsigned from = STDERR_FILENO + 1;

	for (;;) {
		unsigned next = ~0u;

		for (unsigned i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
			if (ours[i] >= 0 && (unsigned)ours[i] >= from && (unsigned)ours[i] < next)
				next = (unsigned)ours[i];
		}
		if (next == ~0u)
			break;
		if (next > from)
			syscall(SYS_close_range, from, next - 1, 0);
		from = next + 1;
	}
	syscall(SYS_close_range, from, ~0u, 0);
}

void files_close_others(struct files *files)
{
	struct fd *const ours[] = {&files->kvm, &files->kernel, &files->initramfs, &files->log,
		&files->serial_out};

	close_between(files);
	/* Down to where they may be read and written (seccomp/policy.h, FD_FLOOR). */
	for (unsigned i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		int low = ours[i]->n < 0 ? -1 : fcntl(ours[i]->n, F_DUPFD_CLOEXEC, 3);

		if (low >= 0 && low < ours[i]->n) {
			fd_close(ours[i]);
			ours[i]->n = low;
		} else if (low >= 0) {
			close(low);
		}
	}
}

static bool is_file(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

bool files_grow(const struct files *files)
{
	return is_file(files->serial_out.n) || is_file(files->log.n) || is_file(STDERR_FILENO);
}
