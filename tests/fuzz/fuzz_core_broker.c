/* SPDX-License-Identifier: Apache-2.0
 *
 * What the broker may say to the core: answers to Attach, Seal, Detach and Stop, and HelperGone.
 * What becomes of a function then is a double.
 *
 * fuzzes: vmm/broker.c vmm/broker_run.c ipc/chan.c ipc/rules.c ipc/frame.c
 * links: vmm/broker.c vmm/broker_run.c vmm/kvm/populate.c vmm/peer.c vmm/peer_ask.c vmm/peer_state.c tests/fuzz/wire.c
 * max_len: 256
 */
#include "tests/fuzz/wire.h"

#include "ipc/log.h"
#include <errno.h>

#include "vmm/binary.h"
#include "vmm/broker.h"

enum { ASK = 1000, EVENT = 1001, DEVICES = 3 };

static struct input in;
static struct broker broker;
static const struct device_opt wanted[DEVICES] = {[1] = {.p2p = true}, [2] = {.p2p = true}};
static bool on_event;

int binary_find(const char *kind, char ret[PATH_MAX], struct err *err)
{
	(void)kind, (void)ret;
	return err_set(err, -ENOENT, BLAME_HOST, "none");
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
	require(devfn == 0); /* opts of this target asks for no place */
}

int remote_create(struct remote *fn, struct peer *peer, int vfio_file, struct vm *vm,
	struct pci *pci, const struct device_opt *opt, struct err *err)
{
	(void)vm, (void)pci, (void)opt, (void)err;
	require(vfio_file == -1 || vfio_file == 3);
	require(peer->ask.sock.n >= 0 && peer->event.sock.n >= 0 && peer->name[63] == '\0');
	fn->peer = *peer;
	if (fn == &broker.remotes[2]) /* the other has nothing to map */
		fn->desc.regions[0] = (struct region_desc){.size = 0x4000, .n_ranges = 2,
			.ranges = {{0, 0x1000}, {0x2000, 0x2000}}};
	return 0;
}

int rom_place(struct remote *fn, const struct device_opt *opt, struct err *err)
{
	require(fn - broker.remotes == opt - wanted);
	return !chan_is_open(&fn->peer.ask) ? err_set(err, -EIO, BLAME_HOST, "no") : 0;
}

int remote_run(struct remote *fn, struct err *err)
{
	(void)err;
	return peer_serves(&fn->peer) ? 0 : -EIO;
}

static void step(struct remote *fn, enum peer_event event)
{
	require(fn >= broker.remotes && fn < broker.remotes + broker.n);
	peer_step(&fn->peer, event, "said");
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
	require(fn >= broker.remotes && fn < broker.remotes + broker.n);
}

void remote_drop(struct remote *fn)
{
	step(fn, PEER_GIVEN_BACK);
}

static bool next(void)
{
	if (!input_left(&in))
		return false;
	wire_put(&in, on_event ? EVENT : ASK, on_event ? 0 : broker.ask.seq);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vm vm;
	struct err err = {0};
	unsigned suspect = 0;

	log_init("", LOG_SAY, -1);
	in = input_of(data, size);
	wire_begin(next);
	broker.n = broker.n_wanted = 0;
	broker.pidfd = FD_NONE_INIT;
	chan_init(&broker.ask, (struct fd){ASK}, ACTOR_CORE, ACTOR_BROKER, "broker");
	chan_init(&broker.event, (struct fd){EVENT}, ACTOR_CORE, ACTOR_BROKER, "broker");
	broker.wanted = wanted;
	broker.n_wanted = take(&in, 1) % (DEVICES + 1);
	if (broker_attach_all(&broker, &vm, NULL, &err) == 0 && take(&in, 1) % 8)
		broker_seal(&broker, &err);
	while (input_left(&in)) {
		on_event = take(&in, 1) % 2;
		if (on_event)
			broker_on_event(&broker);
		else if (broker_bar_fault(&broker, &suspect))
			broker_tend(&broker);
		else
			suspect = 0, broker_release_failed(&broker);
		broker_unreleased(&broker);
	}
	on_event = false;
	broker_stop(&broker);
	chan_close(&broker.ask);
	chan_close(&broker.event);
	wire_end();
	return 0;
}
