/* SPDX-License-Identifier: Apache-2.0
 *
 * Linked into a core and a broker for a test, in front of the C library's: a call that no policy has a row
 * for, getuid, whenever the process waits or runs a vCPU.
 */
#undef _FORTIFY_SOURCE /* which has inline ones of these */
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	syscall(SYS_getuid);
	return (int)syscall(SYS_ioctl, fd, request, arg);
}

int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
	struct timespec left = {0}; /* the kernel writes to it, the C library's does not */

	if (timeout)
		left = *timeout;
	syscall(SYS_getuid);
	return (int)syscall(SYS_ppoll, fds, n, timeout ? &left : NULL, mask, sizeof(long));
}
