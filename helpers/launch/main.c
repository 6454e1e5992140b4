/* SPDX-License-Identifier: Apache-2.0
 *
 * bulkhead: the process a user starts, from the operator's rights to those of one who only starts and
 * ends.
 *
 *   1. argv                 a verb becomes its binary; what is wrong is said before anything is done
 *   2. tenancy              user, cgroup, cookie; the log; our binaries, pinned
 *   3. scopes               before the first child: whom we are to signal has to be inside
 *   4. the opener           with the operator's rights, which we do not need any more
 *   5. walls                capabilities, filter
 *   6. serve                words of opener and core, signals, ends; then the end
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helpers/launch/binary.h"
#include "helpers/launch/launch.h"
#include "helpers/launch/watcher.h"
#include "ipc/frame.h"
#include "ipc/log.h"
#include "seccomp/layers.h"

enum { STATUS_OK = 0, STATUS_REFUSED = 1, STATUS_FAULT = 2 };

/* Of one process at a time: the others' turn comes, and signals', whatever it says. */
enum { WORDS_A_TURN = 64 };

/* First of all: a closed standard descriptor becomes /dev/null, so that nothing of ours gets its
 * number. One more is for who has none. */
static int tidy_descriptors(struct launch *launch)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (fd >= 0 && fd <= STDERR_FILENO)
			fcntl(fd, F_SETFD, 0);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	launch->nothing.n = fd;
	return fd < 0 ? -errno : 0;
}

/* What we inherited and nobody named; ours are copies by now, and in order of their numbers. */
static int close_others(struct launch *launch)
{
	const int ours[] = {launch->signals, launch->nothing.n, launch->listeners.api.n,
		launch->listeners.status.n, launch->listeners.events.n};
	unsigned from = STDERR_FILENO + 1;

	for (;;) {
		unsigned next = UINT_MAX;

		for (unsigned i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
			if (ours[i] >= (int)from && (unsigned)ours[i] < next)
				next = (unsigned)ours[i];
		}
		if (next > from && syscall(SYS_close_range, from, next == UINT_MAX ? ~0u : next - 1, 0) < 0)
			return -errno;
		if (next == UINT_MAX)
			return 0;
		from = next + 1;
	}
}

/* Before parsing hides secrets in argv. */
static char **copy_of(int argc, char **argv)
{
	char **copy = calloc((size_t)argc + 1, sizeof(*copy));

	for (int i = 0; copy && i < argc; i++) {
		copy[i] = strdup(argv[i]);
		if (!copy[i])
			return NULL;
	}
	return copy;
}

/* Secrets are the opener's by now. */
static void forget(struct launch *launch)
{
	for (char **arg = launch->args; *arg; arg++)
		explicit_bzero(*arg, strlen(*arg));
	for (unsigned i = 0; i < launch->opts.n_devices; i++)
		explicit_bzero(&launch->opts.devices[i].token, sizeof(launch->opts.devices[i].token));
}

/* Everything that is started writes where we do. */
static int open_log(const struct opts *opts, struct err *err)
{
	int fd;

	if (opts->log_file) {
		fd = open(opts->log_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK |
			O_NOCTTY, 0640);
		if (fd < 0)
			return err_set(err, -errno, BLAME_HOST, "--log-file %.200s: %s; give a path that "
				"can be written", opts->log_file,
				errno == ENXIO ? "a FIFO nobody reads" : strerror(errno));
		if (dup2(fd, STDERR_FILENO) < 0)
			return err_set(err, -errno, BLAME_HOST, "--log-file: %s", strerror(errno));
		close(fd);
	}
	log_init("bulkhead", (enum log_level)(LOG_WARN + (int)opts->verbose), STDERR_FILENO);
	return 0;
}

/* What our parent has us ignore (nohup, a shell's background) stays ignored. SIGTTIN and SIGTTOU: the
 * stops of a terminal that is not ours become errors. */
static int take_signals(struct launch *launch, struct err *err)
{
	static const int taken[] = {SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGCONT, SIGTSTP};
	struct sigaction now;
	sigset_t set, stops;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	for (unsigned i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		if (sigaction(taken[i], NULL, &now) < 0 || now.sa_handler != SIG_IGN)
			sigaddset(&set, taken[i]);
	}
	signal(SIGCHLD, SIG_DFL);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	stops = set;
	sigaddset(&stops, SIGTTIN);
	sigaddset(&stops, SIGTTOU);
	sigprocmask(SIG_BLOCK, &stops, NULL);
	launch->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return launch->signals < 0 ? err_set(err, -errno, BLAME_HOST, "signalfd: %s", strerror(errno))
		: 0;
}

static int begin(struct launch *launch, struct err *err)
{
	int r = take_signals(launch, err); /* before there is a socket to be left behind */

	if (r == 0)
		r = listeners_open(&launch->listeners, &launch->opts, err);
	launch->api = opts_has_api(&launch->opts);
	if (!launch->api)
		fd_close(&launch->nothing);
	if (r == 0)
		r = close_others(launch);
	if (r == 0)
		r = open_log(&launch->opts, err);

	layers_allow_degraded(launch->opts.allow_degraded);
	if (r == 0)
		r = binaries_pin(launch->binaries, err);
	if (r == 0 && launch->opts.seccomp == SECCOMP_MODE_LOG)
		r = watcher_start(LOG_WARN + (int)launch->opts.verbose, err);
	if (r == 0)
		r = tenant_init(&launch->tenant, &launch->opts, err);
	if (r == 0)
		r = walls_scopes(err);
	walls_limits();
	return r;
}

