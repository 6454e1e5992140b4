/* SPDX-License-Identifier: Apache-2.0
 *
 * The processes of the VM: where each is kept, and which channels it shares with which other.
 *
 * Launcher process. A channel's ends are made here and dealt straight to the two that talk: the one
 * that is born finds its end among its descriptors, the one that was there before gets a word. Each
 * end is in one process only.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "helpers/launch/launch.h"
#include "ipc/frame.h"
#include "ipc/log.h"
#include "seccomp/birth.h"

enum { PAIR_CHANNELS = 2, HELPER = WORD_KINDS /* any of them */ };

/* Who was there, who is born, how many channels, and the first of their numbers in the newborn. */
static const struct pair {
	uint8_t older, newborn, n, at;
	bool log; /* the newborn's log is a channel, too, and goes to the older one */
} pairs[] = {
	{KIND_OPENER, KIND_API, 1, BIRTH_FD_ORDERS, false},
	{KIND_OPENER, KIND_CORE, 1, BIRTH_FD_ORDERS, false},
	{KIND_CORE, KIND_BROKER, 2, BIRTH_FD_LOG + 1, false}, /* ask, event */
	{KIND_OPENER, KIND_BROKER, 1, BIRTH_FD_ORDERS, false},
	{KIND_BROKER, HELPER, 1, BIRTH_FD_ORDERS, true},
	{KIND_CORE, HELPER, 2, BIRTH_FD_LOG + 1, false},      /* ask, event */
};

bool is_helper(enum word_kind kind)
{
	return kind >= KIND_VFIO && kind < WORD_KINDS;
}

void launch_init(struct launch *launch)
{
	for (unsigned i = 0; i < CHILDREN; i++)
		launch->children[i].words = FD_NONE_INIT;
	for (unsigned i = 0; i < WORD_KINDS; i++)
		launch->binaries[i] = FD_NONE_INIT;
	for (unsigned i = 0; i < sizeof(launch->tenant.leaves) / sizeof(launch->tenant.leaves[0]); i++)
		launch->tenant.leaves[i] = FD_NONE_INIT;
	launch->signals = -1;
	launch->nothing = FD_NONE_INIT;
	launch->listeners = (struct listeners){FD_NONE_INIT, FD_NONE_INIT, FD_NONE_INIT};
}

struct child *child_at(struct launch *launch, enum word_kind kind, unsigned slot)
{
	if (kind == KIND_LAUNCHER || kind >= WORD_KINDS || slot >= VM_SLOTS)
		return NULL;
	return &launch->children[is_helper(kind) ? KIND_VFIO + slot : (unsigned)kind];
}

struct child *child_of_pid(struct launch *launch, pid_t pid)
{
	for (unsigned i = 0; i < CHILDREN; i++) {
		if (launch->children[i].pid == pid)
			return &launch->children[i];
	}
	return NULL;
}

void child_kill(struct child *child)
{
	if (child->pid)
		kill(child->pid, SIGKILL);
	child->killed = true;
}

void child_tell(struct child *child, const struct word *word, const int *fds, unsigned n_fds)
{
	const bool needed = word->op == WORD_DEAL || word->op == WORD_ENDED;
	int r = child->words.n >= 0 ? word_send(child->words.n, word, fds, n_fds) : 0;

	if (r == 0 || r == -EPIPE) /* it is ending: its end is told when it is reaped */
		return;
	if (r == -EAGAIN && !needed) {
		log_warn("bulkhead-%s has no room for another word; try again",
			word_kind_name(child->kind));
		return;
	}
	log_error("bulkhead-%s takes no word (%s): it is ended", word_kind_name(child->kind),
		strerror(-r));
	child_kill(child);
}

/* What one pair of processes shares: the newborn's ends go into its plan, the others into fds. */
struct deal {
	struct child *older;
	struct fd ours[1 + PAIR_CHANNELS], theirs[1 + PAIR_CHANNELS];
	unsigned n;
};

/* Whichever of core and api is born later: both hear of it by a word. No descriptor goes between them. */
static void introduce(struct launch *launch)
{
	struct child *const ends[] = {child_at(launch, KIND_CORE, 0), child_at(launch, KIND_API, 0)};
	struct fd pair[2] = {FD_NONE_INIT, FD_NONE_INIT};

	if (!ends[0]->pid || !ends[1]->pid || frame_pair(&pair[0], &pair[1]) < 0)
		return;
	for (unsigned i = 0; i < 2; i++) {
		const struct word word = {.op = WORD_DEAL, .kind = (uint8_t)ends[!i]->kind,
			.generation = ends[!i]->generation};

		(void)frame_refuse_fds(pair[i].n);
		child_tell(ends[i], &word, &pair[i].n, 1);
		fd_close(&pair[i]);
	}
}

