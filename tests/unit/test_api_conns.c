/* SPDX-License-Identifier: Apache-2.0
 *
 * Many clients of build/bulkhead-api at once, slow ones, ones that flood, and the status socket.
 *
 * links: tests/census.c
 */
#include "tests/census.h"
#include "tests/unit/api_client.h"

TestSuite(api_conns, .init = api_begin, .fini = api_end, .timeout = 240);

/* A client that leaks a connection a call, as one of the Nomad drivers does: the oldest go. */
Test(api_conns, who_leaks_loses_his_oldest)
{
	int socks[200];

	for (unsigned i = 0; i < 200; i++) {
		socks[i] = client();
		EXPECT_CALL(socks[i], "vmm.ping", NULL, 200);
	}
	cr_assert_leq(census_fds(api.pid), 6 + 64);
	for (unsigned i = 0; i < 136; i++)
		cr_assert(hung_up(socks[i]), "%u", i);
	for (unsigned i = 136; i < 200; i++)
		EXPECT_CALL(socks[i], "vmm.ping", NULL, 200);
}

/* The one that asks now and then stays. */
Test(api_conns, who_asks_stays)
{
	int sock = client();

	for (unsigned i = 0; i < 200; i++) {
		int other = client();

		EXPECT_CALL(other, "vmm.ping", NULL, 200);
		if (i % 20 == 0)
			EXPECT_CALL(sock, "vmm.ping", NULL, 200);
	}
	EXPECT_CALL(sock, "vmm.ping", NULL, 200);
}

/* All busy: the next is told so. A request that is not whole is none that is idle, for a while. */
Test(api_conns, too_many_that_are_busy)
{
	int socks[64], other = monitor(), sock;

	for (unsigned i = 0; i < 64; i++) {
		socks[i] = client();
		say(socks[i], "GET ");
	}
	while (census_fds(api.pid) < 6 + 64 + 1) /* all of them are there */
		EXPECT_CALL(other, "vmm.ping", NULL, 200);
	EXPECT_CALL(other, "vmm.ping", NULL, 200); /* and have been heard */
	sock = client();
	cr_assert_str_eq(hear(sock), "HTTP/1.1 503 \r\nServer: Cloud Hypervisor API\r\n"
		"Connection: close\r\nContent-Type: application/json\r\nContent-Length: 29\r\n\r\n"
		"[\"Too many open connections\"]");
	cr_assert(hung_up(sock));
	say(socks[0], "/api/v1/vmm.ping HTTP/1.1\r\n\r\n");
	cr_assert_eq(status_of(hear(socks[0])), 200);
	sock = client();
	EXPECT_CALL(sock, "vmm.ping", NULL, 200);
	play_until(-1, 10100);
	for (unsigned i = 0; i < 80; i++) {
		sock = client();
		EXPECT_CALL(sock, "vmm.ping", NULL, 200);
	}
}

/* Monitors have places of their own. */
Test(api_conns, monitors_and_clients_do_not_push_each_other_out)
{
	int sock = client();

	for (unsigned i = 0; i < 200; i++) {
		int other = monitor();

		EXPECT_CALL(other, "vmm.ping", NULL, 200);
	}
	EXPECT_CALL(sock, "vmm.ping", NULL, 200);
}

Test(api_conns, a_monitor_only_looks)
{
	static const char *const others[] = {"vm.create", "vm.boot", "vm.delete", "vm.shutdown",
		"vmm.shutdown", "vm.pause", "vm.power-button", "vm.nmi", "vm.add-device"};
	int sock = client(), other = monitor();

	bring(sock, IN_RUNNING);
	EXPECT_CALL(other, "vmm.ping", NULL, 200);
	EXPECT_CALL(other, "vm.info", NULL, 200);
	EXPECT_CALL(other, "vm.counters", NULL, 200);
	for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		EXPECT_CALL(other, others[i], NULL, 403);
		cr_assert_str_eq(body_of_answer(), "[\"Forbidden\",\"this socket answers vmm.ping, "
			"vm.info and vm.counters only; ask the API socket\"]");
	}
	EXPECT_CALL(other, "vm.none", NULL, 404);
	EXPECT_CALL(other, "vm.info", NULL, 200);
	cr_assert(strstr(heard, "\"state\":\"Running\""), "%s", heard);
}

/* What a monitor sends beside its words is not even received. */
Test(api_conns, a_monitor_hands_nothing_over)
{
	int other = monitor(), before, fds[200];

	for (unsigned i = 0; i < 200; i++)
		fds[i] = 0;
	EXPECT_CALL(other, "vmm.ping", NULL, 200);
	before = census_fds(api.pid);
	say_with(other, "GET ", 4, fds, 200);
	play_until(-1, 100);
	cr_assert_eq(census_fds(api.pid), before);
	say(other, "/api/v1/vmm.ping HTTP/1.1\r\n\r\n");
	cr_assert_eq(status_of(hear(other)), 200);
}

