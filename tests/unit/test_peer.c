/* SPDX-License-Identifier: Apache-2.0
 *
 * The asking side against a helper that is a thread of the test: answers, refusals, silence,
 * nonsense, death. A vCPU must never wait longer than the deadline, and never twice. Before that, what
 * the helper says of its device unasked.
 *
 * links: vmm/peer.c vmm/peer_ask.c vmm/peer_state.c
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/peer.h"

static struct peer peer;
static struct chan helper, events;
static int log_pipe[2];

static void setup(void)
{
	struct fd ask, ask_helper, event, event_helper;

	cr_assert_eq(frame_pair(&ask, &ask_helper), 0);
	cr_assert_eq(frame_pair(&event, &event_helper), 0);
	peer_init(&peer, "0000:00:03.0", ask, event);
	chan_init(&helper, ask_helper, ACTOR_HELPER, ACTOR_CORE, "core");
	chan_init(&events, event_helper, ACTOR_HELPER, ACTOR_CORE, "core");
	peer.ask.phase = peer.event.phase = helper.phase = events.phase = PHASE_RUN;
	peer_begin(&peer);
	cr_assert_eq(pipe2(log_pipe, O_NONBLOCK), 0);
	log_init("", LOG_WARN, log_pipe[1]);
}

static const char *logged(void)
{
	static char text[2048];
	ssize_t n = read(log_pipe[0], text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void *answer_value(void *value)
{
	static struct msg msg;
	Bulkhead__Value body = BULKHEAD__VALUE__INIT;
	struct err err;

	body.value = *(uint64_t *)value;
	if (chan_recv(&helper, &msg, 5000, &err) == 0)
		chan_answer(&helper, &msg, &PACKET(VALUE, value, &body), NULL, 0);
	msg_done(&msg);
	return NULL;
}

static void *answer_refused(void *why)
{
	static struct msg msg;
	struct err err;

	if (chan_recv(&helper, &msg, 5000, &err) == 0) {
		err_set(&err, -EPERM, BLAME_HOST, "%s", (const char *)why);
		chan_refuse(&helper, &msg, &err);
	}
	msg_done(&msg);
	return NULL;
}

static void *hang_up(void *unused)
{
	static struct msg msg;
	struct err err;

	(void)unused;
	chan_recv(&helper, &msg, 5000, &err);
	msg_done(&msg);
	chan_close(&helper);
	return NULL;
}

static void *send_nonsense(void *unused)
{
	static struct msg msg;
	struct err err;

	(void)unused;
	chan_recv(&helper, &msg, 5000, &err);
	msg_done(&msg);
	send(helper.sock.n, "\xff\xff\xff", 3, 0);
	return NULL;
}

static pthread_t start(void *(*what)(void *), void *arg)
{
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, what, arg), 0);
	return thread;
}

TestSuite(peer, .init = setup, .timeout = 20);

Test(peer, a_value_arrives)
{
	uint64_t value = 0x1b360010;
	pthread_t thread = start(answer_value, &value);
	uint32_t got = 0;

	cr_assert_eq(ask_config_read(&peer, 0, 4, &got), 0);
	cr_assert_eq(got, 0x1b360010u);
	pthread_join(thread, NULL);
}

Test(peer, a_refusal_is_logged_and_the_helper_stays)
{
	static char why[] = "0000:00:03.0: config space: Operation not permitted";
	pthread_t thread = start(answer_refused, why);
	uint32_t got = 0;

	cr_assert_eq(ask_config_read(&peer, 0, 4, &got), -EPERM);
	cr_assert_eq(got, ~0u);
	cr_assert(peer_serves(&peer));
	cr_assert(strstr(logged(), "Operation not permitted"));
	pthread_join(thread, NULL);
}

Test(peer, silence_costs_one_deadline_and_only_one)
{
	int64_t began = now_ms(), took;
	uint32_t got = 0;

	cr_assert_eq(ask_config_read(&peer, 0, 4, &got), -ETIMEDOUT);
	took = now_ms() - began;
	cr_assert(took >= 900 && took < 3000, "%ld ms", (long)took);
	cr_assert_eq(got, ~0u);
	cr_assert_eq(peer.state, PEER_FAILED);
	cr_assert(strstr(logged(), "0000:00:03.0"));
	began = now_ms();
	for (unsigned i = 0; i < 1000; i++)
		cr_assert_eq(ask_config_read(&peer, 0, 4, &got), -EPIPE);
	cr_assert(now_ms() - began < 500);
	cr_assert_str_eq(logged(), "", "one line is enough");
}

/* The kernel waits a minute and more, uninterruptible, for a device that is not ready after its reset
 * (pci_dev_wait, for each way of resetting it); who waits for it here does not. */
