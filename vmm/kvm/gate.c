/* SPDX-License-Identifier: Apache-2.0
 *
 * The gate of gate.h: a state, and a count of those who wait.
 *
 * Core process. The state is read without the lock on the way from one KVM_RUN to the next, and
 * changed under it, so that who is about to wait cannot miss that it opened.
 */
#include "vmm/kvm/gate.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { SLICE_MS = 50 };

int gate_init(struct gate *gate)
{
	pthread_mutex_init(&gate->lock, NULL);
	pthread_cond_init(&gate->changed, NULL);
	gate->state = GATE_CLOSED;
	gate->n_waiting = 0;
	gate->arrivals.n = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return gate->arrivals.n < 0 ? -errno : 0;
}

static void set(struct gate *gate, enum gate_state state)
{
	pthread_mutex_lock(&gate->lock);
	gate->state = state;
	pthread_cond_broadcast(&gate->changed);
	pthread_mutex_unlock(&gate->lock);
}

void gate_close(struct gate *gate)
{
	if (!gate_is_closed(gate))
		set(gate, GATE_CLOSED);
}

bool gate_is_closed(const struct gate *gate)
{
	return gate->state != GATE_OPEN;
}

bool gate_hurries(const struct gate *gate)
{
	return gate->state == GATE_HURRY;
}

void gate_wait(struct gate *gate)
{
	const uint64_t one = 1;

	pthread_mutex_lock(&gate->lock);
	gate->n_waiting++;
	while (write(gate->arrivals.n, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	while (gate_is_closed(gate))
		pthread_cond_wait(&gate->changed, &gate->lock);
	gate->n_waiting--;
	pthread_mutex_unlock(&gate->lock);
}

void gate_open(struct gate *gate)
{
	set(gate, GATE_OPEN);
}

void gate_hurry(struct gate *gate)
{
	set(gate, GATE_HURRY);
}

void gate_calm(struct gate *gate)
{
	set(gate, GATE_CLOSED);
}

/* By ppoll, like every wait of ours with a time-out: a futex's goes on after a stop by
 * restart_syscall(2), which the run policy does not have. */
bool gate_wait_for(struct gate *gate, unsigned n, int ms)
{
	struct pollfd arrivals = {.fd = gate->arrivals.n, .events = POLLIN};
	const struct timespec slice = {.tv_nsec = SLICE_MS * 1000000l};
	uint64_t count;

	while (gate->n_waiting < n) {
		if (ms <= 0)
			return false;
		/* A slice that a stop made longer is one slice. */
		if (ppoll(&arrivals, 1, &slice, NULL) == 0)
			ms -= SLICE_MS;
		else if (read(gate->arrivals.n, &count, sizeof(count)) < 0 && errno != EAGAIN)
			return false;
	}
	return true;
}
