/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "ipc/err.h"

struct user {
	unsigned uid, gid;
};

/* "NAME", "UID" or "UID:GID"; a number without a group takes the user's own, or the same number.
 * 0 or -EINVAL with a message. */
int user_find(const char *text, struct user *ret, struct err *err);
