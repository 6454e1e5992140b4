/* SPDX-License-Identifier: Apache-2.0
 *
 * What the broker makes of the opener's words, what is open and whose it is, and of the launcher's, who
 * serves a slot and who has ended; and the way a device goes back. DMA is a double.
 *
 * links: helpers/broker/tell.c helpers/broker/device.c helpers/broker/relay.c helpers/broker/release.c
 * links: tests/census.c
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "helpers/broker/broker.h"
#include "tests/census.h"
#include "tests/unit/trace.h"

enum { GENERATION = 3 };

static struct broker broker;
static struct chan opener, core;
static struct fd launcher;
static struct err err;

/* ---- doubles ----------------------------------------------------------------------------------- */

void bar_dma_unmap(const struct broker *b, struct device *device)
{
	if (device->told)
		traced("unmap%d ", (int)(device - b->devices));
}

void dma_let_go(const struct broker *b, const struct device *device)
{
	traced("go%d ", (int)(device - b->devices));
}

void dma_release(struct broker *b)
{
	cr_assert_eq(b, &broker);
	traced("release ");
}

/* ------------------------------------------------------------------------------------------------ */

static void begin(void)
{
	struct fd a, b, c, d, words;

	log_init("", LOG_SAY, -1);
	cr_assert(frame_pair(&a, &b) == 0 && frame_pair(&c, &d) == 0 && frame_pair(&launcher, &words) == 0);
	dup2(words.n, BIRTH_FD_WORDS);
	fd_close(&words);
	broker = (struct broker){.memfd = FD_NONE_INIT, .container = FD_NONE_INIT, .iommufd = FD_NONE_INIT};
	for (unsigned i = 0; i < VM_SLOTS; i++)
		broker.devices[i] = (struct device){.group = -1, .node = FD_NONE_INIT, .watch = FD_NONE_INIT,
			.log = FD_NONE_INIT, .store = FD_NONE_INIT, .chan.sock = FD_NONE_INIT};
	chan_init(&broker.orders, a, ACTOR_BROKER, ACTOR_OPENER, "opener");
	chan_init(&opener, b, ACTOR_OPENER, ACTOR_BROKER, "broker");
	chan_init(&broker.events, c, ACTOR_BROKER, ACTOR_CORE, "core");
	chan_init(&core, d, ACTOR_CORE, ACTOR_BROKER, "broker");
}
TestSuite(broker_tell, .init = begin, .timeout = 20);

static int null(void)
{
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

static void give(Bulkhead__Packet packet, unsigned n_fds)
{
	int fd = null();
	const int fds[] = {fd, fd};

	cr_assert_eq(chan_give(&opener, &packet, fds, n_fds, 0), 0);
	close(fd);
}

static void tell_way(bool iommufd)
{
	Bulkhead__BrokerConfig body = BULKHEAD__BROKER_CONFIG__INIT;

	body.iommufd = iommufd;
	give(PACKET(BROKER_CONFIG, broker_config, &body), 1);
	cr_assert_eq(on_opener(&broker, &err), 0, "%s", err.msg);
}

static int tell(Bulkhead__BrokerDevice body, unsigned n_fds)
{
	body.generation = body.generation ? body.generation : GENERATION;
	body.name = (char *)(uintptr_t)"dev";
	err = (struct err){0};
	give(PACKET(BROKER_DEVICE, broker_device, &body), n_fds);
	return on_opener(&broker, &err);
}

#define DEVICE(...) ((Bulkhead__BrokerDevice){.base = PROTOBUF_C_MESSAGE_INIT(                      \
	&bulkhead__broker_device__descriptor), __VA_ARGS__})

/* ---- the opener -------------------------------------------------------------------------------- */

Test(broker_tell, the_way_is_told_once)
{
	int fd;

	tell_way(true);
	fd = broker.iommufd.n;
	cr_expect(fd >= 0 && broker.container.n < 0);
	tell_way(true);
	cr_expect_eq(broker.iommufd.n, fd);
	begin();
	tell_way(false);
	cr_expect(broker.container.n >= 0 && broker.iommufd.n < 0);
}

