/* SPDX-License-Identifier: Apache-2.0
 *
 * The head of an HTTP/1.1 request (RFC 9112), parsed as its bytes come. bulkhead-api.
 *
 * A pure function over a struct: no I/O, no heap, one line kept at a time. Strict where two readers
 * could see two messages in the same bytes: lines end with CRLF, Content-Length is there once and
 * is digits, a Transfer-Encoding is refused.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	HTTP_LINE_MAX = 1024, /* with CRLF */
	HTTP_HEAD_MAX = 8192,
	HTTP_BODY_MAX = 4 << 20,
	HTTP_PATH_MAX = 64,   /* of those there are the longest has 36 */
	HTTP_WHY_MAX = 200,
};

enum http_method { HTTP_GET, HTTP_PUT, HTTP_PATCH, HTTP_DELETE };

enum http_state {
	HTTP_READING,
	HTTP_WHOLE, /* the head is there; `body` bytes follow */
	HTTP_LOST,  /* nobody knows where the next request begins: 400, and close; `why` */
};

struct http {
	enum http_state state;
	enum http_method method;
	char path[HTTP_PATH_MAX]; /* "": none there could be */
	uint32_t body;
	bool expects_continue, close, user_agent;
	bool refused;           /* the answer is 400, whatever follows; `why` */
	char why[HTTP_WHY_MAX]; /* bytes of the client's among it */

	bool has_line, has_length;
	size_t head_len, line_len;
	char line[HTTP_LINE_MAX];
};

void http_begin(struct http *http);

/* Takes bytes up to the end of the head, or to where the state stops being HTTP_READING; returns how
 * many those were. */
size_t http_feed(struct http *http, const char *bytes, size_t len);
