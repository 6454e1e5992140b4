/* SPDX-License-Identifier: Apache-2.0
 *
 * signalfd (signalfd(2)) in place of handlers: nothing is interrupted halfway.
 *
 * Core process, main thread.
 */
#include "vmm/platform/signals.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "ipc/log.h"
#include "vmm/kvm/vcpu.h"

int signals_init(struct signals *signals, struct vm *vm, struct console *console, struct err *err)
{
	static const int taken[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGCONT};
	struct sigaction now;
	sigset_t set;

	*signals = (struct signals){.vm = vm, .console = console};
	sigemptyset(&set);
	/* What our parent has us ignore (nohup) stays ignored. */
	for (unsigned i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		if (sigaction(taken[i], NULL, &now) == 0 && now.sa_handler == SIG_IGN)
			continue;
		sigaddset(&set, taken[i]);
	}
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	signals->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals->fd < 0)
		return err_set(err, -errno, BLAME_HOST, "signalfd: %s", strerror(errno));
	return 0;
}

void signals_ready(void *opaque)
{
	struct signals *signals = opaque;
	struct signalfd_siginfo info;

	if (read(signals->fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	if (info.ssi_signo == SIGUSR1) {
		vcpus_log_counts(signals->vm, LOG_SAY);
	} else if (info.ssi_signo == SIGCONT) {
		console_continued(signals->console);
	} else {
		log_info("signal %u: the VM ends", info.ssi_signo);
		vm_ask(signals->vm, VM_POWEROFF);
	}
}
