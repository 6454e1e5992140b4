/* SPDX-License-Identifier: Apache-2.0
 *
 * The control API byte by byte, against build/bulkhead-api: what answers look like, how long a
 * connection stays, and in which pieces requests may come.
 *
 * links: tests/census.c
 */
#include "tests/census.h"
#include "tests/unit/api_client.h"

TestSuite(api_wire, .init = api_begin, .fini = api_end, .timeout = 240);

Test(api_wire, answers_to_the_byte)
{
	int sock = client();

	says(sock, GET_PING, PING);
	request(sock, "PUT", "vm.create", CONFIG);
	expect_answer(sock, DONE);
	request(sock, "PUT", "vm.create", CONFIG);
	expect_answer(sock, JSON("500", "72", "[\"Error from API\",\"The VM could not be created\","
		"\"VM is already created\"]"));
	request(sock, "PUT", "vm.create", NULL);
	expect_answer(sock, BAD_EMPTY);
	request(sock, "PUT", "vmm.shutdown", NULL);
	expect_answer(sock, ENDS);
	cr_assert(hung_up(sock), "and then everything ends");
}

/* libvirt reads once, up to 1,023 bytes. */
Test(api_wire, an_answer_is_one_write)
{
	int sock = client();

	say(sock, GET_PING);
	cr_assert_str_eq(hear_some(sock, 1023, PATIENCE_MS), PING);
	request(sock, "PUT", "vm.create", CONFIG);
	cr_assert_str_eq(hear_some(sock, 1023, PATIENCE_MS), DONE);
	request(sock, "PUT", "vm.add-net", "{\"mac\":\"52:54:00:11:22:33\"}");
	hear_some(sock, 1023, PATIENCE_MS);
	cr_assert_eq(whole_length(), heard_len);
	cr_assert_lt(heard_len, 1023);
}

Test(api_wire, it_stays_after_every_error)
{
	int sock = client();

	for (unsigned i = 0; i < 3; i++) {
		says(sock, "PUT /api/v1/vm.nothing HTTP/1.1\r\n\r\n", NOT_FOUND);
		says(sock, "PUT /api/v1/vm.info HTTP/1.1\r\n\r\n", BAD_REQUEST);
		says(sock, "GET /api/v1/vmm.ping HTTP/1.0\r\n\r\n", PING);
		request(sock, "PUT", "vm.create", "{");
		cr_assert_eq(status_of(hear(sock)), 400);
		request(sock, "PUT", "vm.pause", NULL);
		cr_assert_eq(status_of(hear(sock)), 500);
		request(sock, "GET", "vm.info", NULL);
		cr_assert_eq(status_of(hear(sock)), 404);
		says(sock, "POST /api/v1/vm.boot HTTP/1.1\r\nContent-Length: 4\r\n\r\nGET ",
			BAD_METHOD);
	}
}

Test(api_wire, closes_where_it_is_asked_to)
{
	int sock = client();

	say(sock, "GET /api/v1/vmm.ping HTTP/1.1\r\nConnection: Keep-Alive, Close\r\n\r\n" GET_PING);
	hear(sock);
	cr_assert(strstr(heard, "\r\nConnection: close\r\n"), "%s", heard);
	cr_assert(hung_up(sock));
}

Test(api_wire, a_half_closed_connection_is_answered_first)
{
	int sock = client();

	say(sock, GET_PING GET_PING "GET /api/v1/vmm.ping HT");
	shutdown(sock, SHUT_WR);
	expect_answer(sock, PING);
	expect_answer(sock, PING);
	cr_assert(hung_up(sock));
	sock = client();
	api.never_starts = true;
	request(sock, "PUT", "vm.create", CONFIG);
	request(sock, "PUT", "vm.boot", NULL);
	shutdown(sock, SHUT_WR);
	expect_answer(sock, DONE);
	play_until(-1, 100);
	core_starts();
	expect_answer(sock, DONE);
	cr_assert(hung_up(sock));
}

Test(api_wire, any_segmentation)
{
	static const char text[] = "PUT /api/v1/vm.create HTTP/1.1\r\nHost: localhost\r\n"
		"Content-Length: 32\r\n\r\n{\"payload\":{\"kernel\":\"/k\"     }}"
		"GET /api/v1/vmm.ping HTTP/1.1\r\nAccept: */*\r\n\r\n"
		"PUT /api/v1/vm.delete HTTP/1.1\r\nContent-Length: 0\r\n\r\n";
	int sock = client();

	for (size_t piece = 1; piece <= 40; piece += piece < 8 ? 1 : 7) {
		for (size_t at = 0; at < sizeof(text) - 1; at += piece) {
			size_t left = sizeof(text) - 1 - at;

			say_with(sock, text + at, left < piece ? left : piece, NULL, 0);
			if (piece > 3)
				play_until(-1, 1);
		}
		expect_answer(sock, DONE);
		expect_answer(sock, PING);
		expect_answer(sock, DONE);
	}
}

Test(api_wire, pipelined_requests_are_answered_in_order)
{
	int sock = client();

	for (unsigned i = 0; i < 100; i++)
		say(sock, i % 2 ? "PUT /api/v1/none HTTP/1.1\r\n\r\n" : GET_PING);
	for (unsigned i = 0; i < 100; i++)
		expect_answer(sock, i % 2 ? NOT_FOUND : PING);
}

/* api_client: line and first headers, Content-Length, empty line, body; each a write. */
Test(api_wire, as_ch_remote_writes)
{
	int sock = client();

	say(sock, "PUT /api/v1/vm.create HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n");
	play_until(-1, 20);
	say(sock, "Content-Length: 29\r\n");
	play_until(-1, 20);
	say(sock, "\r\n");
	play_until(-1, 20);
	say(sock, "{\"payload\":{\"kernel\":\"/k\"}}  ");
	expect_answer(sock, DONE);
	say(sock, "PUT /api/v1/vm.boot HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n");
	play_until(-1, 20);
	say(sock, "\r\n");
	expect_answer(sock, DONE);
}

Test(api_wire, expect_100_continue)
{
	static const char go_on[] = "HTTP/1.1 100 \r\nServer: Firecracker API\r\n"
		"Connection: keep-alive\r\n\r\n";
	int sock = client();

	says(sock, "PUT /api/v1/vm.create HTTP/1.1\r\nExpect: 100-continue\r\n"
		"Content-Length: 27\r\n\r\n", go_on);
	says(sock, "{\"payload\":{\"kernel\":\"/k\"}}", DONE);
	says(sock, "PUT /api/v1/vm.boot HTTP/1.1\r\nExpect: 100-continue\r\n\r\n", DONE);
	say(sock, "POST /api/v1/vm.boot HTTP/1.1\r\nExpect: 100-continue\r\n"
		"Content-Length: 27\r\n\r\n");
	cr_assert_eq(status_of(hear(sock)), 400);
	cr_assert(hung_up(sock), "who may not send his body cannot be skipped");
}
