/* SPDX-License-Identifier: Apache-2.0
 *
 * What ends a request: its answer. And what begins it: its body. bulkhead-api.
 */
#pragma once

#include <jansson.h>

#include "helpers/api/conn.h"
#include "ipc/err.h"

/* 204. */
void reply_done(struct conn *conn);
/* The status alone. */
void reply_empty(struct conn *conn, int status);
/* 200 with len bytes of answer_body(&conn->answer); negative: they did not fit. */
void reply_with(struct conn *conn, int len);
/* A chain of words, one a line. */
void reply_words(struct conn *conn, int status, const char *words);
/* "Error from API", what the call is called, and the words of *err, by whose code the status is. */
void reply_error(struct conn *conn, const struct err *err);

/* The body in its normal form; NULL with *err: the words of a 400. */
json_t *reply_body(const struct conn *conn, struct err *err);
