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
#include "ipc/log.h"
#include "seccomp/confine.h"
#include "seccomp/layers.h"

enum { HELPER_FDS_MIN = 16 }; /* five, the device, ERR, REQ, and what a message brings */

static struct {
	const struct helper_ops *ops;
	enum seccomp_mode mode;
	struct chan broker, core, events;
	struct function_desc desc; /* what the core's arguments are checked against */
	bool open, described, running, msix_on;
	unsigned msi_count; /* vectors, 0: MSI is off */
	struct msg msg;
} self;

static int breach(struct err *err, const char *what)
{
	return err_set(err, -EBADMSG, BLAME_PEER, "core: %s", what);
}

static int refuse(const struct msg *msg, const struct err *err)
{
	return chan_refuse(&self.core, msg, err);
}

/* Answers Done, or Refused with what *err says. */
static int finish(const struct msg *msg, int r, const struct err *err)
{
	return r < 0 ? refuse(msg, err) : chan_done(&self.core, msg);
}

static int give_value(const struct msg *msg, int r, uint64_t value, const struct err *err)
{
	Bulkhead__Value body = BULKHEAD__VALUE__INIT;

	if (r < 0)
		return refuse(msg, err);
	body.value = value;
	return chan_answer(&self.core, msg, &PACKET(VALUE, value, &body), NULL, 0);
}

/* The broker is as trusted as the operator; a wrong region is a bug, not an attack. */
static int open_from_wire(struct msg *msg, struct helper_open *ret, struct err *err)
{
	const Bulkhead__Open *in = msg->packet->open;
	struct helper_open out = {.name = in->name, .num_queues = in->num_queues,
		.bound = in->bound};

	if (in->n_ram > GUEST_RAM_MAX)
		return err_set(err, -EBADMSG, BLAME_PEER, "broker: too many RAM regions");
	for (size_t i = 0; i < in->n_ram; i++) {
		const Bulkhead__RamRegion *ram = in->ram[i];

		if (!ram->size || (ram->gpa | ram->size | ram->offset) % 4096 ||
			ram->gpa + ram->size < ram->gpa || ram->offset + ram->size < ram->offset)
			return err_set(err, -EBADMSG, BLAME_PEER, "broker: RAM region");
		out.ram[out.n_ram++] = (struct guest_ram){ram->gpa, ram->size, ram->offset};
	}
	out.device = msg_fd(msg, 0);
	out.memfd = msg_fd(msg, 1);
	*ret = out;
	return 0;
}

static int on_open(struct msg *msg, struct err *err)
{
	Bulkhead__Opened body = BULKHEAD__OPENED__INIT;
	fd_owned store = FD_NONE_INIT;
	struct helper_open open;
	int r;

	if (self.open)
		return breach(err, "a second Open");
	r = open_from_wire(msg, &open, err);
	if (r < 0)
		return r;
	r = self.ops->open(&open, &store, err);
	fd_close(&open.device);
	fd_close(&open.memfd);
	if (r < 0)
		return chan_refuse(&self.broker, msg, err);
	self.open = true;
	return chan_answer(&self.broker, msg, &PACKET(OPENED, opened, &body), &store.n,
		store.n >= 0);
}

static int on_describe(struct msg *msg, struct err *err)
{
	static struct describe_wire wire;
	fd_owned device = FD_NONE_INIT;
	int r;

	if (!self.open || self.described)
		return breach(err, "Describe out of turn");
	r = self.ops->describe(&self.desc, &device, err);
	if (r < 0)
		return refuse(msg, err);
	self.described = true;
	describe_to_wire(&self.desc, &wire);
	return chan_answer(&self.core, msg, &PACKET(DESCRIPTION, description, &wire.description),
		&device.n, device.n >= 0);
}

static int on_run(struct msg *msg, struct err *err)
{
	int r;

	if (!self.described)
		return breach(err, "Run out of turn");
	if (self.ops->ready)
		self.ops->ready();
	r = policy_enter(self.ops->run, self.mode, false, err);
	if (r < 0)
		return r;
	self.running = true;
	self.events.phase = PHASE_RUN;
	return chan_done(&self.core, msg);
}

