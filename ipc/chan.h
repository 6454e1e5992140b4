/* SPDX-License-Identifier: Apache-2.0
 *
 * Ask and answer over a frame socket, under the rules: encoding, decoding, sequence numbers,
 * deadlines. The only user of the generated pack and unpack functions.
 *
 * Every process. A channel belongs to one thread at a time; the core holds the device's lock. No
 * heap: packets are decoded into the arena of the struct msg they come in, so a hostile packet can
 * use up nothing but that. A peer that broke a rule, or was late, is hung up on: the channel is closed,
 * and every later call returns -EPIPE at once.
 */
#pragma once

#include <stdbool.h>

#include "ipc/fd.h"
#include "ipc/frame.h"
#include "ipc/rules.h"

struct chan {
	struct fd sock;
	enum actor self, peer;
	enum phase phase;
	uint32_t seq; /* of the last ask sent (asker) or received (answerer) */
	uint64_t waited_ms; /* for answers, in all; the peer's time alone (frame.h) */
	const char *name; /* for error messages: "0000:00:03.0" */
	const struct rule *asked; /* by chan_send; NULL: nothing */
	int64_t due_ms;           /* when its answer is late, by the clock of who asked */
};

/* A received packet. The pointers in *packet point into arena: valid as long as the struct msg. */
struct msg {
	Bulkhead__Packet *packet;
	const struct rule *rule;
	struct frame frame; /* bytes, and the descriptors nobody took yet */
	size_t arena_used;
	_Alignas(16) uint8_t arena[3 * FRAME_MAX];
};

/* Takes over sock. */
void chan_init(struct chan *chan, struct fd sock, enum actor self, enum actor peer,
	const char *name);
void chan_close(struct chan *chan);
bool chan_is_open(const struct chan *chan);

/* Asks and waits for the answer, up to the deadline in the ask's row; fds are borrowed. 0 when the
 * answer the row names came: it is in *ret, to be ended by msg_done. A Refused becomes *err and
 * its code. -ETIMEDOUT, -EPIPE, -EBADMSG (blame: peer) close the channel. ret may be NULL where
 * the answer says nothing (Done). */
int chan_ask(struct chan *chan, Bulkhead__Packet *ask, const int *fds, unsigned n_fds,
	struct msg *ret, struct err *err);

/* Asks and does not wait: 0, -EBUSY while the last ask is open, -EAGAIN when the queue is full, or as
 * chan_ask. The deadline counts from now_ms. */
int chan_send(struct chan *chan, Bulkhead__Packet *ask, const int *fds, unsigned n_fds,
	int64_t now_ms, struct err *err);

/* Takes what has come, the answer to the open ask (a Refused too) or an event, which may come before
 * it: ret->rule->answer says which. -ETIMEDOUT when nothing has, -EPIPE, -EBADMSG; past the deadline
 * -ETIMEDOUT, and the channel is closed. */
int chan_take(struct chan *chan, struct msg *ret, int64_t now_ms, struct err *err);

/* A Refused as *err and its code. */
int chan_refused(const struct chan *chan, const struct msg *answer, struct err *err);

/* Waits up to timeout_ms for one ask or event from the peer. 0, -ETIMEDOUT, -EPIPE, -EBADMSG. */
int chan_recv(struct chan *chan, struct msg *ret, int timeout_ms, struct err *err);

/* Answers the ask in *msg. The answer must be the one its row names, or Refused. */
int chan_answer(struct chan *chan, const struct msg *ask, Bulkhead__Packet *answer, const int *fds,
	unsigned n_fds);
int chan_done(struct chan *chan, const struct msg *ask);
int chan_refuse(struct chan *chan, const struct msg *ask, const struct err *err);

/* Sends an event: a message no one answers. Never waits: a full queue drops it with -EAGAIN. */
int chan_tell(struct chan *chan, Bulkhead__Packet *event);
/* The same with descriptors, which are borrowed, and waiting up to timeout_ms for room. */
int chan_give(struct chan *chan, Bulkhead__Packet *event, const int *fds, unsigned n_fds,
	int timeout_ms);

/* Takes descriptor i of the message; {-1} when it has none. */
struct fd msg_fd(struct msg *msg, unsigned i) __attribute__((warn_unused_result));

/* Closes what was not taken. Safe on a zeroed msg. */
void msg_done(struct msg *msg);

/* A Packet whose oneof arm is set: PACKET(ATTACH, attach, &body). */
#define PACKET(CASE, field, ptr)                                                                   \
	((Bulkhead__Packet){.base = PROTOBUF_C_MESSAGE_INIT(&bulkhead__packet__descriptor),        \
		.body_case = BULKHEAD__PACKET__BODY_##CASE,                                        \
		.field = (ptr)})
