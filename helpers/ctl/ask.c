/* SPDX-License-Identifier: Apache-2.0
 *
 * One request, one answer (RFC 9112), over a Unix socket. bulkhead-ctl.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "helpers/api/calls.h"
#include "helpers/ctl/ctl.h"
#include "ipc/fd.h"

static int connect_to(const char *path, struct fd *ret, struct err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(address.sun_path))
		return err_set(err, -ENAMETOOLONG, BLAME_HOST, "%s: longer than a socket's path may be; "
			"go to its folder and give its name", path);
	strcpy(address.sun_path, path);
	*ret = (struct fd){socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	if (ret->n < 0 || connect(ret->n, (struct sockaddr *)&address, sizeof(address)) < 0)
		return err_set(err, -errno, BLAME_HOST, "%s: %s; is it what a VM that runs was given as "
			"--api-socket?", path, strerror(errno));
	return 0;
}

static int send_all(int sock, const char *bytes, size_t len, struct err *err)
{
	while (len) {
		ssize_t n = send(sock, bytes, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EPIPE) /* there is an answer to what was sent */
			return 0;
		if (n < 0)
			return err_set(err, -errno, BLAME_HOST, "sending: %s", strerror(errno));
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

static int send_request(int sock, const char *method, const char *call, const char *body, size_t len,
	struct err *err)
{
	char head[256], length[48] = "";
	int n, r;

	if (body)
		snprintf(length, sizeof(length), "Content-Length: %zu\r\n", len);
	n = snprintf(head, sizeof(head), "%s " CALL_ROOT "%s HTTP/1.1\r\nHost: localhost\r\n"
		"User-Agent: bulkhead-ctl\r\nConnection: close\r\n%s\r\n", method, call, length);
	r = send_all(sock, head, (size_t)n, err);
	return r == 0 && body ? send_all(sock, body, len, err) : r;
}

/* All there is until the other side closes: it was asked to. */
static int receive_all(int sock, char *to, size_t size, size_t *ret, struct err *err)
{
	size_t len = 0;
	ssize_t n;

	while ((n = recv(sock, to + len, size - len, 0)) > 0)
		len += (size_t)n;
	if (n < 0 && !(errno == ECONNRESET && len))
		return err_set(err, -errno, BLAME_HOST, "the answer: %s", strerror(errno));
	if (len == size)
		return err_set(err, -EMSGSIZE, BLAME_HOST, "the answer: longer than %zu bytes", size);
	to[len] = '\0';
	*ret = len;
	return 0;
}

int ask(const char *socket, const char *method, const char *call, const char *body, size_t len,
	struct reply *ret, struct err *err)
{
	static char answer[REPLY_MAX];
	fd_owned sock = FD_NONE_INIT;
	const char *rest;
	size_t n = 0;
	int r = connect_to(socket, &sock, err);

	if (r == 0)
		r = send_request(sock.n, method, call, body, len, err);
	if (r == 0)
		r = receive_all(sock.n, answer, sizeof(answer), &n, err);
	if (r < 0)
		return r;
	rest = strstr(answer, "\r\n\r\n");
	if (!rest || sscanf(answer, "HTTP/1.1 %d", &ret->status) != 1)
		return err_set(err, -EBADMSG, BLAME_PEER, "%s: no answer, or none that is HTTP; is it a "
			"VM's API socket?", socket);
	rest += 4;
	ret->len = n - (size_t)(rest - answer);
	memcpy(ret->body, rest, ret->len + 1);
	return 0;
}
