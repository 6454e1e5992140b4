/* SPDX-License-Identifier: Apache-2.0
 *
 * Getting a vCPU's thread out of KVM_RUN.
 *
 * Core process, any thread. That it is wanted is written to its run page first, for a KVM_RUN that it
 * is about to make (KVM_CAP_IMMEDIATE_EXIT); then the signal ends the one it is in.
 */
#include <linux/kvm.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/kvm/vcpu.h"

#define KICK_SIGNAL SIGRTMIN

static void on_kick(int signal)
{
	(void)signal; /* that KVM_RUN returns is all it is for */
}

void vcpu_kick_init(void)
{
	struct sigaction action = {.sa_handler = on_kick};
	sigset_t kick;

	/* Whoever started us may have blocked it, and threads inherit that. */
	sigemptyset(&kick);
	sigaddset(&kick, KICK_SIGNAL);
	sigprocmask(SIG_UNBLOCK, &kick, NULL);
	sigaction(KICK_SIGNAL, &action, NULL);
}

void vcpu_immediate_exit(struct vcpu *vcpu, bool on)
{
	__atomic_store_n(&vcpu->run->immediate_exit, on, __ATOMIC_SEQ_CST);
}

void vcpu_kick(struct vcpu *vcpu)
{
	vcpu_immediate_exit(vcpu, true);
	syscall(SYS_tgkill, vcpu->pid, vcpu->tid, KICK_SIGNAL);
}