/* Is [offset, offset + size) one naturally aligned access inside [0, end)? */
static int check_access(uint64_t offset, uint32_t size, uint32_t max, uint64_t end,
	struct err *err)
{
	if (size == 0 || size > max || (size & (size - 1)) || offset % size || offset >= end ||
		size > end - offset)
		return err_set(err, -EINVAL, BLAME_PEER, "access of %u bytes at 0x%llx: not there",
			size, (unsigned long long)offset);
	return 0;
}

static int on_config_read(struct msg *msg, struct err *err)
{
	const Bulkhead__ConfigRead *ask = msg->packet->config_read;
	uint32_t value = 0;
	int r = check_access(ask->offset, ask->size, 4, self.desc.config_size, err);

	if (r == 0)
		r = self.ops->config_read(ask->offset, ask->size, &value, err);
	return give_value(msg, r, value, err);
}

static int on_config_write(struct msg *msg, struct err *err)
{
	const Bulkhead__ConfigWrite *ask = msg->packet->config_write;
	int r = check_access(ask->offset, ask->size, 4, self.desc.config_size, err);

	if (r == 0)
		r = self.ops->config_write(ask->offset, ask->size, ask->value, err);
	return finish(msg, r, err);
}

static int check_region(uint32_t index, uint64_t offset, uint32_t size, struct err *err)
{
	uint64_t end = index < PCI_BARS ? self.desc.regions[index].size : 0;

	return check_access(offset, size, 8, end, err);
}

static int on_region_read(struct msg *msg, struct err *err)
{
	const Bulkhead__RegionRead *ask = msg->packet->region_read;
	uint64_t value = 0;
	int r = check_region(ask->index, ask->offset, ask->size, err);

	if (r == 0)
		r = self.ops->region_read(ask->index, ask->offset, ask->size, &value, err);
	return give_value(msg, r, value, err);
}

static int on_region_write(struct msg *msg, struct err *err)
{
	const Bulkhead__RegionWrite *ask = msg->packet->region_write;
	int r = check_region(ask->index, ask->offset, ask->size, err);

	if (r == 0)
		r = self.ops->region_write(ask->index, ask->offset, ask->size, ask->value, err);
	return finish(msg, r, err);
}

static int on_msix_enable(struct msg *msg, struct err *err)
{
	int r = 0;

	if (!self.desc.msix.vectors)
		r = err_set(err, -EINVAL, BLAME_PEER, "MSI-X: the device has none");
	else if (self.msi_count)
		r = err_set(err, -EBUSY, BLAME_PEER, "MSI-X: MSI is on");
	else if (!self.msix_on)
		r = self.ops->msix_enable(err);
	if (r == 0)
		self.msix_on = true;
	return finish(msg, r, err);
}

static int on_msix_disable(struct msg *msg, struct err *err)
{
	int r = self.msix_on ? self.ops->msix_disable(err) : 0;

	if (r == 0)
		self.msix_on = false;
	return finish(msg, r, err);
}

static int check_vector(uint32_t vector, struct err *err)
{
	if (!self.msix_on || vector >= self.desc.msix.vectors)
		return err_set(err, -EINVAL, BLAME_PEER, "MSI-X vector %u: %s", vector,
			self.msix_on ? "not there" : "MSI-X is off");
	return 0;
}

static int on_msix_arm(struct msg *msg, struct err *err)
{
	uint32_t vector = msg->packet->msix_arm->vector;
	int r = check_vector(vector, err);

	if (r == 0)
		r = self.ops->msix_arm(vector, msg_fd(msg, 0), err);
	return finish(msg, r, err);
}

static int on_msix_disarm(struct msg *msg, struct err *err)
{
	uint32_t vector = msg->packet->msix_disarm->vector;
	int r = check_vector(vector, err);

	if (r == 0)
		r = self.ops->msix_disarm(vector, err);
	return finish(msg, r, err);
}

static int on_msi_enable(struct msg *msg, struct err *err)
{
	uint32_t count = msg->packet->msi_enable->vectors;
	int r = 0;

	if (count == 0 || count > desc_msi_vectors(&self.desc) || (count & (count - 1)))
		r = err_set(err, -EINVAL, BLAME_PEER, "MSI: %u vectors are not there", count);
	else if (self.msix_on || self.msi_count)
		r = err_set(err, -EBUSY, BLAME_PEER, "MSI: %s is on",
			self.msix_on ? "MSI-X" : "it");
	else
		r = self.ops->msi_enable(count, err);
	if (r == 0)
		self.msi_count = count;
	return finish(msg, r, err);
}

