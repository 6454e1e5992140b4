/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of a helper. Helper process, one thread, no heap once the run policy is loaded.
 *
 *   1. argv, log          needs: descriptors 0-4, put there by the broker
 *   2. walls, set-up policy    must not yet: have read a byte from anyone
 *   3. Open, from the broker   the device is ours
 *   4. Describe, from the core
 *   5. Run, from the core      run policy; from here on requests about the device
 *   6. the end: a peer hung up or broke a rule; the broker says so to the core
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
#include "seccomp/confine.h"
#include "seccomp/layers.h"

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
	return chan_answer(&h->broker, msg, &PACKET(OPENED, opened, &body), &store.n,
		store.n >= 0);
}

static int on_describe(struct helper_self *h, struct msg *msg, struct err *err)
{
	static struct describe_wire wire;
	fd_owned device = FD_NONE_INIT;
	int r;

	if (!h->open || h->described)
		return breach(err, "Describe out of turn");
	r = h->ops->describe(&h->desc, &device, err);
	if (r < 0)
		return chan_refuse(&h->core, msg, err);
	h->described = true;
	describe_to_wire(&h->desc, &wire);
	return chan_answer(&h->core, msg, &PACKET(DESCRIPTION, description, &wire.description),
		&device.n, device.n >= 0);
}

static int on_run(struct helper_self *h, struct msg *msg, struct err *err)
{
	int r;

	if (!h->described)
		return breach(err, "Run out of turn");
	if (h->ops->ready)
		h->ops->ready();
	r = policy_enter(h->ops->run, h->mode, false, err);
	if (r < 0)
		return r;
	h->running = true;
	h->events.phase = PHASE_RUN;
	return chan_done(&h->core, msg);
}

static const struct handler life[] = {
	{BULKHEAD__PACKET__BODY_OPEN, on_open},
	{BULKHEAD__PACKET__BODY_DESCRIBE, on_describe},
	{BULKHEAD__PACKET__BODY_RUN, on_run},
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

/* Waits for a message, an event or the next tick. polls: broker, core, then the helper's own. */
static int wait_for(struct pollfd polls[2 + HELPER_EVENTS], struct err *err)
{
	int fds[HELPER_EVENTS] = {-1, -1, -1};
	int ms = self.open && self.ops->tick ? self.ops->tick() : -1;
	struct timespec tick = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000l};

	if (self.open && self.ops->event_fds)
		self.ops->event_fds(fds);
	polls[0] = (struct pollfd){.fd = self.broker.sock.n, .events = POLLIN};
	polls[1] = (struct pollfd){.fd = self.core.sock.n, .events = POLLIN};
	for (unsigned i = 0; i < HELPER_EVENTS; i++)
		polls[2 + i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
	while (ppoll(polls, 2 + HELPER_EVENTS, ms < 0 ? NULL : &tick, NULL) < 0)
		if (errno != EINTR)
			return err_set(err, -errno, BLAME_BUG, "ppoll: %s", strerror(errno));
	return 0;
}

/* Serves until a peer hangs up (-EPIPE) or something is wrong; always a negative errno. Events come
 * before messages: a message may close what was readable. */
static int serve(struct err *err)
{
	struct pollfd polls[2 + HELPER_EVENTS];
	int r = 0;

	while (r >= 0) {
		r = wait_for(polls, err);
		if (r < 0)
			return r;
		for (unsigned i = 0; i < HELPER_EVENTS; i++)
			if (polls[2 + i].revents)
				self.ops->on_event(i, &self.events);
		if (polls[0].revents)
			r = serve_one(&self.broker, err);
		if (r >= 0 && polls[1].revents)
			r = serve_one(&self.core, err);
	}
	return r;
}

static int begin(int argc, char **argv, struct err *err)
{
	struct confine walls = {.die_with_parent = true,
		.max_fds = self.ops->max_fds ? self.ops->max_fds : HELPER_FDS_MIN};
	int r;

	walls.bare = argc == 6 && strcmp(argv[5], "bare") == 0;
	if (argc < 5 || argc > 5 + walls.bare || policy_mode_parse(argv[3], &self.mode) < 0 ||
		layers_parse(argv[4]) < 0)
		return err_set(err, -EINVAL, BLAME_HOST,
			"started by hand? usage: %s NAME LOG-LEVEL true|log|false strict|degraded "
			"[bare], by the broker", argc ? argv[0] : "");
	log_init("", (enum log_level)atoi(argv[2]), HELPER_FD_LOG);
	r = confine_process(&walls, err);
	if (r == 0)
		r = policy_enter(self.ops->setup, self.mode, false, err);
	if (r < 0)
		return r;
	chan_init(&self.broker, (struct fd){HELPER_FD_BROKER}, ACTOR_HELPER, ACTOR_BROKER,
		"broker");
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
