/* SPDX-License-Identifier: Apache-2.0
 *
 * The launcher: the process a user starts. It clones every other process of the VM into its
 * namespaces, deals channel ends to their owners, reaps, and ends.
 *
 * Launcher process, one thread. It is told nothing but argv, signals, and words of sixteen bytes
 * (ipc/words.h); no path, no descriptor and no byte of a guest's, device's or client's ever reaches it.
 * That is its wall: what it starts has walls of its own.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "helpers/launch/tenant.h"
#include "helpers/opts/opts.h"
#include "ipc/words.h"

/* A process of ours: a place in the table, by kind and, for helpers, slot. */
struct child {
	enum word_kind kind;
	unsigned slot;
	uint32_t generation; /* of the slot, or how many of the kind there have been */
	pid_t pid;           /* 0: it does not live */
	struct fd words;     /* our end of its birth socket */
	int64_t kill_at;     /* now_ms() by which it has to have ended; 0: it may live */
	bool killed;         /* by us */
};

enum { CHILDREN = KIND_VFIO + VM_SLOTS };

/* How a VM goes on. With an API there is none, or one after the other. */
enum stage {
	STAGE_STARTING, /* SIGTERM simply ends it */
	STAGE_RUNNING,
	STAGE_NO_GUEST, /* with an API: no core lives */
	STAGE_ENDING,   /* everything is on its way out */
};

/* What the api has from us, however often it is started anew; -1: there is none. */
struct listeners {
	struct fd api, status, events;
};

/* How often the api has ended. */
struct rebirth {
	unsigned crashes, in_minute, in_all;
	int64_t minute_from; /* now_ms() */
};

struct launch {
	struct opts opts;
	char **args;    /* argv as it was given, for the opener */
	struct tenant tenant;
	struct fd binaries[WORD_KINDS]; /* O_PATH, as they were when we started */
	struct child children[CHILDREN];
	int signals;    /* signalfd */
	enum stage stage;
	int status;     /* to exit with */
	int signal;     /* to end by, as if we had not taken it; 0: none */
	bool asked;     /* the guest, to end */
	bool api;       /* there is one; the opener lives as long as we do */
	bool quits;     /* everything ends once the guest has */
	struct listeners listeners;
	struct fd nothing; /* /dev/null */
	struct rebirth rebirth;
};

/* children.c */
void launch_init(struct launch *launch);
/* The place of a process, NULL where such a one has none. */
struct child *child_at(struct launch *launch, enum word_kind kind, unsigned slot);
struct child *child_of_pid(struct launch *launch, pid_t pid);
bool is_helper(enum word_kind kind);
/* Starts the process and deals its channels. RAM: bytes it may have to lock. */
int child_start(struct launch *launch, enum word_kind kind, unsigned slot, uint32_t generation,
	uint64_t ram, struct err *err);
/* A word to it. One that takes none, and would not know what there is by now, is ended. */
void child_tell(struct child *child, const struct word *word, const int *fds, unsigned n_fds);
void child_kill(struct child *child);

/* birth.c. What a process is born with; a child of ours execs by it. */
enum { BIRTH_FDS = 8 };
struct birth_plan {
	enum word_kind kind;
	unsigned slot;
	int fds[BIRTH_FDS]; /* by number in the child, borrowed; -1: none from here on */
	uint64_t memlock;   /* RLIMIT_MEMLOCK; UINT64_MAX: as it is */
	int cgroup;         /* its leaf, -1: none */
};
/* The pid, or -errno. */
int birth(struct launch *launch, const struct birth_plan *plan, struct err *err);

/* listen.c */
int listeners_open(struct listeners *ret, const struct opts *opts, struct err *err);
void listeners_remove(const struct listeners *listeners, const struct opts *opts);

/* rebirth.c: may the api be started once more, now that it has ended so? */
bool rebirth_allowed(struct rebirth *rebirth, int wait_status, int64_t now);

/* walls.c. Limits raised for who needs them; then, once the opener has been born, what we keep. */
int walls_limits(void);
int walls_scopes(struct err *err);
int walls_up(const struct launch *launch, struct err *err);

/* life.c. What signals, words and ends of processes lead to. */
void life_word(struct launch *launch, const struct word *word);
void life_ended(struct launch *launch, struct child *child, int wait_status);
void life_signal(struct launch *launch, int signal);
/* Ends everything, with that status if none was set before. */
void life_end(struct launch *launch, int status);
/* Milliseconds until something is due, -1: never; and whatever is due. */
int life_due_ms(const struct launch *launch);
void life_tick(struct launch *launch);
/* So long everything has stood still, which is nobody's time to end in. */
void life_lost(struct launch *launch, int64_t ms);
bool life_over(const struct launch *launch);
