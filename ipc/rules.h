/* SPDX-License-Identifier: Apache-2.0
 *
 * The protocol on one screen: who may send which message, when, with which descriptors, and what
 * answers it. The rows are in rules.c; a message without a row is refused on receipt.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ipc/bulkhead.pb-c.h"
#include "ipc/err.h"

/* Bits, so that a row can name several. */
enum actor {
	ACTOR_CORE = 1, ACTOR_BROKER = 2, ACTOR_HELPER = 4, ACTOR_API = 8, ACTOR_OPENER = 16,
};

/* Phase of a channel. It only ever moves forward. */
enum phase { PHASE_SETUP = 1, PHASE_RUN = 2 };

/* What a received descriptor must be before anyone uses it. */
enum fd_kind {
	FD_KIND_NONE,
	FD_KIND_RAM,     /* memfd sealed SHRINK|GROW|SEAL */
	FD_KIND_EVENTFD, /* an anonymous inode; the kernel checks the rest where it is used */
	FD_KIND_CHARDEV, /* a character device: a VFIO group, a vhost-vdpa node */
	FD_KIND_ANY,     /* the opener's to vouch for */
	FD_KIND_DEVICE,  /* a VFIO device: anonymous inode or vfio's own pseudo file system; or a
	                  * vhost-vdpa node */
};

enum { RULE_FDS = 3 };

struct rule {
	const char *name;
	Bulkhead__Packet__BodyCase body;
	uint8_t from, to;  /* enum actor bits */
	uint8_t phases;    /* enum phase bits */
	bool answer;       /* true: legal only as the answer to an ask */
	uint8_t min_fds;   /* the kinds below; between min_fds and the number of kinds may come */
	uint8_t kinds[RULE_FDS];             /* enum fd_kind */
	Bulkhead__Packet__BodyCase answered; /* what answers it besides Refused; NOT_SET: an event */
	uint32_t deadline_ms;                /* for the answer */
	uint8_t enters;                      /* enum phase the channel is in once it was answered,
	                                      * other than by Refused; 0: stays */
};

extern const struct rule rules[];
extern const unsigned n_rules;

/* The row of a message, or NULL. */
const struct rule *rule_of(Bulkhead__Packet__BodyCase body);

/* 0, or -EBADMSG with the reason in *err (blame: peer) when the row does not allow this packet
 * from this actor, in this phase, with these descriptors. `answering` is the row of the ask that
 * is open, NULL when none is. */
int rule_check(const struct rule *rule, enum actor from, enum actor to, enum phase phase,
	const struct rule *answering, const int *fds, unsigned n_fds, struct err *err);

/* 0 or -EBADMSG: is the descriptor of this kind? Asks the kernel (fstat, fstatfs, F_GET_SEALS); needs
 * no /proc. */
int fd_kind_check(int fd, enum fd_kind kind);
