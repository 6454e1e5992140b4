/* SPDX-License-Identifier: Apache-2.0
 *
 * The two processes the api asks, and the time it waits by. bulkhead-api.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "helpers/api/conn.h"
#include "ipc/chan.h"

struct link {
	struct chan chan;
	struct conn *asking; /* whose ask is open; NULL: our own, or none */
};

/* The opener is there for all of the api's life, the core for one of the VM's. */
extern struct link opener, core;

/* Milliseconds of our own: those are left out in which we were stopped, and others perhaps as well. */
int64_t clock_ms(void);
void clock_lost(int64_t ms);

/* Of two times to wait, where -1 is for ever. */
static inline int64_t sooner(int64_t a, int64_t b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* Asks for the request of that connection, or for none. The request is REQUEST_ASKED then. -EBUSY
 * while an ask is open, or as chan_send. */
int link_ask(struct link *link, struct conn *conn, Bulkhead__Packet *ask, const int *fds,
	unsigned n_fds, struct err *err);
/* The same with a message that has no fields. */
int link_ask_plain(struct link *link, struct conn *conn, Bulkhead__Packet__BodyCase what,
	struct err *err);
bool link_busy(const struct link *link);
