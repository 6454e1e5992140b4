/* SPDX-License-Identifier: Apache-2.0
 *
 * The KVM virtual machine: its descriptors, memslots, buses and vCPUs.
 *
 * Core process. One struct vm for the life of the process. Locks, outermost first: a PCI
 * function's, then bus, slots or irq (leaves, never held together).
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "ipc/fd.h"
#include "ipc/cpus.h"
#include "vmm/kvm/gate.h"
#include "vmm/kvm/irq.h"
#include "vmm/kvm/kvm_vfio.h"
#include "vmm/kvm/ram.h"
#include "vmm/pci/bus.h"

enum { SLOTS_MAX = 512 };

struct vcpu;

/* What a vCPU, a port or the operator asks the main thread to do; the worst wins. */
enum vm_request {
	VM_RUN,
	VM_RESET,
	VM_POWEROFF, /* the guest's own end */
	VM_CUT_OFF,  /* the operator's: the guest was not done, or was not asked */
	VM_FATAL,
};

struct vm {
	struct fd kvm, fd;
	struct kvm_vfio vfio;
	struct ram ram;
	struct irq irq;
	struct bus mmio, pio;
	unsigned n_vcpus;
	struct vcpu *vcpus;
	size_t run_size; /* of a kvm_run mapping */

	pthread_mutex_t slots_lock;
	uint64_t slots_used[SLOTS_MAX / 64];

	_Atomic int request;   /* enum vm_request */
	struct fd request_fd;  /* eventfd: wakes the main thread */
	struct gate gate;

	/* A vCPU's KVM_RUN failed with EFAULT: takes the BARs of one more suspect, whose memory may be
	 * gone, out of the guest, and puts those of the last one back. *suspect: 0 at the first time.
	 * False: there is no other. Called by vCPU threads; set before they start. */
	bool (*bar_fault)(void *opaque, unsigned *suspect);
	void *bar_fault_opaque;
	struct vm_initial *initial; /* the irqchip as it was made, for vm_reset */
};

/* Does this host's KVM have the API version and capabilities we stand on? Starts nothing. */
int vm_check_host(int kvm_fd, const struct cpus *cpus, struct err *err);

/* Opens nothing: kvm_fd is /dev/kvm, consumed. Makes the VM, its full irqchip and PIT. Touches
 * everything in *vm but ram and bar_fault. */
int vm_create(struct vm *vm, struct fd kvm_fd, struct err *err);

/* vCPUs parked: PIC, IOAPIC and PIT as after power-on, and no request pending. */
int vm_reset(struct vm *vm, struct err *err);

/* What a guest physical address can be on this host, from KVM_GET_SUPPORTED_CPUID. */
int vm_phys_space(int kvm_fd, struct phys_space *ret, struct err *err);

/* Makes vm->ram the guest's RAM. */
int vm_map_ram(struct vm *vm, struct err *err);

/* Maps host memory into the guest. Returns a slot number or -errno. Page granular. Any thread. */
int vm_slot_add(struct vm *vm, uint64_t gpa, uint64_t size, void *host);
/* Of which the guest can read, and its writes go where no memory is. */
int vm_slot_add_rom(struct vm *vm, uint64_t gpa, uint64_t size, void *host);
/* Returns when no vCPU can reach the memory any more. */
void vm_slot_del(struct vm *vm, int slot);

/* A guest write at gpa, of any size and value, signals the eventfd and exits to nobody
 * (KVM_IOEVENTFD); and not any more. Any thread. 0 or -errno. */
int vm_ioeventfd_add(struct vm *vm, int eventfd, uint64_t gpa);
void vm_ioeventfd_del(struct vm *vm, int eventfd, uint64_t gpa);

/* Any thread: asks the main thread to reset or power off; VM_RUN only wakes it. The vCPU that asks
 * does not run on; the main thread parks the others. */
void vm_ask(struct vm *vm, enum vm_request request);