/* A group's descriptor comes with the first of its devices and is the group's. */
Test(broker_tell, devices_of_groups)
{
	cr_assert_eq(tell(DEVICE(.slot = 0, .kind = KIND_VFIO, .has_group = true, .group = 77), 1), 0);
	cr_assert_eq(tell(DEVICE(.slot = 1, .kind = KIND_VFIO, .has_group = true, .group = 77), 0), 0);
	cr_assert_eq(tell(DEVICE(.slot = 2, .kind = KIND_VFIO, .has_group = true, .group = 5), 1), 0);
	cr_expect(broker.n_groups == 2 && broker.groups[0].number == 77 && broker.groups[1].number == 5);
	cr_expect(broker.groups[0].fd.n >= 0 && broker.groups[1].fd.n >= 0);
	cr_expect(broker.devices[0].group == 0 && broker.devices[1].group == 0 && broker.devices[2].group == 1);
	cr_expect(broker.devices[0].node.n < 0 && broker.devices[2].node.n < 0);
	cr_expect(broker.devices[0].told && strcmp(broker.devices[0].name, "dev") == 0);
}

/* By its cdev the descriptor is the device's; a vDPA node brings a watch, which is put where the sealed
 * policy lets it be read. */
Test(broker_tell, devices_by_their_nodes)
{
	const struct device *cdev = &broker.devices[0], *node = &broker.devices[1];

	cr_assert_eq(tell(DEVICE(.slot = 0, .kind = KIND_VFIO, .has_group = true, .group = 7, .bound = true),
		1), 0);
	cr_expect(cdev->node.n >= 0 && cdev->bound && broker.groups[0].fd.n < 0 && cdev->watch.n < 0);
	cr_assert_eq(tell(DEVICE(.slot = 1, .kind = KIND_VDPA, .num_queues = 4, .silence_s = 30), 2), 0);
	cr_expect(node->node.n >= 0 && node->group < 0 && node->num_queues == 4 && node->silence_s == 30);
	cr_expect_geq(node->watch.n, NODES_FLOOR);
	cr_assert_eq(tell(DEVICE(.slot = 2, .kind = KIND_NULL), 0), 0);
	cr_expect(broker.devices[2].node.n < 0 && broker.devices[2].group < 0);
}

Test(broker_tell, a_token_goes_to_its_device)
{
	uint8_t bytes[16] = {0xab};

	cr_assert_eq(tell(DEVICE(.slot = 4, .kind = KIND_VFIO, .vf_token = {sizeof(bytes), bytes}), 0), 0);
	cr_expect(broker.devices[4].token.given && broker.devices[4].token.uuid[0] == 0xab);
	cr_expect_eq(tell(DEVICE(.slot = 5, .kind = KIND_VFIO, .vf_token = {15, bytes}), 0), -EBADMSG);
}

Test(broker_tell, what_cannot_be)
{
	int before;

	cr_assert_eq(tell(DEVICE(.slot = 0, .kind = KIND_NULL), 0), 0);
	before = census_fds(0);
	cr_expect_eq(tell(DEVICE(.slot = 0, .kind = KIND_NULL), 2), -EBADMSG, "twice");
	cr_expect(strstr(err.msg, "device of slot 0 out of turn"), "%s", err.msg);
	cr_expect_eq(tell(DEVICE(.slot = VM_SLOTS, .kind = KIND_NULL), 2), -EBADMSG);
	cr_expect_eq(tell(DEVICE(.slot = UINT32_MAX, .kind = KIND_NULL), 2), -EBADMSG);
	cr_expect_eq(census_fds(0), before, "what came is closed");
	for (unsigned i = 0; i < 64; i++) /* more groups than there can be */
		tell(DEVICE(.slot = 1 + i % 29, .generation = GENERATION, .kind = KIND_VFIO, .has_group = true,
			.group = 100 + i), 0);
	cr_expect_leq(broker.n_groups, (unsigned)VM_SLOTS);
}