static int make_channel(struct deal *deal, struct birth_plan *plan, unsigned at)
{
	int r = frame_pair(&deal->ours[deal->n], &deal->theirs[deal->n]);

	if (r == 0)
		plan->fds[at] = deal->theirs[deal->n++].n;
	return r;
}

static int make_deal(struct launch *launch, const struct pair *pair, struct birth_plan *plan,
	struct deal *ret)
{
	int r = 0;

	*ret = (struct deal){.older = child_at(launch, (enum word_kind)pair->older, 0)};
	if (!ret->older->pid)
		return -ESRCH;
	for (unsigned i = 0; i < pair->n && r == 0; i++)
		r = make_channel(ret, plan, pair->at + i);
	return r == 0 && pair->log ? make_channel(ret, plan, BIRTH_FD_LOG) : r;
}

static void hand_out(const struct child *newborn, struct deal *deal)
{
	const struct word word = {.op = WORD_DEAL, .kind = (uint8_t)newborn->kind,
		.slot = (uint8_t)newborn->slot, .generation = newborn->generation};
	int fds[1 + PAIR_CHANNELS];

	for (unsigned i = 0; i < deal->n; i++)
		fds[i] = deal->ours[i].n;
	if (newborn->pid)
		child_tell(deal->older, &word, fds, deal->n);
	for (unsigned i = 0; i < deal->n; i++) {
		fd_close(&deal->ours[i]);
		fd_close(&deal->theirs[i]);
	}
}

/* Who was there before hears of it in the order of the table: a helper's broker before its core, and last
 * the opener, by whose word they are to be there. */
static int start(struct launch *launch, struct child *child, struct birth_plan *plan,
	struct err *err)
{
	struct deal deals[sizeof(pairs) / sizeof(pairs[0])];
	unsigned n = 0;
	int r = 0;

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]) && r == 0; i++) {
		if (pairs[i].newborn == child->kind ||
			(pairs[i].newborn == HELPER && is_helper(child->kind)))
			r = make_deal(launch, &pairs[i], plan, &deals[n++]);
	}
	if (r < 0)
		err_set(err, r, BLAME_BUG, "bulkhead-%s: its channels: %s", word_kind_name(child->kind),
			r == -ESRCH ? "the other end is not there" : strerror(-r));
	if (r == 0)
		r = birth(launch, plan, err);
	child->pid = r > 0 ? r : 0;
	for (unsigned i = 0; i < n; i++)
		hand_out(child, &deals[i]);
	return r < 0 ? r : 0;
}

/* The opener's own are the user's, to be made the core's; the api's are its sockets. */
static void plan_own(const struct launch *launch, struct birth_plan *plan)
{
	static const int users[] = {STDIN_FILENO, STDOUT_FILENO};
	const struct listeners *l = &launch->listeners;
	const int sockets[] = {l->api.n, l->status.n, l->events.n};

	plan->fds[BIRTH_FD_ORDERS] = STDERR_FILENO;
	plan->fds[BIRTH_FD_LOG] = STDERR_FILENO;
	for (unsigned i = 0; plan->kind == KIND_OPENER && i < 2; i++)
		plan->fds[BIRTH_FD_LOG + 1 + i] = users[i];
	for (unsigned i = 0; plan->kind == KIND_API && i < 3; i++)
		plan->fds[BIRTH_FD_LOG + 1 + i] = sockets[i] >= 0 ? sockets[i] : launch->nothing.n;
}

int child_start(struct launch *launch, enum word_kind kind, unsigned slot, uint32_t generation,
	uint64_t ram, struct err *err)
{
	struct child *child = child_at(launch, kind, slot);
	fd_owned theirs = FD_NONE_INIT;
	struct birth_plan plan = {.kind = kind, .slot = slot, .memlock = UINT64_MAX, .cgroup = -1};
	int r;

	if (!child || child->pid)
		return err_set(err, -EBUSY, BLAME_BUG, "bulkhead-%s %u: there is one",
			word_kind_name(kind), slot);
	for (unsigned i = 0; i < BIRTH_FDS; i++)
		plan.fds[i] = -1;
	*child = (struct child){.kind = kind, .slot = slot, .generation = generation,
		.words = FD_NONE_INIT};
	r = frame_pair(&child->words, &theirs);
	if (r < 0)
		return err_set(err, r, BLAME_HOST, "socketpair: %s", strerror(-r));
	(void)frame_refuse_fds(child->words.n); /* words.c closes what an older kernel lets through */
	plan.fds[BIRTH_FD_WORDS] = theirs.n;
	plan_own(launch, &plan);
	if (is_helper(kind))
		plan.memlock = kind == KIND_VDPA ? ram : 0;
	plan.cgroup = cgroup_leaf(&launch->tenant, kind, slot, ram);
	r = start(launch, child, &plan, err);
	if (r < 0)
		fd_close(&child->words);
	else if (kind == KIND_CORE || kind == KIND_API)
		introduce(launch);
	return r;
}
