/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of a helper. Helper process, one thread, no heap once the run policy is loaded.
 *
 *   1. walls, set-up policy    must not yet: have read a byte from anyone
 *   2. Open, from the broker   the device is ours; what it is is read
 *   3. run policy              before the core is listened to, whatever that has become by now
 *   4. Description, to the core; from here on its requests about the device
 *   5. the end: a peer hung up or broke a rule
 *
 * A message that breaks a rule ends the process. One that only asks for what the device does not
 * have is refused: the core may be passing on what its guest does.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helpers/helper.h"
#include "helpers/self.h"
#include "ipc/log.h"
#include "ipc/words.h"
#include "seccomp/birth.h"

enum { HELPER_FDS_MIN = 16 }; /* five, the device, ERR, REQ, and what a message brings */

struct helper_self self;

/* The broker is as trusted as the operator; a wrong region is a bug, not an attack. */
static int open_from_wire(struct msg *msg, struct helper_open *ret, struct err *err)
{
	const Bulkhead__Open *in = msg->packet->open;
	struct helper_open out = {.name = in->name, .num_queues = in->num_queues,
		.silence_s = in->silence_s, .bound = in->bound};

	if (in->n_ram > GUEST_RAM_MAX)
		return err_set(err, -EBADMSG, BLAME_PEER, "broker: too many RAM regions");
	for (size_t i = 0; i < in->n_ram; i++) {
		const Bulkhead__RamRegion *ram = in->ram[i];

		if (!ram->size || (ram->gpa | ram->size | ram->offset) % 4096 ||
			ram->gpa + ram->size < ram->gpa || ram->offset + ram->size < ram->offset)
			return err_set(err, -EBADMSG, BLAME_PEER, "broker: RAM region");
		out.ram[out.n_ram++] = (struct guest_ram){ram->gpa, ram->size, ram->offset};
	}
	if (token_from_wire(&in->vf_token, &out.token, err) < 0)
		return err_prefix(err, "broker");
	out.device = msg_fd(msg, 0);
	out.memfd = msg_fd(msg, 1);
	*ret = out;
	return 0;
}

/* Unasked: whoever asks us anything asks a process that is sealed. */
static int describe_and_seal(struct helper_self *h, struct err *err)
{
	Bulkhead__Packet packet;
	static struct describe_wire wire;
	fd_owned device = FD_NONE_INIT;
	int r = h->ops->describe(&h->desc, &device, err);

	if (r == 0)
		r = policy_enter(h->ops->run, h->mode, false, err);
	if (r < 0)
		return r;
	describe_to_wire(&h->desc, &wire);
	packet = PACKET(DESCRIPTION, description, &wire.description);
	r = chan_give(&h->events, &packet, &device.n, device.n >= 0, 0);
	h->events.phase = h->core.phase = PHASE_RUN;
	return r < 0 ? err_set(err, r, BLAME_PEER, "the core takes no description: %s", strerror(-r)) : 0;
}

static int on_open(struct helper_self *h, struct msg *msg, struct err *err)
{
	Bulkhead__Opened body = BULKHEAD__OPENED__INIT;
	fd_owned store = FD_NONE_INIT;
	struct helper_open open;
	int r;

	if (h->open)
		return breach(err, "a second Open");
	r = open_from_wire(msg, &open, err);
	if (r < 0)
		return r;
	r = h->ops->open(&open, &store, err);
	fd_close(&open.device);
	fd_close(&open.memfd);
	if (r < 0)
		return chan_refuse(&h->broker, msg, err);
	h->open = true;
	r = chan_answer(&h->broker, msg, &PACKET(OPENED, opened, &body), &store.n, store.n >= 0);
	return r < 0 ? r : describe_and_seal(h, err);
}

static int on_settled(struct helper_self *h, struct msg *msg, struct err *err)
{
	(void)msg;
	(void)err;
	if (h->ops->settled)
		h->ops->settled();
	return 0;
}

static const struct handler life[] = {
	{BULKHEAD__PACKET__BODY_OPEN, on_open},
	{BULKHEAD__PACKET__BODY_SETTLED, on_settled},
	{0, NULL},
};

static const struct handler *find(const struct handler *table, Bulkhead__Packet__BodyCase body)
{
	while (table->handle && table->body != body)
		table++;
	return table;
}

