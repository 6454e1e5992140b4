/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests of the control API: build/bulkhead-api as the launcher starts it, from its birth to its end.
 */
#pragma once

#include "tests/unit/api_peers.h"

static inline struct fd listen_somewhere(struct sockaddr_un *address, socklen_t *len)
{
	struct fd sock = {socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};

	*len = sizeof(*address);
	address->sun_family = AF_UNIX;
	cr_assert_eq(bind(sock.n, (void *)address, sizeof(sa_family_t)), 0, "autobind");
	cr_assert_eq(getsockname(sock.n, (void *)address, len), 0);
	cr_assert_eq(listen(sock.n, 128), 0);
	return sock;
}

static inline void exec_api(const int fds[6])
{
	static const struct birth birth = {LOG_DEBUG, SECCOMP_MODE_KILL, true, 0, true};
	char path[PATH_MAX], words[BIRTH_WORDS][BIRTH_WORD_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *argv[1 + BIRTH_WORDS + 1] = {path};
	int high[6];

	path[n] = '\0';
	*strrchr(path, '/') = '\0';
	strcpy(strrchr(path, '/'), "/bulkhead-api");
	birth_write(&birth, words, argv + 1);
	for (unsigned i = 0; i < 6; i++)
		high[i] = fcntl(fds[i], F_DUPFD, 100);
	for (unsigned i = 0; i < 6; i++)
		dup2(high[i], (int)i);
	close_range(6, ~0u, 0);
	execv(path, argv);
	_exit(127);
}

static inline void api_starts(bool again)
{
	fd_owned null = {open("/dev/null", O_RDWR | O_CLOEXEC)};
	fd_owned log = {open(getenv("APILOG") ? getenv("APILOG") : api.log_path ? api.log_path : "/dev/null",
		O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)};
	fd_owned words = FD_NONE_INIT, opener = FD_NONE_INIT;
	struct fd ours;

	api.again = again;
	cr_assert_eq(frame_pair(&api.words, &words), 0);
	cr_assert_eq(frame_pair(&ours, &opener), 0);
	chan_init(&api.opener, ours, ACTOR_OPENER, ACTOR_API, "api");
	api.pid = fork();
	if (api.pid == 0) {
		int sink = api.event_reader.n >= 0 ? api.event_reader.n : null.n;

		exec_api((const int[]){words.n, opener.n, log.n, api.listener.n, api.status.n, sink});
	}
	cr_assert_gt(api.pid, 0);
}

/* With a pipe of events, whose other end event_reader becomes. */
static inline void api_begin_with_events(void)
{
	int ends[2];

	cr_assert_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	api.core.sock.n = -1;
	api.listener = listen_somewhere(&api.address, &api.address_len);
	api.status = listen_somewhere(&api.status_address, &api.status_len);
	api.event_reader.n = ends[1];
	api_starts(false);
	close(ends[1]);
	api.event_reader.n = ends[0];
}

static inline void api_begin(void)
{
	api.core.sock.n = -1;
	api.event_reader = FD_NONE_INIT;
	api.listener = listen_somewhere(&api.address, &api.address_len);
	api.status = listen_somewhere(&api.status_address, &api.status_len);
	api_starts(false);
}

/* Waits for the process, which ends by itself. Its wait status. */
static inline int api_ends(void)
{
	int status = -1;
	int64_t end = now_ms() + PATIENCE_MS;

	while (waitpid(api.pid, &status, WNOHANG) == 0 && now_ms() < end)
		play_until(-1, 10);
	if (now_ms() >= end) {
		kill(api.pid, SIGKILL);
		waitpid(api.pid, &status, 0);
	}
	return status;
}

/* And at the end of a test: it must end because we hang up, and well. */
static inline void api_end(void)
{
	int status;

	fd_close(&api.words);
	status = api_ends();
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "ended with 0x%x", status);
}
