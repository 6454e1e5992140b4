/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing answers. bulkhead-api.
 */
#include "helpers/api/answer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "helpers/api/json.h"

void answer_with(struct answer *answer, int status, size_t len)
{
	char head[ANSWER_HEAD];
	int n = snprintf(head, sizeof(head), "HTTP/1.1 %d %s\r\nServer: Cloud Hypervisor API\r\n"
		"Connection: %s\r\n", status,
		status == 429 && answer->phrase ? "Too Many Requests" : "",
		answer->close ? "close" : "keep-alive");

	if (status != 204)
		n += snprintf(head + n, sizeof(head) - (size_t)n, "Content-Type: application/json\r\n"
			"Content-Length: %zu\r\n", len);
	n += snprintf(head + n, sizeof(head) - (size_t)n, "\r\n");
	answer->at = ANSWER_HEAD - (size_t)n;
	answer->end = ANSWER_HEAD + len;
	memcpy(answer->bytes + answer->at, head, (size_t)n);
}

void answer_error(struct answer *answer, int status, const char *text)
{
	enum { WORD_MAX = 512 };
	char *body = answer_body(answer), word[WORD_MAX];
	size_t len = 0;

	while (*text) {
		size_t n = strcspn(text, "\n");

		snprintf(word, sizeof(word), "%.*s", (int)(n < WORD_MAX ? n : WORD_MAX), text);
		body[len] = len ? ',' : '[';
		len++;
		len += json_quote(body + len, 2 * WORD_MAX, word);
		text += n + (text[n] == '\n');
	}
	body[len++] = ']';
	answer_with(answer, status, len);
}

void answer_continue(struct answer *answer)
{
	/* The name is micro_http's own, which speaks here in Cloud Hypervisor. */
	answer->at = 0;
	answer->end = (size_t)snprintf(answer->bytes, ANSWER_HEAD, "HTTP/1.1 100 \r\n"
		"Server: Firecracker API\r\nConnection: keep-alive\r\n\r\n");
}

int answer_status(int code)
{
	switch (code) {
	case -EINVAL: return 400;
	case -ENOENT: return 404;
	case -EEXIST: return 409;
	case -EAGAIN: return 429;
	default: return 500;
	}
}
