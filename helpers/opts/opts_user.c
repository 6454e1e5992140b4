/* SPDX-License-Identifier: Apache-2.0
 *
 * The VM's own user. Launcher and opener, with the operator's rights: the host's users are looked up.
 */
#include "helpers/opts/opts_user.h"

#include <errno.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>

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

int user_find(const char *text, struct user *ret, struct err *err)
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
	*ret = (struct user){uid, gid};
	return 0;
}
