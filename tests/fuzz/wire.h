/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel's side of a SOCK_SEQPACKET socket, in memory: sendmsg(2), recvmsg(2) and ppoll(2) for
 * the fuzz targets, so that all of ipc/ is the real one and an execution costs no system call.
 *
 * The peer is the input. Its next packet is asked for when somebody waits for one: wire.next puts
 * packets, or says that there are no more; then a wait with a deadline times out and one without
 * finds that the peer has hung up. Descriptors are real ones, and every one of them has to be
 * closed again.
 */
#pragma once

#include "tests/fuzz/fuzz.h"

extern struct wire {
	bool (*next)(void); /* false: the peer says no more */
	int send_error;     /* errno of the next sendmsg, 0: it works */
	unsigned sent;      /* packets that went out */
} wire;

/* Drops what is queued. */
void wire_begin(bool (*next)(void));

/* Queues a packet that the input describes, on this socket:
 *
 *   flags   bits 0-2: descriptors; 0x08: begins with field seq = seq; 0x10: a control message of
 *           another kind comes first; 0x20: longer than any packet may be; 0x40: two bytes say
 *           the length; 0x80: the end comes again and again
 *   length  of the bytes
 *   kinds   a byte a descriptor: enum fd_kind, or something that is none of them
 *   end     with 0x80: a byte, how many bytes of the end, and two, how often
 *   bytes
 */
void wire_put(struct input *in, int sock, uint32_t seq);

/* A descriptor that enum fd_kind, or 0, describes; the caller's to close. */
int wire_fd(unsigned kind);

/* No descriptor may be open that wire_begin did not find. */
void wire_end(void);
