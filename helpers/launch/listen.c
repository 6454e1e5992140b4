/* SPDX-License-Identifier: Apache-2.0
 *
 * The sockets of the API and the file of its events: made by us, used by the api.
 *
 * Launcher process, at argv time. We keep them and never read a byte of them, so that an api that is
 * started anew has the same, and no client sees a gap.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "helpers/launch/launch.h"

enum { BACKLOG = 64 };

/* One of another process's is never taken away: it may live. */
static int listen_at(const char *option, const char *path, struct fd *ret, struct err *err)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	fd_owned sock = FD_NONE_INIT;
	mode_t mask;
	int r;

	if (strlen(path) >= sizeof(at.sun_path))
		return err_set(err, -ENAMETOOLONG, BLAME_HOST, "%s %.120s: a socket's path has at most %zu "
			"bytes; give a shorter one, or fd=N", option, path, sizeof(at.sun_path) - 1);
	strcpy(at.sun_path, path);
	sock.n = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mask = umask(0177); /* its owner's alone */
	r = sock.n < 0 || bind(sock.n, (const struct sockaddr *)&at, sizeof(at)) < 0 ||
		listen(sock.n, BACKLOG) < 0 ? -errno : 0;
	umask(mask);
	if (r == 0)
		*ret = fd_take(&sock);
	return r == 0 ? 0 : err_set(err, r, BLAME_HOST, "%s %s: %s%s", option, path, strerror(-r),
		r == -EADDRINUSE ? "; remove it if no VM uses it" : "");
}

static int inherited(const char *option, int fd, bool listens, struct fd *ret, struct err *err)
{
	socklen_t len = sizeof(int);
	int yes = 0, type = 0;

	ret->n = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (ret->n < 0)
		return err_set(err, -errno, BLAME_HOST, "%s fd=%d: %s", option, fd, strerror(errno));
	if (!listens)
		return 0;
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len) < 0 || !yes ||
		getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_STREAM)
		return err_set(err, -ENOTSOCK, BLAME_HOST, "%s fd=%d: it is no stream socket that listens",
			option, fd);
	if (fcntl(ret->n, F_SETFL, fcntl(ret->n, F_GETFL) | O_NONBLOCK) < 0)
		return err_set(err, -errno, BLAME_HOST, "%s fd=%d: %s", option, fd, strerror(errno));
	return 0;
}

static int open_socket(const char *option, const struct place_opt *place, struct fd *ret, struct err *err)
{
	if (place->fd >= 0)
		return inherited(option, place->fd, true, ret, err);
	return place->path ? listen_at(option, place->path, ret, err) : 0;
}

static int open_events(const struct place_opt *place, struct fd *ret, struct err *err)
{
	if (place->fd >= 0)
		return inherited("--event-monitor", place->fd, false, ret, err);
	if (!place->path)
		return 0;
	ret->n = open(place->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0640);
	return ret->n < 0 ? err_set(err, -errno, BLAME_HOST, "--event-monitor %.200s: %s; give a path that "
		"can be written", place->path, errno == ENXIO ? "a FIFO nobody reads" : strerror(errno)) : 0;
}

int listeners_open(struct listeners *ret, const struct opts *opts, struct err *err)
{
	int r = open_socket("--api-socket", &opts->api, &ret->api, err);

	if (r == 0)
		r = open_socket("--status-socket", &opts->status, &ret->status, err);
	return r < 0 ? r : open_events(&opts->events, &ret->events, err);
}

/* What we made ourselves; by its path, which is ours as the folder is. */
void listeners_remove(const struct listeners *listeners, const struct opts *opts)
{
	if (opts->api.path && listeners->api.n >= 0)
		unlink(opts->api.path);
	if (opts->status.path && listeners->status.n >= 0)
		unlink(opts->status.path);
}
