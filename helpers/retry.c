/* SPDX-License-Identifier: Apache-2.0
 *
 * Asking again for a while (retry.h). Broker and VFIO helper.
 */
#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>

#include "helpers/retry.h"
#include "ipc/frame.h"

enum { BUSY_MS = 2000, AGAIN_MS = 20 };

int ioctl_retry(int fd, unsigned long request, void *arg, int busy)
{
	const struct timespec pause = {.tv_nsec = AGAIN_MS * 1000000};
	const int64_t end = now_ms() + BUSY_MS;

	for (;;) {
		int r = ioctl(fd, request, arg);

		if (r >= 0)
			return r;
		if ((errno != EAGAIN && (!busy || errno != busy)) || now_ms() >= end)
			return -errno;
		ppoll(NULL, 0, &pause, NULL);
	}
}
