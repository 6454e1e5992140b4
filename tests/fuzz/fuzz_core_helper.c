/* SPDX-License-Identifier: Apache-2.0
 *
 * What a helper may say to the core: its description unasked, answers to every ask of vmm/peer_ask.c,
 * and events.
 *
 * fuzzes: vmm/peer.c vmm/peer_ask.c ipc/describe.c ipc/chan.c ipc/rules.c ipc/frame.c
 * links: vmm/peer.c vmm/peer_ask.c vmm/peer_state.c tests/fuzz/wire.c
 * max_len: 448
 */
#include "tests/fuzz/wire.h"

#include <errno.h>

#include "ipc/log.h"
#include "vmm/peer.h"

enum { ASK = 1000, EVENT = 1001, EVENTFD = 1002 };

static struct input in;
static struct peer peer;
static bool on_event;

/* The number a packet is due to have; the input may say another one after it. */
static bool next(void)
{
	if (!input_left(&in))
		return false;
	wire_put(&in, on_event ? EVENT : ASK, on_event ? 0 : peer.ask.seq);
	return true;
}

static int describe(struct err *err)
{
	static struct function_desc desc;
	struct fd device = FD_NONE_INIT;
	int r;

	if (peer_serves(&peer)) /* whose channels were not closed; each is asked about once */
		peer.ask.phase = peer.event.phase = PHASE_SETUP;
	on_event = true;
	if (!next())
		wire.next = NULL; /* hung up */
	r = peer_describes(&peer, &desc, &device, err);
	on_event = false;
	require(r == 0 || device.n < 0);
	require(r == -ETIMEDOUT || !chan_is_open(&peer.event) || peer.event.phase == PHASE_RUN);
	fd_close(&device);
	return r;
}

static int read_value(bool config)
{
	uint64_t value = 0;
	uint32_t dword = 0;
	int r = config ? ask_config_read(&peer, 0, 4, &dword)
		       : ask_region_read(&peer, 2, 8, 8, &value);

	require(r == 0 || (config ? dword == ~0u : value == ~0ull));
	return r;
}

static int one(unsigned op, struct err *err)
{
	switch (op % 17) {
	case 0: return describe(err);
	case 1: return ask_kick_arm(&peer, 0, EVENTFD, err);
	case 2: return ask_intx_arm(&peer, EVENTFD, EVENTFD, err);
	case 3: tell_settled(&peer); return -EAGAIN;
	case 4: return read_value(true);
	case 5: return read_value(false);
	case 6: return ask_config_write(&peer, 4, 2, 7);
	case 7: return ask_region_write(&peer, 0, 0, 4, 1);
	case 8: return ask_msix_mode(&peer, true);
	case 9: return ask_msix_mode(&peer, false);
	case 10: return ask_msix_arm(&peer, 1, EVENTFD);
	case 11: return ask_reset(&peer, false);
	case 12: return ask_suspend(&peer, err);
	case 13: return ask_resume(&peer, err);
	case 14: return ask_msi_mode(&peer, op & 0x10 ? 4 : 0);
	case 15: return ask_msi_arm(&peer, 1, EVENTFD);
	default:
		on_event = true;
		peer_on_event(&peer);
		on_event = false;
		return 0;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = {0};

	log_init("", LOG_SAY, -1);
	in = input_of(data, size);
	wire_begin(next);
	peer_init(&peer, "0000:00:03.0", (struct fd){ASK}, (struct fd){EVENT});
	peer.ask.phase = peer.event.phase = PHASE_RUN;
	while (input_left(&in)) {
		unsigned op = (unsigned)take(&in, 1);
		bool failed = !peer_serves(&peer);
		int r;

		if (op & 0x80)
			wire.send_error = op & 0x40 ? EPIPE : EAGAIN;
		peer_begin(&peer);
		r = one(op & 0x1f, &err);
		require(!failed || r < 0 || (op & 0x1f) % 17 == 16);
		wire.send_error = 0;
	}
	peer_step(&peer, PEER_GIVEN_BACK, NULL);
	wire_end();
	return 0;
}
