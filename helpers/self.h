/* SPDX-License-Identifier: Apache-2.0
 *
 * The state of a helper process. It is helper.c's, the life; asks.c, what the core asks of the
 * device, is given it.
 */
#pragma once

#include <errno.h>

#include "helpers/helper.h"

extern struct helper_self {
	const struct helper_ops *ops;
	enum seccomp_mode mode;
	struct chan broker, core, events;
	struct function_desc desc; /* what the core's arguments are checked against */
	bool open, msix_on;
	unsigned msi_count; /* vectors, 0: MSI is off */
	struct msg msg;
} self;

/* A message and what it does: 0, or -errno, which ends the process. A table ends without handle. */
struct handler {
	Bulkhead__Packet__BodyCase body;
	int (*handle)(struct helper_self *h, struct msg *msg, struct err *err);
};

/* asks.c */
extern const struct handler helper_asks[];

static inline int breach(struct err *err, const char *what)
{
	return err_set(err, -EBADMSG, BLAME_PEER, "core: %s", what);
}
