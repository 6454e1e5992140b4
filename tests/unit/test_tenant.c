/* SPDX-License-Identifier: Apache-2.0
 *
 * --user: who the VM becomes. The cgroup needs a host of its own: tests/rig/cases/audit.sh.
 *
 * links: helpers/opts/opts_user.c
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "helpers/opts/opts_user.h"

Test(tenant, users)
{
	static const struct {
		const char *text;
		unsigned uid, gid; /* 0: refused */
	} rows[] = {
		{"64321", 64321, 64321}, {"64321:64322", 64321, 64322},
		{"0", 0, 0}, {"root", 0, 0}, {"1:0", 0, 0}, {"0:1", 0, 0}, {"", 0, 0},
		{"-1", 0, 0}, {"4294967295", 0, 0}, {"4294967297", 0, 0}, {"1:", 0, 0},
		{"1:2:3", 0, 0}, {"1:x", 0, 0}, {"1x", 0, 0}, {" 1", 0, 0}, {"1:-2", 0, 0},
		{"nobody-of-that-name", 0, 0},
	};
	struct user user;
	struct err err;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int r = user_find(rows[i].text, &user, &err);

		if (rows[i].uid == 0) {
			cr_expect(r == -EINVAL && strstr(err.msg, "--user"), "«%s»", rows[i].text);
			continue;
		}
		cr_expect(r == 0, "«%s»: %s", rows[i].text, err.msg);
		cr_expect(user.uid == rows[i].uid && user.gid == rows[i].gid, "«%s»", rows[i].text);
	}
}

Test(tenant, a_name_brings_its_group)
{
	const struct passwd *nobody = getpwnam("nobody");
	struct user user;
	struct err err;
	unsigned uid, gid;
	char text[16];

	if (!nobody)
		cr_skip_test("no user nobody here");
	uid = nobody->pw_uid;
	gid = nobody->pw_gid;
	cr_assert_eq(user_find("nobody", &user, &err), 0);
	cr_expect(user.uid == uid && user.gid == gid);
	snprintf(text, sizeof(text), "%u", uid);
	cr_assert_eq(user_find(text, &user, &err), 0);
	cr_expect(user.gid == gid, "a number finds the group, too");
}
