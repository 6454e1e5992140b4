/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections of clients: accepting them, reading requests, writing answers. bulkhead-api.
 *
 * All memory is here, once. A connection has one request at a time: while it is in hand, or its
 * answer not sent, nothing more is read, so who floods waits for himself. Small bodies have a buffer
 * each; there is one for large ones, which its holder loses when he is slow.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "helpers/api/answer.h"
#include "helpers/api/http.h"
#include "ipc/config.h"
#include "ipc/fd.h"

enum {
	CONNS_MAX = 96, CONNS_OF_ONE = 64, /* of one user, and of his monitors */
	IN_MAX = 4096, SMALL_BODY_MAX = 16 << 10,
	REQUEST_FDS = 4, FDS_AT_ONCE = 253, /* SCM_MAX_FD */
	SLOW_MS = 10000, /* until who does not go on may be cut off for another */
};

enum conn_phase {
	CONN_FREE,
	CONN_HEAD, /* of a request, or none yet */
	CONN_BODY,
	CONN_SKIP, /* a body that was refused */
	CONN_CALL, /* in hand; until its answer is there */
};

/* A call in hand (serve.c, ops.c). */
enum request_stage {
	REQUEST_WAITS,   /* for its turn */
	REQUEST_ASKED,   /* opener or core, and it answers */
	REQUEST_HAPPENS, /* until the VM is as it is to be */
};

struct request {
	int call; /* enum call */
	enum request_stage stage;
	unsigned step;    /* of those that ask more than once; of a boot, vm.starts before it */
	uint64_t arrived; /* a count: who came first */
	int64_t due_ms;   /* of the stage; 0: the peer's own */
	char id[ID_MAX]; /* of the device it is about */
};

struct conn {
	enum conn_phase phase;
	struct fd sock; /* none: the client is gone, what he asked for goes on */
	unsigned uid;
	bool monitor;   /* came by the status socket */
	bool eof;
	int64_t active_ms;
	struct http http;
	size_t in_at, in_len;
	uint32_t skip;
	char *body; /* small, or the large one; NULL: waits for that */
	size_t body_len;
	struct fd fds[REQUEST_FDS];
	unsigned n_fds; /* may be one more than there is room for: too many came */
	struct request request;
	char in[IN_MAX], small[SMALL_BODY_MAX];
	struct answer answer;
};

extern struct conn conns[CONNS_MAX];

/* accept.c. One connection from the listener; the one that was idle longest may have to go for it. */
void conn_accept(int listener, bool monitor, int64_t now);

/* For a request that comes. What the one before has left is let go. */
void conn_begin(struct conn *conn);
/* A call in hand goes on without its client. */
void conn_hang_up(struct conn *conn);

/* Is there an answer, or a piece of it, that has not been sent? */
static inline bool conn_owes(const struct conn *conn)
{
	return conn->answer.at < conn->answer.end;
}

/* What the connection waits for: poll(2) events, 0: nothing. */
short conn_events(const struct conn *conn);
/* Has it bytes that can be looked at without waiting? */
bool conn_has_more(const struct conn *conn);

/* Reads and writes as far as it goes. True: a request is whole, and in hand from now on. */
bool conn_serve(struct conn *conn, short revents, int64_t now);

/* The answer is in conn->answer: the request is done, its body and descriptors are let go. */
void conn_answer(struct conn *conn);

/* Takes the descriptor that came with the request. */
struct fd conn_take_fd(struct conn *conn) __attribute__((warn_unused_result));

/* Cuts off who holds the large buffer and is slow; ms until that is, -1: nobody. */
int64_t conn_slow(int64_t now);

/* Does any? */
bool conn_unsent(void);
