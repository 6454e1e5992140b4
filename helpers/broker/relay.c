/* SPDX-License-Identifier: Apache-2.0
 *
 * Log lines of helpers, to the operator. Broker process.
 *
 * A helper is not trusted to write to a terminal: a packet is one line, cut to length, everything
 * but printable ASCII replaced, its origin put in front by us, and rationed.
 */
#include <errno.h>
#include <stdio.h>

#include "helpers/broker/broker.h"

enum { LINE_MAX_BYTES = 600, BURST = 100, PACKETS_A_CALL = 64 /* the others' turn comes too */ };

static void put_line(const struct device *device, const char *text, size_t len)
{
	char line[LINE_MAX_BYTES + 2 * NAME_MAX_BYTES];
	int n = snprintf(line, sizeof(line), "bulkhead-%s[%s]: ",
		word_kind_name(device->kind), device->name);
	size_t at = (size_t)n;

	if (n < 0 || at >= sizeof(line) - 1)
		return;
	for (size_t i = 0; i < len && at < sizeof(line) - 1; i++)
		line[at++] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
	line[at++] = '\n';
	log_put(line, at);
}

void relay_lines(struct device *device)
{
	static struct frame frame;
	int r = 0;

	device->lines.burst = BURST;
	for (unsigned i = 0; i < PACKETS_A_CALL && r == 0; i++) {
		unsigned long dropped = device->lines.dropped;
		char note[64];
		int n;

		r = frame_recv(device->log.n, &frame, &(int){0});
		if (r < 0)
			break;
		frame_done(&frame);
		if (frame.data[frame.len - 1] == '\n')
			frame.len--;
		if (!log_allowed(&device->lines))
			continue;
		if (dropped) {
			n = snprintf(note, sizeof(note), "warning: %lu lines dropped", dropped);
			put_line(device, note, (size_t)n);
			device->lines.dropped = 0;
		}
		put_line(device, (const char *)frame.data,
			frame.len < LINE_MAX_BYTES ? frame.len : LINE_MAX_BYTES);
	}
	if (r < 0 && r != -ETIMEDOUT)
		fd_close(&device->log);
}
