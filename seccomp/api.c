/* SPDX-License-Identifier: Apache-2.0
 *
 * What the api may call. There is one stage: nothing is set up behind a filter, so nothing has to be
 * allowed for it.
 */
#include "seccomp/rows.h"

static const struct policy_row run[] = {
	ROWS_WIRE, /* recvmsg and sendmsg of conn.c as well: clients */
	ALLOW_IF(write, 0, 2, "log_line"),
	ALLOW_IF(write, 0, 5, "event_tell: the event monitor"),
	ALLOW_IF(accept4, 3, SOCK_NONBLOCK | SOCK_CLOEXEC, "conn_accept"),
	ALLOW_IF(getsockopt, 2, SO_PEERCRED, "conn_accept: whose connections there are too many of"),
	ALLOW(fstat, "fd_kind_check: a device's descriptor, from a client"),
};

const struct policy policy_api_run = POLICY("api", "run", run);
