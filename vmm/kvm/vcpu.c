/* SPDX-License-Identifier: Apache-2.0
 *
 * vCPU threads: KVM_RUN, the gate, and what KVM_RUN returns with.
 *
 * Core process: the loop in vCPU threads, everything else in the main thread. Invariants:
 *
 *   - A vCPU parks only when KVM_RUN has returned EINTR. An access KVM handed us is complete by
 *     then (KVM finishes it at the start of the next KVM_RUN, also of one that runs no guest), so
 *     a reset does not meet half an instruction.
 *   - No wake-up is lost: who wants the vCPU closes the gate, then sets immediate_exit, then sends
 *     the signal; the vCPU clears immediate_exit, then looks at the gate.
 *   - The loop takes no lock and makes no system call but KVM_RUN; what handlers do is theirs.
 */
#include "vmm/kvm/vcpu.h"

#include <errno.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/kvm/cpuid.h"
#include "vmm/kvm/guard.h"
#include "vmm/kvm/mce.h"

#define KICK_SIGNAL SIGRTMIN

enum {
	LOST_MEMORY_MAX = 16,
	STACK_SIZE = 512 * 1024, /* a handler may hold a message of 64 KiB */
};

static void set_immediate_exit(struct vcpu *vcpu, uint8_t value)
{
	__atomic_store_n(&vcpu->run->immediate_exit, value, __ATOMIC_SEQ_CST);
}

/* ---- the vCPU's thread ---------------------------------------------------------------------- */

static bool wanted_still(const struct vm *vm)
{
	return vm->gate_closed || vm->request != VM_RUN;
}

static void wait_at_gate(struct vm *vm)
{
	pthread_mutex_lock(&vm->gate_lock);
	vm->n_parked++;
	pthread_cond_broadcast(&vm->gate_changed);
	while (wanted_still(vm))
		pthread_cond_wait(&vm->gate_changed, &vm->gate_lock);
	vm->n_parked--;
	pthread_mutex_unlock(&vm->gate_lock);
}

static void handle_io(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;

	for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size) {
		if (run->io.direction == KVM_EXIT_IO_IN)
			bus_read(&vcpu->vm->pio, run->io.port, data, run->io.size);
		else
			bus_write(&vcpu->vm->pio, run->io.port, data, run->io.size);
	}
}

static void handle_mmio(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	if (run->mmio.is_write)
		bus_write(&vcpu->vm->mmio, run->mmio.phys_addr, run->mmio.data, run->mmio.len);
	else
		bus_read(&vcpu->vm->mmio, run->mmio.phys_addr, run->mmio.data, run->mmio.len);
}

/* The guest is to blame, or this host's KVM; either way only this VM ends. */
static void guest_fault(struct vcpu *vcpu, const char *what, uint64_t detail)
{
	vcpu->faulted = true;
	/* The KVM_RUN before it parks brings them along. */
	vcpu->run->kvm_valid_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS;
	log_error("vcpu%u: the guest cannot go on: %s (0x%llx)", vcpu->index, what,
		(unsigned long long)detail);
	vm_ask(vcpu->vm, VM_FATAL);
}

static void handle_system_event(struct vcpu *vcpu)
{
	switch (vcpu->run->system_event.type) {
	case KVM_SYSTEM_EVENT_SHUTDOWN: vm_ask(vcpu->vm, VM_POWEROFF); break;
	case KVM_SYSTEM_EVENT_RESET: vm_ask(vcpu->vm, VM_RESET); break;
	default: guest_fault(vcpu, "system event", vcpu->run->system_event.type);
	}
}

static void handle_exit(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	vcpu->lost_memory = 0;
	vcpu_count(&vcpu->counts.by_reason[run->exit_reason < EXIT_REASONS ? run->exit_reason : 0]);
	if (run->flags & KVM_RUN_X86_BUS_LOCK)
		guard_bus_lock(vcpu);
	switch (run->exit_reason) {
	case KVM_EXIT_IO: handle_io(vcpu); break;
	case KVM_EXIT_MMIO: handle_mmio(vcpu); break;
	case KVM_EXIT_X86_BUS_LOCK:
	case KVM_EXIT_INTR:
	case KVM_EXIT_IRQ_WINDOW_OPEN: break;
	case KVM_EXIT_SHUTDOWN:
		if (log_allowed(&vcpu->resets))
			log_info("vcpu%u: triple fault", vcpu->index);
		vm_ask(vcpu->vm, VM_RESET);
		break;
	case KVM_EXIT_SYSTEM_EVENT: handle_system_event(vcpu); break;
	case KVM_EXIT_NOTIFY:
		if (!guard_notify(vcpu))
			guest_fault(vcpu, "its state is lost (notify VM exit)", run->notify.flags);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		guest_fault(vcpu, "the CPU refuses its state, hardware reason",
			run->fail_entry.hardware_entry_failure_reason);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		guest_fault(vcpu, run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION
			? "KVM cannot emulate the instruction" : "KVM internal error, suberror",
			run->internal.suberror);
		break;
	default: guest_fault(vcpu, "KVM exit reason", run->exit_reason);
	}
}

