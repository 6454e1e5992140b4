/* SPDX-License-Identifier: Apache-2.0
 *
 * A client at the API's socket: heads of requests, in whatever pieces. What is understood does not
 * depend on the pieces, nothing grows past its bounds, and what is whole is one request to any reader.
 *
 * fuzzes: helpers/api/http.c
 * links: helpers/api/http.c
 * max_len: 1200
 */
#include "tests/fuzz/fuzz.h"

#include "helpers/api/http.h"

static size_t feed(struct http *http, const struct input *in, size_t piece)
{
	const char *bytes = (const char *)in->at;
	size_t len = (size_t)(in->end - in->at), at = 0;

	http_begin(http);
	while (at < len && http->state == HTTP_READING) {
		size_t n = len - at < piece ? len - at : piece;
		size_t taken = http_feed(http, bytes + at, n);

		require(taken <= n && (taken == n || http->state != HTTP_READING));
		require(http->line_len < HTTP_LINE_MAX && http->head_len <= HTTP_HEAD_MAX + 1);
		at += taken;
	}
	return at;
}

/* Of a head that is whole: its end is the first empty line, and every LF comes after a CR. */
static void one_reader_sees(const struct http *http, const char *bytes, size_t len)
{
	unsigned lengths = 0;

	require(len >= 4 && memcmp(bytes + len - 4, "\r\n\r\n", 4) == 0);
	for (size_t i = 0; i < len; i++)
		require(bytes[i] != '\n' || (i && bytes[i - 1] == '\r'));
	for (size_t i = 0; i + 16 < len; i++)
		lengths += strncasecmp(bytes + i, "\ncontent-length:", 16) == 0;
	require(lengths <= 1 && (lengths == 1 || http->body == 0));
	require(http->refused || http->body <= HTTP_BODY_MAX);
	require(strlen(http->path) < HTTP_PATH_MAX && strlen(http->why) < HTTP_WHY_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct http whole, pieces;
	struct input in = input_of(data, size);
	size_t piece = 1 + take(&in, 1), len;

	len = feed(&whole, &in, size + 1);
	require(feed(&pieces, &in, piece) == len);
	require(whole.state == pieces.state && whole.refused == pieces.refused);
	require(strcmp(whole.path, pieces.path) == 0 && strcmp(whole.why, pieces.why) == 0);
	require(whole.body == pieces.body && whole.close == pieces.close &&
		whole.expects_continue == pieces.expects_continue &&
		whole.user_agent == pieces.user_agent);
	require(whole.state != HTTP_LOST || (whole.refused && whole.why[0]));
	if (whole.state == HTTP_WHOLE)
		one_reader_sees(&whole, (const char *)in.at, len);
	return 0;
}
