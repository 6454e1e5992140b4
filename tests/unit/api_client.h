/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests of the control API: clients of build/bulkhead-api that look at every byte.
 */
#pragma once

#include "tests/unit/api_process.h"

static inline int client(void)
{
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(connect(sock, (void *)&api.address, api.address_len), 0, "%s", strerror(errno));
	return sock;
}

static inline int monitor(void)
{
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(connect(sock, (void *)&api.status_address, api.status_len), 0);
	return sock;
}

static inline void say_with(int sock, const void *bytes, size_t len, const int *fds, unsigned n)
{
	char control[CMSG_SPACE(253 * sizeof(int))] = {0};
	struct iovec iov = {(void *)(uintptr_t)bytes, len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *cmsg = (void *)control;

	if (n) {
		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, n * sizeof(int));
	}
	cr_assert_eq(sendmsg(sock, &msg, MSG_NOSIGNAL), (ssize_t)len, "%s", strerror(errno));
}

static inline void say(int sock, const char *text)
{
	say_with(sock, text, strlen(text), NULL, 0);
}

static char heard[ANSWER_ROOM];
static size_t heard_len;

/* What is sent within the time, at most `most` bytes of it; ends with 0. */
static inline const char *hear_some(int sock, size_t most, int ms)
{
	ssize_t n = -1;

	heard_len = 0;
	if (play_until(sock, ms))
		n = recv(sock, heard, most < sizeof(heard) ? most : sizeof(heard) - 1, 0);
	if (n > 0)
		heard_len = (size_t)n;
	heard[heard_len] = '\0';
	return heard;
}

static inline size_t whole_length(void)
{
	const char *body = strstr(heard, "\r\n\r\n"), *length = strstr(heard, "Content-Length: ");

	if (!body)
		return 0;
	return (size_t)(body + 4 - heard) +
		(length && length < body ? strtoul(length + 16, NULL, 10) : 0);
}

/* One answer, whole, and not a byte of the next. */
static inline const char *hear(int sock)
{
	size_t len = 0, whole;

	heard[0] = '\0';
	while (!(whole = whole_length()) || len < whole) {
		ssize_t n;

		cr_assert(play_until(sock, PATIENCE_MS), "no answer; so far: %s", heard);
		n = recv(sock, heard + len, whole ? whole - len : 1, 0);
		cr_assert_gt(n, 0, "hung up; so far: %s", heard);
		len += (size_t)n;
		heard[len] = '\0';
	}
	heard_len = len;
	return heard;
}

static inline bool hung_up(int sock)
{
	char byte;

	return play_until(sock, PATIENCE_MS) && recv(sock, &byte, 1, 0) <= 0;
}

static inline void request(int sock, const char *method, const char *call, const char *body)
{
	static char text[64 << 10];

	if (body)
		snprintf(text, sizeof(text), "%s /api/v1/%s HTTP/1.1\r\nHost: localhost\r\n"
			"Content-Length: %zu\r\n\r\n%s", method, call, strlen(body), body);
	else
		snprintf(text, sizeof(text), "%s /api/v1/%s HTTP/1.1\r\nHost: localhost\r\n\r\n",
			method, call);
	say(sock, text);
}

static inline int status_of(const char *answer)
{
	int status = 0;

	cr_assert_eq(sscanf(answer, "HTTP/1.1 %d", &status), 1, "%s", answer);
	return status;
}

/* PUT, or GET where that is the call's; the status of the answer, which is in heard. */
static inline int call(int sock, const char *name, const char *body)
{
	bool get = strcmp(name, "vmm.ping") == 0 || strcmp(name, "vm.info") == 0 ||
		strcmp(name, "vm.counters") == 0;

	request(sock, get ? "GET" : "PUT", name, body);
	return status_of(hear(sock));
}

static inline const char *body_of_answer(void)
{
	return strstr(heard, "\r\n\r\n") + 4;
}

#define EXPECT_CALL(sock, name, body, expected)                                                    \
	do {                                                                                       \
		int is_ = call(sock, name, body);                                                  \
		cr_assert_eq(is_, expected, "%s: %d\n%s", name, is_, heard);                       \
	} while (0)

#define CONFIG "{\"payload\":{\"kernel\":\"/k\"},\"serial\":{\"mode\":\"Tty\"}," \
	"\"console\":{\"mode\":\"Off\"}}"

enum test_state { IN_NOTHING, IN_CREATED, IN_RUNNING, IN_PAUSED, TEST_STATES };

/* Brings the VM there, from nothing. */
static inline void bring(int sock, enum test_state state)
{
	if (state >= IN_CREATED)
		EXPECT_CALL(sock, "vm.create", CONFIG, 204);
	if (state >= IN_RUNNING)
		EXPECT_CALL(sock, "vm.boot", NULL, 204);
	if (state == IN_PAUSED)
		EXPECT_CALL(sock, "vm.pause", NULL, 204);
}

/* ---- answers, to the byte ---- */

#define HEAD(status)                                                                               \
	"HTTP/1.1 " status " \r\nServer: Cloud Hypervisor API\r\nConnection: keep-alive\r\n"
#define JSON(status, length, body)                                                                 \
	HEAD(status) "Content-Type: application/json\r\nContent-Length: " length "\r\n\r\n" body
#define PING                                                                                       \
	JSON("200", "87", "{\"build_version\":\"v53.0-bulkhead-0.1.0\",\"version\":\"53.0\","      \
		"\"pid\":4242,\"features\":[\"kvm\"]}")
#define DONE HEAD("204") "\r\n"
#define ENDS JSON("200", "0", "")
#define BAD_REQUEST JSON("400", "15", "[\"Bad Request\"]")
#define BAD_EMPTY JSON("400", "0", "")
#define BAD_METHOD JSON("400", "49", "[\"Invalid HTTP Method: Unsupported HTTP method.\"]")
#define NOT_FOUND JSON("404", "13", "[\"Not Found\"]")
#define GET_PING "GET /api/v1/vmm.ping HTTP/1.1\r\n\r\n"

static inline void expect_answer(int sock, const char *answer)
{
	cr_assert_str_eq(hear(sock), answer);
}

/* What a request in one piece is answered with; the connection lives on. */
static inline void says(int sock, const char *text, const char *answer)
{
	say(sock, text);
	expect_answer(sock, answer);
}
