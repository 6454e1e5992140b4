/* SPDX-License-Identifier: Apache-2.0
 *
 * Asking opener and core. bulkhead-api.
 */
#include "helpers/api/link.h"

struct link opener, core;

static int64_t lost;

int64_t clock_ms(void)
{
	return now_ms() - lost;
}

void clock_lost(int64_t ms)
{
	lost += ms;
}

bool link_busy(const struct link *link)
{
	return chan_is_open(&link->chan) && link->chan.asked;
}

int link_ask(struct link *link, struct conn *conn, Bulkhead__Packet *ask, const int *fds,
	unsigned n_fds, struct err *err)
{
	int r = chan_send(&link->chan, ask, fds, n_fds, clock_ms(), err);

	if (r < 0)
		return r;
	link->asking = conn;
	if (conn) {
		conn->request.stage = REQUEST_ASKED;
		conn->request.due_ms = 0;
	}
	return 0;
}

int link_ask_plain(struct link *link, struct conn *conn, Bulkhead__Packet__BodyCase what,
	struct err *err)
{
	const ProtobufCFieldDescriptor *field =
		protobuf_c_message_descriptor_get_field(&bulkhead__packet__descriptor, what);
	Bulkhead__Packet ask = BULKHEAD__PACKET__INIT;
	Bulkhead__Done body;

	/* All of them are a message's head and nothing more, and a pointer to one in the union. */
	protobuf_c_message_init(field->descriptor, &body);
	ask.body_case = what;
	ask.done = &body;
	return link_ask(link, conn, &ask, NULL, 0, err);
}
