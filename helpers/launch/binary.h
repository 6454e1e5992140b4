/* SPDX-License-Identifier: Apache-2.0
 *
 * The other binaries of the project, and the verbs (`bulkhead audit …`) that are one each.
 */
#pragma once

#include <limits.h>

#include "ipc/err.h"
#include "ipc/fd.h"
#include "ipc/words.h"

/* The path of "bulkhead-NAME": beside our own binary in the build tree, in libexec once
 * installed. */
int binary_find(const char *name, char ret[static PATH_MAX], struct err *err);

/* Opens those of a VM's processes, by what word_kind_name calls them: what is started later is what was
 * there when we were. */
int binaries_pin(struct fd ret[static WORD_KINDS], struct err *err);

/* When argv[1] is a verb, becomes its binary and does not return, or returns -errno with a message.
 * 0: it is none. */
int verb_run(char **argv, struct err *err);
/* The verbs' lines in --help. */
void verbs_help(void);
