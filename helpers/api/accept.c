/* SPDX-License-Identifier: Apache-2.0
 *
 * Who may be connected. bulkhead-api.
 *
 * There are places for so many, and no user has all of them, nor have monitors. Who comes when his are
 * taken takes one from himself, and who comes when all are from whoever has most. SO_PEERCRED speaks of
 * our user namespace, in which the VM's user is the only one: all others are one user to us.
 */
#include <sys/socket.h>

#include "helpers/api/conn.h"

static bool idle(const struct conn *conn)
{
	return conn->phase == CONN_HEAD && !conn->http.head_len && !conn_owes(conn) &&
		conn->in_at == conn->in_len;
}

static bool same(const struct conn *conn, unsigned uid, bool monitor)
{
	return conn->phase != CONN_FREE && conn->uid == uid && conn->monitor == monitor;
}

static unsigned count(unsigned uid, bool monitor)
{
	unsigned n = 0;

	for (unsigned i = 0; i < CONNS_MAX; i++)
		n += same(&conns[i], uid, monitor);
	return n;
}

/* Who has most connections is who loses one: the one idle for longest, or else the slowest. */
static struct conn *victim(unsigned most, int64_t now)
{
	struct conn *found = NULL;

	for (unsigned i = 0; i < CONNS_MAX; i++) {
		struct conn *conn = &conns[i];
		bool slow = conn->phase != CONN_CALL && now - conn->active_ms >= SLOW_MS;

		if (conn->phase == CONN_FREE || count(conn->uid, conn->monitor) < most ||
			!(idle(conn) || slow))
			continue;
		if (!found || (idle(conn) && !idle(found)) ||
			(idle(conn) == idle(found) && conn->active_ms < found->active_ms))
			found = conn;
	}
	return found;
}

static struct conn *free_conn(unsigned uid, bool monitor, int64_t now)
{
	unsigned mine = count(uid, monitor), most = mine;
	struct conn *found = NULL, *loser;

	for (unsigned i = CONNS_MAX; i-- > 0;) { /* low ones first: their pages are there */
		if (conns[i].phase == CONN_FREE)
			found = &conns[i];
		else if (count(conns[i].uid, conns[i].monitor) > most)
			most = count(conns[i].uid, conns[i].monitor);
	}
	if (found && mine < CONNS_OF_ONE)
		return found;
	loser = victim(mine < CONNS_OF_ONE ? most : mine, now);
	if (loser)
		conn_hang_up(loser);
	return loser;
}

void conn_accept(int listener, bool monitor, int64_t now)
{
	static const char full[] = "HTTP/1.1 503 \r\nServer: Cloud Hypervisor API\r\n"
		"Connection: close\r\nContent-Type: application/json\r\nContent-Length: 29\r\n\r\n"
		"[\"Too many open connections\"]";
	struct ucred peer = {.uid = ~0u};
	socklen_t len = sizeof(peer);
	struct conn *conn;
	fd_owned sock = {accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)};

	if (sock.n < 0)
		return;
	getsockopt(sock.n, SOL_SOCKET, SO_PEERCRED, &peer, &len);
	conn = free_conn(peer.uid, monitor, now);
	if (!conn) {
		struct iovec iov = {(void *)(uintptr_t)full, sizeof(full) - 1};

		sendmsg(sock.n, &(struct msghdr){.msg_iov = &iov, .msg_iovlen = 1},
			MSG_NOSIGNAL | MSG_DONTWAIT);
		return;
	}
	conn->sock = fd_take(&sock);
	conn->uid = peer.uid;
	conn->monitor = monitor;
	conn->eof = false;
	conn->in_at = conn->in_len = 0;
	conn->answer.at = conn->answer.end = 0;
	conn->answer.close = false;
	conn->active_ms = now;
	conn_begin(conn);
}
