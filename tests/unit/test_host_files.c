/* SPDX-License-Identifier: Apache-2.0
 *
 * Nobody who does not answer is waited for: what is behind a descriptor or a name is what this host's
 * kernel knows of it. A FUSE file system whose daemon says nothing stands for a file server that is
 * gone, too: nfs_getattr and fuse_update_get_attr look at the same flag.
 *
 * links: helpers/host/files.c helpers/host/place.c
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "helpers/host/uses.h"

static unsigned asked;
static int with; /* which flags, the last time */

int statx(int dir, const char *path, int flags, unsigned mask, struct statx *ret)
{
	asked++;
	with = flags;
	return (int)syscall(SYS_statx, dir, path, flags, mask, ret);
}

/* Where a file system is mounted that never answers; false: this machine lets us mount none. */
static bool silent_at(const char *path)
{
	char options[80];
	int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC); /* stays open, and is not read */

	if (fuse < 0 || (unshare(CLONE_NEWNS) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) ||
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return false;
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other",
		fuse);
	return mount("silent", path, "fuse", 0, options) == 0;
}

/* As a descriptor of a process that was looked at for open nodes. */
Test(host_files, nobody_is_waited_for, .timeout = 10)
{
	char at[] = "/tmp/bulkhead-silent.XXXXXX";
	struct stat st;
	int fd;

	cr_assert(mkdtemp(at));
	if (!silent_at(at)) {
		rmdir(at);
		cr_skip_test("no FUSE here");
	}
	fd = open(at, O_PATH | O_CLOEXEC);
	cr_assert_geq(fd, 0);
	cr_assert_eq(node_stat(AT_FDCWD, &st, "/proc/self/fd/%d", fd), 0);
	cr_assert(S_ISDIR(st.st_mode));
	umount2(at, MNT_DETACH);
	rmdir(at);
}

/* And where no such file system can be had: what is asked for. */
Test(host_files, as_this_host_knows_it)
{
	struct stat st;

	cr_assert_eq(node_stat(AT_FDCWD, &st, "/dev/null"), 0);
	cr_assert(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
	cr_assert_eq(with, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT);
	cr_assert_lt(node_stat(AT_FDCWD, &st, "/dev/null/x"), 0);
}

/* What others have named, in mountinfo or as a loop device's file, is looked for in /dev alone. */
Test(host_files, no_way_over_a_server)
{
	char number[24] = "";

	cr_assert_not(block_number(AT_FDCWD, "/mnt/nfs/disk", number));
	cr_assert_not(block_number(AT_FDCWD, "//server/share", number));
	cr_assert_eq(asked, 0);
	cr_assert_not(block_number(AT_FDCWD, "/dev/null", number));
	cr_assert_eq(asked, 1);
}
