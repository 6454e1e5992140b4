/* SPDX-License-Identifier: Apache-2.0
 *
 * Output of a serial port, one write(2) a byte.
 *
 * Core process, whichever thread has the port's lock. A file is appended to (O_APPEND), so who
 * rotates it by copying and truncating (logrotate's copytruncate) leaves no hole. A limit holds for
 * the file, whoever wrote it: at the limit a line says so, and what the guest prints is dropped until
 * the file has been truncated; then a line says how much is missing. That is seen within a second of
 * the guest's next byte, without anybody telling us: a sealed core can neither rename nor open.
 */
#include "vmm/platform/serial_out.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ipc/frame.h"

enum { PATIENCE_MS = 50, LOOK_MS = 1000, WORDS_MAX = 128 };

static const char full_mark[] =
	"\n[bulkhead: size= is reached: what follows is dropped until this file is truncated]\n";

/* A reader that is only slow, a terminal over a network, is given a moment; one that is gone costs
 * the guest that moment once. */
static void put(struct serial_out *out, const void *bytes, size_t len)
{
	const struct timespec patience = {.tv_nsec = out->stalled ? 0 : PATIENCE_MS * 1000000L};
	struct pollfd p = {.fd = out->fd, .events = POLLOUT};
	ssize_t n;

	/* Asked first, as not every descriptor could be made non-blocking. */
	out->stalled = ppoll(&p, 1, &patience, NULL) == 0;
	if (out->stalled)
		return;
	n = write(out->fd, bytes, len);
	if (n < 0)
		out->stalled = errno == EAGAIN;
	else
		out->size += (uint64_t)n;
}

/* Not fstat(3): that is newfstatat(2) in glibc 2.33-2.38, which takes paths. */
static void look(struct serial_out *out)
{
	struct stat st;

	out->looked_ms = now_ms();
	if (syscall(SYS_fstat, out->fd, &st) == 0)
		out->size = (uint64_t)st.st_size;
}

/* For a byte, and for the line that says there is no more. */
static bool has_room(const struct serial_out *out)
{
	return !out->limit || out->size + sizeof(full_mark) <= out->limit;
}

/* A file somebody has truncated meanwhile goes on. */
static bool room_again(struct serial_out *out)
{
	char words[WORDS_MAX];
	int n;

	if (out->full && now_ms() - out->looked_ms < LOOK_MS)
		return false;
	look(out);
	if (!has_room(out)) {
		/* One that was full when we got it has the line. */
		if (!out->full && out->size + sizeof(full_mark) - 1 <= out->limit)
			put(out, full_mark, sizeof(full_mark) - 1);
		out->full = true;
		return false;
	}
	if (out->full) {
		n = snprintf(words, sizeof(words), "[bulkhead: %llu bytes were dropped before this]\n",
			(unsigned long long)out->dropped);
		put(out, words, (size_t)n);
	}
	out->full = false;
	out->dropped = 0;
	return true;
}

void serial_out_limit(struct serial_out *out, uint64_t limit)
{
	out->limit = limit;
	look(out);
}

void serial_out_byte(struct serial_out *out, uint8_t byte)
{
	if (out->fd < 0)
		return;
	if (has_room(out) || room_again(out))
		put(out, &byte, 1);
	else
		out->dropped++;
}
