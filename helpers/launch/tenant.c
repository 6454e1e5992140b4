/* SPDX-License-Identifier: Apache-2.0
 *
 * A user and a cookie for the VM. Launcher process.
 */
#include "helpers/launch/tenant.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "seccomp/layers.h"

static int number(const char *text, const char **ret_end, unsigned *ret)
{
	unsigned long value;
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || value >= UINT32_MAX)
		return -EINVAL;
	*ret = (unsigned)value;
	*ret_end = end;
	return 0;
}

int tenant_user(const char *text, struct tenant *tenant, struct err *err)
{
	const struct passwd *entry;
	const char *end = "";
	unsigned uid, gid;

	if (number(text, &end, &uid) == 0 && *end == '\0') {
		entry = getpwuid(uid);
		gid = entry ? entry->pw_gid : uid;
	} else if (*end == ':') {
		if (number(end + 1, &end, &gid) < 0 || *end != '\0')
			uid = 0;
	} else {
		entry = getpwnam(text);
		if (!entry)
			return err_set(err, -EINVAL, BLAME_HOST,
				"--user: «%.60s» is no user of this host; make one, `useradd -r "
				"NAME`, or give UID:GID", text);
		uid = entry->pw_uid;
		gid = entry->pw_gid;
	}
	if (uid == 0 || gid == 0)
		return err_set(err, -EINVAL, BLAME_HOST,
			"--user: «%.60s» is root, or no UID:GID; give the VM a user of its own",
			text);
	tenant->has_user = true;
	tenant->uid = uid;
	tenant->gid = gid;
	return 0;
}

int tenant_cookie(struct err *err)
{
	enum { SCHED_CORE = 62, CREATE = 1, THREAD_GROUP = 1 };

	if (prctl(SCHED_CORE, CREATE, 0, THREAD_GROUP, 0) < 0)
		return layer_missing(LAYER_CORE_SCHED, -errno, err, "%s",
			errno == ENODEV ? "this processor has no SMT" : strerror(errno));
	layer_holds(LAYER_CORE_SCHED, "a cookie for this VM");
	return 0;
}

int tenant_init(struct tenant *tenant, const struct opts *opts, struct err *err)
{
	int r = 0;

	if (opts->user)
		r = tenant_user(opts->user, tenant, err);
	else
		layer_missing(LAYER_USER, -EPERM, err, "uid %u, as started", geteuid());
	if (r == 0 && tenant->has_user && geteuid() != 0)
		return err_set(err, -EPERM, BLAME_HOST, "--user: only root may give the VM a user; start "
			"as root, or leave it out");
	if (tenant->has_user)
		layer_holds(LAYER_USER, "uid %u, gid %u, no other group", tenant->uid, tenant->gid);
	return r < 0 ? r : cgroup_make(tenant, opts, err);
}
