/* SPDX-License-Identifier: Apache-2.0
 *
 * One helper as the core sees it: its two channels, and the asking side of every message a helper
 * answers (the other side: helpers/helper.c).
 *
 * Core process, with the function's lock held: at set-up the main thread, then vCPU threads. A
 * helper that is late, gone or breaks a rule is cut off: the channels are closed, which ends it,
 * every later ask fails with -EPIPE at once, and the log says which device and why, once.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ipc/chan.h"
#include "ipc/describe.h"
#include "ipc/log.h"

struct peer {
	char name[64]; /* "0000:00:03.0" */
	struct chan ask, event;
	bool failed;   /* cut off or gone */
	bool reported; /* and the log has said so */
	bool announced; /* and the main thread has been woken for it */
	bool detached; /* and the broker has been asked to end it */
	int64_t until; /* when the access being served has taken long enough, now_ms() */
	struct log_budget refusals; /* lines a guest can provoke: what the helper refused to do */
};

/* Takes over both sockets. */
void peer_init(struct peer *peer, const char *name, struct fd ask, struct fd event);

/* Cuts the helper off without a word: at the end, or when the broker's HelperGone will say why. */
void peer_close(struct peer *peer);
/* Cuts the helper off and says why; a second call says nothing. */
void peer_fail(struct peer *peer, const char *why);

/* Set-up. ret_device holds nothing when the helper has no device to map from. */
int ask_describe(struct peer *peer, struct function_desc *ret, struct fd *ret_device,
	struct err *err);
int ask_kick_arm(struct peer *peer, unsigned queue, int eventfd, struct err *err);
int ask_intx_arm(struct peer *peer, int trigger, int resample, struct err *err);
int ask_run(struct peer *peer, struct err *err);

/* Run time. One trapped access may take several asks, and thousands of MSI-X vectors one each: what
 * an access began with peer_begin may take in all is bounded, and a helper that uses that up is cut
 * off like one that is late. */
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

/* The event channel is readable: what the device or the host wants known is logged. */
void peer_on_event(struct peer *peer);