Test(broker_tell, an_opener_that_hangs_up_has_said_everything)
{
	chan_close(&opener);
	cr_expect_eq(on_opener(&broker, &err), 0);
	cr_expect(!chan_is_open(&broker.orders));
	cr_expect_eq(on_opener(&broker, &err), 0);
	begin();
	cr_assert_eq(frame_send(opener.sock.n, "\xff", 1, NULL, 0, &(int){100}), 0);
	cr_expect_eq(on_opener(&broker, &err), -EBADMSG);
}

/* ---- the launcher ------------------------------------------------------------------------------ */

static struct fd helper[VM_SLOTS], helper_log[VM_SLOTS];

static int deal(enum word_kind kind, unsigned slot, uint32_t generation, unsigned n_fds)
{
	const struct word word = {.op = WORD_DEAL, .kind = (uint8_t)kind, .slot = (uint8_t)slot,
		.generation = generation};
	struct fd a, b;
	int r;

	cr_assert(frame_pair(&helper[slot], &a) == 0 && frame_pair(&helper_log[slot], &b) == 0);
	cr_assert_eq(word_send(launcher.n, &word, (const int[]){a.n, b.n}, n_fds), 0);
	fd_close(&a);
	fd_close(&b);
	r = on_launcher(&broker, &err);
	return r;
}

static void ended(enum word_kind kind, unsigned slot, uint32_t generation)
{
	const struct word word = {.op = WORD_ENDED, .kind = (uint8_t)kind, .slot = (uint8_t)slot,
		.generation = generation};

	cr_assert_eq(word_send(launcher.n, &word, NULL, 0), 0);
	cr_assert_eq(on_launcher(&broker, &err), 0, "%s", err.msg);
}

Test(broker_tell, a_helper_is_dealt_before_or_after_it_is_told_of)
{
	cr_assert_eq(deal(KIND_NULL, 0, GENERATION, 2), 0);
	cr_expect(broker.devices[0].lives && !broker.devices[0].told && chan_is_open(&broker.devices[0].chan));
	cr_assert_eq(tell(DEVICE(.slot = 0, .kind = KIND_NULL), 0), 0);
	cr_assert_eq(tell(DEVICE(.slot = 1, .kind = KIND_NULL), 0), 0);
	cr_assert_eq(deal(KIND_NULL, 1, GENERATION, 2), 0);
	cr_expect(broker.devices[1].lives && broker.devices[1].told && broker.devices[1].log.n >= 0);
}

/* Of what is not a helper's, of a slot that has one, or of another generation, nothing is taken. */
Test(broker_tell, deals_out_of_turn)
{
	int before = census_fds(0);

	cr_assert_eq(deal(KIND_CORE, 2, GENERATION, 2), 0);
	cr_assert_eq(deal(KIND_NULL, 2, GENERATION, 1), 0);
	cr_expect(!broker.devices[2].lives && broker.devices[2].generation == 0);
	fd_close(&helper[2]);
	fd_close(&helper_log[2]);
	cr_expect_eq(census_fds(0), before + 2, "the first pair of ours");
	cr_assert_eq(tell(DEVICE(.slot = 3, .kind = KIND_NULL), 0), 0);
	cr_assert_eq(deal(KIND_NULL, 3, GENERATION + 1, 2), 0);
	cr_expect(!broker.devices[3].lives);
	cr_assert_eq(deal(KIND_NULL, 3, GENERATION, 2), 0);
	before = broker.devices[3].chan.sock.n;
	cr_assert_eq(deal(KIND_NULL, 3, GENERATION, 2), 0);
	cr_expect_eq(broker.devices[3].chan.sock.n, before);
}

Test(broker_tell, without_a_launcher_everything_ends)
{
	fd_close(&launcher);
	cr_expect_eq(on_launcher(&broker, &err), -EPIPE);
	begin();
	cr_assert_eq(frame_send(launcher.n, "x", 1, NULL, 0, &(int){100}), 0);
	cr_expect_eq(on_launcher(&broker, &err), -EBADMSG);
}

