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
#include <string.h>
#include <unistd.h>

#include "helpers/open/open.h"
#include "helpers/opts/opts_user.h"
#include "seccomp/confine.h"
#include "seccomp/layers.h"

/* The host is looked at in sysfs and procfs; nodes of devices, and terminals, are in /dev. */
static const struct {
	const char *path;
	uint64_t rights;
} places[] = {
	{"sys", CONFINE_READ | CONFINE_LIST},
	{"proc", CONFINE_READ | CONFINE_LIST},
	{"dev", CONFINE_READ | CONFINE_WRITE | CONFINE_LIST | CONFINE_IOCTL},
};
enum { PLACES = sizeof(places) / sizeof(places[0]) };

static int become_user(const struct opts *opts, struct err *err)
{
	struct user user;
	int r = opts->user ? user_find(opts->user, &user, err) : 0;

	if (!opts->user || r < 0)
		return r;
	if (setgroups(0, NULL) < 0 || setresgid(user.gid, user.gid, user.gid) < 0 ||
		setresuid(user.uid, user.uid, user.uid) < 0)
		return err_set(err, -errno, BLAME_HOST, "--user %s: %s", opts->user, strerror(errno));
	return 0;
}

static int confine_paths(const struct opening *opening, struct err *err)
{
	struct confine_file files[PLACES + ALLOWED_MAX];
	fd_owned sys = FD_NONE_INIT, proc = FD_NONE_INIT, dev = FD_NONE_INIT;
	struct fd *const fds[PLACES] = {&sys, &proc, &dev};
	unsigned n = 0;

	for (; n < PLACES; n++) {
		fds[n]->n = openat(opening->root.n, places[n].path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fds[n]->n < 0)
			return err_set(err, -errno, BLAME_HOST, "/%s: %s", places[n].path, strerror(errno));
		files[n] = (struct confine_file){fds[n]->n, places[n].rights};
	}
	for (unsigned i = 0; i < opening->n_allowed; i++) {
		const struct allowed *a = &opening->allowed[i];

		if (a->kind == ALLOW_RO)
			files[n++] = (struct confine_file){a->dir.n, CONFINE_READ};
		else if (a->kind == ALLOW_SERIAL)
			files[n++] = (struct confine_file){a->dir.n, CONFINE_WRITE | CONFINE_MAKE};
	}
	return confine_to_files(files, n, err);
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
