/* SPDX-License-Identifier: Apache-2.0
 *
 * May a process that ended be started anew?
 *
 * Launcher process. Whoever attacks it by trying has few tries: none after seccomp killed it, three after
 * a crash, and after an end by another's hand or for want of memory twenty a minute, a hundred in all.
 */
#include <signal.h>
#include <sys/wait.h>

#include "helpers/launch/launch.h"

enum { CRASHES_MAX = 3, ENDS_MAX = 100, A_MINUTE_MAX = 20, MINUTE_MS = 60000 };

static bool is_crash(int wait_status)
{
	const int signal = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0;

	return signal == SIGSEGV || signal == SIGABRT || signal == SIGBUS || signal == SIGILL ||
		signal == SIGFPE;
}

bool rebirth_allowed(struct rebirth *rebirth, int wait_status, int64_t now)
{
	if (WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGSYS)
		return false;
	if (now - rebirth->minute_from >= MINUTE_MS) {
		rebirth->minute_from = now;
		rebirth->in_minute = 0;
	}
	rebirth->crashes += is_crash(wait_status);
	rebirth->in_minute++;
	rebirth->in_all++;
	return rebirth->crashes <= CRASHES_MAX && rebirth->in_minute <= A_MINUTE_MAX &&
		rebirth->in_all <= ENDS_MAX;
}
