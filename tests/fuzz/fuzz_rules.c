/* SPDX-License-Identifier: Apache-2.0
 *
 * The rules as a state machine: any two processes, any sequence of asks, answers and events on one
 * side, anything at all from the other. What gets through has a row that allows it; a channel that
 * broke stays broken; a phase only moves forward.
 *
 * fuzzes: ipc/chan.c ipc/rules.c
 * links: tests/fuzz/wire.c
 * max_len: 256
 */
#include "tests/fuzz/wire.h"

#include <errno.h>

#include "ipc/chan.h"

enum { SOCK = 1000 };

static struct input in;
static struct chan chan;
static struct msg msg;
static bool asking;

static bool next(void)
{
	if (!input_left(&in))
		return false;
	wire_put(&in, SOCK, asking ? chan.seq : chan.seq + 1);
	return true;
}

/* An empty message of the row's kind; only that it is there counts here. */
static Bulkhead__Packet packet_of(const struct rule *rule)
{
	static _Alignas(16) uint8_t body[512];
	Bulkhead__Packet packet = {.base = PROTOBUF_C_MESSAGE_INIT(&bulkhead__packet__descriptor)};
	const ProtobufCFieldDescriptor *field =
		protobuf_c_message_descriptor_get_field(&bulkhead__packet__descriptor, rule->body);
	const ProtobufCMessageDescriptor *d = field->descriptor;

	require(d->sizeof_message <= sizeof(body));
	protobuf_c_message_init(d, (ProtobufCMessage *)body);
	packet.body_case = rule->body;
	packet.done = (void *)body; /* every arm is a pointer to a message */
	return packet;
}

static void check_received(const struct rule *rule, const struct rule *asked, enum phase phase)
{
	unsigned max = 0;

	while (max < RULE_FDS && rule->kinds[max] != FD_KIND_NONE)
		max++;
	require(rule->from & chan.peer && rule->to & chan.self && rule->phases & phase);
	require(rule->answer == (asked != NULL));
	require(!asked || rule->body == asked->answered);
}

static int do_ask(const struct rule *rule, bool keep)
{
	Bulkhead__Packet packet = packet_of(rule);
	enum phase phase = chan.phase;
	struct err err = {0};
	unsigned sent = wire.sent;
	int r;

	asking = true;
	r = chan_ask(&chan, &packet, NULL, 0, keep ? &msg : NULL, &err);
	asking = false;
	if (wire.sent > sent)
		require(rule->from & chan.self && rule->to & chan.peer && rule->phases & phase);
	if (r == 0 && keep) {
		check_received(msg.rule, rule, phase);
		msg_done(&msg);
	}
	return r;
}

static int do_recv(void)
{
	struct err err = {0};
	int r = chan_recv(&chan, &msg, 0, &err);

	if (r < 0)
		return r == -ETIMEDOUT ? 0 : r;
	check_received(msg.rule, NULL, chan.phase);
	require(msg.frame.n_fds >= msg.rule->min_fds);
	if (msg.rule->deadline_ms && !(take(&in, 1) & 1)) {
		unsigned i = (unsigned)take(&in, 1) % n_rules;
		Bulkhead__Packet packet = packet_of(&rules[i]);

		r = take(&in, 1) & 1 ? chan_answer(&chan, &msg, &packet, NULL, 0)
				     : chan_done(&chan, &msg);
	}
	msg_done(&msg);
	return r;
}

/* The api's way: an ask and, some time later, its answer. */
static int do_send(const struct rule *rule)
{
	Bulkhead__Packet packet = packet_of(rule);
	struct err err = {0};
	bool open = chan.asked;
	int r = chan_send(&chan, &packet, NULL, 0, 0, &err);

	require(r < 0 || (!open && chan.asked == rule && rule->deadline_ms));
	return r == -EBUSY || r == -EAGAIN ? 0 : r;
}

static int do_take(int64_t now)
{
	const struct rule *asked = chan.asked;
	struct err err = {0};
	int r;

	asking = asked;
	if (!next())
		wire.next = NULL; /* hung up */
	asking = false;
	r = chan_take(&chan, &msg, now, &err);
	if (r < 0)
		return r == -ETIMEDOUT && chan_is_open(&chan) ? 0 : r;
	check_received(msg.rule, msg.rule->answer ? asked : NULL, chan.phase);
	require(chan.asked == (msg.rule->answer ? NULL : asked));
	msg_done(&msg);
	return 0;
}

static int one(unsigned op)
{
	const struct rule *rule = &rules[op % n_rules];
	Bulkhead__Packet packet;

	if (op == 0xff)
		wire.send_error = EAGAIN; /* of what is sent next */
	if (chan.self == ACTOR_API && (op >> 5 & 3) < 3)
		return op >> 5 & 2 ? do_send(&rules[take(&in, 1) % n_rules])
				   : do_take(op & 0x80 ? 3600000 : 0);
	switch (op >> 5 & 3) {
	case 0:
	case 1: return do_recv();
	case 2: return do_ask(rule, op & 0x80);
	default:
		packet = packet_of(rule);
		return chan_tell(&chan, &packet);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t pairs[][2] = {{ACTOR_CORE, ACTOR_BROKER}, {ACTOR_CORE, ACTOR_HELPER},
		{ACTOR_BROKER, ACTOR_CORE}, {ACTOR_BROKER, ACTOR_HELPER},
		{ACTOR_HELPER, ACTOR_CORE}, {ACTOR_HELPER, ACTOR_BROKER},
		{ACTOR_API, ACTOR_OPENER}, {ACTOR_API, ACTOR_CORE}, {ACTOR_OPENER, ACTOR_API},
		{ACTOR_CORE, ACTOR_API}};
	unsigned pair;

	in = input_of(data, size);
	pair = (unsigned)take(&in, 1) % (sizeof(pairs) / sizeof(pairs[0]));
	wire_begin(next);
	chan_init(&chan, (struct fd){SOCK}, pairs[pair][0], pairs[pair][1], "peer");
	while (input_left(&in)) {
		bool closed = !chan_is_open(&chan);
		enum phase phase = chan.phase;
		unsigned sent = wire.sent;
		int r = one((unsigned)take(&in, 1));

		require(chan.phase >= phase && !(closed && chan_is_open(&chan)));
		require(!closed || (r < 0 && wire.sent == sent));
	}
	wire_end();
	return 0;
}
