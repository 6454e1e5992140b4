/* SPDX-License-Identifier: Apache-2.0
 *
 * What a function was like before `bulkhead bind`: /run/bulkhead/bind/BDF. bulkhead-devices.
 *
 * In /run because the kernel forgets driver_override at the same moment, the end of the boot. Only
 * root writes there, yet what is read back goes into paths of sysfs and is checked for that. The
 * first record stays: what a second bind finds is what the first one, or somebody since, has made.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "helpers/devices/devices.h"

#define RUN_BIND "run/bulkhead/bind"

enum { LOCK_WAIT_MS = 5000, LOCK_AGAIN_MS = 50 };

int record_lock(int root, struct fd *ret, struct err *err)
{
	const struct timespec again = {.tv_nsec = LOCK_AGAIN_MS * 1000000};

	if ((mkdirat(root, "run/bulkhead", 0755) < 0 && errno != EEXIST) ||
		(mkdirat(root, RUN_BIND, 0755) < 0 && errno != EEXIST))
		return err_set(err, -errno, BLAME_HOST,
			"/" RUN_BIND " cannot be made: %s; run this as root", strerror(errno));
	ret->n = openat(root, RUN_BIND, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (ret->n < 0)
		return err_set(err, -errno, BLAME_HOST, "/" RUN_BIND ": %s; run this as root",
			strerror(errno));
	for (unsigned ms = 0; flock(ret->n, LOCK_EX | LOCK_NB) < 0; ms += LOCK_AGAIN_MS) {
		if (errno != EWOULDBLOCK || ms >= LOCK_WAIT_MS)
			return err_set(err, -EBUSY, BLAME_HOST,
				"another `bulkhead bind` or `unbind` is at work (it has /" RUN_BIND
				" locked); wait for it, or see what it waits for");
		nanosleep(&again, NULL);
	}
	return 0;
}

int record_write(int root, const char *bdf, const struct record *record, struct err *err)
{
	char path[64], text[2 * WORD + 32];
	fd_owned fd = FD_NONE_INIT;
	int n = snprintf(text, sizeof(text), "driver=%s\noverride=%s\n", record->driver,
		record->override);

	snprintf(path, sizeof(path), RUN_BIND "/%s", bdf);
	fd.n = openat(root, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd.n < 0 && errno == EEXIST)
		return 1;
	if (fd.n >= 0 && write(fd.n, text, (size_t)n) == n)
		return 0;
	if (fd.n >= 0)
		unlinkat(root, path, 0);
	return err_set(err, fd.n < 0 ? -errno : -EIO, BLAME_HOST,
		"/%s cannot be written: %s; run this as root, with room in /run", path,
		strerror(fd.n < 0 ? errno : EIO));
}

/* The value of key= in the text, a plain name or nothing. */
static int value_of(const char *text, const char *key, char ret[static WORD])
{
	const char *at = strstr(text, key);
	size_t n;

	if (!at)
		return -EINVAL;
	at += strlen(key);
	n = strcspn(at, "\n");
	if (n >= WORD || memchr(at, '/', n) || (n && at[0] == '.'))
		return -EINVAL;
	memcpy(ret, at, n);
	ret[n] = '\0';
	return 0;
}

int record_read(int root, const char *bdf, struct record *ret, struct err *err)
{
	char text[2 * WORD + 32];
	int r = attr_read(root, text, sizeof(text), RUN_BIND "/%s", bdf);

	memset(ret, 0, sizeof(*ret));
	if (r == -ENOENT)
		return err_set(err, r, BLAME_HOST, "%s was not bound by bulkhead", bdf);
	if (r >= 0 && value_of(text, "driver=", ret->driver) == 0 &&
		value_of(text, "\noverride=", ret->override) == 0)
		return 0;
	return err_set(err, r < 0 ? r : -EINVAL, BLAME_HOST,
		"/" RUN_BIND "/%s, which says what had %s before, cannot be used: %s; remove it, "
		"and the kernel chooses the driver", bdf, bdf,
		r < 0 ? strerror(-r) : "not written by bulkhead");
}

void record_remove(int root, const char *bdf)
{
	char path[64];

	snprintf(path, sizeof(path), RUN_BIND "/%s", bdf);
	unlinkat(root, path, 0);
}
