/* SPDX-License-Identifier: Apache-2.0
 *
 * The VF token: a secret that who has a physical function open by VFIO shares with whom its virtual
 * ones are to open for. It goes to no log, no error and no command line.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ipc/bulkhead.pb-c.h"
#include "ipc/err.h"

struct vf_token {
	bool given;
	uint8_t uuid[16]; /* in the order of its text */
};

/* What goes on the wire: sixteen bytes of *token, or none. */
ProtobufCBinaryData token_to_wire(struct vf_token *token);
/* 0, or -EBADMSG: neither sixteen bytes nor none. */
int token_from_wire(const ProtobufCBinaryData *in, struct vf_token *ret, struct err *err);
/* Why the kernel did not open `name`: code is -EACCES, or, with a token, -EINVAL. Returns code. */
int token_explain(const char *name, const struct vf_token *token, int code, struct err *err);
