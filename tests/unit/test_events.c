/* SPDX-License-Identifier: Apache-2.0
 *
 * The main thread's wait: at most as long as it is to be, and what was taken from us is told of.
 *
 * links: vmm/platform/events.c
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/frame.h"
#include "vmm/platform/events.h"

static struct events events;
static int ends[2];
static unsigned n_ready;

static void ready(void *opaque)
{
	char c;

	cr_assert_eq(opaque, &events);
	cr_assert_eq(read(ends[0], &c, 1), 1);
	n_ready++;
}

static void begin(void)
{
	cr_assert_eq(pipe(ends), 0);
	events_add(&events, &ends[0], ready, &events);
}

TestSuite(events, .init = begin, .timeout = 30);

Test(events, what_is_ready_is_handled_at_once)
{
	cr_assert_eq(write(ends[1], "x", 1), 1);
	cr_expect_eq(events_wait(&events, -1), 0);
	cr_expect_eq(n_ready, 1);
}

Test(events, a_wait_is_a_second_at_most)
{
	const int64_t before = now_ms();

	events_wait(&events, 1 << 30);
	cr_expect(now_ms() - before >= 1000 && now_ms() - before < 5000);
	cr_expect_eq(n_ready, 0);
}

/* Twice as long as it waits. */
Test(events, the_time_of_a_stop_is_lost)
{
	const pid_t us = getpid(), pid = fork();
	int64_t lost = 0;

	if (pid == 0) {
		usleep(50000);
		kill(us, SIGSTOP);
		usleep(600000);
		_exit(kill(us, SIGCONT));
	}
	for (const int64_t end = now_ms() + 5000; lost < 200 && now_ms() < end;)
		lost += events_wait(&events, 300);
	cr_expect(lost >= 200, "%d ms", (int)lost);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
}
