/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows that several policies share: what our own code in ipc/ and the C library need anywhere.
 */
#pragma once

#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#include "seccomp/policy.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* asm-generic/socket.h since 6.16 */
#endif

/* ipc/: packets, deadlines, log lines; and the way out. The flags keep out-of-band data, error
 * queues and the like away: parts of the kernel's sockets that nobody here has a use for. */
#define ROWS_WIRE                                                                                  \
	ALLOW(ppoll, "main loop and frame.c: the only way to wait"),                               \
		ALLOW_IF(recvmsg, 2, MSG_CMSG_CLOEXEC | MSG_DONTWAIT, "frame_recv"),               \
		ALLOW_IF(sendmsg, 2, MSG_NOSIGNAL | MSG_DONTWAIT, "frame_send"),                   \
		ALLOW(close, "fd_close"),                                                          \
		ALLOW_IF(clock_gettime, 0, CLOCK_MONOTONIC, "now_ms, where the vDSO has no clock"), \
		ALLOW(exit_group, "the end of main")

#define ROW_LOG                                                                                    \
	ALLOW_IF(write, 0, 2, "log_line: BIRTH_FD_LOG, and no device")

/* What building the next, smaller filter takes. */
#define ROWS_NEXT_FILTER                                                                           \
	ALLOW_IF(seccomp, 0, SECCOMP_SET_MODE_FILTER, "policy_enter: load the run policy"),        \
		ALLOW(brk, "malloc in libseccomp"),                                                \
		ALLOW_MASKED(mmap, 2, PROT_EXEC, 0, "malloc in libseccomp"),                       \
		ALLOW(munmap, "free in libseccomp"), ALLOW(mremap, "realloc in libseccomp")

#define ROW_REFUSE_FDS                                                                             \
	ALLOW_IF(setsockopt, 2, SO_PASSRIGHTS, "frame_refuse_fds")

/* Kinds of descriptors received: ipc/rules.c fd_kind_check. */
#define ROW_KIND_ANON                                                                              \
	ALLOW(fstatfs, "fd_kind_check: eventfd, VFIO device")
#define ROW_KIND_CHARDEV                                                                           \
	ALLOW(fstat, "fd_kind_check: VFIO group")
#define ROW_KIND_RAM                                                                               \
	ALLOW_IF(fcntl, 1, F_GET_SEALS, "fd_kind_check: guest RAM")
