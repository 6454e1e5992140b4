/* SPDX-License-Identifier: Apache-2.0
 *
 * Asking and answering when the other side does not play along.
 *
 * links: tests/census.c
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ipc/chan.h"
#include "tests/census.h"

static struct chan core, helper;
static struct msg msg, ask_msg;
static struct err err;

static void begin(void)
{
	struct fd a, b;

	cr_assert_eq(frame_pair(&a, &b), 0);
	chan_init(&core, a, ACTOR_CORE, ACTOR_HELPER, "dev");
	chan_init(&helper, b, ACTOR_HELPER, ACTOR_CORE, "core");
	core.phase = helper.phase = PHASE_RUN;
	err = (struct err){0};
}

static void end(void)
{
	chan_close(&core);
	chan_close(&helper);
}

/* A channel is closed by a breach: a new pair. */
static void again(void)
{
	end();
	begin();
}

TestSuite(chan, .init = begin, .fini = end, .timeout = 60);

static Bulkhead__ConfigRead read_body = BULKHEAD__CONFIG_READ__INIT;
static Bulkhead__Value value_body = BULKHEAD__VALUE__INIT;

/* Puts a packet with that number on the wire as the helper, whether it may or not. */
static void inject(Bulkhead__Packet *packet, uint32_t seq, const int *fds, unsigned n_fds)
{
	uint8_t buf[FRAME_MAX];
	size_t len;

	packet->seq = seq;
	len = bulkhead__packet__pack(packet, buf);
	cr_assert_eq(frame_send(helper.sock.n, buf, len, fds, n_fds, &(int){100}), 0);
}

static int ask_config(void)
{
	return chan_ask(&core, &PACKET(CONFIG_READ, config_read, &read_body), NULL, 0, &msg, &err);
}

Test(chan, ask_and_answer)
{
	value_body.value = 0x1234;
	for (uint32_t seq = 1; seq < 5; seq++) {
		inject(&PACKET(VALUE, value, &value_body), seq, NULL, 0);
		cr_assert_eq(ask_config(), 0, "%s", err.msg);
		cr_assert_eq(msg.packet->value->value, 0x1234);
		msg_done(&msg);
		cr_assert_eq(chan_recv(&helper, &ask_msg, 100, &err), 0, "%s", err.msg);
		cr_assert_eq(ask_msg.packet->body_case, BULKHEAD__PACKET__BODY_CONFIG_READ);
		msg_done(&ask_msg);
	}
}

Test(chan, a_refusal_is_no_breach)
{
	struct err why = {.code = -ENODEV, .blame = BLAME_HOST};

	strcpy(why.msg, "\x1b[31mred\xff");
	cr_assert_eq(frame_send(core.sock.n, "\x08\x01\xaa\x03\x00", 5, NULL, 0, &(int){10}), 0);
	cr_assert_eq(chan_recv(&helper, &ask_msg, 100, &err), 0, "%s", err.msg);
	cr_assert_eq(chan_refuse(&helper, &ask_msg, &why), 0);
	cr_assert_eq(ask_config(), -ENODEV);
	cr_assert_str_eq(err.msg, "?[31mred?", "what a peer says is made printable");
	cr_assert_eq(err.blame, BLAME_HOST);
	cr_assert(chan_is_open(&core));
}

Test(chan, a_refusal_with_a_made_up_code)
{
	Bulkhead__Refused refused = BULKHEAD__REFUSED__INIT;

	refused.code = 7;
	refused.blame = 99;
	inject(&PACKET(REFUSED, refused, &refused), 1, NULL, 0);
	cr_assert_eq(ask_config(), -EIO);
	cr_assert_eq(err.blame, BLAME_PEER);
}

Test(chan, no_answer_in_time_breaks_it)
{
	int64_t start = now_ms();

	cr_assert_eq(ask_config(), -ETIMEDOUT);
	cr_assert_geq(now_ms() - start, 990);
	cr_assert_lt(now_ms() - start, 3000);
	cr_assert_not(chan_is_open(&core), "a late answer must not meet the next ask");
	cr_assert_eq(ask_config(), -EPIPE);
	cr_assert_leq(now_ms() - start, 3000, "and nobody waits a second time");
}

