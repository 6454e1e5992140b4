/* SPDX-License-Identifier: Apache-2.0
 *
 * One thread a vCPU: KVM_RUN, dispatch of what it returns, parking.
 *
 * A vCPU thread runs in its own seccomp policy. It parks (stops calling KVM_RUN and waits) when
 * the main thread wants the VM still: for a reset, and at the end.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "ipc/log.h"
#include "seccomp/policy.h"
#include "vmm/kvm/vm.h"

/* KVM_RUN returns by reason, for SIGUSR1 and the last words. */
enum { EXIT_REASONS = 40 };
struct exit_counts {
	uint64_t by_reason[EXIT_REASONS]; /* index: kvm_run.exit_reason */
	uint64_t interrupted;             /* EINTR: kicks */
	uint64_t bar_gone;                /* EFAULT on a BAR: handle_lost_memory */
};

struct vcpu_state; /* everything a reset puts back */

/* In guest RAM, by its guest address; noted by a signal handler (mce.c). */
struct memory_error {
	_Atomic bool pending;
	uint64_t gpa;
	unsigned lsb; /* so many low bits of the address mean nothing */
};

enum { MCE_BANKS = 10 };

struct vcpu {
	struct vm *vm;
	unsigned index;
	struct fd fd;
	struct kvm_run *run;
	pthread_t thread;
	_Atomic int tid;
	int pid;
	struct vcpu_state *initial;
	enum seccomp_mode seccomp;
	struct err start_err;      /* code < 0: the thread never got to its loop */
	unsigned suspect;          /* of bar_fault */
	unsigned lost_memory, again; /* EFAULTs without a suspect left, EAGAINs: in a row */
	bool faulted;              /* the guest did what KVM cannot go on from */
	bool registers_known;      /* and KVM has told where it was */
	bool notified, bus_locked; /* guard.c has said so */
	struct log_budget resets;  /* that it asks for by triple faults */
	struct memory_error required, optional;
	struct log_budget errors;  /* of memory */
	struct exit_counts counts; /* written by its thread only */
};

/* One more; read by others while the vCPU runs. */
static inline void vcpu_count(uint64_t *counter)
{
	__atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
}

/* Where the boot vCPU starts. */
struct vcpu_entry {
	bool protected_mode; /* PVH: 32-bit, paging off; else 64-bit with our page tables */
	uint64_t rip, rsi, rbx, rsp, cr3;
};

/* Makes those vCPUs that are there at boot, with CPUID and MSRs, and remembers their initial state. */
int vcpus_create(struct vm *vm, const struct cpus *cpus, struct err *err);

/* Puts every vCPU back to its initial state, vCPU 0 to entry. All threads parked or not started. */
int vcpus_reset(struct vm *vm, const struct vcpu_entry *entry, struct err *err);

/* Starts the threads, named vcpuN, each of which enters the policy and then parks until
 * vcpus_resume. Returns when all of them have. */
int vcpus_start(struct vm *vm, enum seccomp_mode mode, struct err *err);
void vcpus_resume(struct vm *vm);
/* Main thread: parks every vCPU. At the end it is the last thing they do: threads that are parked end
 * with the process, and need no system call for it. A vCPU that does not come within 4 s, as one in
 * the midst of a long string instruction on a trapped page, cuts off the helpers it still wants to
 * ask. False: within 16 s in all it has not come either, and its VM can only be ended. */
bool vcpus_park(struct vm *vm);
/* Returns of KVM_RUN so far, of all vCPUs. */
uint64_t vcpus_exits(const struct vm *vm);
/* One line a vCPU. */
void vcpus_log_counts(const struct vm *vm, enum log_level level);
/* Parked after VM_FATAL: registers of the vCPUs the guest broke. */
void vcpus_log_faults(const struct vm *vm);

/* kick.c. Main thread, before there are vCPU threads. */
void vcpu_kick_init(void);
/* Out of KVM_RUN, or of the next one; any thread of ours, a signal handler too. */
void vcpu_kick(struct vcpu *vcpu);
/* Its own thread: the next KVM_RUN completes what it began and runs no guest. */
void vcpu_immediate_exit(struct vcpu *vcpu, bool on);

/* vcpu_state.c. What KVM lets us get and set of a vCPU, as it is now; like: a vCPU of the same kind
 * that knows already which MSRs those are, or NULL. */
int vcpu_state_save(const struct vcpu *vcpu, const struct vcpu_state *like,
	struct vcpu_state **ret, struct err *err);
/* Puts it back, with the vCPU not running. entry: where it starts, NULL: where it was. */
int vcpu_state_restore(const struct vcpu *vcpu, const struct vcpu_entry *entry, struct err *err);
/* The MSRs a BIOS would have set: memory types and fast string operations; and, where the guest can
 * have them, local machine checks. */
int vcpu_state_boot_msrs(const struct vcpu *vcpu, struct err *err);
int vcpu_state_allow_lmce(const struct vcpu *vcpu, struct err *err);
