/* SPDX-License-Identifier: Apache-2.0
 *
 * Attempts on memory, and to use things up. In the actor, behind its walls. What got through is put
 * back, as others follow in the same process.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/breakout/attempts.h"

enum {
	PAGE = 4096, HUGE_GIB = 1024, DUPS = 8192, FILL_BYTES = 1 << 20,
	EAT_BYTES = 80 << 20, /* memory.max of a vDPA helper is 65 MiB here */
	LINES = 400, LINES_APART_NS = 100000, SPARE = 16 << 20, /* RAM the guest does not use */
};

static bool is_error(long r)
{
	return r < 0 && r > -4096;
}

static long map(int prot)
{
	return RAW(SYS_mmap, 0, PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static long unmap(long at, size_t len)
{
	if (is_error(at))
		return at;
	RAW(SYS_munmap, at, len);
	return THROUGH;
}

long try_mmap_exec(void)
{
	return unmap(map(PROT_READ | PROT_WRITE | PROT_EXEC), PAGE);
}

/* Its own data, which it can write what it likes to. */
static _Alignas(PAGE) char code[PAGE];

static long executable(long nr, long key)
{
	long r = RAW(nr, code, PAGE, PROT_READ | PROT_EXEC, key);

	if (r == 0)
		RAW(nr, code, PAGE, PROT_READ | PROT_WRITE, key);
	return r;
}

long try_mprotect_exec(void)
{
	return executable(SYS_mprotect, 0);
}

long try_pkey_exec(void)
{
	return executable(SYS_pkey_mprotect, -1);
}

/* Every readable mapping becomes executable, unasked. */
long try_read_implies_exec(void)
{
	long old = RAW(SYS_personality, READ_IMPLIES_EXEC), at;

	if (old < 0)
		return old;
	at = map(PROT_READ | PROT_WRITE);
	RAW(SYS_personality, old);
	return unmap(at, PAGE);
}

long try_shm_exec(void)
{
	long id = RAW(SYS_shmget, IPC_PRIVATE, PAGE, IPC_CREAT | 0700), at;

	if (id < 0)
		return id;
	at = RAW(SYS_shmat, id, 0, SHM_EXEC);
	RAW(SYS_shmctl, id, IPC_RMID, 0);
	if (is_error(at))
		return at;
	RAW(SYS_shmdt, at);
	return THROUGH;
}

/* Where guest RAM was, something else could be mapped for KVM to hand out. */
long try_unmap_ram(void)
{
	return RAW(SYS_munmap, page->ram + SPARE, PAGE);
}

long try_move_ram(void)
{
	long r = RAW(SYS_mremap, page->ram + SPARE + PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		code);

	return is_error(r) ? r : THROUGH;
}

long try_dups(void)
{
	static int dups[DUPS]; /* the process has some of its own in between */
	long last = 0;
	unsigned n;

	for (n = 0; n < DUPS && last >= 0; n++)
		dups[n] = (int)(last = RAW(SYS_dup, 0));
	while (n-- > 0)
		if (dups[n] >= 0)
			close(dups[n]);
	return last;
}

long try_memfd_fill(void)
{
	long fd = RAW(SYS_memfd_create, "fill", 0), r;

	if (fd < 0)
		return fd;
	r = RAW(SYS_ftruncate, fd, FILL_BYTES);
	close((int)fd);
	return r;
}

/* What is only mapped costs nobody anything; at one go, as the guest waits for an answer. */
long try_eat_memory(void)
{
	return unmap(RAW(SYS_mmap, 0, EAT_BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0), EAT_BYTES);
}

long try_map_huge(void)
{
	size_t len = (size_t)HUGE_GIB << 30;

	return unmap(RAW(SYS_mmap, 0, len, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), len);
}

/* Faster than anybody reads: the harness counts what comes out. */
long try_log_flood(void)
{
	for (unsigned i = 0; i < LINES; i++) {
		RAW(SYS_write, 2, "breakout: a line of a flood", 27);
		for (volatile unsigned wait = 0; wait < LINES_APART_NS; wait++)
			;
	}
	return THROUGH;
}