Test(chan, wrong_number)
{
	inject(&PACKET(VALUE, value, &value_body), 2, NULL, 0);
	cr_assert_eq(ask_config(), -EBADMSG);
	cr_assert_eq(err.blame, BLAME_PEER);
	cr_assert_not(chan_is_open(&core));
}

Test(chan, answer_of_another_kind)
{
	Bulkhead__Done done = BULKHEAD__DONE__INIT;

	inject(&PACKET(DONE, done, &done), 1, NULL, 0);
	cr_assert_eq(ask_config(), -EBADMSG);
}

Test(chan, event_where_an_answer_is_due)
{
	Bulkhead__DeviceError error = BULKHEAD__DEVICE_ERROR__INIT;

	inject(&PACKET(DEVICE_ERROR, device_error, &error), 0, NULL, 0);
	cr_assert_eq(ask_config(), -EBADMSG);
}

Test(chan, an_ask_from_one_who_may_not)
{
	inject(&PACKET(CONFIG_READ, config_read, &read_body), 1, NULL, 0);
	cr_assert_eq(chan_recv(&core, &msg, 100, &err), -EBADMSG);
	cr_assert_not(chan_is_open(&core));
}

Test(chan, descriptors_nobody_asked_for_are_closed)
{
	int before = census_fds(0);

	inject(&PACKET(VALUE, value, &value_body), 1, (const int[]){0, 0, 0}, 3);
	cr_assert_eq(ask_config(), -EBADMSG);
	cr_assert_eq(census_fds(0), before - 1, "the channel's end alone is closed");
}

/* A packet that says what a terminal would act on, or what looks like another line. */
Test(chan, words_are_made_printable_whoever_says_them)
{
	char name[] = "0000\n\x1b[2Jbulkhead: all is \xc3\xa9 well\x7f";
	Bulkhead__CoreDevice device = BULKHEAD__CORE_DEVICE__INIT;

	core.peer = helper.self = ACTOR_OPENER;
	core.phase = helper.phase = PHASE_SETUP;
	device.name = name;
	inject(&PACKET(CORE_DEVICE, core_device, &device), 0, NULL, 0);
	cr_assert_eq(chan_recv(&core, &msg, 100, &err), 0, "%s", err.msg);
	cr_assert_str_eq(msg.packet->core_device->name, "0000??[2Jbulkhead: all is ?? well?");
	msg_done(&msg);
}

static void no_strings_below(const ProtobufCMessageDescriptor *d, unsigned depth)
{
	for (unsigned i = 0; i < d->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &d->fields[i];

		if (field->type == PROTOBUF_C_TYPE_MESSAGE)
			no_strings_below(field->descriptor, depth + 1);
		cr_expect(field->type != PROTOBUF_C_TYPE_STRING ||
			(depth < 2 && field->label != PROTOBUF_C_LABEL_REPEATED), "%s.%s",
			d->name, field->name);
	}
}

/* What clean_words relies on. */
Test(chan, strings_stand_in_bodies_and_their_messages)
{
	const ProtobufCMessageDescriptor *packet = &bulkhead__packet__descriptor;

	for (unsigned i = 0; i < packet->n_fields; i++)
		if (packet->fields[i].type == PROTOBUF_C_TYPE_MESSAGE)
			no_strings_below(packet->fields[i].descriptor, 0);
}

/* Stopped in the midst of an ask for longer than its deadline, twice, both sides as by the freezer: the
 * answer that comes then is in time. */
Test(chan, time_in_which_we_are_stopped_is_not_the_peers, .timeout = 60)
{
	pid_t asker = fork();
	int status = 0;

	if (asker == 0)
		_exit(ask_config() == 0 ? 0 : 1);
	for (unsigned i = 0; i < 2; i++) {
		nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
		kill(asker, SIGSTOP);
		nanosleep(&(struct timespec){.tv_sec = 2}, NULL);
		kill(asker, SIGCONT);
	}
	cr_assert_eq(chan_recv(&helper, &msg, 0, &err), 0, "%s", err.msg);
	cr_assert_eq(chan_answer(&helper, &msg, &PACKET(VALUE, value, &value_body), NULL, 0), 0);
	msg_done(&msg);
	cr_assert_eq(waitpid(asker, &status, 0), asker);
	cr_assert_eq(status, 0, "the ask failed");
}

