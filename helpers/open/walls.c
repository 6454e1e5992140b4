/* SPDX-License-Identifier: Apache-2.0
 *
 * From the operator's rights to those of the VM's user, and to what --allow names.
 *
 * Opener process, once argv's own VM is open and before the api is listened to. It stays where names have
 * a meaning, so it has no empty root; Landlock says below what it may open, and nothing that runs here or
 * in a child of it can go back.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/securebits.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "helpers/open/open.h"
#include "helpers/opts/opts_user.h"
#include "seccomp/confine.h"
#include "seccomp/layers.h"

/* The host is looked at in sysfs and procfs; terminals, VFIO and iommufd have their nodes. A vhost-vdpa
 * node that comes later has no folder but /dev, and nor has VFIO's folder itself. */
enum { NODE = CONFINE_READ | CONFINE_WRITE | CONFINE_IOCTL };
static const struct place {
	const char *path;
	uint64_t rights;
	bool of_device; /* only where a client may name one that has no other */
} places[] = {
	{"sys", CONFINE_READ | CONFINE_LIST, false},
	{"proc", CONFINE_READ | CONFINE_LIST, false},
	{"dev/pts", NODE | CONFINE_LIST, false},
	{"dev/ptmx", NODE, false},
	{"dev/iommu", NODE, false},
	{"dev/vfio", NODE | CONFINE_LIST, false},
	{"dev", NODE | CONFINE_LIST, true},
};
enum { PLACES = sizeof(places) / sizeof(places[0]) };

/* Capabilities stay for now: it takes one of them to lock that there will be none. */
static int become_user(const struct opts *opts, struct err *err)
{
	struct user user;
	int r = opts->user ? user_find(opts->user, &user, err) : 0;

	if (!opts->user || r < 0)
		return r;
	if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) < 0 ||
		setgroups(0, NULL) < 0 || setresgid(user.gid, user.gid, user.gid) < 0 ||
		setresuid(user.uid, user.uid, user.uid) < 0)
		return err_set(err, -errno, BLAME_HOST, "--user %s: %s", opts->user, strerror(errno));
	return 0;
}

static bool needs_dev(const struct opening *opening)
{
	struct stat st;

	for (unsigned i = 0; i < opening->n_allowed; i++) {
		const struct allowed *a = &opening->allowed[i];

		if (a->kind == ALLOW_DEVICE && (strncmp(a->path, "/dev/", 5) == 0 ||
				fstatat(opening->root.n, "dev/vfio", &st, 0) < 0))
			return true;
	}
	return false;
}

/* The places there are, open. */
static int open_places(const struct opening *opening, struct confine_file *files, unsigned *n,
	struct err *err)
{
	for (unsigned i = 0; i < PLACES; i++) {
		int fd = places[i].of_device && !needs_dev(opening) ? -1
			: openat(opening->root.n, places[i].path, O_PATH | O_CLOEXEC);

		if (fd >= 0)
			files[(*n)++] = (struct confine_file){fd, places[i].rights};
		else if (errno != ENOENT && !places[i].of_device)
			return err_set(err, -errno, BLAME_HOST, "/%s: %s", places[i].path, strerror(errno));
	}
	return 0;
}

static int confine_paths(const struct opening *opening, struct err *err)
{
	struct confine_file files[PLACES + ALLOWED_MAX];
	unsigned n_places = 0, n;
	int r = open_places(opening, files, &n_places, err);

	n = n_places;
	for (unsigned i = 0; i < opening->n_allowed; i++) {
		const struct allowed *a = &opening->allowed[i];

		if (a->kind == ALLOW_RO)
			files[n++] = (struct confine_file){a->dir.n, CONFINE_READ};
		else if (a->kind == ALLOW_SERIAL)
			files[n++] = (struct confine_file){a->dir.n, CONFINE_WRITE | CONFINE_MAKE};
	}
	if (r == 0)
		r = confine_to_files(files, n, err);
	while (n_places > 0)
		close(files[--n_places].fd);
	return r;
}

/* The change of credentials clears the death signal. */
int walls_up(struct opening *opening, const struct birth *birth, struct err *err)
{
	int r = become_user(&opening->argv, err);

	if (r == 0)
		r = confine_capabilities(err);
	if (r == 0)
		r = confine_paths(opening, err);
	if (r == 0)
		r = confine_with_parent(getppid(), err);
	return r < 0 ? r : policy_enter(&policy_open_run, birth->mode, false, err);
}