/* One message from one peer. The rules have let through only what that peer may ask for. */
static int serve_one(struct chan *chan, struct err *err)
{
	const struct handler *handler;
	int r = chan_recv(chan, &self.msg, 0, err);

	if (r == -ETIMEDOUT)
		return 0;
	if (r < 0)
		return r;
	handler = find(life, self.msg.packet->body_case);
	if (!handler->handle)
		handler = find(helper_asks, self.msg.packet->body_case);
	r = handler->handle ? handler->handle(&self, &self.msg, err)
		: breach(err, "a message without a handler");
	msg_done(&self.msg);
	return r;
}

enum { POLL_WORDS, POLL_BROKER, POLL_CORE, POLL_OWN, POLLS = POLL_OWN + HELPER_EVENTS };

/* Waits for a message, an event or the next tick. The core is not listened to before there is a
 * device. */
static int wait_for(struct pollfd polls[static POLLS], struct err *err)
{
	int fds[HELPER_EVENTS] = {-1, -1, -1};
	int ms = self.open && self.ops->tick ? self.ops->tick() : -1;
	struct timespec tick = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000l};

	if (self.open && self.ops->event_fds)
		self.ops->event_fds(fds);
	polls[POLL_WORDS] = (struct pollfd){.fd = BIRTH_FD_WORDS, .events = POLLIN};
	polls[POLL_BROKER] = (struct pollfd){.fd = self.broker.sock.n, .events = POLLIN};
	polls[POLL_CORE] = (struct pollfd){.fd = self.core.sock.n,
		.events = self.open ? POLLIN : 0};
	for (unsigned i = 0; i < HELPER_EVENTS; i++)
		polls[POLL_OWN + i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
	while (ppoll(polls, POLLS, ms < 0 ? NULL : &tick, NULL) < 0)
		if (errno != EINTR)
			return err_set(err, -errno, BLAME_BUG, "ppoll: %s", strerror(errno));
	return 0;
}

/* Serves until a peer hangs up (-EPIPE) or something is wrong; always a negative errno. Events come
 * before messages: a message may close what was readable. The launcher has no word for us: it is there,
 * or gone. */
static int serve(struct err *err)
{
	struct pollfd polls[POLLS];
	int r = 0;

	while (r >= 0) {
		r = wait_for(polls, err);
		if (r < 0)
			return r;
		if (polls[POLL_WORDS].revents)
			return -EPIPE;
		for (unsigned i = 0; i < HELPER_EVENTS; i++)
			if (polls[POLL_OWN + i].revents)
				self.ops->on_event(i, &self.events);
		if (polls[POLL_BROKER].revents)
			r = serve_one(&self.broker, err);
		if (r >= 0 && polls[POLL_CORE].revents)
			r = serve_one(&self.core, err);
	}
	return r;
}

static int begin(int argc, char **argv, struct err *err)
{
	struct confine walls = {.max_fds = self.ops->max_fds ? self.ops->max_fds : HELPER_FDS_MIN};
	struct birth birth;
	int r = birth_read(argc, argv, &birth, err);

	if (r < 0)
		return r;
	self.mode = birth.mode;
	walls.bare = birth.bare;
	log_init("", birth.level, BIRTH_FD_LOG);
	r = confine_process(&walls, err);
	if (r == 0)
		r = policy_enter(self.ops->setup, self.mode, false, err);
	if (r < 0)
		return r;
	chan_init(&self.broker, (struct fd){BIRTH_FD_ORDERS}, ACTOR_HELPER, ACTOR_BROKER, "broker");
	chan_init(&self.core, (struct fd){HELPER_FD_ASK}, ACTOR_HELPER, ACTOR_CORE, "core");
	chan_init(&self.events, (struct fd){HELPER_FD_EVENT}, ACTOR_HELPER, ACTOR_CORE, "core");
	return 0;
}

int helper_run(const struct helper_ops *ops, int argc, char **argv)
{
	struct err err = {0};
	int r;

	self.ops = ops;
	r = begin(argc, argv, &err);
	if (r == 0)
		r = serve(&err);
	if (r == -EPIPE)
		return 0; /* the other side is gone, and so are we */
	log_error("%s", err.msg);
	return 1;
}