Test(chan, descriptors_not_taken_are_closed)
{
	Bulkhead__MsixArm arm = BULKHEAD__MSIX_ARM__INIT;
	int fd = eventfd(0, EFD_CLOEXEC), before = census_fds(0);
	uint8_t buf[FRAME_MAX];
	Bulkhead__Packet packet = PACKET(MSIX_ARM, msix_arm, &arm);
	struct fd taken;

	packet.seq = 1;
	cr_assert_eq(frame_send(core.sock.n, buf, bulkhead__packet__pack(&packet, buf), &fd, 1,
		&(int){10}), 0);
	cr_assert_eq(chan_recv(&helper, &msg, 100, &err), 0, "%s", err.msg);
	taken = msg_fd(&msg, 0);
	cr_assert_geq(taken.n, 0);
	cr_assert_lt(msg_fd(&msg, 0).n, 0);
	cr_assert_lt(msg_fd(&msg, 1).n, 0);
	fd_close(&taken);
	msg_done(&msg);
	cr_assert_eq(census_fds(0), before);
	packet.seq = 2;
	cr_assert_eq(frame_send(core.sock.n, buf, bulkhead__packet__pack(&packet, buf), &fd, 1,
		&(int){10}), 0);
	cr_assert_eq(chan_recv(&helper, &msg, 100, &err), 0, "%s", err.msg);
	msg_done(&msg);
	cr_assert_eq(census_fds(0), before);
}

Test(chan, unknown_fields_are_refused)
{
	/* seq 1, field 1000 = 0, then config_read{}; and one inside config_read */
	cr_assert_eq(frame_send(core.sock.n, "\x08\x01\xc0\x3e\x00\xaa\x03\x00", 8, NULL, 0,
		&(int){10}), 0);
	cr_assert_eq(chan_recv(&helper, &msg, 100, &err), -EBADMSG);
	cr_assert_not(chan_is_open(&helper));
	again();
	cr_assert_eq(frame_send(core.sock.n, "\x08\x01\xaa\x03\x03\xc0\x3e\x00", 8, NULL, 0,
		&(int){10}), 0);
	cr_assert_eq(chan_recv(&helper, &msg, 100, &err), -EBADMSG);
}

Test(chan, a_peer_that_hangs_up)
{
	chan_close(&helper);
	cr_assert_eq(ask_config(), -EPIPE);
	cr_assert_not(chan_is_open(&core));
}

Test(chan, what_is_not_ours_to_say)
{
	Bulkhead__DeviceError error = BULKHEAD__DEVICE_ERROR__INIT;
	Bulkhead__Seal seal = BULKHEAD__SEAL__INIT;

	cr_assert_eq(chan_tell(&core, &PACKET(DEVICE_ERROR, device_error, &error)), -EINVAL);
	cr_assert_eq(chan_ask(&core, &PACKET(SEAL, seal, &seal), NULL, 0, &msg, &err), -EINVAL,
		"not a helper's");
	core.peer = ACTOR_BROKER;
	cr_assert_eq(chan_ask(&core, &PACKET(SEAL, seal, &seal), NULL, 0, &msg, &err), -EINVAL,
		"set-up is over");
	cr_assert_eq(err.blame, BLAME_BUG);
	cr_assert(chan_is_open(&core));
}

Test(chan, events_never_wait)
{
	Bulkhead__DeviceError error = BULKHEAD__DEVICE_ERROR__INIT;
	int64_t start = now_ms();
	int r = 0;

	for (unsigned i = 0; i < 100000 && r == 0; i++)
		r = chan_tell(&helper, &PACKET(DEVICE_ERROR, device_error, &error));
	cr_assert_eq(r, -EAGAIN);
	cr_assert_lt(now_ms() - start, 5000);
	cr_assert_eq(chan_recv(&core, &msg, 0, &err), 0);
	cr_assert_eq(msg.packet->body_case, BULKHEAD__PACKET__BODY_DEVICE_ERROR);
}

Test(chan, seal_moves_both_sides_on)
{
	Bulkhead__Seal seal = BULKHEAD__SEAL__INIT;
	Bulkhead__Done done = BULKHEAD__DONE__INIT;

	core.phase = helper.phase = PHASE_SETUP;
	core.peer = helper.self = ACTOR_BROKER;
	inject(&PACKET(DONE, done, &done), 1, NULL, 0);
	cr_assert_eq(chan_ask(&core, &PACKET(SEAL, seal, &seal), NULL, 0, NULL, &err), 0, "%s",
		err.msg);
	cr_assert_eq(core.phase, PHASE_RUN);
	cr_assert_eq(chan_recv(&helper, &msg, 0, &err), 0);
	cr_assert_eq(chan_done(&helper, &msg), 0);
	cr_assert_eq(helper.phase, PHASE_RUN);
}