/* EFAULT: memory of a slot is not there. A BAR's goes when its device is reset or asleep (Linux
 * drivers/vfio/pci/vfio_pci_core.c, vfio_pci_zap_and_down_write_memory_lock); without its slot the
 * access traps and is answered. A second vCPU may find that the first has done it: it tries again. */
static void handle_lost_memory(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;

	vcpu_count(&vcpu->counts.bar_gone);
	if (vm->bar_fault && vm->bar_fault(vm->bar_fault_opaque))
		vcpu->lost_memory = 0;
	else if (++vcpu->lost_memory == LOST_MEMORY_MAX)
		guest_fault(vcpu, "guest memory is gone, out of (huge) pages?", EFAULT);
}

static void run_once(struct vcpu *vcpu)
{
	if (ioctl(vcpu->fd.n, KVM_RUN, 0) == 0) {
		handle_exit(vcpu);
	} else if (errno == EINTR) {
		vcpu_count(&vcpu->counts.interrupted);
		set_immediate_exit(vcpu, 0);
		if (!mce_deliver(vcpu))
			guest_fault(vcpu, "a memory error it cannot be told of, errno",
				(uint64_t)errno);
		if (wanted_still(vcpu->vm))
			wait_at_gate(vcpu->vm);
		return;
	} else if (errno == EFAULT) {
		handle_lost_memory(vcpu);
	} else if (errno != EAGAIN) { /* EAGAIN: an application processor got its SIPI */
		guest_fault(vcpu, "KVM_RUN fails, errno", (uint64_t)errno);
	}
	/* It does not run past what it asked for, and what it did becomes complete. */
	if (vcpu->vm->request != VM_RUN)
		set_immediate_exit(vcpu, 1);
}

static void *vcpu_thread(void *opaque)
{
	struct vcpu *vcpu = opaque;
	char name[16];

	mce_thread(vcpu);
	snprintf(name, sizeof(name), "vcpu%u", vcpu->index);
	prctl(PR_SET_NAME, name);
	vcpu->tid = (int)syscall(SYS_gettid);
	if (policy_enter(&policy_vcpu_run, vcpu->seccomp, false, &vcpu->start_err) < 0)
		err_prefix(&vcpu->start_err, "%s", name);
	wait_at_gate(vcpu->vm);
	for (;;)
		run_once(vcpu);
	return NULL;
}

/* ---- the main thread ------------------------------------------------------------------------ */

static int failed(const struct vcpu *vcpu, struct err *err, const char *what)
{
	int code = -errno;

	return err_set(err, code, BLAME_HOST, "vcpu%u: %s: %s", vcpu->index, what, strerror(-code));
}

static int set_cpuid(const struct vcpu *vcpu, const struct kvm_cpuid2 *supported,
	const struct cpuid_vcpu *config, struct err *err)
{
	const size_t size = sizeof(*supported) + CPUID_ENTRIES * sizeof(supported->entries[0]);
	struct kvm_cpuid2 *cpuid = malloc(size);
	int r = 0;

	if (!cpuid)
		return err_set(err, -ENOMEM, BLAME_HOST, "out of memory");
	memcpy(cpuid, supported, size);
	cpuid_for_vcpu(cpuid, config);
	if (ioctl(vcpu->fd.n, KVM_SET_CPUID2, cpuid) < 0)
		r = failed(vcpu, err, "KVM_SET_CPUID2");
	free(cpuid);
	return r;
}

/* An AMD with AVIC on has a table of so many ids; kernels without the inhibition
 * APICV_INHIBIT_REASON_PHYSICAL_ID_TOO_BIG refuse the others. */
static int refuse_id(const struct vcpu *vcpu, unsigned id, struct err *err)
{
	int code = -errno;

	return err_set(err, code, BLAME_HOST, "vcpu%u: KVM_CREATE_VCPU of APIC id %u: %s%s",
		vcpu->index, id, strerror(-code), code == -EINVAL && id > MSI_DEST_MAX ?
		"; load kvm_amd with avic=0, or give fewer vCPUs (--cpus)" : "");
}

