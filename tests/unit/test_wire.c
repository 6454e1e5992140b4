/* SPDX-License-Identifier: Apache-2.0
 *
 * The generated code under our allocator: every message comes through a channel as it went in, and
 * a packet built to eat memory gets an error, not memory.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "ipc/chan.h"

static struct chan core, broker;
static struct msg msg;
static struct err err;

static void begin(void)
{
	struct fd a, b;

	cr_assert_eq(frame_pair(&a, &b), 0);
	chan_init(&core, a, ACTOR_CORE, ACTOR_BROKER, "broker");
	chan_init(&broker, b, ACTOR_BROKER, ACTOR_CORE, "core");
}

static void end(void)
{
	chan_close(&core);
	chan_close(&broker);
}

TestSuite(wire, .init = begin, .fini = end);

static void send_bytes(const uint8_t *data, size_t len)
{
	cr_assert_eq(frame_send(core.sock.n, data, len, NULL, 0, &(int){100}), 0);
}

/* An arm with an empty body encodes to its tag and a zero: enough to see each one decoded. */
Test(wire, every_message_decodes)
{
	const ProtobufCMessageDescriptor *d = &bulkhead__packet__descriptor;

	for (unsigned i = 0; i < d->n_fields; i++) {
		uint32_t tag = d->fields[i].id << 3 | 2;
		const uint8_t bytes[] = {0x08, 1, (uint8_t)(tag | 0x80), (uint8_t)(tag >> 7), 0};
		const struct rule *rule = rule_of((Bulkhead__Packet__BodyCase)d->fields[i].id);
		bool is_ask = rule && rule->deadline_ms && rule->min_fds == 0;

		if (!rule || !is_ask || tag < 0x80)
			continue;
		for (unsigned actor = ACTOR_CORE; actor <= ACTOR_OPENER; actor <<= 1) {
			if (!(rule->to & actor))
				continue;
			broker.self = (enum actor)actor;
			broker.peer = (enum actor)rule->from;
			broker.phase = rule->phases & PHASE_RUN ? PHASE_RUN : PHASE_SETUP;
			broker.seq = 0;
			send_bytes(bytes, sizeof(bytes));
			cr_assert_eq(chan_recv(&broker, &msg, 100, &err), 0, "%s: %s", rule->name,
				err.msg);
			cr_assert_eq(msg.packet->body_case, rule->body);
			msg_done(&msg);
		}
	}
}

Test(wire, strings_and_bytes_stay_in_the_arena)
{
	Bulkhead__BrokerDevice device = BULKHEAD__BROKER_DEVICE__INIT;
	char name[] = "0000:00:03.0";
	uint8_t token[16] = {1, 2, 3}, *came;

	core.self = broker.peer = ACTOR_OPENER;
	device.slot = 7;
	device.name = name;
	device.vf_token = (ProtobufCBinaryData){sizeof(token), token};
	cr_assert_eq(chan_tell(&core, &PACKET(BROKER_DEVICE, broker_device, &device)), 0);
	cr_assert_eq(chan_recv(&broker, &msg, 100, &err), 0, "%s", err.msg);
	cr_assert_eq(msg.packet->broker_device->slot, 7);
	cr_assert_str_eq(msg.packet->broker_device->name, name);
	came = (uint8_t *)msg.packet->broker_device->name;
	cr_assert(came >= msg.arena && came < msg.arena + sizeof(msg.arena));
	cr_assert_eq(msg.packet->broker_device->vf_token.len, sizeof(token));
	came = msg.packet->broker_device->vf_token.data;
	cr_assert(memcmp(came, token, sizeof(token)) == 0);
	cr_assert(came >= msg.arena && came < msg.arena + sizeof(msg.arena));
	msg_done(&msg);
}

/* Start{ram: [{}, {}, ...]}: two bytes on the wire, 48 and more in memory, each. */
Test(wire, a_packet_that_eats_memory)
{
	static uint8_t bytes[FRAME_MAX];
	size_t n = 0, body = FRAME_MAX - 8;

	bytes[n++] = 0x08;
	bytes[n++] = 1;
	bytes[n++] = 0xa2; /* field 20, length-delimited */
	bytes[n++] = 0x01;
	bytes[n++] = (uint8_t)((body & 0x7f) | 0x80);
	bytes[n++] = (uint8_t)((body >> 7 & 0x7f) | 0x80);
	bytes[n++] = (uint8_t)(body >> 14);
	for (size_t i = 0; i + 1 < body; i += 2) {
		bytes[n++] = 0x0a;
		bytes[n++] = 0;
	}
	send_bytes(bytes, 7 + body);
	cr_assert_eq(chan_recv(&broker, &msg, 100, &err), -EBADMSG);
	cr_assert_not(chan_is_open(&broker));
	cr_assert_leq(msg.arena_used, sizeof(msg.arena));
}

Test(wire, an_answer_too_long_to_send)
{
	static char why[FRAME_MAX + 1];
	Bulkhead__LifeFailed failed = BULKHEAD__LIFE_FAILED__INIT;

	memset(why, 'x', sizeof(why) - 1);
	failed.why = why;
	core.peer = ACTOR_API;
	cr_assert_eq(chan_tell(&core, &PACKET(LIFE_FAILED, life_failed, &failed)), -EMSGSIZE);
	cr_assert(chan_is_open(&core));
}

Test(wire, truncated_anywhere)
{
	Bulkhead__RamRegion region = BULKHEAD__RAM_REGION__INIT, *list[] = {&region, &region};
	Bulkhead__Start start = BULKHEAD__START__INIT;
	Bulkhead__Packet packet = PACKET(START, start, &start);
	uint8_t bytes[256];
	size_t len;

	region.gpa = 1ull << 40;
	region.size = 1ull << 30;
	start.ram = list;
	start.n_ram = 2;
	packet.seq = 1;
	len = bulkhead__packet__pack(&packet, bytes);
	for (size_t n = 1; n < len; n++) {
		end();
		begin();
		send_bytes(bytes, n);
		cr_assert_eq(chan_recv(&broker, &msg, 100, &err), -EBADMSG, "%zu of %zu", n, len);
	}
}
