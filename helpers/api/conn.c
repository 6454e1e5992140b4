/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections. bulkhead-api, its one thread; nothing here waits.
 *
 * Descriptors belong to the request whose bytes came with them, in whichever of its segments: of two
 * requests in one segment to the first. As all of them are the client's own, nobody else is harmed
 * where he meant the second.
 */
#include "helpers/api/conn.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "ipc/log.h"

struct conn conns[CONNS_MAX];

static struct {
	char bytes[HTTP_BODY_MAX];
	struct conn *holder;
	int64_t since_ms;
} large;

static void drop_fds(struct conn *conn)
{
	for (unsigned i = 0; i < conn->n_fds && i < REQUEST_FDS; i++)
		fd_close(&conn->fds[i]);
	conn->n_fds = 0;
}

void conn_begin(struct conn *conn)
{
	drop_fds(conn);
	if (large.holder == conn)
		large.holder = NULL;
	conn->body = NULL;
	conn->body_len = 0;
	http_begin(&conn->http);
	conn->phase = CONN_HEAD;
}

void conn_hang_up(struct conn *conn)
{
	fd_close(&conn->sock);
	if (conn->phase == CONN_CALL)
		return;
	conn_begin(conn);
	conn->answer.at = conn->answer.end = 0;
	conn->phase = CONN_FREE;
}

static bool waits_for_large(const struct conn *conn)
{
	return conn->phase == CONN_BODY && !conn->body;
}

/* ---- reading ---- */

static void take_fds(struct conn *conn, struct msghdr *msg)
{
	struct cmsghdr *cmsg;
	struct fd fd;

	for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = CMSG_LEN(0); at + sizeof(int) <= cmsg->cmsg_len; at += sizeof(int)) {
			memcpy(&fd.n, (char *)cmsg + at, sizeof(int));
			if (conn->n_fds < REQUEST_FDS) {
				conn->fds[conn->n_fds++] = fd;
				continue;
			}
			fd_close(&fd);
			conn->n_fds = REQUEST_FDS + 1;
		}
	}
	if (msg->msg_flags & MSG_CTRUNC)
		conn->n_fds = REQUEST_FDS + 1;
}

