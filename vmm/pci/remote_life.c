/* SPDX-License-Identifier: Apache-2.0
 *
 * A remote function's lock, and what becomes of it when its helper ends, its device fails, or the host
 * wants the device back.
 *
 * Core process. The lock is taken by vCPU threads and the main thread; what happens to the helper is
 * a step of its peer's state (vmm/peer_state.h), taken with the lock held. Telling launcher and broker is
 * the main thread's, which learns from remote_unlock that there is something to tell.
 */
#include <stdio.h>

#include "ipc/log.h"
#include "vmm/pci/remote.h"

enum { TAKE_MS = 5000 };

/* In turn. A vCPU that does nothing but access the device would take its lock again each time before
 * the main thread, which has to be woken, has come to it; who waits here is the next. */
static void lock(struct remote *fn)
{
	pthread_mutex_lock(&fn->turn);
	pthread_mutex_lock(&fn->lock);
	pthread_mutex_unlock(&fn->turn);
}

void remote_lock(struct remote *fn)
{
	lock(fn);
	fn->locked_in = fn->peer.state;
	peer_begin(&fn->peer);
	if (gate_hurries(&fn->vm->gate) && peer_serves(&fn->peer))
		peer_fail(&fn->peer, "its helper holds up the end of an instruction, and with it the "
			"VM's");
}

void remote_unlock(struct remote *fn)
{
	bool wake = fn->peer.state != fn->locked_in && peer_to_be_ended(fn->peer.state);

	pthread_mutex_unlock(&fn->lock);
	if (wake)
		vm_ask(fn->vm, VM_RUN);
}

/* A step that the main thread takes for launcher or broker; true when it led on. */
static bool step(struct remote *fn, enum peer_event event, const char *why)
{
	enum peer_state before;
	bool on;

	lock(fn);
	before = fn->peer.state;
	peer_step(&fn->peer, event, why);
	on = fn->peer.state != before;
	pthread_mutex_unlock(&fn->lock);
	return on;
}

/* Looked at first, as this is asked each time the main thread wakes up: it has to hear a signal however
 * long accesses take. Who makes it true wakes it once more. */
bool remote_to_be_ended(struct remote *fn)
{
	return peer_to_be_ended(remote_state(fn)) && step(fn, PEER_TO_END, NULL);
}

bool remote_to_be_released(struct remote *fn)
{
	return step(fn, PEER_TO_RELEASE, "its helper hung up");
}

void remote_gone(struct remote *fn, const char *cause)
{
	char why[200];

	snprintf(why, sizeof(why), "its helper ended: %s", cause);
	step(fn, PEER_IS_GONE, why);
}

void remote_released(struct remote *fn)
{
	step(fn, PEER_RELEASED, NULL);
}

enum peer_state remote_state(const struct remote *fn)
{
	return fn->peer.state;
}

void remote_on_event(struct remote *fn)
{
	bool wanted;

	remote_lock(fn);
	wanted = peer_on_event(&fn->peer);
	remote_unlock(fn);
	if (wanted)
		remote_wanted(fn);
}

void remote_wanted(struct remote *fn)
{
	if (fn->take_at || remote_state(fn) >= PEER_RELEASING)
		return;
	fn->take_at = now_ms() + TAKE_MS;
	log_warn("%s: the host wants the device back: it is taken from the guest in %d s", fn->peer.name,
		TAKE_MS / 1000);
}

int remote_take_in_ms(const struct remote *fn)
{
	int64_t left = fn->take_at - now_ms();

	return fn->take_at == 0 ? -1 : left > 0 ? (int)left : 0;
}
