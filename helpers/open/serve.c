/* SPDX-License-Identifier: Apache-2.0
 *
 * The opener's loop: the launcher's words, the api's asks, the child's report, and what is late.
 *
 * Opener process, one thread. Words come first: an ask of an api that has been started anew is heard on the
 * channel they bring.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "helpers/open/vm.h"
#include "ipc/log.h"

static int take_words(struct vm *vm, struct err *err)
{
	struct word_msg msg;
	int r;

	while ((r = word_recv(BIRTH_FD_WORDS, WORDS_LAUNCHER, WORDS_OPENER, &msg)) == 0) {
		life_word(vm, &msg);
		word_done(&msg);
	}
	return r == -EAGAIN ? 0 : err_set(err, r, BLAME_PEER, "launcher: %s", strerror(-r));
}

static int wait_for(struct vm *vm, struct pollfd *polls, unsigned n)
{
	int64_t lost;
	const int r = poll_slice(polls, n, life_due_ms(vm), &lost);

	vm->due += lost;
	return r;
}

static int wait_for_channels(struct vm *vm, struct err *err)
{
	struct pollfd words = {.fd = BIRTH_FD_WORDS, .events = POLLIN};
	int r = 0;

	while (r == 0 && !life_has_channels(vm)) {
		if (life_due_ms(vm) == 0)
			return err_set(err, -ETIMEDOUT, BLAME_PEER, "launcher: it starts nothing");
		if (wait_for(vm, &words, 1) < 0 && errno != EINTR)
			return err_set(err, -errno, BLAME_BUG, "poll: %s", strerror(errno));
		r = take_words(vm, err);
		if (r == 0 && vm->failed.code < 0) {
			*err = vm->failed;
			return err->code;
		}
	}
	return r;
}

/* All processes at once: they put up their walls while we open what they are to get. */
int serve_argv(struct vm *vm, struct err *err)
{
	int r = life_start(vm, err);

	if (r == 0)
		r = open_machine(vm->opening, err);
	if (r == 0)
		r = wait_for_channels(vm, err);
	if (r == 0)
		r = open_devices(vm->opening, err);
	vm->life = VM_LIFE_LIVE;
	vm->step = VM_IDLE;
	vm->due = 0;
	return r;
}

/* An api that broke a rule is hung up on, and ends by that; the launcher starts another. */
static void take_asks(struct vm *vm)
{
	struct err err = {0};

	if (asks_take(vm, &err) == 0)
		return;
	if (err.code != -EPIPE)
		log_error("%s", err.msg);
	answer_none(vm);
	chan_close(&vm->api);
	if (vm->api_quits)
		life_quit(vm, 0);
}

void serve_api(struct vm *vm)
{
	struct err err = {0};

	while (!vm->over) {
		struct pollfd polls[] = {{.fd = BIRTH_FD_WORDS, .events = POLLIN},
			{.fd = vm->api.sock.n, .events = POLLIN},
			{.fd = vm->report.n, .events = POLLIN}};

		if (wait_for(vm, polls, 3) < 0 && errno != EINTR)
			return;
		if (polls[0].revents && take_words(vm, &err) < 0)
			return; /* we end with who started us */
		if (polls[2].revents && vm->report.n >= 0)
			life_report(vm);
		if (polls[1].revents && chan_is_open(&vm->api))
			take_asks(vm);
		life_tick(vm);
	}
}
