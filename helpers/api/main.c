/* SPDX-License-Identifier: Apache-2.0
 *
 * The control API of a VM: HTTP on one side, numbers to opener and core on the other.
 *
 * bulkhead-api, one thread, one ppoll. It has no file, no device and nothing of the guest's, executes
 * nothing, and takes no memory once it has begun. It is started anew when it ends: what it must
 * remember the opener keeps.
 *
 *   1. the words of its birth  needs: the descriptors of birth.h, and ours
 *   2. walls, run policy       must not yet: have read a byte from anyone
 *   3. serve                   until the launcher or the opener hangs up, or a client ends the VMM
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "helpers/api/events.h"
#include "helpers/api/json.h"
#include "helpers/api/ops.h"
#include "helpers/api/serve.h"
#include "helpers/api/vm.h"
#include "ipc/log.h"
#include "ipc/words.h"
#include "seccomp/birth.h"

/* Descriptors from the launcher, besides birth.h's; each is /dev/null where there is none. */
enum api_fd {
	API_FD_LISTENER = BIRTH_FD_LOG + 1,
	API_FD_STATUS,
	API_FD_EVENTS,
	API_FDS,
};

enum {
	POLL_WORDS, POLL_OPENER, POLL_CORE, POLL_LISTENER, POLL_STATUS, POLL_CONNS,
	POLLS = POLL_CONNS + CONNS_MAX,
	FDS_MAX = API_FDS + 1 + CONNS_MAX * (1 + REQUEST_FDS) + FDS_AT_ONCE + WORD_FDS,
	LAST_ANSWERS_MS = 500,
};

static struct {
	int listener, status;
	bool launcher_gone, opener_gone;
} api;

static int listening(int fd)
{
	int yes = 0;
	socklen_t len = sizeof(yes);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len) == 0 && yes ? fd : -1;
}

static int begin(int argc, char **argv, struct err *err)
{
	struct confine walls = {.max_fds = FDS_MAX,
		.file_size = RLIM_INFINITY}; /* of the event file, whose end is the operator's */
	struct birth birth;
	size_t seed = 0;
	int r = birth_read(argc, argv, &birth, err);

	if (r < 0)
		return r;
	log_init("bulkhead-api", birth.level, BIRTH_FD_LOG);
	signal(SIGPIPE, SIG_IGN); /* an event monitor that has gone */
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return err_set(err, -EIO, BLAME_HOST, "getrandom: %s", strerror(errno));
	api.listener = listening(API_FD_LISTENER);
	api.status = listening(API_FD_STATUS);
	walls.bare = birth.bare;
	r = confine_process(&walls, err);
	if (r == 0)
		r = policy_enter(&policy_api_run, birth.mode, false, err);
	if (r < 0)
		return r;
	json_begin(seed);
	events_begin(API_FD_EVENTS);
	chan_init(&opener.chan, (struct fd){BIRTH_FD_ORDERS}, ACTOR_API, ACTOR_OPENER, "opener");
	chan_init(&core.chan, FD_NONE_INIT, ACTOR_API, ACTOR_CORE, "core");
	return link_ask_plain(&opener, NULL, BULKHEAD__PACKET__BODY_API_STATE, err);
}

/* ---- the loop ---- */

/* Waits; what we slept longer than that was taken from us and is nobody's fault. */
static int wait_for(struct pollfd polls[POLLS], int64_t ms, struct err *err)
{
	int64_t before = now_ms(), slept;
	int n = poll_ms(polls, POLLS, ms);

	if (n < 0 && errno != EINTR)
		return err_set(err, -errno, BLAME_BUG, "ppoll: %s", strerror(errno));
	slept = now_ms() - before;
	if (ms >= 0 && slept > ms + 100)
		clock_lost(slept - ms);
	if (n <= 0)
		for (unsigned i = 0; i < POLLS; i++)
			polls[i].revents = 0;
	return 0;
}

