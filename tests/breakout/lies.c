/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets nobody should believe: a helper's answers and events to the core, the broker's, and what a
 * vCPU thread asks of a helper.
 *
 * A packet is forged in the place of the honest one, with its number where the number is not the
 * lie, so that nothing but what is wrong with it can stop it. In the actor.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "helpers/helper.h"
#include "ipc/chan.h"
#include "ipc/describe.h"
#include "seccomp/birth.h"
#include "tests/breakout/lies.h"

enum { SCM_MOST = 253, SEQ_TAG = 0x08 };

/* What was about to be sent, and what takes its place. */
static struct {
	const uint8_t *data;
	size_t len;
	int sock;
	bool sent;
} honest;

static int first_sock = -1; /* of a vCPU thread: to device 1, which the guest arms first */
static int other_fd = -1; /* goes with the Description in place of the device */
struct describe_wire *forged_wire;

static long put(int sock, const void *data, size_t len, unsigned n_fds, int fd)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(SCM_MOST * sizeof(int))];
	} control = {{0}};
	struct iovec iov = {(void *)(uintptr_t)data, len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	int fds[SCM_MOST];

	if (n_fds) {
		for (unsigned i = 0; i < n_fds; i++)
			fds[i] = fd;
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(&control.align), fds, n_fds * sizeof(int));
	}
	return RAW(SYS_sendmsg, sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static long put_packet(int sock, const Bulkhead__Packet *packet, unsigned n_fds)
{
	static uint8_t buf[FRAME_MAX];

	return put(sock, buf, bulkhead__packet__pack(packet, buf), n_fds, BIRTH_FD_LOG);
}

static long answer(const void *data, size_t len, unsigned n_fds)
{
	long r = put(honest.sock, data, len, n_fds, BIRTH_FD_LOG);

	honest.sent = r >= 0; /* or the honest one goes */
	return r;
}

/* The first field is the number, a varint. */
static uint32_t honest_seq(void)
{
	uint32_t seq = 0;

	for (size_t i = 1, shift = 0; honest.data[0] == SEQ_TAG && i < honest.len; i++, shift += 7) {
		seq |= (uint32_t)(honest.data[i] & 0x7f) << shift;
		if (!(honest.data[i] & 0x80))
			break;
	}
	return seq;
}

static long answer_packet(Bulkhead__Packet *packet, uint32_t seq, unsigned n_fds)
{
	packet->seq = seq;
	honest.sent = true;
	return put_packet(honest.sock, packet, n_fds);
}

/* ---- the rules ------------------------------------------------------------------------------- */

/* The nearest there is to asking for an interrupt: a message only the core may send. */
long lie_not_ours(void)
{
	Bulkhead__KickArm body = BULKHEAD__KICK_ARM__INIT;

	return answer_packet(&PACKET(KICK_ARM, kick_arm, &body), honest_seq(), 0);
}

/* What only the broker may. */
long lie_open(void)
{
	Bulkhead__Open body = BULKHEAD__OPEN__INIT;

	return answer_packet(&PACKET(OPEN, open, &body), honest_seq(), 0);
}

long lie_other_answer(void)
{
	Bulkhead__Opened body = BULKHEAD__OPENED__INIT;

	return answer_packet(&PACKET(OPENED, opened, &body), honest_seq(), 0);
}

long lie_descriptor(void)
{
	return answer(honest.data, honest.len, 1);
}

/* The broker's is the same one. */
long lie_event_descriptor(void)
{
	Bulkhead__DeviceError error = BULKHEAD__DEVICE_ERROR__INIT;
	Bulkhead__Released released = BULKHEAD__RELEASED__INIT;

	released.slot = UINT32_MAX;
	if (page->actor == WHO_BROKER)
		return put_packet(HELPER_FD_EVENT, &PACKET(RELEASED, released, &released), 1);
	return put_packet(HELPER_FD_EVENT, &PACKET(DEVICE_ERROR, device_error, &error), 1);
}

/* The broker says that a device is closed which is not there. */
long lie_released_index(void)
{
	Bulkhead__Released released = BULKHEAD__RELEASED__INIT;

	released.slot = UINT32_MAX;
	return put_packet(HELPER_FD_EVENT, &PACKET(RELEASED, released, &released), 0);
}

/* ---- packets --------------------------------------------------------------------------------- */

long lie_descriptors_253(void)
{
	return answer(honest.data, honest.len, SCM_MOST);
}

static long bytes(const void *data, size_t len)
{
	if (honest.data)
		return answer(data, len, 0);
	return put(HELPER_FD_EVENT, data, len, 0, -1);
}

long lie_truncated(void)
{
	return bytes("\x08\xff\xff", 3);
}

/* Field 10, 2^31 - 1 bytes of it. */
long lie_length(void)
{
	return bytes("\x52\xff\xff\xff\xff\x07", 6);
}

/* Groups in groups. */
long lie_nested(void)
{
	static uint8_t deep[FRAME_MAX];

	memset(deep, 0x1b, sizeof(deep));
	return bytes(deep, sizeof(deep));
}

/* Done, and a field nobody knows. */
long lie_unknown(void)
{
	return bytes("\x52\x00\xf8\x3f\x01", 5);
}

long lie_empty(void)
{
	return bytes("", 0);
}

long lie_too_long(void)
{
	static uint8_t longer[FRAME_MAX + 1];

	memset(longer, 0x52, sizeof(longer));
	return bytes(longer, sizeof(longer));
}

/* ---- time ------------------------------------------------------------------------------------ */

long lie_number(void)
{
	Bulkhead__Value body = BULKHEAD__VALUE__INIT;

	return answer_packet(&PACKET(VALUE, value, &body), honest_seq() + 1, 0);
}

long lie_twice(void)
{
	answer(honest.data, honest.len, 0);
	return answer(honest.data, honest.len, 0);
}

long lie_silence(void)
{
	for (;;)
		RAW(SYS_ppoll, NULL, 0, NULL, NULL);
}

/* ---- where they take the honest packet's place ----------------------------------------------- */

void forge_descriptor(int fd)
{
	other_fd = fd;
}

/* Is it the channel that packets are forged on? */
static bool is_liars(int sock)
{
	if (!page || page->actor != WHO_VCPU)
		return sock == HELPER_FD_ASK;
	if (first_sock < 0 && is_actor())
		first_sock = sock;
	return sock == first_sock;
}

int __real_frame_send(int sock, const void *data, size_t len, const int *fds, unsigned n_fds,
	int *left_ms);
int __wrap_frame_send(int sock, const void *data, size_t len, const int *fds, unsigned n_fds,
	int *left_ms);
int __wrap_frame_send(int sock, const void *data, size_t len, const int *fds, unsigned n_fds,
	int *left_ms)
{
	if (is_liars(sock) && lie_due(STAGE_ANSWER)) {
		honest.data = data;
		honest.len = len;
		honest.sock = sock;
		lie_now();
		if (honest.sent)
			return 0;
	}
	if (sock == HELPER_FD_EVENT && other_fd >= 0) {
		fds = (const int[]){other_fd};
		n_fds = 1;
		other_fd = -1;
		return __real_frame_send(sock, data, len, fds, n_fds, left_ms);
	}
	return __real_frame_send(sock, data, len, fds, n_fds, left_ms);
}

void __real_describe_to_wire(const struct function_desc *desc, struct describe_wire *wire);
void __wrap_describe_to_wire(const struct function_desc *desc, struct describe_wire *wire);
void __wrap_describe_to_wire(const struct function_desc *desc, struct describe_wire *wire)
{
	__real_describe_to_wire(desc, wire);
	if (!lie_due(STAGE_DESCRIBE))
		return;
	forged_wire = wire;
	lie_now();
}
