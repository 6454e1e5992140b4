/* SPDX-License-Identifier: Apache-2.0
 *
 * The parser of request heads: the same in every cut into pieces, and at each of its bounds.
 *
 * links: helpers/api/http.c
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "helpers/api/http.h"

static struct http http;

/* In pieces of that size; how many bytes were taken. */
static size_t feed(const char *text, size_t len, size_t piece)
{
	size_t at = 0;

	http_begin(&http);
	while (at < len && http.state == HTTP_READING) {
		size_t n = len - at < piece ? len - at : piece;

		at += http_feed(&http, text + at, n);
	}
	return at;
}

static void whole(const char *text)
{
	feed(text, strlen(text), 4096);
	cr_assert_eq(http.state, HTTP_WHOLE, "%s: %s", text, http.why);
}

static void lost(const char *text)
{
	feed(text, strlen(text), 4096);
	cr_assert_eq(http.state, HTTP_LOST, "%s", text);
	cr_assert(http.refused && http.why[0]);
}

Test(api_http, a_request_in_any_pieces)
{
	static const char text[] = "PUT http://h/api/v1/vm.create HTTP/1.1\r\nHost: localhost\r\n"
		"user-agent:x\r\nEXPECT: 100-Continue\r\nConnection: close\t\r\n"
		"Content-Length:\t 12 \r\n\r\n{\"body\": 1 }";

	for (size_t piece = 1; piece < sizeof(text); piece++) {
		size_t taken = feed(text, sizeof(text) - 1, piece);

		cr_assert_eq(taken, sizeof(text) - 1 - 12, "the body is not the head's");
		cr_assert_eq(http.state, HTTP_WHOLE);
		cr_assert_eq(http.method, HTTP_PUT);
		cr_assert_str_eq(http.path, "/api/v1/vm.create");
		cr_assert_eq(http.body, 12);
		cr_assert(http.user_agent && http.expects_continue && http.close && !http.refused);
	}
}

Test(api_http, what_is_there_counts_and_nothing_else)
{
	whole("GET / HTTP/1.0\r\n\r\n");
	cr_assert(!http.user_agent && !http.expects_continue && !http.close && !http.body);
	whole("\r\n\r\nGET / HTTP/1.1\r\n\r\n");
	whole("DELETE / HTTP/1.1\r\nX-Content-Length: 5\r\nConnection: closed, Keep-Alive\r\n"
		"Expect: 200-ok\r\n\r\n");
	cr_assert(!http.body && !http.close && !http.expects_continue);
	whole("PATCH / HTTP/1.1\r\nA:\r\nB: \r\n\r\n");
	whole("GET x HTTP/1.1\r\n\r\n");
	cr_assert_str_eq(http.path, "x");
}

Test(api_http, lengths)
{
	whole("PUT / HTTP/1.1\r\nContent-Length: 4194304\r\n\r\n");
	cr_assert(!http.refused && http.body == 4194304);
	whole("PUT / HTTP/1.1\r\nContent-Length: 0000000007\r\n\r\n");
	cr_assert_eq(http.body, 7);
	whole("PUT / HTTP/1.1\r\nContent-Length: 4194305\r\n\r\n");
	cr_assert(http.refused && http.body == 4194305, "it can be skipped");
	whole("PUT / HTTP/1.1\r\nContent-Length: 4294967295\r\n\r\n");
	cr_assert(http.refused && http.body == UINT32_MAX);
	lost("PUT / HTTP/1.1\r\nContent-Length: 4294967296\r\n\r\n");
	lost("PUT / HTTP/1.1\r\nContent-Length: 00000000001\r\n\r\n");
	lost("PUT / HTTP/1.1\r\nContent-Length: 1 1\r\n\r\n");
}

/* The first of two reasons that can be gone on from; one that cannot comes before both. */
Test(api_http, reasons)
{
	whole("POST / HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n");
	cr_assert_str_eq(http.why, "Invalid HTTP Method: Unsupported HTTP method.");
	lost("POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n");
	cr_assert_str_eq(http.why,
		"Invalid header. Reason: Invalid value. Key:Transfer-Encoding; Value: gzip");
}

Test(api_http, a_path_that_is_too_long_is_no_path)
{
	char text[HTTP_LINE_MAX];

	for (int len = HTTP_PATH_MAX - 3; len < HTTP_PATH_MAX + 3; len++) {
		snprintf(text, sizeof(text), "GET /%0*d HTTP/1.1\r\n\r\n", len - 1, 0);
		whole(text);
		cr_assert_eq(strlen(http.path), len < HTTP_PATH_MAX ? (size_t)len : 0);
	}
}

/* After the end of a head nothing is taken, and after an error nothing but the byte that was one. */
Test(api_http, it_stops)
{
	cr_assert_eq(feed("GET / HTTP/1.1\r\n\r\nGET", 21, 4096), 18);
	cr_assert_eq(feed("GET /\n HTTP/1.1\r\n\r\n", 19, 4096), 6);
	cr_assert_eq(http.state, HTTP_LOST);
}

/* Every byte at every place: no state but the three, and nothing behind the line. */
Test(api_http, each_byte_everywhere)
{
	static const char good[] = "PUT / HTTP/1.1\r\nContent-Length: 1\r\nA: b\r\n\r\n";
	char text[sizeof(good)];

	for (size_t at = 0; at < sizeof(good) - 1; at++) {
		for (unsigned c = 0; c < 256; c++) {
			memcpy(text, good, sizeof(good));
			text[at] = (char)c;
			feed(text, sizeof(good) - 1, 7);
			cr_assert(http.line_len < HTTP_LINE_MAX && http.head_len <= HTTP_HEAD_MAX + 1);
			cr_assert(http.state != HTTP_WHOLE || (c != 0 && c != '\n') ||
				c == (unsigned char)good[at]);
		}
	}
}