static int64_t fill(struct pollfd polls[POLLS], bool ending)
{
	int64_t least = serve_late();

	polls[POLL_WORDS] = (struct pollfd){ending ? -1 : BIRTH_FD_WORDS, POLLIN, 0};
	polls[POLL_OPENER] = (struct pollfd){ending ? -1 : opener.chan.sock.n, POLLIN, 0};
	polls[POLL_CORE] = (struct pollfd){serve_hears_core() ? core.chan.sock.n : -1, POLLIN,
		0};
	polls[POLL_LISTENER] = (struct pollfd){ending ? -1 : api.listener, POLLIN, 0};
	polls[POLL_STATUS] = (struct pollfd){ending ? -1 : api.status, POLLIN, 0};
	for (unsigned i = 0; i < CONNS_MAX; i++) {
		const struct conn *conn = &conns[i];
		bool there = conn->phase != CONN_FREE;

		polls[POLL_CONNS + i] = (struct pollfd){there ? conn->sock.n : -1, conn_events(conn), 0};
		if (conn_has_more(conn))
			least = 0;
	}
	return least;
}

/* All there are: a core is known before the opener says that it lives. */
static void take_words(void)
{
	struct word_msg msg;
	int r;

	while ((r = word_recv(BIRTH_FD_WORDS, WORDS_LAUNCHER, WORDS_API, &msg)) == 0) {
		if (msg.word.op == WORD_DEAL && msg.word.kind == KIND_CORE)
			serve_core(fd_take(&msg.fds[0]));
		word_done(&msg);
	}
	if (r != -EAGAIN && r != -EPIPE)
		log_error("launcher: it sent what is no word: %s", strerror(-r));
	api.launcher_gone |= r != -EAGAIN;
}

/* With bytes that have come already, as far as those go. */
static void serve_conns(const struct pollfd *polls)
{
	bool more;

	do {
		more = false;
		for (unsigned i = 0; i < CONNS_MAX; i++) {
			short revents = polls ? polls[POLL_CONNS + i].revents : 0;

			if (!conn_serve(&conns[i], revents, clock_ms()))
				continue;
			serve_request(&conns[i]);
			more = true;
		}
		serve_turn();
		polls = NULL;
	} while (more);
}

/* A client that has ended everything is answered when the opener says that it is done. */
static bool everything_ends(void)
{
	bool asked = opener.asking && opener.asking->request.call == CALL_QUIT;

	return ops_quit || api.launcher_gone || api.opener_gone || (vm.life == VM_LIFE_OVER && !asked);
}

/* The opener hung up on us, as nothing is over: it did not take what we said. */
static bool must_begin_anew(void)
{
	return api.opener_gone && !ops_quit && vm.life != VM_LIFE_OVER;
}

static int serve(struct err *err)
{
	struct pollfd polls[POLLS];
	bool ending = false;
	int64_t end = 0;
	int r = 0;

	serve_begin(take_words);
	while (r == 0 && !(ending && (!conn_unsent() || clock_ms() >= end))) {
		int64_t ms = fill(polls, ending);

		r = wait_for(polls, ending ? sooner(ms, LAST_ANSWERS_MS) : ms, err);
		if (polls[POLL_WORDS].revents)
			take_words();
		if (!ending && !serve_links())
			api.opener_gone = true;
		if (polls[POLL_LISTENER].revents)
			conn_accept(api.listener, false, clock_ms());
		if (polls[POLL_STATUS].revents)
			conn_accept(api.status, true, clock_ms());
		serve_conns(polls);
		if (!ending && everything_ends()) {
			serve_end();
			serve_conns(NULL);
			end = clock_ms() + LAST_ANSWERS_MS;
			ending = true;
		}
	}
	return r;
}

int main(int argc, char **argv)
{
	struct err err = {0};
	int r;

	log_init("bulkhead-api", LOG_WARN, BIRTH_FD_LOG);
	r = begin(argc, argv, &err);
	if (r == 0)
		r = serve(&err);
	if (r < 0) /* whose end it was to hang up has said why */
		log_line(r == -EPIPE ? LOG_INFO : LOG_ERROR, "%s", err.msg);
	return r < 0 || must_begin_anew();
}
