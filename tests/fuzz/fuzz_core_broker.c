/* SPDX-License-Identifier: Apache-2.0
 *
 * What the broker may say to the core while devices are attached and later, with what launcher and opener
 * say in between. What becomes of a function then is a double.
 *
 * fuzzes: vmm/devices.c vmm/devices_run.c vmm/devices_settle.c vmm/config.c ipc/chan.c ipc/rules.c ipc/words.c ipc/frame.c
 * links: vmm/devices.c vmm/devices_run.c vmm/devices_settle.c vmm/config.c vmm/peer.c vmm/peer_state.c
 * links: vmm/peer_ask.c tests/fuzz/wire.c
 * max_len: 256
 */
#include "tests/fuzz/wire.h"

#include <errno.h>

#include "ipc/log.h"
#include "vmm/devices.h"
#include "vmm/kvm/populate.h"

enum { WORDS, ASK = 1000, EVENT = 1001, OPENER = 1002, HELPER = 1010, DEVICES = 3, GENERATION = 1 };

static struct input in;
static struct devices devices;
static struct chan opener;

static struct slot *slot_of(const struct remote *fn)
{
	for (unsigned i = 0; i < VM_SLOTS; i++) {
		if (fn == &devices.slots[i].remote)
			return &devices.slots[i];
	}
	require(!"of no slot");
	return NULL;
}

/* ---- doubles ----------------------------------------------------------------------------------- */

int populate(const struct ram *ram, struct err *err)
{
	(void)ram, (void)err;
	return 0;
}

int kvm_vfio_add(struct kvm_vfio *list, int vm_fd, struct fd file, struct err *err)
{
	(void)list, (void)vm_fd;
	require(file.n >= 0);
	fd_close(&file);
	return take(&in, 1) % 8 ? 3 : err_set(err, -EIO, BLAME_HOST, "no");
}

void pci_reserve(struct pci *pci, unsigned devfn)
{
	(void)pci;
	require(devfn < PCI_DEVICES * PCI_FUNCTIONS);
}

int rom_read_file(int fd, struct device_config *config, struct err *err)
{
	require(config->rom == ROM_FILE);
	return fd < 0 ? err_set(err, -EBADF, BLAME_HOST, "no") : 0;
}

int remote_create(struct remote *fn, const struct function_desc *desc, int device_fd, struct vm *vm,
	struct pci *pci, const struct device_config *config, struct err *err)
{
	struct slot *slot = slot_of(fn);

	(void)desc, (void)device_fd, (void)vm, (void)pci, (void)err;
	require(slot->step == SLOT_OPENS && slot->told && slot->dealt && config == &slot->config);
	require(peer_serves(&fn->peer) && fn->peer.name[63] == '\0');
	require(fn->vfio_file == -1 || fn->vfio_file == 3);
	fn->desc = *desc;
	return 0;
}

int rom_place(struct remote *fn, const struct device_config *config, struct err *err)
{
	require(config == &slot_of(fn)->config);
	return !chan_is_open(&fn->peer.ask) ? err_set(err, -EIO, BLAME_HOST, "no") : 0;
}

int remote_settle(struct remote *fn, struct err *err)
{
	(void)err;
	return peer_serves(&fn->peer) ? 0 : -EIO;
}

/* Only one that is here has a life to go on with. */
static void step(struct remote *fn, enum peer_event event)
{
	require(slot_of(fn)->step == SLOT_HERE);
	peer_step(&fn->peer, event, "said");
}

void remote_on_event(struct remote *fn)
{
	if (peer_on_event(&fn->peer))
		step(fn, PEER_FAILS);
}

void remote_gone(struct remote *fn, const char *cause)
{
	require(strlen(cause) < FRAME_MAX);
	step(fn, PEER_IS_GONE);
}

void remote_released(struct remote *fn)
{
	step(fn, PEER_RELEASED);
}

void remote_wanted(struct remote *fn)
{
	step(fn, PEER_FAILS);
}

bool remote_to_be_ended(struct remote *fn)
{
	bool due = peer_to_be_ended(fn->peer.state);

	step(fn, PEER_TO_END);
	return due;
}

bool remote_to_be_released(struct remote *fn)
{
	bool due = fn->peer.state < PEER_RELEASING;

	step(fn, PEER_TO_RELEASE);
	return due;
}

enum peer_state remote_state(const struct remote *fn)
{
	return fn->peer.state;
}

int remote_take_in_ms(const struct remote *fn)
{
	return peer_serves(&fn->peer) ? -1 : 0;
}

void remote_take(struct remote *fn)
{
	step(fn, PEER_FAILS);
}

bool remote_bar_fault(struct remote *fn, bool doorbells)
{
	return !doorbells && !peer_serves(&fn->peer);
}

