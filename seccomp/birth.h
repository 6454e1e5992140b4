/* SPDX-License-Identifier: Apache-2.0
 *
 * What the launcher tells a process by argv when it is born: four words, and a fifth where it could
 * not be born into namespaces of its own. And the descriptors every process is born with.
 *
 * Launcher writes, every other process reads, first thing.
 */
#pragma once

#include "ipc/log.h"
#include "seccomp/confine.h"
#include "seccomp/policy.h"

/* Descriptors from 3 on are named by who has them (helpers/launch/children.c deals them). */
enum birth_fd {
	BIRTH_FD_WORDS = 0,  /* the launcher's words (ipc/words.h) */
	BIRTH_FD_ORDERS = 1, /* the channel to who says what to do: the opener; for a helper the broker */
	BIRTH_FD_LOG = 2,
};

enum { BIRTH_WORDS = 5, BIRTH_WORD_MAX = 16 };

struct birth {
	enum log_level level;
	enum seccomp_mode mode;
	bool degraded;   /* --allow-degraded */
	unsigned number; /* for people who look at a list of processes: its slot */
	bool bare;       /* in no namespaces of its own */
};

/* Fills words[0..], of which argv[1..] is made; the last is NULL. */
void birth_write(const struct birth *birth, char words[BIRTH_WORDS][BIRTH_WORD_MAX],
	char *ret_argv[BIRTH_WORDS + 1]);

/* Sets up layers as told. -EINVAL with a message for a person who started it by hand. */
int birth_read(int argc, char **argv, struct birth *ret, struct err *err);
