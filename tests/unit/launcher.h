/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests of the launcher's table of processes: birth, kill(2), raise(3) and the terminal are doubles, so
 * that no process is started; and a VM of the whole table.
 */
#pragma once

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "helpers/launch/launch.h"
#include "helpers/launch/terminal.h"
#include "ipc/frame.h"
#include "ipc/log.h"
#include "seccomp/birth.h"

enum { PID = 100000, GENERATION = 5 };

static struct launch launch;
static struct fd core_words, broker_words; /* the other ends */
static unsigned killed[CHILDREN];          /* so often, by SIGKILL */
static unsigned stopped[CHILDREN];         /* by SIGSTOP, before we were */
static int sent[CHILDREN], raised, no_birth, stands_still_ms;
static struct birth_plan born;
static bool ours; /* who signals */
static bool terminal, asked_restore, looked;
static void (*tell_terminal)(void *opaque, bool ours);
static struct err err;

/* ---- doubles ----------------------------------------------------------------------------------- */

int birth(struct launch *l, const struct birth_plan *plan, struct err *e)
{
	(void)l;
	born = *plan;
	return no_birth ? err_set(e, no_birth, BLAME_HOST, "no birth") : PID + 999;
}

int cgroup_leaf(const struct tenant *tenant, enum word_kind kind, unsigned slot, uint64_t ram)
{
	(void)tenant, (void)kind, (void)slot, (void)ram;
	return -1;
}

int kill(pid_t pid, int signal)
{
	if (!ours) /* the test's own machinery */
		return (int)syscall(SYS_kill, pid, signal);
	cr_assert(pid >= PID, "%d is not ours", pid);
	if (pid - PID < CHILDREN) {
		killed[pid - PID] += signal == SIGKILL;
		stopped[pid - PID] += signal == SIGSTOP && !raised;
		sent[pid - PID] = signal;
	}
	return 0;
}

int raise(int signal)
{
	if (!ours)
		return (int)syscall(SYS_tgkill, getpid(), gettid(), signal);
	raised = signal;
	usleep((unsigned)stands_still_ms * 1000);
	return 0;
}

void terminal_begin(void (*tell)(void *opaque, bool ours), void *opaque)
{
	cr_assert_eq(opaque, &launch);
	terminal = true;
	tell_terminal = tell;
}

void terminal_continued(void)
{
	looked = true;
}

void terminal_look(void) __attribute__((alias("terminal_continued")));

int terminal_look_in_ms(void)
{
	return -1;
}

void terminal_restore(void)
{
	asked_restore = true;
}

/* ---- a VM -------------------------------------------------------------------------------------- */

static inline unsigned place(enum word_kind kind, unsigned slot)
{
	return (unsigned)(child_at(&launch, kind, slot) - launch.children);
}

static inline void live(enum word_kind kind, unsigned slot)
{
	struct child *child = child_at(&launch, kind, slot);

	*child = (struct child){.kind = kind, .slot = slot, .generation = GENERATION,
		.pid = PID + (pid_t)place(kind, slot), .words = FD_NONE_INIT};
}

/* All of a VM with two devices, its guest running. */
static inline void begin(void)
{
	log_init("", LOG_SAY, -1);
	launch = (struct launch){.stage = STAGE_RUNNING, .opts.shutdown_timeout_s = 60};
	launch_init(&launch);
	memset(killed, 0, sizeof(killed));
	memset(sent, 0, sizeof(sent));
	memset(stopped, 0, sizeof(stopped));
	raised = 0;
	fd_close(&core_words);
	fd_close(&broker_words);
	live(KIND_OPENER, 0);
	live(KIND_CORE, 0);
	live(KIND_BROKER, 0);
	live(KIND_VFIO, 0);
	live(KIND_VDPA, 29);
	cr_assert_eq(frame_pair(&child_at(&launch, KIND_CORE, 0)->words, &core_words), 0);
	cr_assert_eq(frame_pair(&child_at(&launch, KIND_BROKER, 0)->words, &broker_words), 0);
}

static inline void begin_first(void)
{
	core_words = broker_words = FD_NONE_INIT;
	ours = true;
	begin();
}

static inline void end(void)
{
	ours = false;
}

/* The op of a word that has come, 0: none. */
static inline unsigned told(struct fd words, enum word_actor to, struct word *ret)
{
	struct word_msg msg;

	*ret = (struct word){.op = 0};
	if (word_recv(words.n, WORDS_LAUNCHER, to, &msg) < 0)
		return 0;
	cr_assert_eq(msg.n_fds, msg.word.op == WORD_DEAL ? msg.n_fds : 0);
	*ret = msg.word;
	word_done(&msg);
	return msg.word.op;
}

static inline unsigned core_told(void)
{
	struct word word;

	return told(core_words, WORDS_CORE, &word);
}

#define EXITED(status) ((status) << 8)

/* From whoever may say it. */
static inline void word(enum word_op op, enum word_kind kind, unsigned slot, int32_t value)
{
	const struct word w = {.op = (uint8_t)op, .kind = (uint8_t)kind, .slot = (uint8_t)slot,
		.generation = GENERATION, .value = value};

	life_word(&launch, &w);
}

/* Descriptors of the newborn. */
static inline unsigned n_planned(void)
{
	unsigned n = 0;

	while (n < BIRTH_FDS && born.fds[n] >= 0)
		n++;
	for (unsigned i = n; i < BIRTH_FDS; i++)
		cr_expect_eq(born.fds[i], -1, "no hole");
	return n;
}
