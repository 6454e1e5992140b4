/* SPDX-License-Identifier: Apache-2.0
 *
 * Asks, answers and events. Every process; the owner of the channel serialises.
 *
 * A packet from a peer passes, in this order: size (frame.c), decoding into a bounded arena,
 * nothing unknown in it, its row (sender, phase, ask or answer, descriptors), its number; and of its
 * words whatever could do something to a terminal or forge a line is replaced. Whatever fails ends
 * the channel: what a peer that broke one rule says afterwards is not worth reading.
 */
#include <errno.h>
#include <string.h>

#include "ipc/chan.h"
#include "ipc/log.h"

enum { ANSWER_MS = 1000 }; /* for room in the queue of who has asked and waits */

void chan_init(struct chan *chan, struct fd sock, enum actor self, enum actor peer,
	const char *name)
{
	*chan = (struct chan){.sock = sock, .self = self, .peer = peer, .phase = PHASE_SETUP,
		.name = name};
}

void chan_close(struct chan *chan)
{
	fd_close(&chan->sock);
}

bool chan_is_open(const struct chan *chan)
{
	return chan->sock.n >= 0;
}

static int fail(struct chan *chan, struct err *err, int code, const char *what)
{
	chan_close(chan);
	return err_set(err, code, BLAME_PEER, "%s: %s", chan->name, what);
}

static void *arena_alloc(void *data, size_t size)
{
	struct msg *msg = data;
	void *at = msg->arena + msg->arena_used;

	if (size > sizeof(msg->arena) - msg->arena_used)
		return NULL;
	size = (size + 15) & ~(size_t)15;
	msg->arena_used += size;
	if (msg->arena_used > sizeof(msg->arena))
		msg->arena_used = sizeof(msg->arena);
	return at;
}

static void arena_free(void *data, void *pointer)
{
	(void)data;
	(void)pointer;
}

/* Every arm of Packet.body is a message, so any one of the union's pointers will do. */
static ProtobufCMessage *body_of(const Bulkhead__Packet *packet)
{
	return (ProtobufCMessage *)(void *)packet->done;
}

static bool known_fields_only(const Bulkhead__Packet *packet)
{
	const ProtobufCMessage *body = body_of(packet);

	return packet->base.n_unknown_fields == 0 && body && body->n_unknown_fields == 0;
}

/* Strings are never repeated, and stand in a body or in one of its messages, never deeper
 * (test_chan.c looks). */
static void clean_strings(ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *what = message->descriptor;

	for (unsigned i = 0; i < what->n_fields; i++)
		if (what->fields[i].type == PROTOBUF_C_TYPE_STRING)
			text_clean(*(char **)((uint8_t *)message + what->fields[i].offset));
}

static void clean_words(ProtobufCMessage *body)
{
	const ProtobufCMessageDescriptor *what = body->descriptor;

	clean_strings(body);
	for (unsigned i = 0; i < what->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &what->fields[i];
		void *at = (uint8_t *)body + field->offset;
		bool many = field->label == PROTOBUF_C_LABEL_REPEATED;
		size_t n = many ? *(size_t *)(void *)((uint8_t *)body + field->quantifier_offset) : 1;
		ProtobufCMessage **parts = many ? *(ProtobufCMessage ***)at : at;

		if (field->type == PROTOBUF_C_TYPE_MESSAGE)
			for (size_t k = 0; k < n; k++)
				if (parts[k])
					clean_strings(parts[k]);
	}
}

/* Receives and checks one packet; `answering` as in rule_check, but where events may come before the
 * answer. Ends the channel except on -ETIMEDOUT. */
static int receive(struct chan *chan, struct msg *ret, const struct rule *answering, bool events,
	int *left_ms, struct err *err)
{
	ProtobufCAllocator allocator = {arena_alloc, arena_free, ret};
	int fds[FRAME_FDS], r;

	r = frame_recv(chan->sock.n, &ret->frame, left_ms);
	if (r == -ETIMEDOUT)
		return err_set(err, r, BLAME_PEER, "%s: no answer in time", chan->name);
	if (r < 0)
		return fail(chan, err, r, r == -EPIPE ? "has hung up" : "sent a malformed packet");
	ret->arena_used = 0;
	ret->packet =
		bulkhead__packet__unpack(&allocator, ret->frame.len, ret->frame.data);
	if (!ret->packet || !known_fields_only(ret->packet)) {
		msg_done(ret);
		return fail(chan, err, -EBADMSG, "sent bytes that are no message");
	}
	for (unsigned i = 0; i < ret->frame.n_fds; i++)
		fds[i] = ret->frame.fds[i].n;
	ret->rule = rule_of(ret->packet->body_case);
	if (events && ret->rule && !ret->rule->answer)
		answering = NULL;
	r = rule_check(ret->rule, chan->peer, chan->self, chan->phase, answering, fds,
		ret->frame.n_fds, err);
	if (r < 0) {
		msg_done(ret);
		chan_close(chan);
		return err ? err_prefix(err, "%s", chan->name) : r;
	}
	clean_words(body_of(ret->packet));
	return 0;
}

