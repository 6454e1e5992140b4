/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests, against build/bulkhead-api: what is one and what is not, their bodies, and the descriptors
 * that come with them.
 *
 * links: tests/census.c
 */
#include "tests/census.h"
#include "tests/unit/api_client.h"

TestSuite(api_requests, .init = api_begin, .fini = api_end, .timeout = 240);

Test(api_requests, methods_and_paths)
{
	static const char *const rest[] = {"", "?x", "/", "%20", "x"};
	int sock = client();
	char text[200];

	for (unsigned i = 1; i < 5; i++) {
		snprintf(text, sizeof(text), "GET /api/v1/vmm.ping%s HTTP/1.1\r\n\r\n", rest[i]);
		says(sock, text, NOT_FOUND);
	}
	says(sock, "GET /api/v1/vmm%2eping HTTP/1.1\r\n\r\n", NOT_FOUND);
	says(sock, "GET /API/v1/vmm.ping HTTP/1.1\r\n\r\n", NOT_FOUND);
	says(sock, "GET http://localhost/api/v1/vmm.ping HTTP/1.1\r\n\r\n", PING);
	says(sock, "GET http://localhost HTTP/1.1\r\n\r\n", NOT_FOUND);
	says(sock, "GET * HTTP/1.1\r\n\r\n", NOT_FOUND);
	says(sock, "PATCH /api/v1/none HTTP/1.1\r\n\r\n", NOT_FOUND);
	says(sock, "GET /api/v1/vm.boot HTTP/1.1\r\n\r\n", BAD_REQUEST);
	says(sock, "PUT /api/v1/vm.counters HTTP/1.1\r\n\r\n", BAD_REQUEST);
	says(sock, "PATCH /api/v1/vm.boot HTTP/1.1\r\n\r\n", BAD_EMPTY);
	says(sock, "DELETE /api/v1/vm.delete HTTP/1.1\r\n\r\n", BAD_EMPTY);
	says(sock, "DELETE /api/v1/vm.create HTTP/1.1\r\n\r\n", BAD_REQUEST);
	for (unsigned i = 0; i < 3; i++) {
		static const char *const methods[] = {"POST", "HEAD", "OPTIONS"};

		snprintf(text, sizeof(text), "%s /api/v1/vmm.ping HTTP/1.1\r\n\r\n", methods[i]);
		says(sock, text, BAD_METHOD);
	}
}

Test(api_requests, bodies_where_they_belong)
{
	static const char *const bare[] = {"vm.boot", "vm.delete", "vm.shutdown", "vm.reboot",
		"vm.pause", "vm.resume", "vm.power-button", "vm.nmi"};
	int sock = client();

	for (unsigned i = 0; i < 8; i++) {
		request(sock, "PUT", bare[i], "{}");
		expect_answer(sock, BAD_REQUEST);
	}
	request(sock, "PUT", "vm.resize", NULL);
	expect_answer(sock, BAD_REQUEST);
	request(sock, "PUT", "vm.add-device", "");
	expect_answer(sock, BAD_REQUEST);
	request(sock, "PUT", "vm.create", "");
	expect_answer(sock, BAD_EMPTY);
	request(sock, "GET", "vmm.ping", "ignored");
	expect_answer(sock, PING);
	request(sock, "PUT", "vm.delete", "");
	expect_answer(sock, DONE);
	says(sock, "PUT /api/v1/vm.create HTTP/1.1\r\nContent-Type: text/plain\r\n"
		"Content-Length: 2\r\n\r\n{}", DONE);
	request(sock, "PUT", "vmm.shutdown", "ignored, too");
	expect_answer(sock, ENDS);
}

Test(api_requests, encodings_an_answer_may_have)
{
	int sock = client();

	says(sock, "GET /api/v1/vmm.ping HTTP/1.1\r\nAccept-Encoding: gzip, identity;q=0.5\r\n\r\n",
		PING);
	say(sock, "GET /api/v1/vmm.ping HTTP/1.1\r\nAccept-Encoding: identity;q=0\r\n\r\n");
	cr_assert_eq(status_of(hear(sock)), 400);
	say(sock, "GET /api/v1/vmm.ping HTTP/1.1\r\nAccept-Encoding:\r\n\r\n");
	cr_assert_eq(status_of(hear(sock)), 400);
	says(sock, GET_PING, PING);
}

