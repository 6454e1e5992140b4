/* SPDX-License-Identifier: Apache-2.0
 *
 * The VM's life at API time: from its configuration to processes and back.
 *
 * Opener process, one thread. The launcher starts and reaps by our words; whatever it was that ended a
 * life, the next begins only when every process of this one has been reaped. A step that is late fails.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "helpers/open/vm.h"
#include "ipc/log.h"

enum {
	DEAL_MS = 30000,  /* for the launcher to clone; with what follows within API_BOOT's deadline */
	OPEN_MS = 60000,  /* for the child: with DEAL_MS within API_BOOT's deadline (ipc/rules.c) */
	END_MS = 110000,  /* for all processes of a life: devices close */
};

static int say(const struct word *word, struct err *err)
{
	int r = word_send(BIRTH_FD_WORDS, word, NULL, 0);

	return r < 0 ? err_set(err, r, BLAME_PEER, "launcher: %s", strerror(-r)) : 0;
}

static int start_process(struct vm *vm, enum word_kind kind, unsigned slot, uint32_t generation,
	struct err *err)
{
	const uint64_t ram = vm->opening->opts.ram.size;
	const struct word word = {.op = WORD_START, .kind = (uint8_t)kind, .slot = (uint8_t)slot,
		.generation = generation, .value = (int32_t)(ram >> 20)};
	int r = say(&word, err);

	vm->alive += r == 0;
	return r;
}

/* The lowest slot that no device has, not even one that leaves. */
static int place(struct vm *vm, struct wanted *device, struct err *err)
{
	const struct opening *opening = vm->opening;
	uint32_t taken = 0;

	for (unsigned i = 0; i < opening->n_devices; i++) {
		if (opening->devices[i].generation)
			taken |= 1u << opening->devices[i].slot;
	}
	if (!~(taken | ~0u << VM_SLOTS))
		return err_set(err, -ENOSPC, BLAME_HOST, "%s: all %d slots are taken; wait for a device that "
			"leaves", device->opt->id, VM_SLOTS);
	device->slot = (unsigned)__builtin_ctz(~taken);
	device->generation = ++vm->generations[device->slot];
	answer_placed(vm, device);
	return start_process(vm, device->opt->kind, device->slot, device->generation, err);
}

/* With an API there is one for devices to come, too. */
static bool has_broker(const struct opening *opening)
{
	return opening->opts.n_devices || opts_has_api(&opening->argv);
}

/* ---- a beginning ----------------------------------------------------------------------------- */

int life_start(struct vm *vm, struct err *err)
{
	struct opening *opening = vm->opening;
	const bool broker = has_broker(opening);
	int r;

	opening_reset(opening);
	vm->lives++;
	vm->step = VM_CHANNELS;
	vm->due = now_ms() + DEAL_MS;
	r = start_process(vm, KIND_CORE, 0, vm->lives, err);
	if (r == 0 && broker)
		r = start_process(vm, KIND_BROKER, 0, vm->lives, err);
	for (unsigned i = 0; i < opening->n_devices && r == 0; i++)
		r = place(vm, &opening->devices[i], err);
	return r;
}

bool life_has_channels(const struct vm *vm)
{
	const struct opening *opening = vm->opening;

	return chan_is_open(&opening->core) && (chan_is_open(&opening->broker) || !has_broker(opening));
}

static void fail(struct vm *vm, const struct err *err)
{
	vm->failed = *err;
	log_error("%s", err->msg);
	life_end(vm, VM_LIFE_CREATED, LIFE_CAUSE_FAILED);
}

static void take_deal(struct vm *vm, struct word_msg *msg)
{
	struct opening *opening = vm->opening;
	const enum word_kind kind = (enum word_kind)msg->word.kind;
	struct err err = {0};

	if (kind == KIND_API) {
		answer_none(vm);
		chan_close(&vm->api);
		chan_init(&vm->api, fd_take(&msg->fds[0]), ACTOR_OPENER, ACTOR_API, "api");
		return;
	}
	if (msg->word.generation != vm->lives || vm->step != VM_CHANNELS)
		return;
	if (kind == KIND_CORE && !chan_is_open(&opening->core))
		chan_init(&opening->core, fd_take(&msg->fds[0]), ACTOR_OPENER, ACTOR_CORE, "core");
	if (kind == KIND_BROKER && !chan_is_open(&opening->broker))
		chan_init(&opening->broker, fd_take(&msg->fds[0]), ACTOR_OPENER, ACTOR_BROKER, "broker");
	if (!life_has_channels(vm) || vm->argv_time)
		return;
	vm->step = VM_OPENS;
	vm->due = now_ms() + OPEN_MS;
	if (child_begin(vm, &err) < 0)
		fail(vm, &err);
}

/* ---- an end ---------------------------------------------------------------------------------- */

static void ended(struct vm *vm)
{
	struct opening *opening = vm->opening;

	chan_close(&opening->core);
	chan_close(&opening->broker);
	for (unsigned i = opening->n_devices; i-- > 0;) {
		opening->devices[i].generation = 0;
		if (opening->devices[i].removing)
			config_remove(opening, i);
	}
	vm->step = VM_IDLE;
	vm->due = 0;
	vm->life = vm->towards;
	if (vm->life == VM_LIFE_NOTHING)
		config_forget(opening);
	answer_life(vm);
	answer_ask(vm, vm->failed.code < 0 ? &vm->failed : NULL);
	vm->failed = (struct err){0};
	if (vm->life == VM_LIFE_OVER && !vm->api_quits)
		life_quit(vm, WIFEXITED(vm->status) ? WEXITSTATUS(vm->status) : 2);
}