static int transmit(struct chan *chan, const Bulkhead__Packet *packet, const int *fds,
	unsigned n_fds, int *left_ms)
{
	uint8_t buf[FRAME_MAX];
	size_t len = bulkhead__packet__get_packed_size(packet);

	if (len > sizeof(buf))
		return -EMSGSIZE;
	bulkhead__packet__pack(packet, buf);
	return frame_send(chan->sock.n, buf, len, fds, n_fds, left_ms);
}

/* Is this ours to send? Says nothing about descriptors: the receiver looks at those. */
static bool may_send(const struct chan *chan, const struct rule *rule)
{
	return rule && (rule->from & chan->self) && (rule->to & chan->peer) &&
		(rule->phases & chan->phase);
}

static int refused(const struct chan *chan, const Bulkhead__Refused *refusal, struct err *err)
{
	int code = refusal->code < 0 && refusal->code > -4096 ? refusal->code : -EIO;
	enum blame blame = refusal->blame <= BLAME_BUG ? (enum blame)refusal->blame : BLAME_PEER;

	return err_set(err, code, blame, "%s", refusal->why[0] ? refusal->why : chan->name);
}

/* Sends an ask and receives what comes back. */
static int exchange(struct chan *chan, const Bulkhead__Packet *ask, const int *fds, unsigned n_fds,
	struct msg *msg, int *left_ms, struct err *err)
{
	int r = transmit(chan, ask, fds, n_fds, left_ms);

	if (r < 0)
		return fail(chan, err, r, r == -EPIPE ? "has hung up" : "takes no message");
	r = receive(chan, msg, rule_of(ask->body_case), false, left_ms, err);
	if (r < 0) {
		chan_close(chan); /* a late answer must not meet the next ask */
		return r;
	}
	if (msg->packet->seq != ask->seq) {
		msg_done(msg);
		return fail(chan, err, -EBADMSG, "answered another question");
	}
	return 0;
}

int chan_ask(struct chan *chan, Bulkhead__Packet *ask, const int *fds, unsigned n_fds,
	struct msg *ret, struct err *err)
{
	const struct rule *rule = rule_of(ask->body_case);
	struct msg unread;
	struct msg *msg = ret ? ret : &unread;
	int left_ms, r;

	msg->frame.n_fds = 0;
	if (!chan_is_open(chan))
		return err_set(err, -EPIPE, BLAME_PEER, "%s: was cut off", chan->name);
	if (!may_send(chan, rule) || rule->answer || !rule->deadline_ms)
		return err_set(err, -EINVAL, BLAME_BUG, "%s: not an ask for now", chan->name);
	ask->seq = ++chan->seq;
	left_ms = (int)rule->deadline_ms;
	r = exchange(chan, ask, fds, n_fds, msg, &left_ms, err);
	chan->waited_ms += rule->deadline_ms - (uint32_t)left_ms;
	if (r < 0)
		return r;
	if (msg->packet->body_case == BULKHEAD__PACKET__BODY_REFUSED) {
		r = refused(chan, msg->packet->refused, err);
		msg_done(msg);
		return r;
	}
	if (rule->enters)
		chan->phase = rule->enters;
	if (!ret)
		msg_done(msg);
	return 0;
}

int chan_refused(const struct chan *chan, const struct msg *answer, struct err *err)
{
	return refused(chan, answer->packet->refused, err);
}

int chan_send(struct chan *chan, Bulkhead__Packet *ask, const int *fds, unsigned n_fds,
	int64_t now, struct err *err)
{
	const struct rule *rule = rule_of(ask->body_case);
	int r;

	if (!chan_is_open(chan))
		return err_set(err, -EPIPE, BLAME_PEER, "%s: was cut off", chan->name);
	if (chan->asked)
		return err_set(err, -EBUSY, BLAME_BUG, "%s: is being asked already", chan->name);
	if (!may_send(chan, rule) || rule->answer || !rule->deadline_ms)
		return err_set(err, -EINVAL, BLAME_BUG, "%s: not an ask for now", chan->name);
	ask->seq = chan->seq + 1;
	r = transmit(chan, ask, fds, n_fds, &(int){0});
	if (r == -ETIMEDOUT)
		return err_set(err, -EAGAIN, BLAME_PEER, "%s: takes no message", chan->name);
	if (r == -EMSGSIZE)
		return err_set(err, r, BLAME_HOST, "%s: the message is too long", chan->name);
	if (r < 0)
		return fail(chan, err, r, r == -EPIPE ? "has hung up" : "takes no message");
	chan->seq = ask->seq;
	chan->asked = rule;
	chan->due_ms = now + rule->deadline_ms;
	return 0;
}