/* Where two readers could see two messages, there is none: 400 as an array, and no more is read. */
Test(api_requests, what_could_smuggle_a_request)
{
	static const char *const bad[] = {
		"PUT /api/v1/vm.boot HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"PUT /api/v1/vm.boot HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
		"PUT /api/v1/vm.boot HTTP/1.1\r\nContent-Length: 3\r\ncontent-length: 4\r\n\r\n",
		"PUT /api/v1/vm.boot HTTP/1.1\r\nContent-Length: +5\r\n\r\n",
		"PUT /api/v1/vm.boot HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
		"PUT /api/v1/vm.boot HTTP/1.1\r\nContent-Length: 1,1\r\n\r\n",
		"PUT /api/v1/vm.boot HTTP/1.1\r\nContent-Length: 0x1\r\n\r\n",
		"PUT /api/v1/vm.boot HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
		"PUT /api/v1/vm.boot HTTP/1.1\r\nContent-Length:\r\n\r\n",
		"PUT /api/v1/vm.boot HTTP/1.1\nContent-Length: 0\n\n",
		"PUT /api/v1/vm.boot HTTP/1.1\r\nX: a\nContent-Length: 5\r\n\r\n",
		"PUT /api/v1/vm.boot HTTP/1.1\r\nX: a\rContent-Length: 5\r\n\r\n",
		"PUT /api/v1/vm.boot HTTP/1.1\r\nX: a\r\n b\r\n\r\n",
		"PUT /api/v1/vm.boot HTTP/1.1\r\nContent-Length : 5\r\n\r\n",
		"PUT /api/v1/vm.boot HTTP/1.1\r\nfoo\r\n\r\n",
		"PUT /api/v1/vm.boot HTTP/1.1\r\n: 5\r\n\r\n",
		"PUT  /api/v1/vm.boot HTTP/1.1\r\n\r\n",
		"PUT /api/v1/vm.boot\r\n\r\n",
		"PUT /api/v1/vm.boot HTTP/2.0\r\n\r\n",
		"PUT /api/v1/vm.boot HTTP/1.1 x\r\n\r\n",
		"P\x01T /api/v1/vm.boot HTTP/1.1\r\n\r\n",
		"PUT /api/v1/vm.\xc3\xa9 HTTP/1.1\r\n\r\n",
	};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int sock = client();

		say(sock, bad[i]);
		cr_assert_eq(status_of(hear(sock)), 400, "%s", bad[i]);
		cr_assert(strstr(heard, "\r\nConnection: close\r\n"), "%s", heard);
		cr_assert_eq(body_of_answer()[0], '[', "%s", heard);
		cr_assert(hung_up(sock), "%s", bad[i]);
		close(sock);
	}
}

Test(api_requests, words_of_http_errors)
{
	static const struct {
		const char *text, *words;
	} errors[] = {
		{"x\r\n", "Invalid request."},
		{"GET / HTTP/3\r\n", "Invalid HTTP Version: Unsupported HTTP version."},
		{"GET / HTTP/1.1\r\nContent-Length: -1\r\n",
			"Invalid header. Reason: Invalid value. Key:Content-Length; Value: -1"},
		{"GET / HTTP/1.1\r\nfoo\r\n",
			"Invalid header. Reason: Header is incorrectly formatted. Key: foo"},
		{"GET / HTTP/1.1\r\nf\"o\\\r\n",
			"Invalid header. Reason: Header is incorrectly formatted. Key: f\\\"o\\\\"},
	};
	char body[200];

	for (unsigned i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		int sock = client();

		say(sock, errors[i].text);
		hear(sock);
		snprintf(body, sizeof(body), "[\"%s\"]", errors[i].words);
		cr_assert_str_eq(body_of_answer(), body);
		close(sock);
	}
}

static void say_line(int sock, size_t len)
{
	static char line[4096];

	memset(line, 'x', len);
	memcpy(line, "X: ", 3);
	memcpy(line + len - 2, "\r\n", 2);
	say_with(sock, line, len, NULL, 0);
}

