/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers, byte for byte as Cloud Hypervisor's clients want them. bulkhead-api.
 *
 * The status line is the code, one blank and no phrase: api_client, which ch-remote and Kata's
 * runtime-rs use, parses all that follows HTTP/1.1 as a number. It looks for "Content-Length: " in
 * just that spelling, and takes a body for text a piece at a time, so bodies are ASCII. An error is
 * an array of strings, the outermost first. An answer is whole before its first byte leaves: libvirt
 * reads it once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "ipc/err.h"

enum { ANSWER_MAX = 112 << 10, ANSWER_HEAD = 256 };

/* Body first, at bytes + ANSWER_HEAD; then the head goes right before it. */
struct answer {
	char bytes[ANSWER_MAX];
	size_t at, end; /* what has not been sent yet */
	bool close;     /* and the connection after it */
	bool phrase;    /* who asked looks for the phrase of a 429 (Kata, which sends a User-Agent) */
};

enum { ANSWER_BODY = ANSWER_MAX - ANSWER_HEAD };

static inline char *answer_body(struct answer *answer)
{
	return answer->bytes + ANSWER_HEAD;
}

/* len bytes of answer_body. Without a body, 204 has no Content-Length and all others have 0. */
void answer_with(struct answer *answer, int status, size_t len);

/* A chain of words: text has one a line. */
void answer_error(struct answer *answer, int status, const char *text);

/* 100 Continue, with which the client is asked for the body. */
void answer_continue(struct answer *answer);

/* The status that stands for an errno: 400, 404, 409, 429, or 500. */
int answer_status(int code);
