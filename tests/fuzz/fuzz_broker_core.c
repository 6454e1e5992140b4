/* SPDX-License-Identifier: Apache-2.0
 *
 * What core and helpers may say to the broker, log lines included; and, though they speak for the
 * operator, opener and launcher. The broker's main.c is included for its serve(); devices and DMA are
 * doubles.
 *
 * fuzzes: helpers/broker/main.c helpers/broker/ask.c helpers/broker/tell.c helpers/broker/release.c helpers/broker/relay.c ipc/chan.c ipc/rules.c ipc/words.c ipc/frame.c
 * links: helpers/broker/ask.c helpers/broker/tell.c helpers/broker/device.c helpers/broker/relay.c
 * links: helpers/broker/release.c seccomp/birth.c tests/fuzz/walls.c tests/fuzz/wire.c
 * max_len: 256
 */
#define main broker_main
int broker_main(int argc, char **argv);
#include "helpers/broker/main.c"
#undef main

#include "tests/fuzz/wire.h"

enum { DEVICES = 2, CHAN = 1000, LOG = 1010, GENERATION = 1 };

static struct input in;
static struct broker broker;

static bool no(struct err *err)
{
	return take(&in, 1) % 16 == 0 && err_set(err, -EIO, BLAME_HOST, "no");
}

const struct policy policy_broker_setup, policy_broker_run;

int dma_attach(struct broker *b, const struct device *device, struct err *err)
{
	require(b->core.phase == PHASE_SETUP && b->started && device->told && device->lives && device->group >= 0 &&
		device->group < (int)b->n_groups);
	return no(err) ? -EIO : 0;
}

int bar_dma_map(struct broker *b, struct device *device, const Bulkhead__MapBar *ask, struct err *err)
{
	require(b->core.phase == PHASE_SETUP && device->group >= 0 && device->store.n >= 0);
	require(ask->slot < VM_SLOTS && device == &b->devices[ask->slot] &&
		device->generation == ask->generation);
	if (no(err))
		return err->code;
	device->n_bar_maps++;
	return 0;
}

/* While the device is still ours. */
void bar_dma_unmap(const struct broker *b, struct device *device)
{
	require(device >= b->devices && device < b->devices + VM_SLOTS);
	require(!device->n_bar_maps || device->store.n >= 0);
	device->n_bar_maps = 0;
}

/* Nobody but us has it open any more. */
void dma_let_go(const struct broker *b, const struct device *device)
{
	require(device >= b->devices && device < b->devices + VM_SLOTS && !device->lives);
}

void dma_release(struct broker *b)
{
	for (unsigned i = 0; i < b->n_groups; i++)
		fd_close(&b->groups[i].fd);
	fd_close(&b->container);
	fd_close(&b->iommufd);
}

void node_changed(struct broker *b, struct device *device)
{
	require(b == &broker && device->watch.n >= NODES_FLOOR);
}

static bool next(void)
{
	unsigned op, i;

	if (!input_left(&in))
		return false;
	op = (unsigned)take(&in, 1);
	i = op >> 4 & 1;
	if (op & 0x80)
		wire.send_error = op & 0x40 ? EPIPE : EAGAIN;
	switch (op % 8) {
	case 0: wire_put(&in, broker.devices[i].log.n, 0); break;
	case 1: wire_put(&in, BIRTH_FD_WORDS, 0); break;
	case 2: wire_put(&in, BIRTH_FD_ORDERS, 0); break;
	case 3: wire_put(&in, broker.devices[i].chan.sock.n, broker.devices[i].chan.seq); break;
	default: wire_put(&in, BROKER_FD_ASK, broker.core.seq + 1); break;
	}
	return true;
}

/* Told of and dealt: one by its group, one by its node. */
static void with_devices(void)
{
	for (unsigned i = 0; i < DEVICES; i++) {
		struct device *device = &broker.devices[i];

		device->generation = GENERATION;
		device->told = device->lives = true;
		device->kind = i ? KIND_VDPA : KIND_VFIO;
		snprintf(device->name, sizeof(device->name), "d%u", i);
		device->log.n = LOG + (int)i;
		chan_init(&device->chan, (struct fd){CHAN + (int)i}, ACTOR_BROKER, ACTOR_HELPER,
			device->name);
	}
	broker.devices[0].group = 0;
	broker.n_groups = 1;
	broker.groups[0].fd.n = wire_fd(FD_KIND_CHARDEV);
	broker.devices[1].node.n = wire_fd(FD_KIND_CHARDEV);
}

static void check(void)
{
	require(broker.n_groups <= VM_SLOTS && broker.n_ram <= RAM_REGIONS_MAX);
	require(broker.core.phase == PHASE_SETUP || broker.memfd.n < 0);
	for (unsigned i = 0; i < VM_SLOTS; i++) {
		const struct device *device = &broker.devices[i];

		require(device->group < (int)broker.n_groups);
		require(!device->attached || (device->told && device->generation));
		require(!(device->told || device->lives) || device->generation);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = {0};

	log_init("", LOG_SAY, -1);
	in = input_of(data, size);
	wire_begin(next);
	init(&broker);
	if (take(&in, 1) % 4)
		with_devices();
	require(serve(&broker, &err) < 0);
	check();
	for (unsigned i = 0; i < VM_SLOTS; i++) {
		chan_close(&broker.devices[i].chan);
		fd_close(&broker.devices[i].log);
	}
	release_all(&broker);
	fd_close(&broker.memfd);
	wire_end();
	return 0;
}
