/* SPDX-License-Identifier: Apache-2.0
 *
 * Everything the core opens by name, opened once, at start: after that it has no use for a path.
 *
 * Core process, main thread. A failure says what was to be opened, why that failed and what to do.
 */
#pragma once

#include "ipc/fd.h"
#include "vmm/opts.h"

struct files {
	struct fd kvm, kernel, initramfs, log;
	struct fd serial_out; /* --serial file=, or a non-blocking view of standard output */
};

int files_open(struct files *files, const struct opts *opts, struct err *err);

/* First of all: a closed standard descriptor becomes /dev/null, so that nothing of ours gets its
 * number. 0 or -errno. */
int files_fill_standard(void);

/* Closes whatever we inherited and nobody named: a launcher's socket or directory is no business of
 * ours, and a directory would outlive our root. */
void files_close_others(struct files *files);

/* Is any of the descriptors we write to a regular file? (RLIMIT_FSIZE would end us.) */
bool files_grow(const struct files *files);