/* One that is refused does not. */
Test(chan, a_refused_seal_moves_neither_on)
{
	Bulkhead__Refused no = BULKHEAD__REFUSED__INIT;
	Bulkhead__Seal seal = BULKHEAD__SEAL__INIT;

	core.phase = helper.phase = PHASE_SETUP;
	core.peer = helper.self = ACTOR_BROKER;
	no.code = -EPERM;
	inject(&PACKET(REFUSED, refused, &no), 1, NULL, 0);
	cr_assert_eq(chan_ask(&core, &PACKET(SEAL, seal, &seal), NULL, 0, NULL, &err), -EPERM);
	cr_assert_eq(core.phase, PHASE_SETUP);
}

/* What the opener hands over: descriptors arrive with it, and a receiver that is busy is waited for. */
Test(chan, an_event_that_gives)
{
	Bulkhead__CoreConsole console = BULKHEAD__CORE_CONSOLE__INIT;
	Bulkhead__Packet packet = PACKET(CORE_CONSOLE, core_console, &console);
	const int out[] = {STDOUT_FILENO, STDIN_FILENO, STDERR_FILENO};
	int before, r = 0;

	core.peer = helper.self = ACTOR_OPENER;
	core.phase = helper.phase = PHASE_SETUP;
	before = census_fds(0);
	cr_assert_eq(chan_give(&helper, &packet, out, 2, 0), 0);
	cr_assert_eq(chan_recv(&core, &msg, 100, &err), 0, "%s", err.msg);
	cr_assert_eq(census_fds(0), before + 2);
	msg_done(&msg);
	while (r == 0)
		r = chan_give(&helper, &packet, out, 1, 0);
	cr_assert_eq(r, -EAGAIN, "%d", r);
	cr_assert(chan_is_open(&helper));
	cr_assert_eq(chan_recv(&core, &msg, 0, &err), 0, "%s", err.msg);
	msg_done(&msg);
	cr_assert_eq(chan_give(&helper, &packet, out, 1, 1000), 0, "there is room");
	while (chan_recv(&core, &msg, 0, &err) == 0)
		msg_done(&msg);
	cr_assert_eq(chan_give(&helper, &packet, out, 3, 0), 0);
	cr_assert_eq(chan_recv(&core, &msg, 0, &err), -EBADMSG, "more than its row has");
	cr_assert_eq(census_fds(0), before - 1);
}

/* Whatever bytes come: an error or a message, no crash, no descriptor kept, no heap. */
Test(chan, random_bytes)
{
	static uint8_t bytes[256];
	int before = census_fds(0);
	unsigned long good = 0;
	size_t len;

	srandom(20240601);
	for (unsigned i = 0; i < 300000; i++) {
		len = 1 + (size_t)random() % (i % 64 ? 40 : sizeof(bytes));
		for (size_t n = 0; n < len; n++)
			bytes[n] = (uint8_t)random();
		if (i % 2) { /* a valid start: number, then some arm with a plausible length */
			uint32_t arm = (10 + (uint32_t)random() % 160) << 3 | 2;

			bytes[0] = 0x08;
			bytes[1] = 1;
			bytes[2] = (uint8_t)(arm | 0x80);
			bytes[3] = (uint8_t)(arm >> 7);
			bytes[4] = (uint8_t)(len > 5 ? len - 5 : 0);
			len = len > 5 ? len : 5;
		}
		if (!chan_is_open(&helper))
			again();
		helper.seq = 0;
		helper.phase = i % 3 ? PHASE_RUN : PHASE_SETUP;
		cr_assert_eq(frame_send(core.sock.n, bytes, len, &before /* a number */,
			0, &(int){10}), 0);
		good += chan_recv(&helper, &msg, 0, &err) == 0;
		msg_done(&msg);
	}
	if (!chan_is_open(&helper))
		again();
	cr_assert_eq(census_fds(0), before);
	cr_assert_gt(good, 0, "none of them got through: this tests nothing");
}
