/* SPDX-License-Identifier: Apache-2.0
 *
 * Threads that fault guest RAM in. Core process, set-up; each takes the next piece until none is
 * left, so they work at the front the broker is about to pin. What a thread cannot fault in (no
 * memory, a kernel before 5.14) it leaves to the pinning, which says why.
 */
#include "vmm/populate.h"

#include <sched.h>
#include <sys/mman.h>

#include "ipc/frame.h"
#include "ipc/log.h"

enum { STACK = 64 * 1024 };

static const uint64_t PIECE = 32 * MiB;

static void *populate_thread(void *arg)
{
	struct populate *p = arg;
	uint64_t at;

	while (!p->stop && (at = atomic_fetch_add(&p->next, PIECE)) < p->size) {
		uint64_t size = p->size - at < PIECE ? p->size - at : PIECE;

		if (madvise(p->host + at, size, MADV_POPULATE_WRITE) < 0)
			break;
	}
	p->ended_ms = now_ms();
	return NULL;
}

void populate_start(struct populate *p, const struct ram *ram)
{
	unsigned wanted = POPULATE_THREADS;
	pthread_attr_t attr;
	cpu_set_t cpus;

	p->host = ram->host;
	p->size = ram->layout.ram_size;
	p->next = 0;
	p->began_ms = now_ms();
	p->stop = false;
	p->n = 0;
	if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0 && CPU_COUNT(&cpus) < (int)wanted)
		wanted = (unsigned)CPU_COUNT(&cpus);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	while (p->n < wanted && pthread_create(&p->threads[p->n], &attr, populate_thread, p) == 0)
		p->n++;
	pthread_attr_destroy(&attr);
}

void populate_end(struct populate *p, bool stop)
{
	p->stop = stop;
	for (unsigned i = 0; i < p->n; i++)
		pthread_join(p->threads[i], NULL);
	if (p->n && !stop) {
		double s = (double)(p->ended_ms - p->began_ms) / 1000;

		log_info("guest RAM faulted in by %u threads: %llu MiB in %.2f s, %.3f s per GiB",
			p->n, (unsigned long long)(p->size / MiB), s,
			s * (double)GiB / (double)p->size);
	}
	p->n = 0;
}
