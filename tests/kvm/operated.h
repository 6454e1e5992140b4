/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests of a VM with an API: started, asked, ended.
 */
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include "tests/kvm/process.h"

static struct sockaddr_un at = {.sun_family = AF_UNIX};
static char answer[8192];

static inline void start_operated(const char *more)
{
	char options[512];

	snprintf(at.sun_path, sizeof(at.sun_path), "/tmp/bulkhead-operated-%d", getpid());
	unlink(at.sun_path);
	snprintf(options, sizeof(options), "--api-socket path=%s %s", at.sun_path, more);
	start(options, -1, 0);
	read_until(run.out_text, "!");
}

static inline void send_call(int sock, const char *method, const char *name, const char *body, int fd)
{
	static char text[4096];
	char control[CMSG_SPACE(sizeof(int))] = "";
	struct iovec iov = {text, (size_t)snprintf(text, sizeof(text), "%s /api/v1/%s HTTP/1.1\r\nHost: x\r\n"
		"Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", method, name, strlen(body), body)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd >= 0) {
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		*CMSG_FIRSTHDR(&msg) = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), &fd, sizeof(fd));
	}
	cr_assert(sendmsg(sock, &msg, MSG_NOSIGNAL) == (ssize_t)iov.iov_len);
}

/* Its status; the answer says what became of the call. fd: goes with it, -1: none does. */
static inline int call_with(const char *method, const char *name, const char *body, int fd)
{
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), status = 0;
	ssize_t n;

	cr_assert(sock >= 0 && connect(sock, (const struct sockaddr *)&at, sizeof(at)) == 0, "%s",
		strerror(errno));
	send_call(sock, method, name, body, fd);
	cr_assert(poll(&(struct pollfd){.fd = sock, .events = POLLIN}, 1, 2 * DEADLINE_MS) == 1,
		"%s: no answer", name);
	n = recv(sock, answer, sizeof(answer) - 1, 0);
	answer[n > 0 ? n : 0] = '\0';
	close(sock);
	cr_assert(sscanf(answer, "HTTP/1.1 %d", &status) == 1, "%s: «%s»", name, answer);
	return status;
}

static inline int call(const char *method, const char *name, const char *body)
{
	return call_with(method, name, body, -1);
}

/* It says so again. */
static inline void await_guest(void)
{
	run.out_len = 0;
	memset(run.out_text, 0, sizeof(run.out_text));
	read_until(run.out_text, "!");
}

static inline void end_operated(void)
{
	cr_expect_eq(call("PUT", "vmm.shutdown", ""), 200, "%s", answer);
	finish(0);
}