Test(api_requests, lines_and_heads_have_an_end)
{
	int sock = client();

	say(sock, "GET /api/v1/vmm.ping HTTP/1.1\r\n");
	for (unsigned i = 0; i < 7; i++)
		say_line(sock, 1024);
	says(sock, "\r\n", PING);
	say(sock, "GET /api/v1/vmm.ping HTTP/1.1\r\n");
	for (unsigned i = 0; i < 8; i++)
		say_line(sock, 1024);
	cr_assert_eq(status_of(hear(sock)), 400, "more than 8 KiB");
	cr_assert(hung_up(sock));
	sock = client();
	say(sock, "GET /api/v1/vmm.ping HTTP/1.1\r\n");
	say_line(sock, 1025);
	cr_assert_eq(status_of(hear(sock)), 400);
	cr_assert(hung_up(sock));
}

/* Four MiB are taken; of one byte more nobody reads a thing, and the next request is found. */
Test(api_requests, bodies_of_four_mebibytes)
{
	enum { MOST = 4 << 20 };
	char *body = malloc(MOST + 1);
	int sock = client();

	memset(body, ' ', MOST + 1);
	memcpy(body, "{\"payload\":{\"kernel\":\"/k\"}}", 27);
	say(sock, "PUT /api/v1/vm.create HTTP/1.1\r\nContent-Length: 4194304\r\n\r\n");
	for (size_t at = 0; at < MOST; at += 65536)
		say_with(sock, body + at, 65536, NULL, 0);
	expect_answer(sock, DONE);
	say(sock, "PUT /api/v1/vm.create HTTP/1.1\r\nContent-Length: 4194305\r\n\r\n");
	hear(sock);
	cr_assert_str_eq(body_of_answer(), "[\"Request payload with size 4194305 is larger than the "
		"limit of 4194304 allowed by server.\"]");
	for (size_t at = 0; at < MOST; at += 65536)
		say_with(sock, body + at, 65536, NULL, 0);
	says(sock, " " GET_PING, PING);
	free(body);
}

enum { LARGEST = 4 << 20 };

static void takes_too_much(const char *body)
{
	int sock = client();

	say(sock, "PUT /api/v1/vm.create HTTP/1.1\r\nContent-Length: 4194304\r\n\r\n");
	for (size_t at = 0; at < LARGEST; at += 65536)
		say_with(sock, body + at, 65536, NULL, 0);
	hear(sock);
	cr_assert_eq(status_of(heard), 400);
	cr_assert(strstr(heard, "it takes more memory than one request may"), "%s", heard);
	says(sock, GET_PING, PING);
}

/* Of the largest body all that is parsed is a fixed piece of memory. */
Test(api_requests, a_body_that_takes_too_much_memory)
{
	static char body[LARGEST];

	for (size_t i = 0; i < LARGEST; i += 2)
		memcpy(body + i, i ? ",1" : "[1", 2);
	takes_too_much(body);
}

/* Where it is a number that there is no more room for, the parser would assert that there is. */
Test(api_requests, a_number_that_takes_too_much_memory)
{
	enum { BEFORE = 500000 };
	static char body[LARGEST];

	memset(body, '1', LARGEST);
	for (size_t i = 0; i < BEFORE; i += 2)
		memcpy(body + i, i ? ",1" : "[1", 2);
	body[BEFORE] = ',';
	body[LARGEST - 1] = ']';
	takes_too_much(body);
}

/* Kata looks for the words of a 429; api_client takes a status line with words for none. */
Test(api_requests, a_phrase_for_who_looks_for_it)
{
	int sock = client();

	bring(sock, IN_CREATED);
	api.refusal = (struct err){.code = -EAGAIN, .msg = "too early"};
	say(sock, "PUT /api/v1/vm.boot HTTP/1.1\r\nUser-Agent: OpenAPI-Generator/1.0.0/go\r\n\r\n");
	cr_assert(strncmp(hear(sock), "HTTP/1.1 429 Too Many Requests\r\n", 32) == 0, "%s", heard);
	api.refusal = (struct err){.code = -EAGAIN, .msg = "too early"};
	request(sock, "PUT", "vm.boot", NULL);
	cr_assert(strncmp(hear(sock), "HTTP/1.1 429 \r\n", 15) == 0, "%s", heard);
}

