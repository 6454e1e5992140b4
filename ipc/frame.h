/* SPDX-License-Identifier: Apache-2.0
 *
 * One packet with its descriptors over a SOCK_SEQPACKET socket: the only sendmsg/recvmsg here.
 *
 * Every process, any thread that owns the socket. Nothing waits longer than it is told to:
 * *left_ms milliseconds, from which what was waited is taken. They are the peer's: time in which we
 * were ourselves stopped or frozen does not count. Whatever
 * is malformed (truncated data or control data, a control message of another kind, more
 * descriptors than FRAME_FDS) closes every descriptor that arrived and fails with -EBADMSG: the
 * kernel does install the ones that fit before it reports MSG_CTRUNC (unix(7)).
 */
#pragma once

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/fd.h"

enum {
	FRAME_MAX = 16 * 1024, /* bytes in one packet */
	FRAME_FDS = 4,         /* descriptors in one packet */
};

struct frame {
	uint8_t data[FRAME_MAX];
	size_t len;
	struct fd fds[FRAME_FDS]; /* owned by the frame until taken */
	unsigned n_fds;
};

/* Makes a connected pair, close-on-exec and non-blocking. 0 or -errno. */
int frame_pair(struct fd *ret_a, struct fd *ret_b);

/* The kernel lets no descriptor reach this end any more: who sends one gets EPERM. Before Linux 6.16
 * -ENOPROTOOPT. 0 or -errno. */
int frame_refuse_fds(int sock);

/* Sends len bytes and n_fds borrowed descriptors as one packet. Waits while the peer's queue is full:
 * -ETIMEDOUT. -EPIPE when the peer is gone. 0 or -errno. */
int frame_send(int sock, const void *data, size_t len, const int *fds, unsigned n_fds,
	int *left_ms);

/* Receives one packet. -ETIMEDOUT, -EPIPE (peer gone), -EBADMSG (malformed; everything received is
 * closed) or another -errno. On success *frame owns what arrived. */
int frame_recv(int sock, struct frame *frame, int *left_ms);

/* Closes the descriptors nobody took; returns how many there were. */
unsigned frame_done(struct frame *frame);

/* poll(2) under a filter: what poll itself goes on with after a stop, or a look by ptrace, is
 * restart_syscall(2), a call of its own; ppoll starts again. ms < 0: no bound. */
int poll_ms(struct pollfd *polls, unsigned n, int64_t ms);
/* The same for a second at most. *ret_lost: so many ms it took longer than it was to; everything stood
 * still, as a job that is stopped does, and that is not the time of whom we wait for. */
int poll_slice(struct pollfd *polls, unsigned n, int64_t ms, int64_t *ret_lost);

/* Milliseconds of CLOCK_MONOTONIC. */
int64_t now_ms(void);
