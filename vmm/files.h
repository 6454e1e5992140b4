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

/* Is any of the descriptors we write to a regular file? (RLIMIT_FSIZE would end us.) */
bool files_grow(const struct files *files);
