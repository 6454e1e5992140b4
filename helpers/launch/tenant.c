/* SPDX-License-Identifier: Apache-2.0
 *
 * A user and a cookie for the VM. Launcher process.
 */
#include "helpers/launch/tenant.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "seccomp/layers.h"

/* Linux prctl.h, since 5.14. */
static int new_cookie(void)
{
	enum { SCHED_CORE = 62, CREATE = 1, THREAD_GROUP = 1 };

	return prctl(SCHED_CORE, CREATE, 0, THREAD_GROUP, 0);
}

void tenant_apart(void)
{
	(void)new_cookie(); /* where there are none, the VM has none either */
}

int tenant_cookie(struct err *err)
{
	if (new_cookie() < 0)
		return layer_missing(LAYER_CORE_SCHED, -errno, err, "%s",
			errno == ENODEV ? "this processor has no SMT" : strerror(errno));
	layer_holds(LAYER_CORE_SCHED, "a cookie for this VM");
	return 0;
}

int tenant_init(struct tenant *tenant, const struct opts *opts, struct err *err)
{
	int r = 0;

	if (opts->user)
		r = user_find(opts->user, &tenant->user, err);
	else
		layer_missing(LAYER_USER, -EPERM, err, "uid %u, as started", geteuid());
	if (r == 0 && opts->user && geteuid() != 0)
		return err_set(err, -EPERM, BLAME_HOST, "--user: only root may give the VM a user; start "
			"as root, or leave it out");
	tenant->has_user = r == 0 && opts->user;
	if (tenant->has_user)
		layer_holds(LAYER_USER, "uid %u, gid %u, no other group", tenant->user.uid,
			tenant->user.gid);
	return r < 0 ? r : cgroup_make(tenant, opts, err);
}
