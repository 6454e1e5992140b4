/* SPDX-License-Identifier: Apache-2.0
 *
 * An ask whose answer is taken later, between api and core.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "ipc/chan.h"

static struct chan api, core;
static struct msg msg, ask_msg;
static struct err err;

static void begin_later(void)
{
	struct fd a, b;

	cr_assert_eq(frame_pair(&a, &b), 0);
	chan_init(&api, a, ACTOR_API, ACTOR_CORE, "core");
	chan_init(&core, b, ACTOR_CORE, ACTOR_API, "api");
	err = (struct err){0};
}

TestSuite(chan_later, .init = begin_later, .timeout = 60);

static int send_pause(int64_t now)
{
	Bulkhead__LifePause pause = BULKHEAD__LIFE_PAUSE__INIT;

	return chan_send(&api, &PACKET(LIFE_PAUSE, life_pause, &pause), NULL, 0, now, &err);
}

static int tell_paused(void)
{
	Bulkhead__LifePaused paused = BULKHEAD__LIFE_PAUSED__INIT;

	return chan_tell(&core, &PACKET(LIFE_PAUSED, life_paused, &paused));
}

Test(chan_later, events_come_before_the_answer_and_after_it)
{
	for (unsigned i = 0; i < 3; i++) {
		cr_assert_eq(send_pause(1000), 0, "%s", err.msg);
		cr_assert_eq(send_pause(1000), -EBUSY, "one at a time");
		cr_assert_eq(chan_take(&api, &msg, 1000, &err), -ETIMEDOUT);
		cr_assert(chan_is_open(&api));
		cr_assert_eq(chan_recv(&core, &ask_msg, 100, &err), 0, "%s", err.msg);
		cr_assert_eq(tell_paused(), 0);
		cr_assert_eq(chan_done(&core, &ask_msg), 0);
		cr_assert_eq(tell_paused(), 0);
		cr_assert_eq(chan_take(&api, &msg, 1000, &err), 0, "%s", err.msg);
		cr_assert_not(msg.rule->answer);
		cr_assert_eq(chan_take(&api, &msg, 1000, &err), 0, "%s", err.msg);
		cr_assert(msg.rule->answer);
		cr_assert_eq(chan_take(&api, &msg, 1000, &err), 0, "%s", err.msg);
		cr_assert_eq(msg.packet->body_case, BULKHEAD__PACKET__BODY_LIFE_PAUSED);
	}
}

Test(chan_later, a_refusal_is_an_answer)
{
	struct err why = {.code = -EBUSY, .blame = BLAME_GUEST, .msg = "not now"};

	cr_assert_eq(send_pause(0), 0);
	cr_assert_eq(chan_recv(&core, &ask_msg, 100, &err), 0, "%s", err.msg);
	cr_assert_eq(chan_refuse(&core, &ask_msg, &why), 0);
	cr_assert_eq(chan_take(&api, &msg, 0, &err), 0, "%s", err.msg);
	cr_assert_eq(msg.packet->body_case, BULKHEAD__PACKET__BODY_REFUSED);
	cr_assert_eq(chan_refused(&api, &msg, &err), -EBUSY);
	cr_assert_str_eq(err.msg, "not now");
	cr_assert_eq(send_pause(0), 0);
}

Test(chan_later, an_answer_that_is_late_closes_it)
{
	cr_assert_eq(send_pause(1000), 0);
	cr_assert_eq(chan_take(&api, &msg, 60999, &err), -ETIMEDOUT);
	cr_assert(chan_is_open(&api));
	cr_assert_eq(chan_take(&api, &msg, 61000, &err), -ETIMEDOUT);
	cr_assert_not(chan_is_open(&api));
	cr_assert(strstr(err.msg, "core: "), "«%s» names nobody", err.msg);
	cr_assert_eq(send_pause(61000), -EPIPE);
}

/* Looked at once more: what is there is taken, however late we come. */
Test(chan_later, an_answer_that_is_there_is_not_late)
{
	cr_assert_eq(send_pause(0), 0);
	cr_assert_eq(chan_recv(&core, &ask_msg, 100, &err), 0, "%s", err.msg);
	cr_assert_eq(chan_done(&core, &ask_msg), 0);
	cr_assert_eq(chan_take(&api, &msg, 1000000, &err), 0, "%s", err.msg);
	cr_assert(msg.rule->answer);
}

