/* SPDX-License-Identifier: Apache-2.0
 *
 * What the opener may call once it serves an API. What argv names is opened before, with no filter but the
 * launcher's.
 *
 * It opens, which nobody else may; its Landlock says what. It has no right to a network, to RAM of the
 * guest, to a device's ioctls, and to start a program: a child is a copy of itself.
 */
#include <asm/ioctls.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "seccomp/rows.h"

static const struct policy_row run[] = {
	ROWS_WIRE,
	ROW_KIND_ANON, ROW_KIND_CHARDEV,
	ALLOW(brk, "malloc"),
	ALLOW_MASKED(mmap, 2, PROT_EXEC, 0, "malloc"),
	ALLOW(munmap, "free"), ALLOW(mremap, "realloc"),
	ALLOW(openat2, "open_below"),
	ALLOW(openat, "helpers/host: sysfs, procfs; nodes of devices, /dev/ptmx"),
	ALLOW(open, "posix_openpt, realpath"),
	ALLOW(write, "open_and_tell"), ALLOW(read, "helpers/host; child_end"), ALLOW(pread64, "helpers/host"),
	ALLOW(newfstatat, "helpers/host"), ALLOW(statfs, "memory_check"),
	ALLOW(readlink, "realpath"), ALLOW(readlinkat, "helpers/host: link_name"),
	ALLOW(getdents64, "readdir"), ALLOW(lseek, "rewinddir, fopen"),
	ALLOW(getcwd, "realpath"),
	ALLOW(faccessat, "helpers/host: is_there"), ALLOW(faccessat2, "helpers/host: is_there"),
	ALLOW(clone, "child_begin: fork"), ALLOW(set_robust_list, "fork"), ALLOW(rseq, "fork"),
	ALLOW(gettid, "fork"), ALLOW(getpid, "child_begin"),
	ALLOW(pipe2, "child_begin"), ALLOW(kill, "child_end"), ALLOW(wait4, "child_end"),
	ALLOW(dup, "files.c"), ALLOW_IF(fcntl, 1, F_DUPFD_CLOEXEC, "files.c: copy"),
	ALLOW_IF(fcntl, 1, F_GETFL, "files.c: open_stdout"), ALLOW_IF(fcntl, 1, F_SETFL, "files.c: open_stdout"),
	ALLOW(inotify_init1, "vdpa.c: watch"), ALLOW(inotify_add_watch, "vdpa.c: watch"),
	ALLOW_IOCTL(TCGETS, "pty.c: make_raw"), ALLOW_IOCTL(TCSETS, "pty.c: make_raw"),
	ALLOW_IOCTL(TIOCSPTLCK, "unlockpt"), ALLOW_IOCTL(TIOCGPTN, "ptsname_r"),
	ALLOW(getppid, "confine_with_parent"),
};

const struct policy policy_open_run = POLICY("open", "run", run);