/* Thousands of requests at once, and not a byte of the answers read: the others do not notice. */
Test(api_conns, who_floods_waits_for_himself)
{
	int flood = client(), sock = client();
	int64_t start = now_ms();
	size_t sent = 0;

	fcntl(flood, F_SETFL, O_NONBLOCK);
	for (unsigned i = 0; i < 100000; i++) {
		ssize_t n = send(flood, GET_PING, strlen(GET_PING), MSG_NOSIGNAL);

		if (n != (ssize_t)strlen(GET_PING))
			break;
		sent++;
		if (i % 20 == 0)
			EXPECT_CALL(sock, "vmm.ping", NULL, 200);
	}
	cr_assert_gt(sent, 100);
	for (unsigned i = 0; i < 100; i++)
		EXPECT_CALL(sock, "vmm.ping", NULL, 200);
	cr_assert_lt(now_ms() - start, 20000);
	fcntl(flood, F_SETFL, 0);
	for (size_t i = 0; i < sent; i++)
		cr_assert_eq(status_of(hear(flood)), 200);
}

/* One buffer for large bodies: who is slow with his loses it, small ones go by. */
Test(api_conns, who_is_slow_with_a_large_body)
{
	static char body[32768];
	int slow = client(), large = client(), small = client();

	memset(body, ' ', sizeof(body));
	memcpy(body, "{}", 2);
	say(slow, "PUT /api/v1/vm.create HTTP/1.1\r\nContent-Length: 4000000\r\n\r\n{");
	play_until(-1, 50);
	say(large, "PUT /api/v1/vm.create HTTP/1.1\r\nContent-Length: 32768\r\n\r\n");
	say_with(large, body, sizeof(body), NULL, 0);
	for (unsigned i = 0; i < 20; i++)
		EXPECT_CALL(small, "vm.delete", NULL, 204);
	cr_assert_not(play_until(large, 1000));
	cr_assert(play_until(large, 15000), "the buffer never came");
	cr_assert_eq(status_of(hear(large)), 204);
	cr_assert(hung_up(slow));
}

/* A client that leaves in the midst of anything leaves nothing. */
Test(api_conns, who_leaves_in_the_midst)
{
	static const char text[] = "PUT /api/v1/vm.delete HTTP/1.1\r\nContent-Length: 0\r\n\r\n";
	int sock = client(), before;

	EXPECT_CALL(sock, "vmm.ping", NULL, 200);
	before = census_fds(api.pid);
	for (size_t len = 0; len < sizeof(text); len++) {
		int other = client();

		if (len)
			say_with(other, text, len, (const int[]){0}, len % 2);
		close(other);
		EXPECT_CALL(sock, "vmm.ping", NULL, 200);
	}
	play_until(-1, 100);
	cr_assert_eq(census_fds(api.pid), before);
}

Test(api_conns, random_bytes)
{
	char bytes[300];

	srandom(20241102);
	for (unsigned i = 0; i < 3000; i++) {
		static const char *const begins[] = {"", "GET ", "PUT /api/v1/vm.create HTTP/1.1\r\n",
			"PUT /api/v1/vm.create HTTP/1.1\r\nContent-Length: 9\r\n\r\n"};
		const char *start = begins[i % 4];
		size_t len = strlen(start);
		int sock = client();

		memcpy(bytes, start, len);
		for (size_t end = len + (size_t)random() % 100; len < end; len++)
			bytes[len] = (char)random();
		if (len)
			send(sock, bytes, len, MSG_NOSIGNAL);
		close(sock);
		if (i % 100 == 0) {
			sock = client();
			EXPECT_CALL(sock, "vmm.ping", NULL, 200);
			close(sock);
		}
	}
}

Test(api_conns, memory_does_not_grow_with_use)
{
	char before[32] = "", after[32] = "";
	int sock = client();

	for (unsigned i = 0; i < 400; i++) {
		EXPECT_CALL(sock, "vm.create", CONFIG, 204);
		EXPECT_CALL(sock, "vm.info", NULL, 200);
		EXPECT_CALL(sock, "vm.delete", NULL, 204);
		if (i == 100)
			cr_assert(census_status(api.pid, "VmRSS", before, sizeof(before)));
	}
	cr_assert(census_status(api.pid, "VmRSS", after, sizeof(after)));
	cr_assert_str_eq(before, after);
}