Test(api_requests, json_is_ascii)
{
	int sock = client();

	EXPECT_CALL(sock, "vm.create", "{\"payload\":{\"kernel\":\"/k\xc3\xa9\"},"
		"\"platform\":{\"uuid\":\"\xe2\x82\xac\"}}", 204);
	EXPECT_CALL(sock, "vm.info", NULL, 200);
	cr_assert(strstr(heard, "\"kernel\":\"/k\\u00E9\""), "%s", heard);
	cr_assert(strstr(heard, "\"system_uuid\":\"\\u20AC\""), "%s", heard);
	EXPECT_CALL(sock, "vm.remove-device", "{\"id\":\"\xc3\xa9\\n\\\"\"}", 404);
	for (const char *at = heard; *at; at++)
		cr_assert(*at > 0 && *at < 0x7f, "%s", heard);
}

/* ---- descriptors ---- */

static const char add_net[] =
	"PUT /api/v1/vm.add-net HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}";
static const char add[] = "PUT /api/v1/vm.add-device HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}";

/* They come with any of the pieces. */
Test(api_requests, a_descriptor_on_any_segment)
{
	static const size_t cuts[] = {0, 1, 20, 36, 55, 57, sizeof(add) - 2};
	fd_owned null = {open("/dev/null", O_RDWR | O_CLOEXEC)};
	int sock = client();

	bring(sock, IN_CREATED);
	for (unsigned i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		if (cuts[i])
			say_with(sock, add, cuts[i], NULL, 0);
		play_until(-1, 5);
		say_with(sock, add + cuts[i], 1, &null.n, 1);
		play_until(-1, 5);
		if (cuts[i] + 1 < sizeof(add) - 1)
			say(sock, add + cuts[i] + 1);
		expect_answer(sock, DONE);
		cr_assert_eq(api.fds_seen, i + 1);
	}
}

Test(api_requests, descriptors_nobody_wants_are_closed)
{
	fd_owned null = {open("/dev/null", O_RDWR | O_CLOEXEC)};
	int fds[253], sock = client(), before;

	for (unsigned i = 0; i < 253; i++)
		fds[i] = null.n;
	bring(sock, IN_CREATED);
	before = census_fds(api.pid);
	for (unsigned n = 1; n <= 253; n += n < 4 ? 1 : 83) {
		say_with(sock, GET_PING, strlen(GET_PING), fds, n);
		expect_answer(sock, PING);
		say_with(sock, add, strlen(add), fds, n);
		if (n == 1)
			expect_answer(sock, DONE);
		else
			expect_answer(sock, BAD_REQUEST);
		say_with(sock, add_net, strlen(add_net), fds, n);
		cr_assert_eq(status_of(hear(sock)), 500);
	}
	cr_assert_eq(census_fds(api.pid), before);
	say_with(sock, "GET ", 4, fds, 253);
	close(sock);
	play_until(-1, 100);
	cr_assert_eq(census_fds(api.pid), before - 1);
}

/* Numbers in JSON never name one. */
Test(api_requests, a_number_is_no_descriptor)
{
	int sock = client();

	EXPECT_CALL(sock, "vm.create", "{\"payload\":{\"kernel\":\"/k\"},\"devices\":[{\"fd\":3,"
		"\"path\":\"/p\"}],\"net\":[{\"fds\":[3,4]}]}", 204);
	EXPECT_CALL(sock, "vm.info", NULL, 200);
	cr_assert(!strstr(heard, "\"fd"), "%s", heard);
	EXPECT_CALL(sock, "vm.delete", NULL, 204);
	bring(sock, IN_CREATED);
	EXPECT_CALL(sock, "vm.add-device", "{\"fd\":3}", 400);
	cr_assert(strstr(heard, "VFIO device config must specify `path=` or `fd=`"), "%s", heard);
}

/* Another kind would have the opener cut us off, and with us every other client. */
Test(api_requests, a_descriptor_that_is_no_device)
{
	int pair[2], sock = client();

	cr_assert_eq(pipe2(pair, O_CLOEXEC), 0);
	bring(sock, IN_CREATED);
	say_with(sock, add, strlen(add), pair, 1);
	cr_assert_eq(status_of(hear(sock)), 400);
	cr_assert(strstr(heard, "the descriptor sent is no device"), "%s", heard);
	says(sock, GET_PING, PING);
}
