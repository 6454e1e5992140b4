/* SPDX-License-Identifier: Apache-2.0
 *
 * The VM as a tenant of the host: the user it runs as, its cgroup, its core-scheduling cookie.
 *
 * Launcher process, before there is another: what it starts is born into them.
 */
#pragma once

#include <limits.h>

#include "helpers/opts/opts.h"
#include "helpers/opts/opts_user.h"
#include "ipc/fd.h"
#include "ipc/words.h"

struct tenant {
	bool has_user;
	struct user user;
	char cgroup[PATH_MAX];                  /* its directory; "": none */
	struct fd leaves[KIND_VFIO + VM_SLOTS]; /* by kind, helpers by slot; -1: none */
};

/* Looks the user up, makes the cgroup and moves into its leaf "launch". What the host does not give is
 * reported and done without; an unknown user is a refusal. */
int tenant_init(struct tenant *tenant, const struct opts *opts, struct err *err);

/* A new cookie for the caller and whom it starts from now on: fork and exec keep it
 * (core-scheduling.rst). */
int tenant_cookie(struct err *err);
/* And another, for who is not to share a core with the VM. */
void tenant_apart(void);

/* cgroup.c */
int cgroup_make(struct tenant *tenant, const struct opts *opts, struct err *err);
/* The leaf such a process is born into, -1: none. ram: bytes of guest RAM that may be charged to it, as
 * it may be the first to touch them. */
int cgroup_leaf(const struct tenant *tenant, enum word_kind kind, unsigned slot, uint64_t ram);