/* Of two ends the farther: everything, the configuration, the guest. */
static enum vm_life farther(enum vm_life a, enum vm_life b)
{
	if (a == VM_LIFE_OVER || b == VM_LIFE_OVER)
		return VM_LIFE_OVER;
	return a == VM_LIFE_NOTHING || b == VM_LIFE_NOTHING ? VM_LIFE_NOTHING : VM_LIFE_CREATED;
}

/* One that joins another is asked for after that failed, and does not fail with it. */
void life_end(struct vm *vm, enum vm_life towards, enum life_cause cause)
{
	const struct word word = {.op = WORD_END_LIFE, .generation = vm->lives};
	struct err err = {0};

	if (vm->child)
		child_end(vm, &err);
	if (vm->step == VM_ENDS) {
		vm->towards = farther(vm->towards, towards);
		vm->failed = (struct err){0};
	} else {
		vm->towards = towards;
		vm->cause = cause;
	}
	vm->step = VM_ENDS;
	vm->due = now_ms() + END_MS;
	if (vm->alive == 0)
		ended(vm);
	else if (say(&word, &err) < 0)
		log_error("%s", err.msg);
}

void life_quit(struct vm *vm, int status)
{
	const struct word word = {.op = WORD_QUIT, .value = status};

	vm->over = true;
	say(&word, NULL);
}

static void lives(struct vm *vm)
{
	vm->step = VM_IDLE;
	vm->due = 0;
	vm->life = VM_LIFE_LIVE;
	vm->cause = LIFE_CAUSE_ASKED;
	answer_life(vm);
	answer_ask(vm, NULL);
}

/* Nobody asked for it: the guest, or whatever befell the core. One that ends well has run, though the child
 * may not have come to say that it was told everything. */
static void core_ended(struct vm *vm, int status)
{
	const bool off = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	const bool stays = vm->opening->argv.no_shutdown || !off;

	vm->status = status;
	if (vm->step == VM_ENDS)
		return;
	if (off && vm->step == VM_OPENS)
		lives(vm);
	if (vm->step != VM_IDLE)
		err_set(&vm->failed, -ECHILD, BLAME_PEER, "the VM ended before it ran; the log says why");
	life_end(vm, stays ? VM_LIFE_CREATED : VM_LIFE_OVER, off ? LIFE_CAUSE_POWEROFF
		: LIFE_CAUSE_ENDED);
}

static void helper_ended(struct vm *vm, unsigned slot, uint32_t generation)
{
	struct opening *opening = vm->opening;

	for (unsigned i = 0; i < opening->n_devices; i++) {
		struct wanted *device = &opening->devices[i];

		if (device->slot != slot || device->generation != generation || !device->removing ||
			vm->step == VM_ENDS)
			continue;
		config_remove(opening, i);
		return;
	}
}

static void start_failed(struct vm *vm, enum word_kind kind)
{
	struct err err = {0};

	err_set(&err, -ECHILD, BLAME_PEER, "bulkhead-%s was not started, or ended at once; the log says why",
		word_kind_name(kind));
	fail(vm, &err);
}

static void take_end(struct vm *vm, const struct word *word)
{
	const bool helper = word->kind >= KIND_VFIO;

	if (word->kind != KIND_CORE && word->kind != KIND_BROKER && !helper)
		return; /* the api: another comes by a DEAL */
	vm->alive -= vm->alive > 0;
	if (helper)
		helper_ended(vm, word->slot, word->generation);
	if (word->kind == KIND_CORE && word->generation == vm->lives)
		core_ended(vm, word->value);
	else if (vm->step == VM_CHANNELS) /* later the core knows by its channels, and ends */
		start_failed(vm, (enum word_kind)word->kind);
	if (vm->step == VM_ENDS && vm->alive == 0)
		ended(vm);
}

/* ---- whatever comes -------------------------------------------------------------------------- */

void life_word(struct vm *vm, struct word_msg *msg)
{
	if (msg->word.op == WORD_DEAL)
		take_deal(vm, msg);
	else if (msg->word.op == WORD_ENDED)
		take_end(vm, &msg->word);
}

void life_report(struct vm *vm)
{
	struct err err = {0};

	if (child_end(vm, &err) < 0)
		fail(vm, &err);
	else
		lives(vm);
}

int life_due_ms(const struct vm *vm)
{
	int64_t left = vm->due - now_ms();

	return vm->due == 0 ? -1 : left > 0 ? (int)left : 0;
}

void life_tick(struct vm *vm)
{
	struct err err = {0};

	if (vm->due == 0 || now_ms() < vm->due)
		return;
	vm->due = 0;
	if (vm->step == VM_OPENS) {
		life_report(vm);
	} else if (vm->step == VM_CHANNELS) {
		err_set(&err, -ETIMEDOUT, BLAME_PEER, "launcher: it starts nothing");
		fail(vm, &err);
	} else if (vm->step == VM_ENDS) {
		log_error("processes of the VM do not end; the launcher's log names them");
		life_quit(vm, 2);
	}
}
