/* SPDX-License-Identifier: Apache-2.0
 *
 * The VM as a tenant of the host: the user it runs as, its cgroup, its core-scheduling cookie.
 *
 * Core process, main thread, before there is guest RAM or another process: RAM is charged to the
 * cgroup we are in when it is touched, and cookie and cgroup are inherited by whoever we start.
 */
#pragma once

#include <limits.h>

#include "vmm/opts.h"

struct tenant {
	bool has_user;
	unsigned uid, gid;
	char cgroup[PATH_MAX]; /* the VM's, with leaves "core", "broker" and "helper-N"; "": none */
};

/* Looks the user up, takes a cookie, makes the cgroup and moves into its leaf "core". What the host
 * does not give is reported and done without; an unknown user is a refusal. tasks: how many the
 * core may come to be, itself included. */
int tenant_init(struct tenant *tenant, const struct opts *opts, unsigned tasks, struct err *err);

/* "NAME", "UID" or "UID:GID"; a number without a group takes the user's own, or the same number.
 * 0 or -EINVAL with a message. */
int tenant_user(const char *text, struct tenant *tenant, struct err *err);
