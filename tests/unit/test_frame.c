/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets from a peer that means harm. Every test counts this process's descriptors before and
 * after: what arrives with a bad packet must be closed again.
 *
 * links: tests/census.c
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/frame.h"
#include "tests/census.h"

static struct fd near_end, far_end;
static struct frame frame;
static int before;

static void begin(void)
{
	cr_assert_eq(frame_pair(&near_end, &far_end), 0);
	before = census_fds(0);
}

static void end(void)
{
	cr_assert_eq(census_fds(0), before, "descriptors leaked");
	fd_close(&near_end);
	fd_close(&far_end);
}

TestSuite(frame, .init = begin, .fini = end, .timeout = 20);

/* Sends n copies of descriptor 0, with no manners; kind: control message type. */
static void send_raw(const void *data, size_t len, unsigned n, int kind)
{
	static int fds[300];
	static union {
		char buf[CMSG_SPACE(sizeof(fds))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (n) {
		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
		control.align = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = kind,
			.cmsg_len = CMSG_LEN(n * sizeof(int))};
		memset(fds, 0, sizeof(fds));
		memcpy(CMSG_DATA(&control.align), fds, n * sizeof(int));
	}
	cr_assert_eq(sendmsg(far_end.n, &msg, MSG_NOSIGNAL), (ssize_t)len, "%s", strerror(errno));
}

Test(frame, refused_descriptors_do_not_leave_the_sender)
{
	int r = frame_refuse_fds(near_end.n), fd = 0;

	if (r == -ENOPROTOOPT)
		cr_skip_test("SO_PASSRIGHTS: it needs Linux 6.16");
	cr_assert_eq(r, 0);
	cr_expect_eq(frame_send(far_end.n, "x", 1, &fd, 1, &(int){0}), -EPERM);
	cr_expect_eq(frame_recv(near_end.n, &frame, &(int){0}), -ETIMEDOUT);
	cr_assert_eq(frame_send(far_end.n, "y", 1, NULL, 0, &(int){0}), 0);
	cr_assert_eq(frame_recv(near_end.n, &frame, &(int){0}), 0);
	cr_expect(frame.len == 1 && frame.data[0] == 'y' && frame.n_fds == 0);
	/* The other way is still open. */
	cr_assert_eq(frame_send(near_end.n, "z", 1, &fd, 1, &(int){0}), 0);
	cr_assert_eq(frame_recv(far_end.n, &frame, &(int){0}), 0);
	cr_expect_eq(frame.n_fds, 1);
	frame_done(&frame);
}

Test(frame, bytes_and_descriptors_arrive)
{
	const int fds[] = {0, 1, 2, near_end.n};

	cr_assert_eq(frame_send(far_end.n, "hello", 5, fds, 4, &(int){100}), 0);
	cr_assert_eq(frame_recv(near_end.n, &frame, &(int){100}), 0);
	cr_assert_eq(frame.len, 5);
	cr_assert_eq(memcmp(frame.data, "hello", 5), 0);
	cr_assert_eq(frame.n_fds, 4);
	for (unsigned i = 0; i < 4; i++)
		cr_assert(fcntl(frame.fds[i].n, F_GETFD) & FD_CLOEXEC);
	cr_assert_eq(frame_done(&frame), 4);
}

Test(frame, one_descriptor_too_many)
{
	send_raw("x", 1, FRAME_FDS + 1, SCM_RIGHTS);
	cr_assert_eq(frame_recv(near_end.n, &frame, &(int){100}), -EBADMSG);
	cr_assert_eq(frame.n_fds, 0);
}

Test(frame, as_many_descriptors_as_the_kernel_takes)
{
	send_raw("x", 1, 253, SCM_RIGHTS);
	cr_assert_eq(frame_recv(near_end.n, &frame, &(int){100}), -EBADMSG);
}

/* Control buffers are padded: one sized for an odd number of descriptors would take one more. */
Test(frame, padding_hides_no_descriptor)
{
	for (unsigned n = 1; n <= FRAME_FDS; n++) {
		send_raw("x", 1, n, SCM_RIGHTS);
		cr_assert_eq(frame_recv(near_end.n, &frame, &(int){100}), 0);
		cr_assert_eq(frame.n_fds, n);
		cr_assert_eq(frame_done(&frame), n);
	}
}

Test(frame, no_room_for_descriptors)
{
	struct rlimit old, tight;

	getrlimit(RLIMIT_NOFILE, &old);
	send_raw("x", 1, 4, SCM_RIGHTS);
	tight = old;
	tight.rlim_cur = (rlim_t)dup(0) + 2; /* room for two of the four */
	close((int)tight.rlim_cur - 2);
	setrlimit(RLIMIT_NOFILE, &tight);
	cr_expect_eq(frame_recv(near_end.n, &frame, &(int){100}), -EBADMSG);
	setrlimit(RLIMIT_NOFILE, &old);
	cr_assert_eq(frame.n_fds, 0);
}

Test(frame, credentials_are_refused)
{
	struct ucred cred = {.pid = getpid(), .uid = getuid(), .gid = getgid()};
	union {
		char buf[CMSG_SPACE(sizeof(cred))];
		struct cmsghdr align;
	} control = {0};
	struct iovec iov = {.iov_base = (char[]){"x"}, .iov_len = 1};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf,
		.msg_controllen = sizeof(control.buf)};
	int on = 1;

	cr_assert_eq(setsockopt(near_end.n, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
	control.align = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_CREDENTIALS, .cmsg_len = CMSG_LEN(sizeof(cred))};
	memcpy(CMSG_DATA(&control.align), &cred, sizeof(cred));
	cr_assert_eq(sendmsg(far_end.n, &msg, 0), 1);
	cr_assert_eq(frame_recv(near_end.n, &frame, &(int){100}), -EBADMSG);
}

Test(frame, too_long_a_packet)
{
	static char big[FRAME_MAX + 1];

	send_raw(big, sizeof(big), 2, SCM_RIGHTS);
	cr_assert_eq(frame_recv(near_end.n, &frame, &(int){100}), -EBADMSG);
	send_raw(big, FRAME_MAX, 0, 0);
	cr_assert_eq(frame_recv(near_end.n, &frame, &(int){100}), 0, "the next one is unharmed");
	cr_assert_eq(frame.len, FRAME_MAX);
}

Test(frame, an_empty_packet_is_the_end)
{
	send_raw("", 0, 0, 0);
	cr_assert_eq(frame_recv(near_end.n, &frame, &(int){100}), -EPIPE);
	send_raw("", 0, 1, SCM_RIGHTS);
	cr_assert_eq(frame_recv(near_end.n, &frame, &(int){100}), -EBADMSG);
}

Test(frame, a_peer_that_is_gone)
{
	shutdown(far_end.n, SHUT_RDWR);
	cr_assert_eq(frame_recv(near_end.n, &frame, &(int){100}), -EPIPE);
	cr_assert_eq(frame_send(near_end.n, "x", 1, NULL, 0, &(int){100}), -EPIPE);
}

Test(frame, nothing_comes)
{
	int64_t start = now_ms();

	cr_assert_eq(frame_recv(near_end.n, &frame, &(int){0}), -ETIMEDOUT);
	cr_assert_eq(frame_recv(near_end.n, &frame, &(int){50}), -ETIMEDOUT);
	cr_assert_geq(now_ms() - start, 50);
	cr_assert_lt(now_ms() - start, 5000);
}

Test(frame, a_full_queue_times_out)
{
	static char block[FRAME_MAX];
	int r = 0;

	for (unsigned i = 0; i < 1000 && r == 0; i++)
		r = frame_send(far_end.n, block, sizeof(block), NULL, 0, &(int){20});
	cr_assert_eq(r, -ETIMEDOUT);
}

Test(frame, what_cannot_be_sent)
{
	static char big[FRAME_MAX + 1];
	const int fds[FRAME_FDS + 1] = {0};

	cr_assert_eq(frame_send(far_end.n, big, sizeof(big), NULL, 0, &(int){0}), -EMSGSIZE);
	cr_assert_eq(frame_send(far_end.n, "x", 1, fds, FRAME_FDS + 1, &(int){0}), -EMSGSIZE);
	cr_assert_eq(frame_send(far_end.n, "", 0, NULL, 0, &(int){0}), -EMSGSIZE);
	cr_assert_eq(frame_send(far_end.n, "x", 1, (const int[]){-1}, 1, &(int){0}), -EBADF);
}
