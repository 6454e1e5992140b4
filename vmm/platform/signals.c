/* SPDX-License-Identifier: Apache-2.0
 *
 * signalfd (signalfd(2)) in place of handlers: nothing is interrupted halfway.
 *
 * Core process, main thread.
 */
#include "vmm/platform/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "ipc/log.h"
#include "vmm/kvm/vcpu.h"
#include "vmm/shutdown.h"

static int failed(struct err *err)
{
	return err_set(err, -errno, BLAME_HOST, "signalfd: %s", strerror(errno));
}

int signals_open(struct signals *signals, struct err *err)
{
	sigset_t none;

	sigemptyset(&none);
	signals->fd = signalfd(-1, &none, SFD_CLOEXEC | SFD_NONBLOCK);
	return signals->fd < 0 ? failed(err) : 0;
}

int signals_init(struct signals *signals, const struct vm *vm, struct console *console,
	struct shutdown *shutdown, struct err *err)
{
	static const int taken[] = {SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGCONT};
	struct sigaction now;
	sigset_t set, stops;

	signals->vm = vm;
	signals->console = console;
	signals->shutdown = shutdown;
	sigemptyset(&set);
	/* What our parent has us ignore (nohup, a shell's background) stays ignored. */
	for (unsigned i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		if (sigaction(taken[i], NULL, &now) == 0 && now.sa_handler == SIG_IGN)
			continue;
		sigaddset(&set, taken[i]);
	}
	stops = set;
	sigaddset(&stops, SIGTTIN);
	sigaddset(&stops, SIGTTOU);
	sigprocmask(SIG_BLOCK, &stops, NULL);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	return signalfd(signals->fd, &set, SFD_CLOEXEC | SFD_NONBLOCK) < 0 ? failed(err) : 0;
}

void signals_ready(void *opaque)
{
	struct signals *signals = opaque;
	struct signalfd_siginfo info;
	char what[32];

	if (read(signals->fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	snprintf(what, sizeof(what), "signal %u", info.ssi_signo);
	switch (info.ssi_signo) {
	case SIGUSR1: vcpus_log_counts(signals->vm, LOG_SAY); break;
	case SIGCONT: console_look(signals->console); break;
	case SIGQUIT: shutdown_now(signals->shutdown, what); break;
	default: shutdown_ask(signals->shutdown, what);
	}
}
