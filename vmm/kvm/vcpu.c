/* SPDX-License-Identifier: Apache-2.0
 *
 * vCPU threads: KVM_RUN, the gate, and what KVM_RUN returns with.
 *
 * Core process: the loop in vCPU threads, everything else in the main thread. Invariants:
 *
 *   - A vCPU parks when KVM_RUN has returned EINTR, or fails with the gate closed. An access KVM
 *     handed us is complete by then (KVM finishes it at the start of the next KVM_RUN, also of one
 *     that runs no guest), so a reset does not meet half an instruction.
 *   - No wake-up is lost: who wants the vCPU closes the gate, then sets immediate_exit, then sends
 *     the signal; the vCPU clears immediate_exit, then looks at the gate.
 *   - Whatever KVM_RUN does, its thread comes to the gate or the VM ends without it (vcpus_park).
 *   - The loop takes no lock and makes no system call but KVM_RUN; what handlers do is theirs.
 */
#include "vmm/kvm/vcpu.h"

#include <errno.h>
#include <linux/kvm.h>
#include <poll.h>
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

enum {
	LOST_MEMORY_MAX = 16,
	AGAIN_FEW = 10, AGAIN_MAX = 1000,
	START_MS = 60000,
	PARK_MS = 4000,   /* longer than a helper may hold up one access (PEER_ACCESS_MS) */
	HURRY_MS = 12000, /* longer than any one ask of a helper (ipc/rules.c) */
	STACK_SIZE = 512 * 1024, /* a handler may hold a message of 64 KiB */
};

/* ---- the vCPU's thread ---------------------------------------------------------------------- */

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

/* The guest is to blame, or this host's KVM; either way only this VM ends. Told once. */
static void guest_fault(struct vcpu *vcpu, const char *what, uint64_t detail)
{
	if (vcpu->faulted)
		return;
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

	vcpu->suspect = vcpu->lost_memory = vcpu->again = 0;
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

/* EFAULT: memory of a slot is not there. VFIO takes a BAR's away when its device is reset or asleep
 * (vfio_pci_zap_and_down_write_memory_lock); without its slot the access traps and is answered. KVM does
 * not say whose it was, so they are tried in turn. A second vCPU may find that the first has found
 * it: it tries again. */
static void handle_lost_memory(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;

	vcpu_count(&vcpu->counts.bar_gone);
	if (vm->bar_fault && vm->bar_fault(vm->bar_fault_opaque, &vcpu->suspect))
		return;
	vcpu->suspect = 0;
	if (++vcpu->lost_memory == LOST_MEMORY_MAX)
		guest_fault(vcpu, "guest memory is gone, out of (huge) pages?", EFAULT);
}

/* It comes to an application processor that waits for its INIT whenever something wakes it, which an
 * NMI does again and again: the guest's doing, and none to spin for. To the first one it comes for ever
 * where KVM may not start the task it needs before it runs a vCPU (kvm_mmu_post_init_vm). */
static void handle_again(struct vcpu *vcpu)
{
	const struct timespec moment = {.tv_nsec = 1000000};

	vcpu->again++;
	if (vcpu->index > 0 && vcpu->again > AGAIN_FEW)
		ppoll(NULL, 0, &moment, NULL); /* a kick ends it */
	else if (vcpu->again == AGAIN_MAX)
		guest_fault(vcpu, "KVM_RUN says EAGAIN again and again; may KVM start its task? look at "
			"pids.max of this cgroup and ulimit -u", EAGAIN);
}

/* EIO: KVM has given the VM up (kvm->vm_dead), and every call fails. */
static void handle_failure(struct vcpu *vcpu, int code)
{
	if (code == EFAULT)
		handle_lost_memory(vcpu);
	else if (code == EAGAIN)
		handle_again(vcpu);
	else
		guest_fault(vcpu, "KVM_RUN fails, errno", (uint64_t)code);
	if (gate_is_closed(&vcpu->vm->gate) && code != EFAULT)
		gate_wait(&vcpu->vm->gate);
}

static void handle_interrupted(struct vcpu *vcpu)
{
	vcpu_count(&vcpu->counts.interrupted);
	vcpu->registers_known = vcpu->faulted;
	vcpu_immediate_exit(vcpu, false);
	if (!mce_deliver(vcpu))
		guest_fault(vcpu, "a memory error it cannot be told of, errno", (uint64_t)errno);
	if (gate_is_closed(&vcpu->vm->gate))
		gate_wait(&vcpu->vm->gate);
}

static void run_once(struct vcpu *vcpu)
{
	if (ioctl(vcpu->fd.n, KVM_RUN, 0) == 0)
		handle_exit(vcpu);
	else if (errno == EINTR)
		return handle_interrupted(vcpu);
	else
		handle_failure(vcpu, errno);
	/* It does not run past what it asked for, and what it did becomes complete. */
	if (gate_is_closed(&vcpu->vm->gate))
		vcpu_immediate_exit(vcpu, true);
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
	gate_wait(&vcpu->vm->gate);
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
	int r;

	vcpu_kick_init();
	r = start_threads(vm, mode, err);
	if (r < 0)
		return r;
	if (!gate_wait_for(&vm->gate, vm->n_vcpus, START_MS))
		return err_set(err, -ETIMEDOUT, BLAME_HOST, "vCPUs: their threads do not start within "
			"%d s; is the host overloaded?", START_MS / 1000);
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
	/* What a vCPU asked for on its way to the gate comes first. */
	if (vm->request == VM_RUN)
		gate_open(&vm->gate);
}

bool vcpus_park(struct vm *vm)
{
	gate_close(&vm->gate);
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		vcpu_kick(&vm->vcpus[i]);
	if (gate_wait_for(&vm->gate, vm->n_vcpus, PARK_MS))
		return true;
	gate_hurry(&vm->gate);
	if (gate_wait_for(&vm->gate, vm->n_vcpus, HURRY_MS)) {
		gate_calm(&vm->gate);
		return true;
	}
	log_error("vCPUs: not all of them have stopped within %d s", (PARK_MS + HURRY_MS) / 1000);
	return false;
}
