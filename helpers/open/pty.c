/* SPDX-License-Identifier: Apache-2.0
 *
 * A terminal for the guest's serial port that one can leave and come back to.
 *
 * Opener process. The core gets the master's side. We keep the slave's open, or the master would be hung up
 * whenever nobody looks (drivers/tty/pty.c, pty_close).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "helpers/open/open.h"

/* Bytes as the guest sends them; what it should be echoed is the guest's to say. */
static int make_raw(int fd)
{
	struct termios mode;

	if (tcgetattr(fd, &mode) < 0)
		return -errno;
	cfmakeraw(&mode);
	return tcsetattr(fd, TCSANOW, &mode) < 0 ? -errno : 0;
}

int pty_open(struct pty *ret, struct err *err)
{
	fd_owned master = {posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK)};
	fd_owned slave = FD_NONE_INIT;
	int r;

	if (master.n < 0 || unlockpt(master.n) < 0 ||
		ptsname_r(master.n, ret->name, sizeof(ret->name)) != 0)
		return err_set(err, -errno, BLAME_HOST, "a terminal for the serial port: %s; look at "
			"kernel.pty.max, and that /dev/pts is mounted", strerror(errno));
	slave.n = open(ret->name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	r = slave.n < 0 ? -errno : make_raw(slave.n);
	if (r < 0)
		return err_set(err, r, BLAME_HOST, "%s: %s", ret->name, strerror(-r));
	ret->master = fd_take(&master);
	ret->slave = fd_take(&slave);
	return 0;
}

void pty_close(struct pty *pty)
{
	fd_close(&pty->master);
	fd_close(&pty->slave);
	pty->name[0] = '\0';
}
