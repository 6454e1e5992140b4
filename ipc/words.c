/* SPDX-License-Identifier: Apache-2.0
 *
 * Words between the launcher and its children. Every process; const data, no state.
 */
#include "ipc/words.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "ipc/frame.h"
#include "ipc/operate.h"

#define EVERYBODY (WORDS_OPENER | WORDS_API | WORDS_CORE | WORDS_BROKER | WORDS_HELPER)

static const struct word_rule {
	uint8_t op, from, to; /* enum word_op; enum word_actor bits */
	uint8_t min_fds, max_fds;
} rows[] = {
	{WORD_DEAL, WORDS_LAUNCHER, EVERYBODY, 1, WORD_FDS},
	{WORD_ENDED, WORDS_LAUNCHER, WORDS_OPENER | WORDS_API | WORDS_CORE | WORDS_BROKER, 0, 0},
	{WORD_POWER, WORDS_LAUNCHER, WORDS_CORE, 0, 0},
	{WORD_CUT_OFF, WORDS_LAUNCHER, WORDS_CORE, 0, 0},
	{WORD_COUNTS, WORDS_LAUNCHER, WORDS_CORE, 0, 0},
	{WORD_CONSOLE, WORDS_LAUNCHER, WORDS_CORE, 0, 0},
	{WORD_CUT, WORDS_CORE, WORDS_LAUNCHER, 0, 0},
	{WORD_RUNS, WORDS_CORE, WORDS_LAUNCHER, 0, 0},
	{WORD_START, WORDS_OPENER, WORDS_LAUNCHER, 0, 0},
	{WORD_END, WORDS_OPENER, WORDS_LAUNCHER, 0, 0},
	{WORD_END_LIFE, WORDS_OPENER, WORDS_LAUNCHER, 0, 0},
	{WORD_QUIT, WORDS_OPENER, WORDS_LAUNCHER, 0, 0},
};

const char *word_kind_name(enum word_kind kind)
{
	static const char *const names[WORD_KINDS] = {
		[KIND_LAUNCHER] = "launch", [KIND_OPENER] = "open", [KIND_API] = "api",
		[KIND_CORE] = "core", [KIND_BROKER] = "broker", [KIND_VFIO] = "vfio",
		[KIND_VDPA] = "vdpa", [KIND_NULL] = "null",
	};

	return kind < WORD_KINDS ? names[kind] : "?";
}

/* sigdescr and friends may look for translations; the abbreviation does not. */
void wait_status_text(int wait_status, char *ret, size_t size)
{
	int signal = WTERMSIG(wait_status);
	const char *name = WIFSIGNALED(wait_status) ? sigabbrev_np(signal) : NULL;

	if (WIFEXITED(wait_status))
		snprintf(ret, size, "exited with status %d", WEXITSTATUS(wait_status));
	else if (signal == SIGSYS)
		snprintf(ret, size, "killed by seccomp (SIGSYS)");
	else
		snprintf(ret, size, "killed by signal %d (%s)", signal, name ? name : "?");
}

bool word_allowed(const struct word *word, enum word_actor from, enum word_actor to,
	unsigned n_fds)
{
	if (word->kind >= WORD_KINDS || word->slot >= VM_SLOTS || word->spare)
		return false;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].op == word->op)
			return (rows[i].from & from) && (rows[i].to & to) &&
				n_fds >= rows[i].min_fds && n_fds <= rows[i].max_fds;
	return false;
}

int word_send(int sock, const struct word *word, const int *fds, unsigned n_fds)
{
	int r = frame_send(sock, word, sizeof(*word), fds, n_fds, &(int){0});

	return r == -ETIMEDOUT ? -EAGAIN : r;
}

int word_recv(int sock, enum word_actor from, enum word_actor to, struct word_msg *ret)
{
	struct frame frame;
	int r = frame_recv(sock, &frame, &(int){0});

	if (r < 0)
		return r == -ETIMEDOUT ? -EAGAIN : r;
	_Static_assert((int)WORD_FDS == (int)FRAME_FDS, "as many descriptors as a frame has room for");
	if (frame.len == sizeof(ret->word))
		memcpy(&ret->word, frame.data, sizeof(ret->word));
	if (frame.len != sizeof(ret->word) || !word_allowed(&ret->word, from, to, frame.n_fds)) {
		frame_done(&frame);
		return -EBADMSG;
	}
	memcpy(ret->fds, frame.fds, sizeof(ret->fds));
	ret->n_fds = frame.n_fds;
	return 0;
}

void word_done(struct word_msg *msg)
{
	for (unsigned i = 0; i < msg->n_fds; i++)
		fd_close(&msg->fds[i]);
	msg->n_fds = 0;
}
