/* SPDX-License-Identifier: Apache-2.0
 *
 * Words to the launcher (ipc/words.h) that are not the actor's to say, or are none. In the actor.
 *
 * Whoever says such a word is ended, so the actor waits for that.
 */
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#include "ipc/words.h"
#include "seccomp/birth.h"
#include "tests/breakout/attempts.h"

enum { WAIT_S = 5 };

static long say(const void *data, size_t len, int fd)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control = {{0}};
	struct iovec iov = {(void *)(uintptr_t)data, len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd >= 0) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control.buf);
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.align), &fd, sizeof(int));
	}
	return RAW(SYS_sendmsg, BIRTH_FD_WORDS, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static long say_and_wait(const void *data, size_t len, int fd)
{
	struct timespec wait = {.tv_sec = WAIT_S};
	long r = say(data, len, fd);

	return r < 0 ? r : RAW(SYS_ppoll, NULL, 0, &wait, NULL);
}

static long say_word(const struct word *word, int fd)
{
	return say_and_wait(word, sizeof(*word), fd);
}

/* A process more, which only the opener may have started. */
long word_start(void)
{
	return say_word(&(struct word){.op = WORD_START, .kind = KIND_NULL, .slot = 5,
		.generation = 1}, -1);
}

/* The end of everything, with success. */
long word_quit(void)
{
	return say_word(&(struct word){.op = WORD_QUIT}, -1);
}

/* As if we were the launcher. */
long word_launchers(void)
{
	return say_word(&(struct word){.op = WORD_ENDED, .kind = KIND_NULL, .generation = 1}, -1);
}

long word_unknown(void)
{
	return say_word(&(struct word){.op = UINT8_MAX}, -1);
}

long word_half(void)
{
	return say_and_wait(&(struct word){.op = WORD_RUNS}, sizeof(struct word) / 2, -1);
}

long word_slot(void)
{
	return say_word(&(struct word){.op = WORD_CUT, .kind = KIND_NULL, .slot = UINT8_MAX,
		.generation = 1}, -1);
}

long word_descriptor(void)
{
	return say_word(&(struct word){.op = WORD_RUNS}, BIRTH_FD_LOG);
}

/* What the core may say, of whom it may not end: it is ignored, and we go on. */
static long cut(enum word_kind kind, uint32_t generation)
{
	const struct word word = {.op = WORD_CUT, .kind = (uint8_t)kind, .generation = generation};

	return say(&word, sizeof(word), -1);
}

long word_cut_broker(void)
{
	return cut(KIND_BROKER, 1);
}

long word_cut_other(void)
{
	return cut(KIND_NULL, 2);
}
