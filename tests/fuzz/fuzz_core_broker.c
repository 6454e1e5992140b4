/* SPDX-License-Identifier: Apache-2.0
 *
 * What the broker may say to the core: answers to Attach, Seal, Detach and Stop, and HelperGone.
 * What becomes of a function then is a double.
 *
 * fuzzes: vmm/broker.c ipc/chan.c ipc/rules.c ipc/frame.c
 * links: vmm/broker.c vmm/kvm/populate.c vmm/peer.c tests/fuzz/wire.c
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

int vm_vfio_add(struct vm *vm, int file_fd, struct err *err)
{
	(void)vm;
	require(file_fd >= 0);
	return take(&in, 1) % 8 ? 0 : err_set(err, -EIO, BLAME_HOST, "no");
}

void pci_reserve(struct pci *pci, unsigned devfn)
{
	(void)pci;
	require(devfn == 0); /* opts of this target asks for no place */
}

int remote_create(struct remote *fn, struct peer *peer, struct vm *vm, struct pci *pci,
	const struct device_opt *opt, struct err *err)
{
	(void)vm, (void)pci, (void)opt, (void)err;
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
	return fn->peer.ask.broken ? err_set(err, -EIO, BLAME_HOST, "no") : 0;
}

int remote_run(struct remote *fn, struct err *err)
{
	(void)err;
	return fn->peer.failed ? -EIO : 0;
}

void remote_gone(struct remote *fn, const char *cause)
{
	require(fn >= broker.remotes && fn < broker.remotes + broker.n);
	require(strlen(cause) < FRAME_MAX);
	peer_fail(&fn->peer, "gone");
}

bool remote_bar_fault(struct remote *fn, bool doorbells)
{
	(void)doorbells;
	return fn->peer.failed;
}

bool remote_wants_detach(struct remote *fn)
{
	return fn->peer.failed;
}

void remote_drop(struct remote *fn)
{
	peer_close(&fn->peer);
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
	struct err err = {0};

	log_init("", LOG_SAY, -1);
	in = input_of(data, size);
	wire_begin(next);
	broker.n = broker.n_wanted = 0;
	broker.gone = false;
	broker.pidfd = FD_NONE_INIT;
	chan_init(&broker.ask, (struct fd){ASK}, ACTOR_CORE, ACTOR_BROKER, "broker");
	chan_init(&broker.event, (struct fd){EVENT}, ACTOR_CORE, ACTOR_BROKER, "broker");
	broker.wanted = wanted;
	broker.n_wanted = take(&in, 1) % (DEVICES + 1);
	if (broker_attach_all(&broker, NULL, NULL, &err) == 0 && take(&in, 1) % 8)
		broker_seal(&broker, &err);
	while (input_left(&in)) {
		on_event = take(&in, 1) % 2;
		if (on_event)
			broker_on_event(&broker);
		else if (broker_bar_fault(&broker))
			broker_detach_failed(&broker);
		else
			broker_release_failed(&broker);
	}
	on_event = false;
	broker_stop(&broker);
	chan_close(&broker.ask);
	chan_close(&broker.event);
	wire_end();
	return 0;
}