Test(chan_later, an_answer_nobody_asked_for)
{
	Bulkhead__Done done = BULKHEAD__DONE__INIT;
	uint8_t buf[FRAME_MAX];
	size_t len = bulkhead__packet__pack(&PACKET(DONE, done, &done), buf);

	cr_assert_eq(frame_send(core.sock.n, buf, len, NULL, 0, &(int){100}), 0);
	cr_assert_eq(chan_take(&api, &msg, 0, &err), -EBADMSG);
	cr_assert_not(chan_is_open(&api));
}

Test(chan_later, an_answer_to_another_ask)
{
	cr_assert_eq(send_pause(0), 0);
	cr_assert_eq(chan_recv(&core, &ask_msg, 100, &err), 0, "%s", err.msg);
	ask_msg.packet->seq++;
	cr_assert_eq(chan_done(&core, &ask_msg), 0);
	cr_assert_eq(chan_take(&api, &msg, 0, &err), -EBADMSG);
	cr_assert_not(chan_is_open(&api));
}

Test(chan_later, an_answer_of_another_kind)
{
	Bulkhead__LifeInfoIs info = BULKHEAD__LIFE_INFO_IS__INIT;
	Bulkhead__Packet packet = PACKET(LIFE_INFO_IS, life_info_is, &info);
	uint8_t buf[FRAME_MAX];

	packet.seq = 1;
	cr_assert_eq(send_pause(0), 0);
	cr_assert_eq(frame_send(core.sock.n, buf, bulkhead__packet__pack(&packet, buf), NULL, 0,
		&(int){100}), 0);
	cr_assert_eq(chan_take(&api, &msg, 0, &err), -EBADMSG);
}

Test(chan_later, a_full_queue_is_not_waited_for)
{
	int64_t start = now_ms();

	while (tell_paused() == 0)
		;
	api.peer = ACTOR_OPENER; /* one that does not read */
	for (int r = 0; r == 0; api.asked = NULL) {
		Bulkhead__ApiBoot boot = BULKHEAD__API_BOOT__INIT;

		r = chan_send(&api, &PACKET(API_BOOT, api_boot, &boot), NULL, 0, 0, &err);
		cr_assert(r == 0 || r == -EAGAIN, "%d: %s", r, err.msg);
	}
	cr_assert(chan_is_open(&api), "the next may find room");
	cr_assert_lt(now_ms() - start, 5000);
}

/* Words in the messages of a message. */
Test(chan_later, words_below_are_made_printable_too)
{
	Bulkhead__ApiDevice device = BULKHEAD__API_DEVICE__INIT, *devices[] = {&device};
	Bulkhead__ApiConfig config = BULKHEAD__API_CONFIG__INIT;
	Bulkhead__ApiCreate create = BULKHEAD__API_CREATE__INIT;

	api.peer = ACTOR_OPENER;
	core.self = ACTOR_OPENER;
	config.kernel = (char[]){"/k\n"};
	device.id = (char[]){"\x1b[2J"};
	create.config = &config;
	create.devices = devices;
	create.n_devices = 1;
	cr_assert_eq(chan_send(&api, &PACKET(API_CREATE, api_create, &create), NULL, 0, 0, &err), 0);
	cr_assert_eq(chan_recv(&core, &ask_msg, 100, &err), 0, "%s", err.msg);
	cr_assert_str_eq(ask_msg.packet->api_create->config->kernel, "/k?");
	cr_assert_str_eq(ask_msg.packet->api_create->devices[0]->id, "?[2J");
}
