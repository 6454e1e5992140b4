/* SPDX-License-Identifier: Apache-2.0
 *
 * What the broker is told by the opener, of devices and how they are had, and by the launcher, of their
 * helpers. Broker process, one thread.
 *
 * Both speak for the operator: what they say wrong is a bug, and ends us like a breach.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "helpers/broker/broker.h"

/* ---- the opener ------------------------------------------------------------------------------ */

static void take_config(struct broker *broker, struct msg *msg)
{
	struct fd *way = msg->packet->broker_config->iommufd ? &broker->iommufd : &broker->container;

	if (way->n < 0)
		*way = msg_fd(msg, 0);
}

/* By its number; a new one takes the group's descriptor along, if there is one. */
static int group_of(struct broker *broker, const Bulkhead__BrokerDevice *told)
{
	if (!told->has_group)
		return -1;
	for (unsigned i = 0; i < broker->n_groups; i++) {
		if (broker->groups[i].number == (int)told->group)
			return (int)i;
	}
	if (broker->n_groups == VM_SLOTS)
		return -1;
	broker->groups[broker->n_groups] = (struct group){.number = (int)told->group,
		.fd = FD_NONE_INIT};
	return (int)broker->n_groups++;
}

/* Up to where the sealed policy lets it be read. */
static struct fd watch_of(struct msg *msg)
{
	fd_owned given = msg_fd(msg, 1);

	return (struct fd){given.n < 0 ? -1 : fcntl(given.n, F_DUPFD_CLOEXEC, NODES_FLOOR)};
}

static int take_device(struct broker *broker, struct msg *msg, struct err *err)
{
	const Bulkhead__BrokerDevice *told = msg->packet->broker_device;
	struct device *device = told->slot < VM_SLOTS ? &broker->devices[told->slot] : NULL;
	struct fd node;

	if (!device || device->told || (device->generation && device->generation != told->generation))
		return err_set(err, -EBADMSG, BLAME_BUG, "opener: device of slot %u out of turn",
			told->slot);
	device->generation = told->generation;
	device->kind = (enum word_kind)told->kind;
	device->num_queues = told->num_queues;
	device->silence_s = told->silence_s;
	device->bound = told->bound;
	snprintf(device->name, sizeof(device->name), "%s", told->name);
	device->group = group_of(broker, told);
	node = msg_fd(msg, 0);
	if (device->group >= 0 && !told->bound && broker->groups[device->group].fd.n < 0)
		broker->groups[device->group].fd = fd_take(&node);
	else
		device->node = fd_take(&node);
	device->watch = watch_of(msg);
	device->told = true;
	return token_from_wire(&told->vf_token, &device->token, err);
}

/* All that is there; an opener that has hung up has said everything. */
int on_opener(struct broker *broker, struct err *err)
{
	static struct msg msg;
	int r;

	while (chan_is_open(&broker->orders)) {
		r = chan_recv(&broker->orders, &msg, 0, err);
		if (r == -ETIMEDOUT)
			return 0;
		if (r == -EPIPE) {
			chan_close(&broker->orders);
			return 0;
		}
		if (r == 0 && msg.packet->body_case == BULKHEAD__PACKET__BODY_BROKER_CONFIG)
			take_config(broker, &msg);
		else if (r == 0)
			r = take_device(broker, &msg, err);
		msg_done(&msg);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- the launcher ---------------------------------------------------------------------------- */

/* A helper's channel and its log. */
static void take_deal(struct broker *broker, struct word_msg *msg)
{
	struct device *device = &broker->devices[msg->word.slot];

	if (device->lives || msg->word.kind < KIND_VFIO || msg->n_fds != 2 ||
		(device->generation && device->generation != msg->word.generation))
		return;
	device->generation = msg->word.generation;
	device->kind = (enum word_kind)msg->word.kind;
	chan_init(&device->chan, fd_take(&msg->fds[0]), ACTOR_BROKER, ACTOR_HELPER, device->name);
	device->log = fd_take(&msg->fds[1]);
	device->lives = true;
}

/* The device stays open in our store: what its guest has mapped keeps working. */
static void take_end(struct broker *broker, const struct word *word)
{
	struct device *device = device_at(broker, word->slot, word->generation);

	if (!device || !device->lives || word->kind < KIND_VFIO)
		return;
	relay_lines(device);
	fd_close(&device->log);
	chan_close(&device->chan);
	device->lives = false;
	release_helper_ended(broker, device);
}

/* All that is there. -EPIPE: the launcher is gone, and everything ends. */
int on_launcher(struct broker *broker, struct err *err)
{
	struct word_msg msg;
	int r;

	while ((r = word_recv(BIRTH_FD_WORDS, WORDS_LAUNCHER, WORDS_BROKER, &msg)) == 0) {
		if (msg.word.op == WORD_DEAL)
			take_deal(broker, &msg);
		else if (msg.word.op == WORD_ENDED)
			take_end(broker, &msg.word);
		word_done(&msg);
	}
	if (r == -EAGAIN)
		return 0;
	return r == -EPIPE ? r : err_set(err, r, BLAME_BUG, "launcher: %s", strerror(-r));
}
