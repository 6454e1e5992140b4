/* SPDX-License-Identifier: Apache-2.0
 *
 * Bus locks and notify VM exits (Intel SDM 3C 26.2; Linux Documentation/virt/kvm/api.rst,
 * KVM_CAP_X86_BUS_LOCK_EXIT, KVM_CAP_X86_NOTIFY_VMEXIT).
 *
 * Core process: enabled by the main thread before there are vCPUs; exits in vCPU threads.
 *
 * A bus lock is a locked access across a cache line or to uncacheable memory: some thousand cycles
 * in which no processor of the host gets to memory. Exiting alone would not slow a guest that wants
 * nothing else, so each costs its vCPU a moment, as many a second as Linux's most lenient
 * split_lock_detect=ratelimit has. The vCPU pays and nobody else.
 *
 * A notify VM exit ends an instruction in which no interrupt has come through for longer than the
 * hardware's own threshold (window 0: that has no false positives). KVM could go on by itself; with
 * the USER flag it tells us, so that it is counted, and said once a vCPU. The guest goes on: it has
 * lost its grip on the processor, which is all the host needs.
 */
#include "vmm/kvm/guard.h"

#include <errno.h>
#include <linux/kvm.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

enum { BUS_LOCKS_A_SECOND = 1000 };

static int enable(struct vm *vm, uint32_t cap, uint64_t arg, const char *name, struct err *err)
{
	struct kvm_enable_cap args = {.cap = cap, .args = {arg}};

	if (ioctl(vm->fd.n, KVM_ENABLE_CAP, &args) < 0)
		return err_set(err, -errno, BLAME_HOST, "/dev/kvm: %s: %s", name, strerror(errno));
	return 0;
}

int guard_enable(struct vm *vm, struct err *err)
{
	int modes = ioctl(vm->kvm.n, KVM_CHECK_EXTENSION, KVM_CAP_X86_BUS_LOCK_EXIT);
	int notify = ioctl(vm->kvm.n, KVM_CHECK_EXTENSION, KVM_CAP_X86_NOTIFY_VMEXIT);
	int r = 0;

	if (modes > 0 && modes & KVM_BUS_LOCK_DETECTION_EXIT)
		r = enable(vm, KVM_CAP_X86_BUS_LOCK_EXIT, KVM_BUS_LOCK_DETECTION_EXIT,
			"KVM_CAP_X86_BUS_LOCK_EXIT", err);
	if (r == 0 && notify > 0)
		r = enable(vm, KVM_CAP_X86_NOTIFY_VMEXIT,
			KVM_X86_NOTIFY_VMEXIT_ENABLED | KVM_X86_NOTIFY_VMEXIT_USER,
			"KVM_CAP_X86_NOTIFY_VMEXIT", err);
	return r;
}

bool guard_notify(struct vcpu *vcpu)
{
	if (vcpu->run->notify.flags & KVM_NOTIFY_CONTEXT_INVALID)
		return false;
	if (!vcpu->notified)
		log_warn("vcpu%u: an instruction of the guest's let no interrupt in, and was ended (notify "
			"VM exit); it goes on, and what follows is counted (SIGUSR1)", vcpu->index);
	vcpu->notified = true;
	return true;
}

void guard_bus_lock(struct vcpu *vcpu)
{
	const struct timespec moment = {.tv_nsec = 1000000000L / BUS_LOCKS_A_SECOND};

	/* With another reason it has been counted as that. */
	if (vcpu->run->exit_reason != KVM_EXIT_X86_BUS_LOCK)
		vcpu_count(&vcpu->counts.by_reason[KVM_EXIT_X86_BUS_LOCK]);
	if (!vcpu->bus_locked)
		log_warn("vcpu%u: the guest locks the host's memory bus; slowed to %d a second, and "
			"counted (SIGUSR1)", vcpu->index, BUS_LOCKS_A_SECOND);
	vcpu->bus_locked = true;
	ppoll(NULL, 0, &moment, NULL); /* a kick ends it */
}
