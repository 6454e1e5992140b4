/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets and the descriptors that ride with them: unix(7), SCM_RIGHTS on SOCK_SEQPACKET.
 *
 * Every process. Two things the kernel does that a receiver must expect, and frame_recv does:
 * descriptors that fit are installed even when the control message is reported as truncated, and
 * the padding of a control buffer can hold one descriptor more than it was sized for. So every
 * descriptor is counted from cmsg_len, and closed again when anything about the packet is wrong.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "ipc/frame.h"

enum { SLICE_MS = 100, POLL_SLICE_MS = 1000 }; /* the longest single wait, where there is a deadline */

union control {
	char buf[CMSG_SPACE(FRAME_FDS * sizeof(int))];
	struct cmsghdr align;
};

int poll_ms(struct pollfd *polls, unsigned n, int64_t ms)
{
	const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	return ppoll(polls, n, ms < 0 ? NULL : &time, NULL);
}

int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int poll_slice(struct pollfd *polls, unsigned n, int64_t ms, int64_t *ret_lost)
{
	const int64_t before = now_ms(), slice = ms > POLL_SLICE_MS ? POLL_SLICE_MS : ms;
	const int r = poll_ms(polls, n, slice);
	const int64_t lost = now_ms() - before - slice;

	*ret_lost = slice >= 0 && lost > 0 ? lost : 0;
	return r;
}

int frame_pair(struct fd *ret_a, struct fd *ret_b)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	*ret_a = (struct fd){pair[0]};
	*ret_b = (struct fd){pair[1]};
	return 0;
}

int frame_refuse_fds(int sock)
{
	enum { PASSRIGHTS = 83 }; /* asm-generic/socket.h, SO_PASSRIGHTS */
	const int off = 0;

	return setsockopt(sock, SOL_SOCKET, PASSRIGHTS, &off, sizeof(off)) < 0 ? -errno : 0;
}

/* Waits for events, and takes the time off *left_ms. A wait that took longer than it was asked to was
 * taken from us: this process, and more likely than not its peer, was stopped, frozen or without a
 * processor. It counts as what it was asked to be, and the peer is looked at once more before it is
 * late. ppoll and not poll, so that every policy needs the one system call only. */
static int wait_for(int sock, short events, int *left_ms)
{
	struct pollfd poll_fd = {.fd = sock, .events = events};
	bool last_look = *left_ms <= 0;
	int64_t mark = now_ms();

	while (*left_ms > 0 || !last_look) {
		int slice = *left_ms > 0 && *left_ms < SLICE_MS ? *left_ms : SLICE_MS;
		const struct timespec time = {.tv_nsec = slice * 1000000l};
		const int64_t before = mark;
		int n, spent;

		last_look = *left_ms <= 0;
		n = ppoll(&poll_fd, 1, &time, NULL);
		if (n < 0 && errno != EINTR)
			return -errno;
		mark = now_ms();
		spent = n == 0 || mark - before > slice ? slice : (int)(mark - before);
		*left_ms -= spent < *left_ms ? spent : *left_ms;
		if (n > 0)
			return 0;
	}
	return -ETIMEDOUT;
}

int frame_send(int sock, const void *data, size_t len, const int *fds, unsigned n_fds,
	int *left_ms)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	union control control = {0};
	int r;

	if (len == 0 || len > FRAME_MAX || n_fds > FRAME_FDS)
		return -EMSGSIZE;
	if (n_fds) {
		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(&control.align), fds, n_fds * sizeof(int));
	}
	for (;;) {
		if (sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			return 0;
		if (errno == EINTR)
			continue;
		if (errno == ECONNRESET)
			return -EPIPE;
		if (errno != EAGAIN)
			return -errno;
		r = wait_for(sock, POLLOUT, left_ms);
		if (r < 0)
			return r;
	}
}

/* Collects every descriptor of every control message into *frame. 0, or -EBADMSG when there is
 * something besides, or more, than a frame may carry; all that arrived is then in the frame or
 * closed. */
static int take_control(struct msghdr *msg, struct frame *frame)
{
	struct cmsghdr *cmsg;
	int r = 0;

	for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS ||
			cmsg->cmsg_len < CMSG_LEN(sizeof(int))) {
			r = -EBADMSG;
			continue;
		}
		for (size_t at = CMSG_LEN(0); at + sizeof(int) <= cmsg->cmsg_len;
			at += sizeof(int)) {
			struct fd fd;

			memcpy(&fd.n, (char *)cmsg + at, sizeof(int));
			if (frame->n_fds < FRAME_FDS) {
				frame->fds[frame->n_fds++] = fd;
				continue;
			}
			fd_close(&fd);
			r = -EBADMSG;
		}
	}
	return r;
}

int frame_recv(int sock, struct frame *frame, int *left_ms)
{
	struct iovec iov = {.iov_base = frame->data, .iov_len = sizeof(frame->data)};
	union control control;
	struct msghdr msg;
	bool reset = false;
	ssize_t n;
	int r;

	frame->n_fds = 0;
	frame->len = 0;
	for (;;) {
		msg = (struct msghdr){.msg_iov = &iov, .msg_iovlen = 1,
			.msg_control = control.buf, .msg_controllen = sizeof(control.buf)};
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
		if (n >= 0)
			break;
		if (errno == EINTR)
			continue;
		/* It hung up with something unread, which is told once, and before what it has sent
		 * (net/core/datagram.c, __skb_try_recv_datagram). */
		if (errno == ECONNRESET && !reset) {
			reset = true;
			continue;
		}
		if (errno == ECONNRESET)
			return -EPIPE;
		if (errno != EAGAIN)
			return -errno;
		r = wait_for(sock, POLLIN, left_ms);
		if (r < 0)
			return r;
	}
	r = take_control(&msg, frame);
	if (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		r = -EBADMSG;
	/* End of file looks like an empty packet; nobody here sends empty ones. */
	if (n == 0 && r == 0)
		r = frame->n_fds ? -EBADMSG : -EPIPE;
	if (r < 0) {
		frame_done(frame);
		return r;
	}
	frame->len = (size_t)n;
	return 0;
}

unsigned frame_done(struct frame *frame)
{
	unsigned closed = 0;

	for (unsigned i = 0; i < frame->n_fds; i++) {
		closed += frame->fds[i].n >= 0;
		fd_close(&frame->fds[i]);
	}
	frame->n_fds = 0;
	return closed;
}
