/* SPDX-License-Identifier: Apache-2.0
 *
 * One helper as the core sees it: its two channels, and the asking side of every message a helper
 * answers (the other side: helpers/helper.c).
 *
 * Core process, with the function's lock held: at set-up the main thread, then vCPU threads. A
 * helper that is late, gone or breaks a rule is cut off: the channels are closed, which ends it,
 * every later ask fails with -EPIPE at once, and the log says which device and why, once. What
 * follows from there is peer_state.h's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ipc/chan.h"
#include "ipc/describe.h"
#include "ipc/log.h"
#include "vmm/peer_state.h"

struct peer {
	char name[64]; /* "0000:00:03.0" */
	struct chan ask, event;
	_Atomic(enum peer_state) state; /* changed with the lock held, looked at without, too */
	uint64_t access_from; /* ask.waited_ms when the access being served began */
	struct log_budget refusals; /* lines a guest can provoke: what the helper refused to do */
};

/* Takes over both sockets. */
void peer_init(struct peer *peer, const char *name, struct fd ask, struct fd event);

/* Its description has come, unasked: what it asks for first is to be asked. -ETIMEDOUT: nothing yet.
 * ret_device holds nothing when the helper has no device to map from. */
int peer_describes(struct peer *peer, struct function_desc *ret, struct fd *ret_device,
	struct err *err);

bool peer_serves(const struct peer *peer);
/* A step of its life; from the first that leads out of PEER_SERVES it is cut off. why: what the log
 * says, should this be the step that has to be told. */
void peer_step(struct peer *peer, enum peer_event event, const char *why);
/* Cuts it off for a reason of ours. */
void peer_fail(struct peer *peer, const char *why);

/* peer_ask.c. As the device is attached. */
int ask_kick_arm(struct peer *peer, unsigned queue, int eventfd, struct err *err);
int ask_intx_arm(struct peer *peer, int trigger, int resample, struct err *err);
void tell_settled(struct peer *peer);

/* Run time. One trapped access may take several asks, and thousands of MSI-X vectors one each: what
 * the helper may take for all of an access begun with peer_begin is bounded, and one that uses that
 * up is cut off like one that is late. What we and KVM do in between is not the helper's time. */
enum { PEER_ACCESS_MS = 3000 };
void peer_begin(struct peer *peer);

/* 0 or -errno; a read that fails leaves *ret as all-ones. */
int ask_config_read(struct peer *peer, unsigned offset, unsigned size, uint32_t *ret);
int ask_config_write(struct peer *peer, unsigned offset, unsigned size, uint32_t value);
int ask_region_read(struct peer *peer, unsigned index, uint64_t offset, unsigned size,
	uint64_t *ret);
int ask_region_write(struct peer *peer, unsigned index, uint64_t offset, unsigned size,
	uint64_t value);
int ask_msix_mode(struct peer *peer, bool enable);
int ask_msix_arm(struct peer *peer, unsigned vector, int eventfd);
/* vectors: a power of two, or 0: leave MSI mode. */
int ask_msi_mode(struct peer *peer, unsigned vectors);
int ask_msi_arm(struct peer *peer, unsigned vector, int eventfd);
int ask_reset(struct peer *peer, bool whole);
int ask_suspend(struct peer *peer, struct err *err);
int ask_resume(struct peer *peer, struct err *err);

/* The event channel is readable: what the device reports is logged. True: the host wants it back. */
bool peer_on_event(struct peer *peer);
