/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers of calls. bulkhead-api.
 */
#include "helpers/api/reply.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "helpers/api/calls.h"
#include "helpers/api/fields.h"
#include "helpers/api/json.h"
#include "ipc/log.h"

void reply_empty(struct conn *conn, int status)
{
	answer_with(&conn->answer, status, 0);
	conn_answer(conn);
}

void reply_done(struct conn *conn)
{
	reply_empty(conn, 204);
}

void reply_with(struct conn *conn, int len)
{
	if (len < 0) {
		reply_words(conn, 500, "Internal Server Error");
		return;
	}
	answer_with(&conn->answer, 200, (size_t)len);
	conn_answer(conn);
}

void reply_words(struct conn *conn, int status, const char *words)
{
	answer_error(&conn->answer, status, words);
	conn_answer(conn);
}

void reply_error(struct conn *conn, const struct err *err)
{
	const struct call_row *call = &calls[conn->request.call];
	char words[sizeof(err->msg) + 100];

	snprintf(words, sizeof(words), "Error from API\n%s\n%s", call->failed, err->msg);
	reply_words(conn, answer_status(err->code), words);
	for (char *at = words; (at = strchr(at, '\n')) != NULL;)
		*at = '/';
	text_clean(words);
	log_info("%s: %s", call->name, words);
}

json_t *reply_body(const struct conn *conn, struct err *err)
{
	const struct fields *fields = calls[conn->request.call].fields;
	json_t *in = json_parse(conn->body, conn->body_len, err);
	unsigned line = 1, column = 0;
	size_t len = conn->body_len;
	char end[48];

	if (!in)
		return NULL;
	while (conn->body[len - 1] != '}' && conn->body[len - 1] != ']')
		len--; /* white space */
	for (size_t i = 0; i < len; i++) {
		line += conn->body[i] == '\n';
		column = conn->body[i] == '\n' ? 0 : column + 1;
	}
	snprintf(end, sizeof(end), " at line %u column %u", line, column);
	return fields_decode(fields, in, end, err);
}