Test(peer, a_device_that_does_not_come_back_from_its_reset_is_named_within_eleven_seconds)
{
	int64_t began = now_ms(), took;
	const char *said;

	cr_assert_eq(ask_reset(&peer, true), -ETIMEDOUT);
	took = now_ms() - began;
	said = logged();
	cr_assert(took > 8000 && took < 11000, "%ld ms", (long)took);
	cr_assert(strstr(said, "0000:00:03.0") && strstr(said, "failed"), "%s", said);
	cr_assert_eq(ask_reset(&peer, true), -EPIPE, "and it is not waited for again");
}

Test(peer, nonsense_cuts_the_helper_off)
{
	pthread_t thread = start(send_nonsense, NULL);
	uint64_t got = 0;
	char byte;

	cr_assert_eq(ask_region_read(&peer, 0, 0, 8, &got), -EBADMSG);
	cr_assert_eq(got, ~0ull);
	cr_assert_eq(peer.state, PEER_FAILED);
	pthread_join(thread, NULL);
	cr_assert_eq(recv(helper.sock.n, &byte, 1, 0), 0, "its channel is closed");
}

Test(peer, death_is_left_to_the_broker_to_tell)
{
	pthread_t thread = start(hang_up, NULL);

	cr_assert_eq(ask_config_write(&peer, 4, 2, 6), -EPIPE);
	cr_assert_eq(peer.state, PEER_MUTE);
	cr_assert_str_eq(logged(), "");
	peer_step(&peer, PEER_IS_GONE, "its helper ended: killed by signal 9");
	cr_assert(strstr(logged(), "killed by signal 9"));
	peer_fail(&peer, "again");
	cr_assert_str_eq(logged(), "");
	pthread_join(thread, NULL);
}

/* A helper that answers each of many asks just in time must not hold the vCPU for all of them. */
Test(peer, one_access_is_bounded_however_many_asks_it_takes)
{
	peer.ask.waited_ms += PEER_ACCESS_MS + 1;
	cr_assert_eq(ask_msix_mode(&peer, true), -EPIPE);
	cr_assert_eq(peer.state, PEER_FAILED);
	cr_assert(strstr(logged(), "too long"));
}

/* What the core does itself between two asks, like KVM_SET_GSI_ROUTING, is not the helper's time. */
Test(peer, only_the_helpers_time_is_counted)
{
	uint64_t value = 1;
	uint32_t got = 0;
	pthread_t thread;

	for (unsigned i = 0; i < 4; i++) {
		thread = start(answer_value, &value);
		cr_assert_eq(ask_config_read(&peer, 0, 4, &got), 0);
		pthread_join(thread, NULL);
		nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
	}
	cr_assert(peer_serves(&peer));
	cr_assert_lt(peer.ask.waited_ms, 1000);
}

Test(peer, the_hosts_wish_is_told_on)
{
	Bulkhead__DeviceRequest request = BULKHEAD__DEVICE_REQUEST__INIT;
	Bulkhead__DeviceError error = BULKHEAD__DEVICE_ERROR__INIT;

	cr_assert_eq(chan_tell(&events, &PACKET(DEVICE_ERROR, device_error, &error)), 0);
	cr_assert(!peer_on_event(&peer));
	cr_assert(strstr(logged(), "AER"));
	cr_assert_eq(chan_tell(&events, &PACKET(DEVICE_REQUEST, device_request, &request)), 0);
	cr_assert(peer_on_event(&peer));
	cr_assert(!peer_on_event(&peer), "once");
}

/* ---- described, unasked ---------------------------------------------------------------------------- */

