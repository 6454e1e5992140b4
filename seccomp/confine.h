/* SPDX-License-Identifier: Apache-2.0
 *
 * The walls around a process besides seccomp, one function a wall, in the order they go up.
 *
 * Runs in core, broker and helpers, before they read a byte from a peer or a guest, while they have one
 * thread; confine_with_parent in the opener, too, and confine_scopes in the launcher alone. Each wall is
 * reported by a log line at info level ("confine: root: empty, read-only"); what a wall that cannot be
 * put up means is in its row of layers.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ipc/err.h"

/* What one process asks for. */
struct confine {
	bool bare;           /* it was born into no namespaces of its own, and is allowed degraded */
	bool limits_later;   /* confine_limits is called once what follows is known */
	unsigned max_fds;    /* RLIMIT_NOFILE */
	unsigned max_procs;  /* RLIMIT_NPROC, 0: no further process or thread */
	uint64_t file_size;  /* RLIMIT_FSIZE; 0 for helpers; RLIM_INFINITY with --serial file= */
};

/* Empty read-only root by pivot_root, in namespaces that the launcher has cloned us into;
 * capabilities all dropped and the bounding set too, securebits locked (libcap-ng); no_new_privs;
 * rlimits (NOFILE, NPROC, FSIZE, CORE 0); non-dumpable; Landlock deny-all with scopes as the ABI has
 * them; MDWE; SIGKILL when the parent ends. Fails closed, unless layers_allow_degraded. */
int confine_process(const struct confine *confine, struct err *err);
int confine_limits(const struct confine *confine, struct err *err);

/* Asks for SIGKILL when `parent` ends (PR_SET_PDEATHSIG); -ESRCH when it has ended already. A
 * change of credentials clears it. */
int confine_with_parent(int parent, struct err *err);

/* Landlock's scopes alone, signals and abstract sockets: no file-system rule, which would deny mounts
 * to every child. Whoever is to be signalled must be born after it. */
int confine_scopes(struct err *err);

/* What may still be opened: a file, or what is below a folder. Rights as Landlock numbers them
 * (linux/landlock.h, LANDLOCK_ACCESS_FS_). */
struct confine_file {
	int fd; /* O_PATH, borrowed */
	uint64_t rights;
};
enum {
	CONFINE_WRITE = 1 << 1, CONFINE_READ = 1 << 2, CONFINE_LIST = 1 << 3, CONFINE_MAKE = 1 << 8,
	CONFINE_IOCTL = 1 << 15,
};

/* For a process that goes on opening files: all else of the file system is denied, with the network and
 * the scopes. */
int confine_to_files(const struct confine_file *files, unsigned n, struct err *err);
/* None, and none to come; no_new_privs, not dumpable, MDWE. */
int confine_capabilities(struct err *err);
