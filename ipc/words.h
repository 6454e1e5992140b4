/* SPDX-License-Identifier: Apache-2.0
 *
 * What the launcher and its children tell each other: words of sixteen bytes, each on the child's
 * birth socket (SOCK_SEQPACKET, descriptor 0), some with descriptors.
 *
 * Every process but the tools. Not protobuf: the launcher, which starts everything, decodes nothing.
 * One row a word says who may say it to whom and how many descriptors ride with it; what has no row
 * is -EBADMSG, and every descriptor that came is closed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/fd.h"

/* Who speaks on such a socket; bits, so that a row can name several. */
enum word_actor {
	WORDS_LAUNCHER = 1, WORDS_OPENER = 2, WORDS_API = 4, WORDS_CORE = 8, WORDS_BROKER = 16,
	WORDS_HELPER = 32,
};

/* What a process is, or what a descriptor leads to. */
enum word_kind {
	KIND_LAUNCHER, KIND_OPENER, KIND_API, KIND_CORE, KIND_BROKER, KIND_VFIO, KIND_VDPA, KIND_NULL,
	WORD_KINDS,
};

enum word_op {
	/* launcher to any: the descriptors are the ends of channels to the process of that kind, of
	 * that slot and generation; `generation` of a core, broker, api or opener counts its lives. */
	WORD_DEAL = 1,
	WORD_ENDED,    /* launcher to core, broker, opener, api: that process ended; value: wait status */
	WORD_POWER,    /* launcher to core: press the power button; value: by what signal */
	WORD_CUT_OFF,  /* launcher to core: end now; value: by what signal */
	WORD_COUNTS,   /* launcher to core: log what was counted */
	WORD_CONSOLE,  /* launcher to core: value 1: the terminal is ours; 0: it is not */
	WORD_CUT,      /* core to launcher: end that helper */
	WORD_RUNS,     /* core to launcher: the guest runs */
	WORD_START,    /* opener to launcher: start that process */
	WORD_END,      /* opener to launcher: end that process */
	WORD_END_LIFE, /* opener to launcher: end core, broker and helpers */
	WORD_QUIT,     /* opener to launcher: end everything; value: the exit status */
};

struct word {
	uint8_t op;   /* enum word_op */
	uint8_t kind; /* enum word_kind */
	uint8_t slot; /* of a device */
	uint8_t flags;
	uint32_t generation;
	int32_t value;
	uint32_t spare; /* 0 */
};
_Static_assert(sizeof(struct word) == 16, "the same on every side");

enum { WORD_FDS = 4 };

/* A received word, and the descriptors nobody took yet. */
struct word_msg {
	struct word word;
	struct fd fds[WORD_FDS];
	unsigned n_fds;
};

/* As its binary is called: bulkhead-NAME. The launcher's is bulkhead alone. */
const char *word_kind_name(enum word_kind kind);

/* How a process ended, of a wait status: "exited with status 1", "killed by signal 9 (KILL)". */
void wait_status_text(int wait_status, char *ret, size_t size);

/* Is it a word that `from` says to `to`, with so many descriptors? */
bool word_allowed(const struct word *word, enum word_actor from, enum word_actor to,
	unsigned n_fds);

/* Never waits. fds are borrowed. 0, -EAGAIN when the queue is full, -EPIPE, or another -errno. */
int word_send(int sock, const struct word *word, const int *fds, unsigned n_fds);

/* Never waits. 0, -EAGAIN when there is none, -EPIPE when the other side is gone, -EBADMSG, or
 * another -errno. */
int word_recv(int sock, enum word_actor from, enum word_actor to, struct word_msg *ret);

/* Closes what was not taken. */
void word_done(struct word_msg *msg);
