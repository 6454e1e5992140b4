/* SPDX-License-Identifier: Apache-2.0
 *
 * That the node of a vDPA device was removed: told once, and nothing else about it is.
 *
 * links: helpers/broker/nodes.c
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "helpers/broker/broker.h"

static struct broker broker;
static struct chan core;
static char paths[2][32];

static void begin(void)
{
	struct fd a, b;

	log_init("", LOG_SAY, -1);
	cr_assert_eq(frame_pair(&a, &b), 0);
	chan_init(&broker.events, a, ACTOR_BROKER, ACTOR_CORE, "core");
	chan_init(&core, b, ACTOR_CORE, ACTOR_BROKER, "broker");
	for (unsigned i = 0; i < 2; i++) {
		struct device *device = &broker.devices[i];

		strcpy(paths[i], "/tmp/bulkhead-node-XXXXXX");
		*device = (struct device){.kind = KIND_VDPA, .generation = 7 + i,
			.node = FD_NONE_INIT, .store = {mkstemp(paths[i])}, .watch = {inotify_init1(IN_CLOEXEC | IN_NONBLOCK)}};
		cr_assert_geq(device->store.n, 0);
		cr_assert_geq(inotify_add_watch(device->watch.n, paths[i], IN_ATTRIB), 0);
	}
}

static void end(void)
{
	unlink(paths[0]);
	unlink(paths[1]);
}

TestSuite(nodes, .init = begin, .fini = end);

/* Which device the core was told of, or -1. */
static int told(void)
{
	static struct msg msg;
	struct err err;
	int index;

	for (unsigned i = 0; i < 2; i++) {
		if (broker.devices[i].watch.n >= 0)
			node_changed(&broker, &broker.devices[i]);
	}
	if (chan_recv(&core, &msg, 0, &err) < 0)
		return -1;
	cr_assert_eq(msg.packet->body_case, BULKHEAD__PACKET__BODY_DEVICE_WANTED);
	index = (int)msg.packet->device_wanted->slot;
	cr_assert_eq(msg.packet->device_wanted->generation, 7u + (unsigned)index);
	msg_done(&msg);
	return index;
}

Test(nodes, one_that_is_removed_is_told_once)
{
	cr_expect_eq(told(), -1);
	unlink(paths[1]);
	cr_expect_eq(told(), 1);
	cr_expect_eq(told(), -1);
	unlink(paths[0]);
	cr_expect_eq(told(), 0);
}

Test(nodes, what_else_happens_to_it_is_nobodys_business)
{
	chmod(paths[0], 0600);
	cr_expect_eq(told(), -1);
}

/* While those before it are being attached: it is open, and no helper has it yet. */
Test(nodes, one_whose_turn_has_not_come)
{
	broker.devices[1].node = fd_take(&broker.devices[1].store);
	unlink(paths[1]);
	cr_expect_eq(told(), 1);
	cr_expect_eq(told(), -1);
}

/* What the opener handed over may be no inotify: it is read no further, and the node is looked at all
 * the same. */
Test(nodes, a_watch_that_is_none)
{
	fd_close(&broker.devices[1].watch);
	broker.devices[1].watch.n = open("/dev/null", O_RDONLY | O_CLOEXEC);
	cr_expect_eq(told(), -1);
	cr_expect_lt(broker.devices[1].watch.n, 0, "it would be readable for ever");
	cr_expect_geq(broker.devices[0].watch.n, 0);
}

/* One that was closed already has nobody who waits for it. */
Test(nodes, one_that_was_given_back_is_not_wanted)
{
	fd_close(&broker.devices[0].store);
	unlink(paths[0]);
	cr_expect_eq(told(), -1);
}
