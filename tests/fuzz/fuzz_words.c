/* SPDX-License-Identifier: Apache-2.0
 *
 * A hostile end of a birth socket: whatever it sends is a word its sender may say, or refused, and
 * no descriptor stays open.
 *
 * fuzzes: ipc/words.c ipc/frame.c
 * links: tests/fuzz/wire.c
 * max_len: 128
 */
#include "tests/fuzz/wire.h"

#include <errno.h>

#include "ipc/frame.h"
#include "ipc/operate.h"
#include "ipc/words.h"

enum { SOCK = 1000 };

static struct input in;

static bool next(void)
{
	if (!input_left(&in))
		return false;
	wire_put(&in, SOCK, 0);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum word_actor from, to;
	struct word_msg msg;
	int r = 0;

	in = input_of(data, size);
	from = (enum word_actor)(1 << take(&in, 1) % 6);
	to = (enum word_actor)(1 << take(&in, 1) % 6);
	wire_begin(next);
	while (r != -EPIPE) {
		if (!next())
			wire.next = NULL; /* hung up */
		r = word_recv(SOCK, from, to, &msg);
		require(r == 0 || r == -EBADMSG || r == -EPIPE);
		if (r < 0)
			continue;
		require(word_allowed(&msg.word, from, to, msg.n_fds));
		require(msg.word.kind < WORD_KINDS && msg.word.slot < VM_SLOTS);
		require(from == WORDS_LAUNCHER || to == WORDS_LAUNCHER);
		require((msg.word.op == WORD_DEAL) == (msg.n_fds > 0));
		word_done(&msg);
	}
	wire_end();
	return 0;
}
