/* SPDX-License-Identifier: Apache-2.0
 *
 * The walls around a process besides seccomp, one function a wall, in the order they go up.
 *
 * Runs in every process, before it reads a byte from a peer or a guest, while it has one thread.
 * Each wall is reported by a log line at info level ("confine: root: empty, read-only"); what a wall
 * that cannot be put up means is in its row of layers.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ipc/err.h"

/* What one process asks for. */
struct confine {
	bool unshare;        /* make own user, mount, net, ipc, uts and cgroup namespaces; false: the
	                      * parent cloned us into them already */
	bool bare;           /* without unshare: the parent could not, and we are allowed degraded */
	unsigned max_fds;    /* RLIMIT_NOFILE */
	unsigned max_procs;  /* RLIMIT_NPROC, 0: no further process or thread */
	uint64_t file_size;  /* RLIMIT_FSIZE; 0 for helpers; RLIM_INFINITY with --serial file= */
	bool die_with_parent; /* PR_SET_PDEATHSIG SIGKILL, race-free */
	bool kills;           /* no signal scope in Landlock yet: it would also stop the death signal
	                       * to a child, which the dying parent is taken to send */
};

/* user+mount+net+ipc+uts+cgroup namespaces if asked; empty read-only root by pivot_root;
 * capabilities all dropped and the bounding set too, securebits locked (libcap-ng);
 * no_new_privs; rlimits (NOFILE, NPROC, FSIZE, CORE 0); non-dumpable; Landlock deny-all with
 * scopes as the ABI has them; MDWE. Fails closed, unless layers_allow_degraded. */
int confine_process(const struct confine *confine, struct err *err);

/* As root: becomes another user for good, without supplementary groups. The death signal is cleared
 * by it. */
int confine_user(unsigned uid, unsigned gid, struct err *err);

/* In a process just put into a user namespace of its own: its user and group outside become 0
 * inside, so that an exec keeps the capabilities there. Needs /proc. 0 or -errno. */
int confine_map_ids(unsigned uid, unsigned gid);

/* Asks for SIGKILL when `parent` ends (PR_SET_PDEATHSIG); -ESRCH when it has ended already. A
 * change of credentials may clear it: confine_process asks again. */
int confine_with_parent(int parent, struct err *err);

/* Landlock's signal scope, of the calling thread and the threads it makes, for a process that began
 * with `kills` and no longer needs it. */
int confine_signals(struct err *err);
