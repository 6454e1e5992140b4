/* SPDX-License-Identifier: Apache-2.0
 *
 * Threads that fault guest RAM in. Core process, set-up; each takes the next piece until none is
 * left.
 *
 * All of it is there before the first page is pinned. Pinning at the same time is slower: it goes
 * at a page's pace, is at the front as soon as they are, and then they wait for each other. And a huge
 * page that IOMMU_IOAS_MAP_FILE finds missing it takes from the pool itself (mm/memfd.c,
 * memfd_alloc_folio): kernels before the end of 2025 do not clear it, so the guest would see what its
 * last owner left there; and when a fault meets it, the pool's count of reserved pages is wrong ever
 * after, and nobody gets one (seen on 7.3).
 */
#include "vmm/kvm/populate.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "ipc/frame.h"
#include "ipc/log.h"

enum { STACK = 64 * 1024, SAY_S = 2 };

static const uint64_t PIECE = 32 * MiB;

struct work {
	uint8_t *host;
	uint64_t size;
	_Atomic uint64_t next;
	atomic_int failed; /* why a thread gave up, errno */
};

static void *populate_thread(void *arg)
{
	struct work *work = arg;
	uint64_t at;

	while (!work->failed && (at = atomic_fetch_add(&work->next, PIECE)) < work->size) {
		uint64_t size = work->size - at < PIECE ? work->size - at : PIECE;

		if (madvise(work->host + at, size, MADV_POPULATE_WRITE) < 0)
			work->failed = errno;
	}
	return NULL;
}

/* Half of the processors, of the node's where RAM is bound to one: clearing a page across nodes takes
 * twice as long. The host has other work, and where it has much of it a thread that loses its
 * processor holds a lock that all of the others then wait for. */
static unsigned start(pthread_t threads[static POPULATE_THREADS], struct work *work,
	const cpu_set_t *node)
{
	unsigned wanted = POPULATE_THREADS, n = 0;
	pthread_attr_t attr;
	cpu_set_t cpus, near;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0) {
		CPU_AND(&near, &cpus, node);
		if (CPU_COUNT(&near) > 0) {
			cpus = near;
			pthread_attr_setaffinity_np(&attr, sizeof(near), &near);
		}
		if (CPU_COUNT(&cpus) / 2 < (int)wanted)
			wanted = (unsigned)(CPU_COUNT(&cpus) + 1) / 2;
	}
	while (n < wanted && pthread_create(&threads[n], &attr, populate_thread, work) == 0)
		n++;
	pthread_attr_destroy(&attr);
	return n;
}

static void join(pthread_t thread, const struct work *work, int64_t began)
{
	for (;;) {
		struct timespec until;
		uint64_t done;

		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += SAY_S;
		if (pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &until) != ETIMEDOUT)
			return;
		done = work->next < work->size ? work->next : work->size;
		log_line(LOG_SAY, "%llu of %llu MiB of guest RAM allocated, %.1f s",
			(unsigned long long)(done / MiB), (unsigned long long)(work->size / MiB),
			(double)(now_ms() - began) / 1000);
	}
}

int populate(const struct ram *ram, struct err *err)
{
	struct work work = {.host = ram->host, .size = ram->layout.ram_size};
	const int64_t began = now_ms();
	pthread_t threads[POPULATE_THREADS];
	unsigned n = start(threads, &work, &ram->node_cpus);
	double s;

	if (n == 0)
		populate_thread(&work);
	for (unsigned i = 0; i < n; i++)
		join(threads[i], &work, began);
	if (work.failed == EINVAL)
		return 0;
	if (work.failed)
		return err_set(err, -work.failed, BLAME_HOST,
			"guest RAM: allocating %llu MiB: %s; look at the memory limits of this cgroup "
			"and cpuset", (unsigned long long)(work.size / MiB), strerror(work.failed));
	s = (double)(now_ms() - began) / 1000;
	log_info("guest RAM faulted in by %u threads: %llu MiB in %.2f s, %.3f s per GiB", n,
		(unsigned long long)(work.size / MiB), s, s * (double)GiB / (double)work.size);
	return 0;
}