static void not_described_yet(void)
{
	setup();
	peer.ask.phase = peer.event.phase = helper.phase = events.phase = PHASE_SETUP;
}

TestSuite(peer_describes, .init = not_described_yet, .timeout = 20);

static const struct function_desc a_device = {.config_size = 256,
	.regions[0] = {.size = 4096, .n_ranges = 1, .ranges = {{0, 4096}}}};

static int describes(const struct function_desc *desc, int device)
{
	static struct describe_wire wire;

	describe_to_wire(desc, &wire);
	return chan_give(&events, &PACKET(DESCRIPTION, description, &wire.description), &device,
		device >= 0, 0);
}

Test(peer_describes, it_is_asked_for_nothing)
{
	struct fd device = FD_NONE_INIT;
	struct function_desc desc;
	struct err err = {0};

	cr_assert_eq(peer_describes(&peer, &desc, &device, &err), -ETIMEDOUT, "nothing has come");
	cr_assert(peer_serves(&peer) && peer.event.phase == PHASE_SETUP);
	cr_assert_eq(describes(&a_device, open("/dev/null", O_RDWR | O_CLOEXEC)), 0);
	cr_assert_eq(peer_describes(&peer, &desc, &device, &err), 0, "%s", err.msg);
	cr_expect(desc.config_size == 256 && desc.regions[0].size == 4096);
	cr_expect_geq(device.n, 0, "the descriptor its BARs are mapped from");
	cr_expect(peer.ask.phase == PHASE_RUN && peer.event.phase == PHASE_RUN);
	fd_close(&device);
}

/* One is all: its device does not become another. */
Test(peer_describes, a_second_time_is_a_breach)
{
	struct fd device = FD_NONE_INIT;
	struct function_desc desc;
	struct err err = {0};

	cr_assert_eq(describes(&a_device, -1), 0);
	cr_assert_eq(describes(&a_device, -1), 0);
	cr_assert_eq(peer_describes(&peer, &desc, &device, &err), 0, "%s", err.msg);
	cr_expect_lt(device.n, 0);
	cr_assert(!peer_on_event(&peer));
	cr_expect_eq(peer.state, PEER_FAILED);
	cr_expect(strstr(logged(), "DESCRIPTION at the wrong time"));
}

Test(peer_describes, what_cannot_be_is_refused_by_name)
{
	struct function_desc bad = a_device, desc;
	struct fd device = FD_NONE_INIT;
	struct err err = {0};

	bad.config_size = 300;
	cr_assert_eq(describes(&bad, open("/dev/null", O_RDWR | O_CLOEXEC)), 0);
	cr_assert_eq(peer_describes(&peer, &desc, &device, &err), -EBADMSG);
	cr_expect_lt(device.n, 0, "nothing is mapped of it");
	cr_expect(strncmp(err.msg, "0000:00:03.0: ", 14) == 0, "%s", err.msg);
}

/* An event of run time, or the end of it. */
Test(peer_describes, something_else_in_its_place)
{
	Bulkhead__DeviceError error = BULKHEAD__DEVICE_ERROR__INIT;
	struct fd device = FD_NONE_INIT;
	struct function_desc desc;
	struct err err = {0};

	events.phase = PHASE_RUN;
	cr_assert_eq(chan_tell(&events, &PACKET(DEVICE_ERROR, device_error, &error)), 0);
	cr_assert_eq(peer_describes(&peer, &desc, &device, &err), -EBADMSG);
	cr_assert_eq(peer_describes(&peer, &desc, &device, &err), -EPIPE, "cut off");
}

Test(peer_describes, then_it_hears_that_all_are_there)
{
	static struct msg msg;
	struct err err = {0};

	peer.ask.phase = helper.phase = PHASE_RUN;
	tell_settled(&peer);
	cr_assert_eq(chan_recv(&helper, &msg, 0, &err), 0, "%s", err.msg);
	cr_assert_eq(msg.packet->body_case, BULKHEAD__PACKET__BODY_SETTLED);
	msg_done(&msg);
	peer_fail(&peer, "gone");
	(void)logged();
	tell_settled(&peer);
	cr_assert_str_eq(logged(), "");
}
