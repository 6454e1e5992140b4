/* SPDX-License-Identifier: Apache-2.0
 *
 * What the opener may call once it serves an API. What argv names is opened before, with no filter but the
 * launcher's.
 *
 * It opens, which nobody else may; its Landlock says what. It has no right to a network, to RAM of the
 * guest, to a device's ioctls, and to start a program: a child is a copy of itself.
 */
#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "seccomp/rows.h"

static const struct policy_row run[] = {
	ROWS_WIRE,
	ROW_KIND_CHARDEV,
	ALLOW(brk, "malloc"),
	ALLOW_MASKED(mmap, 2, PROT_EXEC, 0, "malloc"),
	ALLOW(munmap, "malloc: free"), ALLOW(mremap, "realloc"),
	ALLOW(openat2, "open_below"),
	ALLOW(openat, "helpers/host: sysfs, procfs; nodes of devices, /dev/ptmx"),
	ALLOW(write, "open_and_tell; log_line"), ALLOW(read, "helpers/host; child_end"),
	ALLOW(pread64, "helpers/host: a function's configuration space"),
	ALLOW(newfstatat, "helpers/host, allow.c"), ALLOW_IF(faccessat2, 3, AT_EACCESS, "helpers/host: node_may_open"),
	ALLOW(readlink, "realpath"), ALLOW(readlinkat, "helpers/host: link_name"),
	ALLOW(getdents64, "readdir"),
	ALLOW_IF(clone, 0, CLONE_PIDFD | SIGCHLD, "child_begin: a copy of itself"),
	ALLOW_IF(pipe2, 1, O_CLOEXEC | O_NONBLOCK, "child_begin: its report"),
	ALLOW_IF(pidfd_send_signal, 1, SIGKILL, "end_child: pidfds it has of its children alone"),
	ALLOW_IF(waitid, 0, P_PIDFD, "end_child"), ALLOW_IF(waitid, 0, P_ALL, "child_begin: who was late"),
	ALLOW(getpid, "helpers/host: not its own descriptors"), ALLOW(getppid, "answer_state"),
	ALLOW_IF(fcntl, 1, F_DUPFD_CLOEXEC, "files.c: copy"),
	ALLOW_IF(fcntl, 1, F_GETFL, "fdopendir"),
	ALLOW_IF(inotify_init1, 0, IN_CLOEXEC | IN_NONBLOCK, "vdpa.c: watch"),
	ALLOW_IF(inotify_add_watch, 2, IN_ATTRIB, "vdpa.c: watch"),
	ALLOW_IOCTL(TCGETS, "pty.c: make_raw"), ALLOW_IOCTL(TCSETS, "pty.c: make_raw"),
	ALLOW_IOCTL(TCGETS2, "the same in glibc 2.42"), ALLOW_IOCTL(TCSETS2, "the same in glibc 2.42"),
	ALLOW_IOCTL(TIOCSPTLCK, "unlockpt"), ALLOW_IOCTL(TIOCGPTN, "ptsname_r"),
};

const struct policy policy_open_run = POLICY("open", "run", run);
