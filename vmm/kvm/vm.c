/* SPDX-License-Identifier: Apache-2.0
 *
 * The VM: KVM's side of it, memslots, and what vCPUs ask of the main thread.
 *
 * Core process. Made and reset by the main thread; slots and requests by any. Slot numbers are
 * handed out from a bitmap; the size a slot is deleted with is of no matter to KVM, 0 says it.
 */
#include "vmm/kvm/vm.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include "vmm/kvm/cpuid.h"
#include "vmm/kvm/guard.h"

enum { KVM_API = 12, IRQCHIPS = 3 };

struct vm_initial {
	struct kvm_irqchip chips[IRQCHIPS];
	struct kvm_pit_state2 pit;
};

/* What we stand on; older ones come with these. */
static const struct {
	int cap;
	const char *name, *since;
} needed_caps[] = {
	{KVM_CAP_IRQCHIP, "KVM_CAP_IRQCHIP", "2.6.20"},
	{KVM_CAP_PIT_STATE2, "KVM_CAP_PIT_STATE2", "2.6.32"},
	{KVM_CAP_REINJECT_CONTROL, "KVM_CAP_REINJECT_CONTROL", "2.6.30"},
	{KVM_CAP_MCE, "KVM_CAP_MCE", "2.6.32"},
	{KVM_CAP_IRQFD, "KVM_CAP_IRQFD", "2.6.32"},
	{KVM_CAP_IRQFD_RESAMPLE, "KVM_CAP_IRQFD_RESAMPLE", "3.7"},
	{KVM_CAP_IOEVENTFD_ANY_LENGTH, "KVM_CAP_IOEVENTFD_ANY_LENGTH", "4.4"},
	{KVM_CAP_XCRS, "KVM_CAP_XCRS", "2.6.36"},
	{KVM_CAP_DEVICE_CTRL, "KVM_CAP_DEVICE_CTRL", "3.10"},
	{KVM_CAP_X2APIC_API, "KVM_CAP_X2APIC_API", "4.8"},
	{KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT", "4.13"},
	{KVM_CAP_SYNC_REGS, "KVM_CAP_SYNC_REGS", "4.17"},
};

static int failed(struct err *err, const char *what)
{
	int code = -errno;

	return err_set(err, code, BLAME_HOST, "/dev/kvm: %s: %s", what, strerror(-code));
}

int vm_check_host(int kvm_fd, const struct cpus *cpus, struct err *err)
{
	int n = ioctl(kvm_fd, KVM_GET_API_VERSION, 0);

	if (n < 0)
		return err_set(err, -ENOTTY, BLAME_HOST,
			"/dev/kvm: it does not answer like KVM (%s); look at `ls -l /dev/kvm`",
			strerror(errno));
	if (n != KVM_API)
		return err_set(err, -ENOTSUP, BLAME_HOST,
			"/dev/kvm: KVM API version %d, %d is needed", n, KVM_API);
	for (size_t i = 0; i < sizeof(needed_caps) / sizeof(needed_caps[0]); i++) {
		if (ioctl(kvm_fd, KVM_CHECK_EXTENSION, needed_caps[i].cap) <= 0)
			return err_set(err, -ENOTSUP, BLAME_HOST,
				"/dev/kvm: this kernel's KVM lacks %s, which Linux has since %s; "
				"run a newer kernel", needed_caps[i].name, needed_caps[i].since);
	}
	n = ioctl(kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS);
	if (n > 0 && cpus->boot > (unsigned)n)
		return err_set(err, -E2BIG, BLAME_HOST,
			"--cpus boot=%u: this kernel's KVM allows %d; give boot=%d or less",
			cpus->boot, n, n);
	n = ioctl(kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPU_ID);
	if (n > 0 && cpus_max_apic_id(cpus) >= (unsigned)n)
		return err_set(err, -E2BIG, BLAME_HOST,
			"--cpus topology: it leads to APIC ids up to %u, this kernel's KVM allows %d; "
			"give counts that are powers of two", cpus_max_apic_id(cpus), n - 1);
	return 0;
}

/* The speaker port 0x61 is the PIT's as well: KVM emulates it with the dummy flag. */
static int make_irqchip(struct vm *vm, struct err *err)
{
	struct kvm_pit_config pit = {.flags = KVM_PIT_SPEAKER_DUMMY};
	/* A tick that came while the last was not acknowledged is lost, as on a PC. Counting them up
	 * to give them back later needs every EOI to exit, which turns AVIC off for all vCPUs, and
	 * with it posted interrupts (Linux arch/x86/kvm/i8254.c, kvm_pit_set_reinject). */
	struct kvm_reinject_control reinject = {.pit_reinject = 0};
	/* Ids have 32 bits, in routes too (address_hi), and 0xff is one of them, not all vCPUs
	 * (Linux Documentation/virt/kvm/api.rst, KVM_CAP_X2APIC_API). */
	struct kvm_enable_cap x2apic = {
		.cap = KVM_CAP_X2APIC_API,
		.args = {KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK},
	};
	uint64_t identity_map = KVM_IDENTITY_MAP;

	if (ioctl(vm->fd.n, KVM_SET_IDENTITY_MAP_ADDR, &identity_map) < 0)
		return failed(err, "KVM_SET_IDENTITY_MAP_ADDR");
	if (ioctl(vm->fd.n, KVM_SET_TSS_ADDR, (unsigned long)KVM_TSS) < 0)
		return failed(err, "KVM_SET_TSS_ADDR");
	if (ioctl(vm->fd.n, KVM_CREATE_IRQCHIP, 0) < 0)
		return failed(err, "KVM_CREATE_IRQCHIP");
	if (ioctl(vm->fd.n, KVM_CREATE_PIT2, &pit) < 0)
		return failed(err, "KVM_CREATE_PIT2");
	if (ioctl(vm->fd.n, KVM_REINJECT_CONTROL, &reinject) < 0)
		return failed(err, "KVM_REINJECT_CONTROL");
	if (ioctl(vm->fd.n, KVM_ENABLE_CAP, &x2apic) < 0)
		return failed(err, "KVM_CAP_X2APIC_API");
	return 0;
}

static int remember_irqchip(struct vm *vm, struct err *err)
{
	vm->initial = calloc(1, sizeof(*vm->initial));
	if (!vm->initial)
		return err_set(err, -ENOMEM, BLAME_HOST, "out of memory");
	for (unsigned i = 0; i < IRQCHIPS; i++) {
		vm->initial->chips[i].chip_id = i;
		if (ioctl(vm->fd.n, KVM_GET_IRQCHIP, &vm->initial->chips[i]) < 0)
			return failed(err, "KVM_GET_IRQCHIP");
	}
	if (ioctl(vm->fd.n, KVM_GET_PIT2, &vm->initial->pit) < 0)
		return failed(err, "KVM_GET_PIT2");
	return 0;
}

static void init_fields(struct vm *vm, struct fd kvm_fd)
{
	vm->kvm = kvm_fd;
	vm->fd = vm->request_fd = FD_NONE_INIT;
	kvm_vfio_init(&vm->vfio);
	vm->n_vcpus = 0;
	vm->vcpus = NULL;
	vm->initial = NULL;
	memset(vm->slots_used, 0, sizeof(vm->slots_used));
	pthread_mutex_init(&vm->slots_lock, NULL);
	vm->request = VM_RUN;
	bus_init(&vm->mmio);
	bus_init(&vm->pio);
}

int vm_create(struct vm *vm, struct fd kvm_fd, struct err *err)
{
	int r;

	init_fields(vm, kvm_fd);
	do {
		vm->fd.n = ioctl(vm->kvm.n, KVM_CREATE_VM, 0);
	} while (vm->fd.n < 0 && errno == EINTR);
	if (vm->fd.n < 0)
		return failed(err, "KVM_CREATE_VM");
	vm->request_fd.n = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (vm->request_fd.n < 0 || gate_init(&vm->gate) < 0)
		return err_set(err, -errno, BLAME_HOST, "eventfd: %s", strerror(errno));
	r = ioctl(vm->kvm.n, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (r < (int)sizeof(struct kvm_run))
		return failed(err, "KVM_GET_VCPU_MMAP_SIZE");
	vm->run_size = (size_t)r;
	r = make_irqchip(vm, err);
	if (r == 0)
		r = guard_enable(vm, err);
	if (r == 0)
		r = irq_init(&vm->irq, vm->fd.n, err);
	return r < 0 ? r : remember_irqchip(vm, err);
}

int vm_reset(struct vm *vm, struct err *err)
{
	for (unsigned i = 0; i < IRQCHIPS; i++) {
		if (ioctl(vm->fd.n, KVM_SET_IRQCHIP, &vm->initial->chips[i]) < 0)
			return failed(err, "KVM_SET_IRQCHIP");
	}
	if (ioctl(vm->fd.n, KVM_SET_PIT2, &vm->initial->pit) < 0)
		return failed(err, "KVM_SET_PIT2");
	vm->request = VM_RUN;
	return 0;
}

int vm_phys_space(int kvm_fd, struct phys_space *ret, struct err *err)
{
	struct kvm_cpuid2 *cpuid;
	int r = cpuid_supported(kvm_fd, &cpuid, err);

	if (r < 0)
		return r;
	*ret = cpuid_phys_space(cpuid);
	free(cpuid);
	return 0;
}

int vm_map_ram(struct vm *vm, struct err *err)
{
	for (unsigned i = 0; i < vm->ram.layout.n_ram; i++) {
		const struct ram_region *region = &vm->ram.layout.ram[i];
		int r = vm_slot_add(vm, region->gpa, region->size, vm->ram.host + region->offset);

		if (r < 0)
			return err_set(err, r, BLAME_HOST,
				"KVM_SET_USER_MEMORY_REGION for guest RAM: %s", strerror(-r));
	}
	return 0;
}

static int slot_set(struct vm *vm, int slot, uint64_t gpa, uint64_t size, void *host,
	uint32_t flags)
{
	struct kvm_userspace_memory_region region = {
		.slot = (uint32_t)slot,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)host,
	};

	return ioctl(vm->fd.n, KVM_SET_USER_MEMORY_REGION, &region) < 0 ? -errno : 0;
}

static int slot_alloc(struct vm *vm)
{
	int slot = -ENOSPC;

	pthread_mutex_lock(&vm->slots_lock);
	for (int i = 0; i < SLOTS_MAX && slot < 0; i++) {
		if (vm->slots_used[i / 64] & 1ull << i % 64)
			continue;
		vm->slots_used[i / 64] |= 1ull << i % 64;
		slot = i;
	}
	pthread_mutex_unlock(&vm->slots_lock);
	return slot;
}

static void slot_free(struct vm *vm, int slot)
{
	pthread_mutex_lock(&vm->slots_lock);
	vm->slots_used[slot / 64] &= ~(1ull << slot % 64);
	pthread_mutex_unlock(&vm->slots_lock);
}

static int slot_add(struct vm *vm, uint64_t gpa, uint64_t size, void *host, uint32_t flags)
{
	int slot = slot_alloc(vm), r;

	if (slot < 0)
		return slot;
	r = slot_set(vm, slot, gpa, size, host, flags);
	if (r < 0) {
		slot_free(vm, slot);
		return r;
	}
	return slot;
}

int vm_slot_add(struct vm *vm, uint64_t gpa, uint64_t size, void *host)
{
	return slot_add(vm, gpa, size, host, 0);
}

int vm_slot_add_rom(struct vm *vm, uint64_t gpa, uint64_t size, void *host)
{
	return slot_add(vm, gpa, size, host, KVM_MEM_READONLY);
}

void vm_slot_del(struct vm *vm, int slot)
{
	if (slot < 0 || slot >= SLOTS_MAX)
		return;
	/* A slot KVM would not give up is never handed out again. */
	if (slot_set(vm, slot, 0, 0, NULL, 0) == 0)
		slot_free(vm, slot);
}

/* Length 0 is any length (KVM_CAP_IOEVENTFD_ANY_LENGTH), and KVM's fast path. */
static int ioeventfd(struct vm *vm, int eventfd, uint64_t gpa, uint32_t flags)
{
	struct kvm_ioeventfd args = {.addr = gpa, .fd = eventfd, .flags = flags};

	return ioctl(vm->fd.n, KVM_IOEVENTFD, &args) < 0 ? -errno : 0;
}

int vm_ioeventfd_add(struct vm *vm, int eventfd, uint64_t gpa)
{
	return ioeventfd(vm, eventfd, gpa, 0);
}

void vm_ioeventfd_del(struct vm *vm, int eventfd, uint64_t gpa)
{
	ioeventfd(vm, eventfd, gpa, KVM_IOEVENTFD_FLAG_DEASSIGN);
}

void vm_ask(struct vm *vm, enum vm_request request)
{
	const uint64_t one = 1;
	int now = vm->request;

	while (now < (int)request && !atomic_compare_exchange_weak(&vm->request, &now, request))
		;
	if (request != VM_RUN)
		gate_close(&vm->gate);
	/* Fails only when the counter is full, and then the main thread is awake anyway. */
	while (write(vm->request_fd.n, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}
