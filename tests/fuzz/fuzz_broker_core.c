/* SPDX-License-Identifier: Apache-2.0
 *
 * What core and helpers may say to the broker, log lines included, and its command line. The broker's
 * main.c is included for its serve(); host, devices and processes are doubles.
 *
 * fuzzes: helpers/broker/main.c helpers/broker/release.c helpers/broker/args.c helpers/broker/relay.c ipc/chan.c ipc/rules.c ipc/frame.c
 * links: helpers/broker/args.c helpers/broker/relay.c helpers/broker/release.c
 * links: tests/fuzz/walls.c tests/fuzz/wire.c
 * max_len: 256
 */
#define main broker_main
int broker_main(int argc, char **argv);
#include "helpers/broker/main.c"
#undef main

#include "tests/fuzz/wire.h"

enum { DEVICES = 2, CHAN = 1000, LOG = 1010, PID = 1020 };

static struct input in;
static struct broker broker;

static bool no(struct err *err)
{
	return take(&in, 1) % 16 == 0 && err_set(err, -EIO, BLAME_HOST, "no");
}

const struct policy policy_broker_setup, policy_broker_run;

int check_devices(struct broker *b, struct err *err)
{
	require(b->n_ram <= RAM_REGIONS_MAX && !b->sealed);
	return no(err) ? -EIO : 0;
}

int dma_open(struct broker *b, struct err *err)
{
	(void)err;
	require(!b->sealed);
	return 0;
}

int dma_attach(struct broker *b, const struct device *device, struct err *err)
{
	require(!b->sealed && device->group >= 0);
	return no(err) ? -EIO : 0;
}

int bar_dma_map(struct broker *b, struct device *device, const Bulkhead__MapBar *ask, struct err *err)
{
	require(!b->sealed && device->group >= 0 && device->store.n >= 0);
	require(ask->index < DEVICES && device == &b->devices[ask->index]);
	if (no(err))
		return err->code;
	device->n_bar_maps++;
	return 0;
}

/* While the device is still ours. */
void bar_dma_unmap(const struct broker *b, struct device *device)
{
	require(device >= b->devices && device < b->devices + DEVICES_MAX);
	require(!device->n_bar_maps || device->store.n >= 0);
	device->n_bar_maps = 0;
}

void dma_let_go(const struct broker *b, const struct device *device)
{
	require(device >= b->devices && device < b->devices + DEVICES);
}

void dma_release(struct broker *b)
{
	fd_close(&b->groups[0].fd);
}

int cgroup_init(struct broker *b, struct err *err)
{
	(void)b, (void)err;
	return 0;
}

int spawn_helper(const struct broker *b, struct device *device, struct fd *ret_ask,
	struct fd *ret_event, struct err *err)
{
	int i = (int)(device - broker.devices);

	require(!b->sealed && b->started && !device->pid && i < DEVICES);
	if (no(err))
		return -EIO;
	device->pid = 1;
	device->pidfd.n = PID + i;
	device->log.n = LOG + i;
	chan_init(&device->chan, (struct fd){CHAN + i}, ACTOR_BROKER, ACTOR_HELPER, device->name);
	*ret_ask = (struct fd){wire_fd(FD_KIND_CHANNEL)};
	*ret_event = (struct fd){wire_fd(FD_KIND_CHANNEL)};
	return 0;
}

int helper_reap(struct device *device, int timeout_ms, char *ret_cause, size_t size)
{
	(void)timeout_ms;
	require(device->pid);
	snprintf(ret_cause, size, "ended");
	device->pid = 0;
	fd_close(&device->pidfd);
	return 0;
}

void helper_kill(const struct device *device)
{
	require(device >= broker.devices && device < broker.devices + DEVICES);
}

void nodes_open(struct broker *b)
{
	(void)b;
}

void nodes_changed(struct broker *b)
{
	require(b == &broker);
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
	case 0: wire_put(&in, LOG + (int)i, 0); break;
	case 1: wire_put(&in, PID + (int)i, 0); break;
	case 2:
	case 3: wire_put(&in, CHAN + (int)i, broker.devices[i].chan.seq); break;
	default: wire_put(&in, FD_CORE, broker.core.seq + 1); break;
	}
	return true;
}

/* Words in pairs, cut at newlines. */
static void parse_words(void)
{
	enum { WORDS = 8 };
	struct input text = take_bytes(&in, take(&in, 1));
	size_t len = (size_t)(text.end - text.at);
	char copy[256], *at = copy, *word, *argv[WORDS + 1] = {copy};
	int argc = 1;

	if (len)
		memcpy(copy, text.at, len);
	copy[len] = '\0';
	while (argc < WORDS && (word = strsep(&at, "\n")) != NULL)
		argv[argc++] = word;
	memset(&broker, 0, sizeof(broker));
	if (args_parse(argc, argv, &broker) < 0)
		return;
	for (unsigned i = 0; i < broker.n_devices; i++)
		require(strlen(broker.devices[i].id) < NAME_MAX_BYTES &&
			!strchr(broker.devices[i].kind, '/'));
}

static void begin(void)
{
	memset(&broker, 0, sizeof(broker));
	broker.memfd = broker.container = broker.iommufd = broker.root = FD_NONE_INIT;
	broker.n_devices = DEVICES;
	for (unsigned i = 0; i < DEVICES; i++)
		broker.devices[i] = (struct device){.kind = "null", .id = "d", .name = "d",
			.group = -1, .node = FD_NONE_INIT, .pidfd = FD_NONE_INIT,
			.log = FD_NONE_INIT, .store = FD_NONE_INIT, .cgroup = FD_NONE_INIT,
			.chan.sock = FD_NONE_INIT};
	/* One by its group, one by its node. */
	broker.devices[0].group = 0;
	broker.n_groups = 1;
	broker.groups[0].fd.n = wire_fd(FD_KIND_CHARDEV);
	broker.devices[1].node.n = wire_fd(FD_KIND_CHARDEV);
	chan_init(&broker.core, (struct fd){FD_CORE}, ACTOR_BROKER, ACTOR_CORE, "core");
	chan_init(&broker.events, (struct fd){FD_EVENTS}, ACTOR_BROKER, ACTOR_CORE, "core");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = {0};

	log_init("", LOG_SAY, -1);
	in = input_of(data, size);
	wire_begin(next);
	parse_words();
	begin();
	if (serve(&broker, &err) < 0)
		release_all(&broker);
	fd_close(&broker.memfd);
	wire_end();
	return 0;
}