/* Its device stays open in the store: what the guest has mapped keeps working. */
Test(broker_tell, a_helper_that_ended_leaves_its_device)
{
	struct device *device = &broker.devices[0];

	cr_assert_eq(deal(KIND_VFIO, 0, GENERATION, 2), 0);
	device->store.n = null();
	ended(KIND_VFIO, 0, GENERATION + 1);
	ended(KIND_CORE, 0, GENERATION);
	cr_expect(device->lives, "somebody else's end");
	ended(KIND_VFIO, 0, GENERATION);
	cr_expect(!device->lives && !chan_is_open(&device->chan) && device->log.n < 0);
	cr_expect_geq(device->store.n, 0);
	expect("");
}

/* ---- given back -------------------------------------------------------------------------------- */

static void attached(unsigned slot)
{
	cr_assert_eq(tell(DEVICE(.slot = slot, .kind = KIND_VFIO), 0), 0);
	cr_assert_eq(deal(KIND_VFIO, slot, GENERATION, 2), 0);
	broker.devices[slot].attached = true;
	broker.devices[slot].store.n = null();
}

/* 1: held, 0: closed; -1: nothing is said. */
static int released(unsigned slot)
{
	static struct msg msg;
	int held;

	if (chan_recv(&core, &msg, 0, &err) < 0)
		return -1;
	cr_assert_eq(msg.packet->body_case, BULKHEAD__PACKET__BODY_RELEASED);
	cr_expect(msg.packet->released->slot == slot && msg.packet->released->generation == GENERATION);
	held = msg.packet->released->held;
	msg_done(&msg);
	return held;
}

Test(broker_tell, a_device_goes_back_once_its_helper_has_ended)
{
	struct device *device = &broker.devices[1];

	attached(1);
	release_device(&broker, device);
	expect("");
	cr_expect(released(1) == -1 && device->store.n >= 0);
	cr_expect(release_left_ms(&broker) > 60000 && release_left_ms(&broker) <= 65000);
	ended(KIND_VFIO, 1, GENERATION);
	expect("unmap1 go1 ");
	cr_expect_eq(released(1), 0);
	cr_expect(device->store.n < 0 && !device->told && !device->attached && !device->generation,
		"its slot may be another's");
	cr_expect_eq(release_left_ms(&broker), -1);
	cr_assert_eq(tell(DEVICE(.slot = 1, .kind = KIND_VFIO, .generation = GENERATION + 1), 0), 0, "%s",
		err.msg);
	cr_expect_null(device_at(&broker, 1, GENERATION));
	cr_expect_not_null(device_at(&broker, 1, GENERATION + 1));
}

Test(broker_tell, one_whose_helper_is_gone_goes_back_at_once)
{
	attached(1);
	ended(KIND_VFIO, 1, GENERATION);
	release_device(&broker, &broker.devices[1]);
	expect("unmap1 go1 ");
	cr_expect_eq(released(1), 0);
}

/* It is inside the kernel, which has the device. */
Test(broker_tell, one_whose_helper_does_not_end_is_held)
{
	attached(1);
	release_device(&broker, &broker.devices[1]);
	broker.devices[1].release_until = now_ms() - 1;
	cr_expect_eq(release_left_ms(&broker), 0);
	release_tick(&broker);
	cr_expect_eq(released(1), 1);
	cr_expect_geq(broker.devices[1].store.n, 0);
	cr_expect_eq(release_left_ms(&broker), -1, "and said once");
	expect("");
	ended(KIND_VFIO, 1, GENERATION); /* at last */
	expect("unmap1 go1 ");
	cr_expect_eq(released(1), -1);
	cr_expect(broker.devices[1].store.n < 0 && !broker.devices[1].generation && !broker.devices[1].held);
}

Test(broker_tell, at_the_end_all_go_back)
{
	attached(0);
	attached(29);
	ended(KIND_VFIO, 0, GENERATION);
	release_all(&broker);
	expect("unmap0 unmap29 release ");
	cr_expect(broker.devices[0].store.n < 0 && broker.devices[29].store.n < 0);
	cr_expect_eq(released(0), -1);
}

Test(broker_tell, nobody_is_of_no_generation)
{
	cr_expect_null(device_at(&broker, 0, 0));
	cr_expect_null(device_at(&broker, VM_SLOTS, 0));
	cr_expect_null(device_at(&broker, UINT32_MAX, 1));
}
