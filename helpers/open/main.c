/* SPDX-License-Identifier: Apache-2.0
 *
 * The opener's life. Opener process, one thread.
 *
 *   1. argv                 needs: the words of birth.h, and behind them the operator's own
 *   2. processes            started by the launcher's hand while we look at the host
 *   3. files, devices       opened with the operator's rights; what is refused ends us, and all
 *   4. the end              core and broker have everything; who of them has ended ends us, too
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "helpers/host/memory.h"
#include "helpers/host/posted.h"
#include "helpers/open/open.h"
#include "ipc/log.h"
#include "seccomp/birth.h"

enum { DEAL_MS = 10000 };

static int ask_start(enum word_kind kind, unsigned slot, uint32_t generation, uint64_t ram,
	struct err *err)
{
	const struct word word = {.op = WORD_START, .kind = (uint8_t)kind, .slot = (uint8_t)slot,
		.generation = generation, .value = (int32_t)(ram >> 20)};
	int r = word_send(BIRTH_FD_WORDS, &word, NULL, 0);

	return r < 0 ? err_set(err, r, BLAME_PEER, "launcher: %s", strerror(-r)) : 0;
}

/* All of the VM's at once: they put up their walls while we open what they are to get. */
static int start_processes(struct opening *opening, struct err *err)
{
	const struct opts *opts = &opening->opts;
	int r = ask_start(KIND_CORE, 0, opening->generation, opts->ram.size, err);

	if (r == 0 && opts->n_devices)
		r = ask_start(KIND_BROKER, 0, opening->generation, opts->ram.size, err);
	for (unsigned i = 0; i < opts->n_devices && r == 0; i++)
		r = ask_start(opts->devices[i].kind, i, opening->generation, opts->ram.size, err);
	return r;
}

static void take_deal(struct opening *opening, struct word_msg *msg)
{
	if (msg->word.op != WORD_DEAL || msg->word.generation != opening->generation)
		return;
	if (msg->word.kind == KIND_CORE && !chan_is_open(&opening->core))
		chan_init(&opening->core, fd_take(&msg->fds[0]), ACTOR_OPENER, ACTOR_CORE, "core");
	if (msg->word.kind == KIND_BROKER && !chan_is_open(&opening->broker))
		chan_init(&opening->broker, fd_take(&msg->fds[0]), ACTOR_OPENER, ACTOR_BROKER,
			"broker");
}

static bool has_channels(const struct opening *opening)
{
	return chan_is_open(&opening->core) &&
		(!opening->opts.n_devices || chan_is_open(&opening->broker));
}

static int wait_for_channels(struct opening *opening, struct err *err)
{
	struct pollfd words = {.fd = BIRTH_FD_WORDS, .events = POLLIN};
	const int64_t until = now_ms() + DEAL_MS;
	struct word_msg msg;
	int r = 0;

	while (r == 0 && !has_channels(opening)) {
		const int64_t left = until - now_ms();

		if (left <= 0)
			return err_set(err, -ETIMEDOUT, BLAME_PEER, "launcher: it starts nothing");
		if (poll(&words, 1, (int)left) < 0 && errno != EINTR)
			return err_set(err, -errno, BLAME_BUG, "poll: %s", strerror(errno));
		r = word_recv(BIRTH_FD_WORDS, WORDS_LAUNCHER, WORDS_OPENER, &msg);
		if (r == 0) {
			take_deal(opening, &msg);
			word_done(&msg);
		}
		r = r == -EAGAIN ? 0 : r;
	}
	return r < 0 ? err_set(err, r, BLAME_PEER, "launcher: %s", strerror(-r)) : 0;
}

static int open_vm(struct opening *opening, struct err *err)
{
	int r = start_processes(opening, err);

	if (r == 0)
		r = files_open(opening, err);
	if (r == 0)
		r = memory_check(opening->root.n, &opening->opts.ram, err);
	if (r == 0)
		r = wait_for_channels(opening, err);
	if (r == 0)
		r = tell_config(opening, err);
	if (r < 0)
		return r;
	memory_say(opening->root.n, &opening->opts.ram);
	posted_say(opening->root.n, cpus_max_apic_id(&opening->opts.cpus));
	r = check_devices(opening, err);
	if (r == 0)
		r = ways_open(opening, err);
	if (r == 0)
		r = tell_devices(opening, err);
	return r < 0 ? r : tell_go(opening, err);
}

static void begin(struct opening *opening)
{
	*opening = (struct opening){.root = FD_NONE_INIT, .iommufd = FD_NONE_INIT,
		.container = FD_NONE_INIT, .core.sock = FD_NONE_INIT, .broker.sock = FD_NONE_INIT,
		.files = {FD_NONE_INIT, FD_NONE_INIT, FD_NONE_INIT, FD_NONE_INIT, FD_NONE_INIT},
		.generation = 1};
	for (unsigned i = 0; i < VM_SLOTS; i++)
		opening->devices[i] = (struct wanted){.group = -1, .node = FD_NONE_INIT,
			.watch = FD_NONE_INIT, .rom = FD_NONE_INIT};
}

int main(int argc, char **argv)
{
	static struct opening opening;
	struct err err = {0};
	struct birth birth;
	int r;

	log_init("bulkhead-open", LOG_WARN, BIRTH_FD_LOG);
	begin(&opening);
	r = birth_read(argc < BIRTH_WORDS ? argc : BIRTH_WORDS, argv, &birth, &err);
	/* It is the user's own words that are looked at here. */
	log_init("bulkhead", birth.level, BIRTH_FD_LOG);
	if (r == 0)
		r = confine_with_parent(getppid(), &err);
	if (r == 0)
		r = opts_parse(argc - BIRTH_WORDS + 1, argv + BIRTH_WORDS - 1, &opening.opts, &err);
	if (r == 0) {
		opening.root.n = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (opening.root.n < 0)
			r = err_set(&err, -errno, BLAME_HOST, "/: %s", strerror(errno));
	}
	if (r == 0)
		r = open_vm(&opening, &err);
	if (r < 0 && err.msg[0])
		log_error("%s", err.msg);
	return r < 0;
}
