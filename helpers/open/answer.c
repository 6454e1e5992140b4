/* SPDX-License-Identifier: Apache-2.0
 *
 * What the api is told, and the answer to the ask it has open.
 *
 * Opener process, one thread. An api that takes no word is no loss: the next one asks.
 */
#include <errno.h>
#include <string.h>

#include "helpers/open/vm.h"
#include "ipc/log.h"

enum { ROOM_MS = 2000 };

void answer_tell(struct vm *vm, Bulkhead__Packet *packet)
{
	int r = chan_is_open(&vm->api) ? chan_give(&vm->api, packet, NULL, 0, ROOM_MS) : 0;

	if (r < 0 && r != -EPIPE)
		log_warn("bulkhead-api takes no news: %s", strerror(-r));
}

void answer_life(struct vm *vm)
{
	Bulkhead__ApiLife body = BULKHEAD__API_LIFE__INIT;

	body.life = vm->life;
	body.cause = vm->cause;
	body.status = vm->status;
	body.why = vm->failed.msg;
	body.serial_pty = vm->opening->serial.name;
	body.console_pty = vm->opening->console.name;
	answer_tell(vm, &PACKET(API_LIFE, api_life, &body));
}

void answer_placed(struct vm *vm, const struct wanted *device)
{
	Bulkhead__ApiPlaced body = BULKHEAD__API_PLACED__INIT;

	body.id = device->opt->id;
	body.slot = device->slot;
	body.generation = device->generation;
	answer_tell(vm, &PACKET(API_PLACED, api_placed, &body));
}

void answer_ask(struct vm *vm, const struct err *err)
{
	struct msg *ask = vm->ask;

	vm->ask = NULL;
	if (!ask)
		return;
	if (err)
		chan_refuse(&vm->api, ask, err);
	else
		chan_done(&vm->api, ask);
	msg_done(ask);
}

void answer_none(struct vm *vm)
{
	if (vm->ask)
		msg_done(vm->ask);
	vm->ask = NULL;
}