/* Without room for them, the kernel closes the descriptors that come. */
static ssize_t receive(struct conn *conn, char *to, size_t room, int64_t now)
{
	static union {
		char buf[CMSG_SPACE(FDS_AT_ONCE * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {to, room};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = conn->monitor ? NULL : control.buf,
		.msg_controllen = conn->monitor ? 0 : sizeof(control.buf)};
	ssize_t n = recvmsg(conn->sock.n, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? -1 : 0;
	if (!conn->monitor)
		take_fds(conn, &msg);
	conn->active_ms = now;
	return n;
}

/* Where bytes of a body go straight to, and how many it lacks. */
static char *body_room(struct conn *conn, size_t *ret_room)
{
	*ret_room = conn->http.body - conn->body_len;
	return conn->body + conn->body_len;
}

static bool wants_bytes(const struct conn *conn)
{
	return conn->sock.n >= 0 && !conn->eof && conn->in_at == conn->in_len && !conn_owes(conn) &&
		conn->phase != CONN_CALL && (conn->phase != CONN_BODY || conn->body);
}

static void read_more(struct conn *conn, int64_t now)
{
	char *to = conn->in;
	size_t room = IN_MAX;
	ssize_t n;

	if (conn->phase == CONN_BODY)
		to = body_room(conn, &room);
	n = receive(conn, to, room, now);
	conn->eof = n == 0;
	if (n <= 0)
		return;
	if (conn->phase == CONN_BODY) {
		conn->body_len += (size_t)n;
		return;
	}
	conn->in_at = 0;
	conn->in_len = (size_t)n;
}

/* A bad request whose end is known: it is answered at once, and its body skipped. A client that waits
 * to be asked for the body may never send it. */
static void refuse_head(struct conn *conn)
{
	const struct http *http = &conn->http;

	conn->answer.close = http->close || http->state == HTTP_LOST ||
		(http->expects_continue && http->body);
	conn->answer.phrase = false;
	answer_error(&conn->answer, 400, http->why);
	conn->skip = http->body;
	conn->phase = CONN_SKIP;
}

/* Who has waited longest gets it. */
static void hold_large(struct conn *conn, int64_t now)
{
	if (!waits_for_large(conn) || large.holder)
		return;
	for (unsigned i = 0; i < CONNS_MAX; i++)
		if (waits_for_large(&conns[i]) && conns[i].active_ms < conn->active_ms)
			return;
	conn->body = large.bytes;
	large.holder = conn;
	large.since_ms = now;
}

static void head_is_whole(struct conn *conn, int64_t now)
{
	if (conn->http.state == HTTP_LOST || conn->http.refused) {
		refuse_head(conn);
		return;
	}
	conn->phase = CONN_BODY;
	if (conn->http.body <= SMALL_BODY_MAX)
		conn->body = conn->small;
	hold_large(conn, now);
	conn->answer.close = false;
	if (conn->http.expects_continue && conn->http.body)
		answer_continue(&conn->answer);
}

/* One step with the bytes that are there. False: there is nothing to be done. */
static bool step(struct conn *conn, int64_t now)
{
	size_t left = conn->in_len - conn->in_at, room;
	char *to;

	switch (conn->phase) {
	case CONN_HEAD:
		if (!left)
			return false;
		conn->in_at += http_feed(&conn->http, conn->in + conn->in_at, left);
		if (conn->http.state != HTTP_READING)
			head_is_whole(conn, now);
		return true;
	case CONN_BODY:
		if (!conn->body)
			return false;
		to = body_room(conn, &room);
		room = room < left ? room : left;
		memcpy(to, conn->in + conn->in_at, room);
		conn->in_at += room;
		conn->body_len += room;
		if (conn->body_len == conn->http.body)
			conn->phase = CONN_CALL;
		return room || conn->phase == CONN_CALL;
	case CONN_SKIP:
		room = conn->skip < left ? conn->skip : left;
		conn->in_at += room;
		conn->skip -= (uint32_t)room;
		if (!conn->skip)
			conn_begin(conn);
		return room || conn->phase == CONN_HEAD;
	case CONN_FREE:
	case CONN_CALL: break;
	}
	return false;
}

/* ---- writing ---- */

static void send_answer(struct conn *conn, int64_t now)
{
	struct answer *answer = &conn->answer;
	struct iovec iov = {answer->bytes + answer->at, answer->end - answer->at};
	ssize_t n = sendmsg(conn->sock.n, &(struct msghdr){.msg_iov = &iov, .msg_iovlen = 1},
		MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		conn_hang_up(conn);
		return;
	}
	answer->at += (size_t)n;
	conn->active_ms = now;
	if (!conn_owes(conn) && answer->close)
		conn_hang_up(conn);
}

short conn_events(const struct conn *conn)
{
	if (conn->sock.n < 0)
		return 0;
	return conn_owes(conn) ? POLLOUT : wants_bytes(conn) ? POLLIN : 0;
}

bool conn_has_more(const struct conn *conn)
{
	if (conn->phase == CONN_FREE || conn->phase == CONN_CALL || conn_owes(conn))
		return false;
	return waits_for_large(conn) ? !large.holder : conn->in_at < conn->in_len;
}

bool conn_serve(struct conn *conn, short revents, int64_t now)
{
	if (conn->phase == CONN_FREE)
		return false;
	if (conn->phase == CONN_CALL) {
		if (revents & (POLLHUP | POLLERR))
			conn_hang_up(conn);
		return false;
	}
	if (conn_owes(conn))
		send_answer(conn, now);
	hold_large(conn, now);
	if ((revents & (POLLIN | POLLHUP | POLLERR)) && wants_bytes(conn))
		read_more(conn, now);
	while (conn->phase != CONN_FREE && !conn_owes(conn) && step(conn, now)) {
		if (conn->phase != CONN_CALL)
			continue;
		conn->answer.close = conn->http.close;
		conn->answer.phrase = conn->http.user_agent;
		return true;
	}
	if (conn->phase != CONN_FREE && conn_owes(conn))
		send_answer(conn, now);
	else if (conn->phase != CONN_FREE && conn->eof && !conn_has_more(conn))
		conn_hang_up(conn);
	return false;
}

void conn_answer(struct conn *conn)
{
	conn_begin(conn);
	if (conn->sock.n < 0)
		conn_hang_up(conn);
}

struct fd conn_take_fd(struct conn *conn)
{
	return conn->n_fds ? fd_take(&conn->fds[0]) : FD_NONE_INIT;
}

int64_t conn_slow(int64_t now)
{
	int64_t left = large.holder ? large.since_ms + SLOW_MS - now : -1;

	if (!large.holder || large.holder->phase == CONN_CALL)
		return -1;
	if (left > 0)
		return left;
	log_info("client of uid %u: a large body that does not come; cut off", large.holder->uid);
	conn_hang_up(large.holder);
	return 0;
}

bool conn_unsent(void)
{
	for (unsigned i = 0; i < CONNS_MAX; i++)
		if (conns[i].phase != CONN_FREE && conn_owes(&conns[i]))
			return true;
	return false;
}
