/* SPDX-License-Identifier: Apache-2.0
 *
 * What the core is told: by the opener, what the VM is made of; by the launcher, which channels there
 * are, who has ended, and what the operator wants. Core process, main thread.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/core.h"

static void fail(struct core *core, const struct err *err)
{
	if (!core->failed.code)
		core->failed = *err;
}

/* ---- the launcher ---------------------------------------------------------------------------- */

static void take_word(struct core *core, struct word_msg *msg)
{
	struct err err = {0};
	char signal[16];

	if (msg->word.value)
		snprintf(signal, sizeof(signal), "signal %d", msg->word.value);
	else
		strcpy(signal, "the API");
	switch (msg->word.op) {
	case WORD_DEAL:
		if (msg->word.kind == KIND_API)
			operate_dealt(&core->operate, fd_take(&msg->fds[0]));
		else if (devices_dealt(&core->devices, msg, &err) < 0)
			fail(core, &err);
		break;
	case WORD_ENDED: devices_ended(&core->devices, &msg->word); break;
	case WORD_COUNTS: vcpus_log_counts(&core->vm, LOG_SAY); break;
	case WORD_CONSOLE: console_is_ours(&core->console, msg->word.value); break;
	case WORD_POWER: shutdown_ask(&core->shutdown, signal); break;
	case WORD_CUT_OFF: shutdown_now(&core->shutdown, signal); break;
	}
}

void orders_launcher(struct core *core)
{
	struct word_msg msg;
	struct err err = {0};
	int r;

	while ((r = word_recv(core->words, WORDS_LAUNCHER, WORDS_CORE, &msg)) == 0) {
		/* What is for the guest comes once there is one. */
		if (core->runs || msg.word.op == WORD_DEAL || msg.word.op == WORD_ENDED)
			take_word(core, &msg);
		word_done(&msg);
	}
	if (r == -EAGAIN)
		return;
	core->words = -1; /* which ends us as well, if the kernel has not by then */
	err_set(&err, r, BLAME_PEER, "launcher: %s", r == -EPIPE ? "it is gone" : strerror(-r));
	fail(core, &err);
	if (core->runs)
		shutdown_now(&core->shutdown, err.msg);
}

/* ---- the opener ------------------------------------------------------------------------------ */

static int take_order(struct core *core, struct msg *msg, struct err *err)
{
	switch (msg->packet->body_case) {
	case BULKHEAD__PACKET__BODY_CORE_CONFIG: return config_take(&core->config, msg, err);
	case BULKHEAD__PACKET__BODY_CORE_CONSOLE:
		return config_take_console(&core->config, msg, err);
	case BULKHEAD__PACKET__BODY_CORE_DEVICE: return devices_told(&core->devices, msg, err);
	default:
		core->devices.told_all = true;
		core->devices.expected = msg->packet->core_go->devices;
		return 0;
	}
}

/* An opener that hangs up has said everything; before that it has ended, and said why: then we say
 * nothing. */
void orders_opener(struct core *core)
{
	struct msg msg;
	int r = 0;

	while (chan_is_open(&core->opener) && r == 0) {
		struct err err = {0};

		r = chan_recv(&core->opener, &msg, 0, &err);
		if (r == 0) {
			r = take_order(core, &msg, &err);
			msg_done(&msg);
		} else if (r == -ETIMEDOUT) {
			return;
		} else if (r == -EPIPE && core->devices.told_all) {
			chan_close(&core->opener);
			return;
		} else if (r == -EPIPE) {
			err.msg[0] = '\0';
		}
		if (r < 0)
			fail(core, &err);
	}
	if (r < 0)
		chan_close(&core->opener);
}