void remote_bar_back(struct remote *fn)
{
	require(slot_of(fn)->step == SLOT_HERE);
}

/* ---- what is said ------------------------------------------------------------------------------ */

/* For who waits: only the broker is waited for. */
static bool next(void)
{
	if (!input_left(&in))
		return false;
	wire_put(&in, ASK, devices.ask.seq);
	return true;
}

static void hear_opener(void)
{
	static struct msg msg;
	struct err err = {0};

	wire_put(&in, OPENER, 0);
	if (chan_recv(&opener, &msg, 0, &err) < 0)
		return;
	if (msg.packet->body_case == BULKHEAD__PACKET__BODY_CORE_DEVICE)
		(void)devices_told(&devices, &msg, &err);
	msg_done(&msg);
}

static void hear_launcher(void)
{
	struct word_msg msg;
	struct err err = {0};

	wire_put(&in, WORDS, 0);
	if (word_recv(WORDS, WORDS_LAUNCHER, WORDS_CORE, &msg) < 0)
		return;
	if (msg.word.op == WORD_DEAL)
		(void)devices_dealt(&devices, &msg, &err);
	else if (msg.word.op == WORD_ENDED)
		devices_ended(&devices, &msg.word);
	word_done(&msg);
}

static void hear_helper(struct slot *slot)
{
	const int sock = slot->remote.peer.event.sock.n;

	wire_put(&in, sock, 0);
	devices_on_helper(slot);
}

static void hear(void)
{
	unsigned op = (unsigned)take(&in, 1);

	switch (op % 8) {
	case 0: hear_opener(); break;
	case 1: hear_launcher(); break;
	case 2: hear_helper(&devices.slots[op / 8 % DEVICES]); break;
	case 3:
		wire_put(&in, EVENT, 0);
		devices_on_event(&devices);
		break;
	default:
		wire_put(&in, ASK, devices.ask.seq);
		devices_on_answer(&devices);
	}
}

/* Told of and dealt, as when all goes well. */
static void with_devices(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct slot *slot = &devices.slots[i];

		slot->step = SLOT_WAITS;
		slot->generation = GENERATION;
		slot->told = slot->dealt = true;
		slot->ask.n = HELPER + 2 * (int)i;
		slot->event.n = HELPER + 2 * (int)i + 1;
		slot->config.kind = KIND_VFIO;
		slot->config.p2p = i > 0;
		snprintf(slot->config.name, sizeof(slot->config.name), "d%u", i);
	}
	devices.told_all = true;
	devices.expected = n;
	chan_init(&devices.ask, (struct fd){ASK}, ACTOR_CORE, ACTOR_BROKER, "broker");
	chan_init(&devices.event, (struct fd){EVENT}, ACTOR_CORE, ACTOR_BROKER, "broker");
	devices.broker_generation = GENERATION;
}

static void check(void)
{
	for (unsigned i = 0; i < VM_SLOTS; i++) {
		const struct slot *slot = &devices.slots[i];

		require(slot->step == SLOT_FREE || slot->generation);
		require(slot->step < SLOT_ATTACHES || (slot->told && slot->dealt));
		require(slot->config.kind < WORD_KINDS);
	}
}

static void run(void)
{
	struct err err = {0};
	unsigned suspect = 0;

	while (input_left(&in)) {
		hear();
		if (devices_bar_fault(&devices, &suspect))
			devices_tend(&devices);
		else
			suspect = 0, devices_release_failed(&devices);
		devices_unreleased(&devices);
		check();
	}
	(void)err;
}

static void close_all(void)
{
	chan_close(&devices.ask);
	chan_close(&devices.event);
	for (unsigned i = 0; i < VM_SLOTS; i++) {
		struct slot *slot = &devices.slots[i];

		fd_close(&slot->ask);
		fd_close(&slot->event);
		chan_close(&slot->remote.peer.ask);
		chan_close(&slot->remote.peer.event);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vm vm;
	struct err err = {0};
	bool here = false;

	log_init("", LOG_SAY, -1);
	in = input_of(data, size);
	wire_begin(next);
	devices_init(&devices, &vm, NULL);
	chan_init(&opener, (struct fd){OPENER}, ACTOR_CORE, ACTOR_OPENER, "opener");
	with_devices(take(&in, 1) % (DEVICES + 1));
	(void)devices_populate(&devices, &err);
	while (input_left(&in) && !err.code && !(here = devices_attach(&devices, &err))) {
		hear();
		check();
	}
	if (here && devices_settle(&devices, &err) == 0 && take(&in, 1) % 8)
		(void)devices_seal(&devices, &err);
	if (here)
		run();
	close_all();
	wire_end();
	return 0;
}
