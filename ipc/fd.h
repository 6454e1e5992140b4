/* SPDX-License-Identifier: Apache-2.0
 *
 * Owned file descriptors: a type of their own, so that owning and borrowing cannot be mixed up.
 *
 * Every process, every thread. `struct fd` owns, a plain `int` borrows. A `struct fd` passed by
 * value is consumed, also when the callee fails. fd_owned closes at the end of the scope.
 */
#pragma once

#include <unistd.h>

struct fd {
	int n; /* -1: holds nothing */
};

#define FD_NONE_INIT ((struct fd){-1})

static inline void fd_close(struct fd *fd)
{
	if (fd->n >= 0)
		close(fd->n);
	fd->n = -1;
}

/* Moves ownership out of *fd; *fd then holds nothing. */
static inline struct fd __attribute__((warn_unused_result)) fd_take(struct fd *fd)
{
	struct fd taken = *fd;

	fd->n = -1;
	return taken;
}

#define fd_owned __attribute__((cleanup(fd_close))) struct fd