static int start(struct launch *launch, struct err *err)
{
	int r = begin(launch, err);

	if (r == 0 && launch->api && !launch->opts.kernel)
		launch->stage = STAGE_NO_GUEST;
	if (r == 0)
		r = child_start(launch, KIND_OPENER, 0, 1, 0, err);
	if (r == 0) {
		forget(launch);
		r = tenant_cookie(err); /* not the opener's */
	}
	if (r == 0)
		r = walls_up(launch, err);
	return r < 0 || !launch->api ? r : child_start(launch, KIND_API, 0, 1, 0, err);
}

/* True: there may be more. */
static bool take_words(struct launch *launch, struct child *child)
{
	static const enum word_actor actors[WORD_KINDS] = {[KIND_OPENER] = WORDS_OPENER,
		[KIND_API] = WORDS_API, [KIND_CORE] = WORDS_CORE, [KIND_BROKER] = WORDS_BROKER,
		[KIND_VFIO] = WORDS_HELPER, [KIND_VDPA] = WORDS_HELPER, [KIND_NULL] = WORDS_HELPER};
	struct word_msg msg;
	int r = 0;

	for (unsigned i = 0; i < WORDS_A_TURN && r == 0; i++) {
		r = word_recv(child->words.n, actors[child->kind], WORDS_LAUNCHER, &msg);
		if (r == 0) {
			life_word(launch, &msg.word);
			word_done(&msg);
		}
	}
	if (r == 0 || r == -EAGAIN)
		return r == 0;
	/* Hung up: its end comes by a signal. Or it said what nobody may: it ends before it can see that we hang
	 * up. */
	if (r != -EPIPE) {
		child_kill(child);
		log_error("bulkhead-%s broke a rule: it is ended", word_kind_name(child->kind));
	}
	fd_close(&child->words);
	return false;
}

/* What it said before it ended counts first; until it has been reaped its pid is nobody else's. */
static void reap(struct launch *launch)
{
	siginfo_t info = {.si_pid = 0};

	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid) {
		struct child *child = child_of_pid(launch, info.si_pid);
		int wait_status = 0;

		while (child && child->words.n >= 0 && take_words(launch, child)) {}
		(void)waitpid(info.si_pid, &wait_status, 0);
		if (child) /* or the tracer, which ends when it likes */
			life_ended(launch, child, wait_status);
		info.si_pid = 0;
	}
}

static void take_signal(struct launch *launch)
{
	struct signalfd_siginfo info;

	while (read(launch->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			reap(launch);
		else
			life_signal(launch, (int)info.ssi_signo);
	}
}

static void serve(struct launch *launch)
{
	struct pollfd polls[1 + CHILDREN];
	int64_t lost;
	int r;

	while (!life_over(launch)) {
		polls[0] = (struct pollfd){.fd = launch->signals, .events = POLLIN};
		for (unsigned i = 0; i < CHILDREN; i++)
			polls[1 + i] = (struct pollfd){.fd = launch->children[i].words.n,
				.events = POLLIN};
		r = poll_slice(polls, 1 + CHILDREN, life_due_ms(launch), &lost);
		life_lost(launch, lost);
		if (r < 0 && errno != EINTR) {
			log_error("poll: %s", strerror(errno)); /* all end with us */
			launch->status = STATUS_FAULT;
			break;
		}
		for (unsigned i = 0; i < CHILDREN; i++) {
			if (polls[1 + i].revents)
				take_words(launch, &launch->children[i]);
		}
		take_signal(launch);
		life_tick(launch);
	}
}

/* As if we had not taken it: whoever waits for us sees why. */
static void __attribute__((noreturn)) end_by_signal(int number)
{
	sigset_t set;

	signal(number, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, number);
	raise(number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	_exit(STATUS_REFUSED);
}

static int help(const struct opts *opts)
{
	if (opts->help) {
		opts_help();
		printf("\n");
		verbs_help();
		opts_help_end();
	} else {
		printf("bulkhead v" BULKHEAD_VERSION "\n");
	}
	return STATUS_OK;
}

int main(int argc, char **argv)
{
	static struct launch launch;
	struct err err = {0};

	launch_init(&launch);
	if (tidy_descriptors(&launch) < 0)
		return STATUS_REFUSED; /* and nowhere to say so */
	log_init("bulkhead", LOG_WARN, STDERR_FILENO);
	launch.args = copy_of(argc, argv);
	if (!launch.args || verb_run(argv, &err) < 0 ||
		opts_parse(argc, argv, &launch.opts, &err) < 0) {
		log_error("%s", launch.args ? err.msg : "out of memory");
		return STATUS_REFUSED;
	}
	if (launch.opts.help || launch.opts.version)
		return help(&launch.opts);
	if (start(&launch, &err) < 0) {
		log_error("%s", err.msg);
		life_end(&launch, STATUS_REFUSED);
	}
	serve(&launch);
	listeners_remove(&launch.listeners, &launch.opts);
	if (launch.signal)
		end_by_signal(launch.signal);
	return launch.status;
}
