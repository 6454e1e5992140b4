/* SPDX-License-Identifier: Apache-2.0
 *
 * What the launcher gives up. Launcher process, one thread.
 *
 * An allow-list here would be inherited by everything it starts, and had to be all of their lists at
 * once; so its filter is a list of what nobody of the VM ever has a use for, and its Landlock has scopes
 * only: a domain with a rule for files could let no child mount its empty root (Linux
 * security/landlock/fs.c, hook_sb_mount). It keeps the operator's uid: the kernel's death signal goes
 * by the dying parent's right to kill (kernel/exit.c, reparent_leader), and root's children are the
 * VM's user's.
 */
#include <cap-ng.h>
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "helpers/launch/launch.h"
#include "ipc/log.h"
#include "seccomp/confine.h"
#include "seccomp/layers.h"

/* Guest RAM is locked for DMA by processes that may raise no limit themselves. What fails is told by
 * who needs it. */
int walls_limits(void)
{
	struct rlimit limit;

	if (setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY}) == 0)
		return 0;
	if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0)
		return -errno;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(RLIMIT_MEMLOCK, &limit) < 0 ? -errno : 0;
}

int walls_scopes(struct err *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(err, -errno, BLAME_HOST, "no_new_privs: %s", strerror(errno));
	layer_holds(LAYER_NO_NEW_PRIVS, "set");
	return confine_scopes(err);
}

/* To map the VM's ids into its children, and to end them. The map of root's own id takes a capability
 * of its own (user_namespaces(7), since Linux 5.12). Who is not root needs none for his own: what a
 * service manager gave us (capabilities(7), ambient) goes. */
static int keep_capabilities(const struct launch *launch, struct err *err)
{
	if (geteuid() != 0) {
		capng_clear(CAPNG_SELECT_CAPS);
		if (capng_apply(CAPNG_SELECT_CAPS) != 0)
			return layer_missing(LAYER_CAPABILITIES, -EPERM, err,
				"the launcher's are not dropped");
		return 0;
	}
	capng_clear(CAPNG_SELECT_ALL);
	capng_updatev(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_SETUID, CAP_SETGID, CAP_KILL,
		-1);
	if (!launch->tenant.has_user)
		capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_SETFCAP);
	if (capng_apply(CAPNG_SELECT_ALL) != 0)
		return layer_missing(LAYER_CAPABILITIES, -EPERM, err, "the launcher's are not dropped");
	layer_holds(LAYER_CAPABILITIES, "SETUID, SETGID, KILL%s, bounding set empty",
		launch->tenant.has_user ? "" : ", SETFCAP");
	return 0;
}

int walls_up(const struct launch *launch, struct err *err)
{
	int r = keep_capabilities(launch, err);

	return r < 0 ? r : policy_enter(&policy_launch_run, launch->opts.seccomp, false, err);
}