static int create(struct vcpu *vcpu, const struct kvm_cpuid2 *supported,
	const struct cpuid_vcpu *config, struct err *err)
{
	unsigned id = cpus_apic_id(config->cpus, vcpu->index);
	struct vm *vm = vcpu->vm;
	int r;

	vcpu->fd.n = ioctl(vm->fd.n, KVM_CREATE_VCPU, (unsigned long)id);
	if (vcpu->fd.n < 0)
		return refuse_id(vcpu, id, err);
	vcpu->run = mmap(NULL, vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd.n, 0);
	if (vcpu->run == MAP_FAILED)
		return failed(vcpu, err, "mmap of kvm_run");
	r = set_cpuid(vcpu, supported, config, err);
	if (r == 0)
		r = vcpu_state_boot_msrs(vcpu, err);
	if (r == 0)
		r = mce_setup(vcpu, config->amd, err);
	if (r == 0)
		r = vcpu_state_save(vcpu, vm->vcpus[0].initial, &vcpu->initial, err);
	return r;
}

int vcpus_create(struct vm *vm, const struct cpus *cpus, struct err *err)
{
	struct cpuid_vcpu config = {.cpus = cpus, .tsc_deadline =
		ioctl(vm->kvm.n, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0};
	struct kvm_cpuid2 *supported;
	int r;

	r = cpuid_supported(vm->kvm.n, &supported, err);
	if (r < 0)
		return r;
	config.amd = cpuid_is_amd(supported);
	if (cpus_max_apic_id(cpus) > MSI_DEST_MAX)
		irq_extend(&vm->irq);
	vm->vcpus = calloc(cpus->boot, sizeof(vm->vcpus[0]));
	vm->n_vcpus = vm->vcpus ? cpus->boot : 0;
	if (!vm->vcpus)
		r = err_set(err, -ENOMEM, BLAME_HOST, "out of memory");
	for (unsigned i = 0; i < vm->n_vcpus && r == 0; i++) {
		vm->vcpus[i] = (struct vcpu){.vm = vm, .index = i, .fd = FD_NONE_INIT};
		config.index = i;
		r = create(&vm->vcpus[i], supported, &config, err);
	}
	free(supported);
	return r;
}

int vcpus_reset(struct vm *vm, const struct vcpu_entry *entry, struct err *err)
{
	int r = 0;

	for (unsigned i = 0; i < vm->n_vcpus && r == 0; i++)
		r = vcpu_state_restore(&vm->vcpus[i], i == 0 ? entry : NULL, err);
	return r;
}

static void on_kick(int signal)
{
	(void)signal; /* that KVM_RUN returns is all it is for */
}

static void wait_all_parked(struct vm *vm)
{
	pthread_mutex_lock(&vm->gate_lock);
	while (vm->n_parked < vm->n_vcpus)
		pthread_cond_wait(&vm->gate_changed, &vm->gate_lock);
	pthread_mutex_unlock(&vm->gate_lock);
}

static int start_threads(struct vm *vm, enum seccomp_mode mode, struct err *err)
{
	pthread_attr_t attr;
	int r = 0;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	for (unsigned i = 0; i < vm->n_vcpus && r == 0; i++) {
		struct vcpu *vcpu = &vm->vcpus[i];

		vcpu->seccomp = mode;
		vcpu->pid = getpid();
		r = -pthread_create(&vcpu->thread, &attr, vcpu_thread, vcpu);
		if (r < 0)
			err_set(err, r, BLAME_HOST, "vcpu%u: cannot start its thread: %s; look at "
				"the limits on processes (ulimit -u, pids.max)", i, strerror(-r));
	}
	pthread_attr_destroy(&attr);
	return r;
}

int vcpus_start(struct vm *vm, enum seccomp_mode mode, struct err *err)
{
	struct sigaction action = {.sa_handler = on_kick};
	sigset_t kick;
	int r;

	/* Whoever started us may have blocked it, and threads inherit that. */
	sigemptyset(&kick);
	sigaddset(&kick, KICK_SIGNAL);
	sigprocmask(SIG_UNBLOCK, &kick, NULL);
	sigaction(KICK_SIGNAL, &action, NULL);
	r = start_threads(vm, mode, err);
	if (r < 0)
		return r;
	wait_all_parked(vm);
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		if (vm->vcpus[i].start_err.code < 0) {
			*err = vm->vcpus[i].start_err;
			return err->code;
		}
	}
	return 0;
}

void vcpus_resume(struct vm *vm)
{
	pthread_mutex_lock(&vm->gate_lock);
	vm->gate_closed = false;
	pthread_cond_broadcast(&vm->gate_changed);
	pthread_mutex_unlock(&vm->gate_lock);
}

void vcpu_kick(struct vcpu *vcpu)
{
	set_immediate_exit(vcpu, 1);
	syscall(SYS_tgkill, vcpu->pid, vcpu->tid, KICK_SIGNAL);
}

void vcpus_park(struct vm *vm)
{
	vm->gate_closed = true;
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		vcpu_kick(&vm->vcpus[i]);
	wait_all_parked(vm);
}