static int on_msi_disable(struct msg *msg, struct err *err)
{
	int r = self.msi_count ? self.ops->msi_disable(err) : 0;

	if (r == 0)
		self.msi_count = 0;
	return finish(msg, r, err);
}

static int on_msi_arm(struct msg *msg, struct err *err)
{
	uint32_t vector = msg->packet->msi_arm->vector;
	int r = 0;

	if (vector >= self.msi_count)
		r = err_set(err, -EINVAL, BLAME_PEER, "MSI vector %u: not there", vector);
	else
		r = self.ops->msi_arm(vector, msg_fd(msg, 0), err);
	return finish(msg, r, err);
}

static int on_kick_arm(struct msg *msg, struct err *err)
{
	uint32_t queue = msg->packet->kick_arm->queue;
	int r;

	if (!self.described || queue >= self.desc.doorbells.count)
		return breach(err, "KickArm of a doorbell that is not there");
	r = self.ops->kick_arm(queue, msg_fd(msg, 0), err);
	return finish(msg, r, err);
}

static int on_intx_arm(struct msg *msg, struct err *err)
{
	int r;

	if (!self.described || !self.desc.intx)
		return breach(err, "IntxArm of a pin that is not there");
	r = self.ops->intx_arm(msg_fd(msg, 0), msg_fd(msg, 1), err);
	return finish(msg, r, err);
}

static int on_suspend(struct msg *msg, struct err *err)
{
	if (!self.desc.can_suspend)
		return breach(err, "Suspend of what cannot be suspended");
	return finish(msg, self.ops->suspend(err), err);
}

static int on_resume(struct msg *msg, struct err *err)
{
	if (!self.desc.can_suspend)
		return breach(err, "Resume of what cannot be suspended");
	return finish(msg, self.ops->resume(err), err);
}

static int on_reset(struct msg *msg, struct err *err)
{
	return finish(msg, self.ops->reset(err), err);
}

static const struct handler {
	Bulkhead__Packet__BodyCase body;
	int (*handle)(struct msg *msg, struct err *err);
} handlers[] = {
	{BULKHEAD__PACKET__BODY_OPEN, on_open},
	{BULKHEAD__PACKET__BODY_DESCRIBE, on_describe},
	{BULKHEAD__PACKET__BODY_RUN, on_run},
	{BULKHEAD__PACKET__BODY_CONFIG_READ, on_config_read},
	{BULKHEAD__PACKET__BODY_CONFIG_WRITE, on_config_write},
	{BULKHEAD__PACKET__BODY_REGION_READ, on_region_read},
	{BULKHEAD__PACKET__BODY_REGION_WRITE, on_region_write},
	{BULKHEAD__PACKET__BODY_MSIX_ENABLE, on_msix_enable},
	{BULKHEAD__PACKET__BODY_MSIX_DISABLE, on_msix_disable},
	{BULKHEAD__PACKET__BODY_MSIX_ARM, on_msix_arm},
	{BULKHEAD__PACKET__BODY_MSIX_DISARM, on_msix_disarm},
	{BULKHEAD__PACKET__BODY_MSI_ENABLE, on_msi_enable},
	{BULKHEAD__PACKET__BODY_MSI_DISABLE, on_msi_disable},
	{BULKHEAD__PACKET__BODY_MSI_ARM, on_msi_arm},
	{BULKHEAD__PACKET__BODY_RESET, on_reset},
	{BULKHEAD__PACKET__BODY_KICK_ARM, on_kick_arm},
	{BULKHEAD__PACKET__BODY_INTX_ARM, on_intx_arm},
	{BULKHEAD__PACKET__BODY_SUSPEND, on_suspend},
	{BULKHEAD__PACKET__BODY_RESUME, on_resume},
};

/* One message from one peer. The rules have let through only what that peer may ask for. */
static int serve_one(struct chan *chan, struct err *err)
{
	int r = chan_recv(chan, &self.msg, 0, err);

	if (r == -ETIMEDOUT)
		return 0;
	if (r < 0)
		return r;
	r = breach(err, "a message without a handler");
	for (unsigned i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++)
		if (handlers[i].body == self.msg.packet->body_case)
			r = handlers[i].handle(&self.msg, err);
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