int chan_take(struct chan *chan, struct msg *ret, int64_t now, struct err *err)
{
	int r;

	ret->frame.n_fds = 0;
	if (!chan_is_open(chan))
		return err_set(err, -EPIPE, BLAME_PEER, "%s: was cut off", chan->name);
	r = receive(chan, ret, chan->asked, true, &(int){0}, err);
	if (r == -ETIMEDOUT && chan->asked && now >= chan->due_ms)
		chan_close(chan);
	if (r < 0)
		return r;
	if (ret->rule->deadline_ms ||
		ret->packet->seq != (ret->rule->answer ? chan->seq : 0)) {
		msg_done(ret);
		return fail(chan, err, -EBADMSG, "sent a message out of turn");
	}
	if (!ret->rule->answer)
		return 0;
	if (chan->asked->enters && ret->packet->body_case != BULKHEAD__PACKET__BODY_REFUSED)
		chan->phase = chan->asked->enters;
	chan->asked = NULL;
	return 0;
}

int chan_recv(struct chan *chan, struct msg *ret, int timeout_ms, struct err *err)
{
	uint32_t due;
	int r;

	ret->frame.n_fds = 0;
	if (!chan_is_open(chan))
		return err_set(err, -EPIPE, BLAME_PEER, "%s: was cut off", chan->name);
	r = receive(chan, ret, NULL, false, &timeout_ms, err);
	if (r < 0)
		return r;
	due = ret->rule->deadline_ms ? chan->seq + 1 : 0;
	if (ret->packet->seq != due) {
		msg_done(ret);
		return fail(chan, err, -EBADMSG, "sent a message with the wrong number");
	}
	if (due)
		chan->seq = due;
	return 0;
}

int chan_answer(struct chan *chan, const struct msg *ask, Bulkhead__Packet *answer, const int *fds,
	unsigned n_fds)
{
	const struct rule *rule = rule_of(answer->body_case);
	bool refusal = answer->body_case == BULKHEAD__PACKET__BODY_REFUSED;
	int r;

	if (!chan_is_open(chan))
		return -EPIPE;
	if (!may_send(chan, rule) || !rule->answer ||
		(!refusal && answer->body_case != ask->rule->answered))
		return -EINVAL;
	answer->seq = ask->packet->seq;
	r = transmit(chan, answer, fds, n_fds, &(int){ANSWER_MS});
	if (r < 0) {
		chan_close(chan);
		return r;
	}
	if (!refusal && ask->rule->enters)
		chan->phase = ask->rule->enters;
	return 0;
}

int chan_done(struct chan *chan, const struct msg *ask)
{
	Bulkhead__Done done = BULKHEAD__DONE__INIT;

	return chan_answer(chan, ask, &PACKET(DONE, done, &done), NULL, 0);
}

int chan_refuse(struct chan *chan, const struct msg *ask, const struct err *err)
{
	Bulkhead__Refused refusal = BULKHEAD__REFUSED__INIT;
	char why[sizeof(err->msg)];

	memcpy(why, err->msg, sizeof(why));
	why[sizeof(why) - 1] = '\0';
	refusal.code = err->code;
	refusal.blame = err->blame;
	refusal.why = why;
	return chan_answer(chan, ask, &PACKET(REFUSED, refused, &refusal), NULL, 0);
}

int chan_tell(struct chan *chan, Bulkhead__Packet *event)
{
	return chan_give(chan, event, NULL, 0, 0);
}

int chan_give(struct chan *chan, Bulkhead__Packet *event, const int *fds, unsigned n_fds,
	int timeout_ms)
{
	const struct rule *rule = rule_of(event->body_case);
	int r;

	if (!chan_is_open(chan))
		return -EPIPE;
	if (!may_send(chan, rule) || rule->answer || rule->deadline_ms)
		return -EINVAL;
	event->seq = 0;
	r = transmit(chan, event, fds, n_fds, &timeout_ms);
	return r == -ETIMEDOUT ? -EAGAIN : r;
}

struct fd msg_fd(struct msg *msg, unsigned i)
{
	return i < msg->frame.n_fds ? fd_take(&msg->frame.fds[i]) : FD_NONE_INIT;
}

void msg_done(struct msg *msg)
{
	frame_done(&msg->frame);
}
