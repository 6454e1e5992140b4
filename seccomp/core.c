/* SPDX-License-Identifier: Apache-2.0
 *
 * What the core may call: while it sets the VM up, then its main thread, then its vCPU threads.
 *
 * There is no VFIO, iommufd or vhost request in any of these, no path and no new socket. Filters
 * add up: the vCPU threads are born under the set-up policy and narrow it down with theirs, so the
 * set-up policy holds all rows of the other two.
 */
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/kvm.h>
#include <linux/sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "seccomp/rows.h"

#ifndef SYS_mseal /* Linux 6.10 */
#define SYS_mseal 462
#endif
#ifndef MADV_GUARD_INSTALL /* Linux 6.13 */
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE  103
#endif

/* Main thread and vCPU threads. */
#define ROWS_THREADS                                                                               \
	ROWS_WIRE, ALLOW_LOW_FD(write, "log_line, serial output, eventfds that wake"),             \
		/* No other operation: none that requeues or inherits priority. */                 \
		ALLOW_MASKED(futex, 1, FUTEX_CMD_MASK, FUTEX_WAIT, "pthread locks"),               \
		ALLOW_MASKED(futex, 1, FUTEX_CMD_MASK, FUTEX_WAKE, "both: those who wait"),        \
		ALLOW(rt_sigreturn, "handlers return: the kick, memory errors"),                   \
		ALLOW_IOCTL(KVM_SET_USER_MEMORY_REGION, "vm_slot_add, vm_slot_del"),               \
		ALLOW_IOCTL(KVM_IRQFD, "irqfd_on, irqfd_off"),                                     \
		ALLOW_IOCTL(KVM_IOEVENTFD, "doorbells_on, doorbells_off: a BAR moves"),            \
		ALLOW_IOCTL(KVM_IRQ_LINE, "irq_line: COM1, SCI")

#define ROWS_VCPU_ONLY                                                                             \
	ALLOW_IOCTL(KVM_RUN, "the vCPU's loop"),                                                   \
		ALLOW_MASKED(futex, 1, FUTEX_CMD_MASK, FUTEX_WAIT_BITSET, "gate_wait"),            \
		ALLOW_IF(eventfd2, 0, 0, "a vector's eventfd, made at first use"),                 \
		ALLOW_IOCTL(KVM_X86_SET_MCE, "mce_deliver: a memory error in guest RAM"),          \
		ALLOW(fstat, "serial_out: has somebody truncated the file that was full?"),        \
		ALLOW_IOCTL(KVM_SET_GSI_ROUTING, "irq_route: a vector's message")

#define ROWS_MAIN_ONLY                                                                             \
	ALLOW_LOW_FD(read, "console input, eventfds"),                                   \
		ALLOW_LOW_FD(pread64, "reset in place: the kernel is loaded again"),               \
		ALLOW(fstat, "reset in place: image_init"),                                        \
		ALLOW(munmap, "BAR mappings"),                                                     \
		ALLOW_OWN_PID(tgkill, 0, "kicking a vCPU out of KVM_RUN"),                                    \
		ALLOW_IOCTL(KVM_SIGNAL_MSI, "send_nmi: what the API asks for"),                     \
		ALLOW_IOCTL(KVM_SET_DEVICE_ATTR, "kvm_vfio_del: the host takes a device back"),    \
		ALLOW_IOCTL(KVM_SET_SREGS, "vcpus_reset"),                                         \
		ALLOW_IOCTL(KVM_SET_MSRS, "vcpus_reset"),                                          \
		ALLOW_IOCTL(KVM_SET_LAPIC, "vcpus_reset"),                                         \
		ALLOW_IOCTL(KVM_SET_MP_STATE, "vcpus_reset"),                                      \
		ALLOW_IOCTL(KVM_SET_VCPU_EVENTS, "vcpus_reset"),                                   \
		ALLOW_IOCTL(KVM_SET_DEBUGREGS, "vcpus_reset"),                                     \
		ALLOW_IOCTL(KVM_SET_XCRS, "vcpus_reset"),                                          \
		ALLOW_IOCTL(KVM_SET_XSAVE, "vcpus_reset"),                                         \
		ALLOW_IOCTL(KVM_SET_IRQCHIP, "reset in place: PIC and IOAPIC"),                    \
		ALLOW_IOCTL(KVM_SET_PIT2, "reset in place: PIT")

static const struct policy_row setup[] = {
	ROWS_THREADS,
	ROWS_VCPU_ONLY,
	ROWS_MAIN_ONLY,
	ALLOW(seccomp, "policy_enter: load the run policies"),
	ALLOW_IF(prlimit64, 0, 0, "confine_limits: of our own"),
	ALLOW(memfd_create, "make_memfd"),
	ALLOW(ftruncate, "make_memfd"),
	ALLOW_IF(fcntl, 1, F_ADD_SEALS, "make_memfd"),
	ALLOW(mbind, "bind_to_node"),
	ALLOW(mseal, "ram_seal"),
	ALLOW_IF(madvise, 2, MADV_DONTDUMP, "advise: guest RAM"),
	ALLOW_IF(madvise, 2, MADV_HUGEPAGE, "advise: guest RAM"),
	ALLOW(pread64, "rom_make: the device's expansion ROM"),
	ALLOW(brk, "malloc"),
	ALLOW_MASKED(mmap, 2, PROT_EXEC, 0, "malloc, thread stacks, BARs, vCPU run pages"),
	ALLOW_MASKED(mprotect, 2, PROT_EXEC, 0, "guard pages of thread stacks, malloc"),
	ALLOW(mremap, "realloc"),
	ALLOW_IF(madvise, 2, MADV_DONTFORK, "bars_map_device; guest RAM"),
	ROW_REFUSE_FDS,
	ALLOW_IF(madvise, 2, MADV_POPULATE_WRITE, "populate_thread"),
	ALLOW_IF(madvise, 2, MADV_DONTNEED, "the end of populate_thread: its stack"),
	ALLOW_IF(madvise, 2, MADV_GUARD_INSTALL, "pthread_create of glibc 2.42: a stack's guard"),
	ALLOW_IF(madvise, 2, MADV_GUARD_REMOVE, "the same, where a stack is used again"),
	ALLOW(exit, "the end of populate_thread"),
	/* So does a futex with a time-out go on after a stop or a freeze (futex_wait_restart). */
	ALLOW(restart_syscall, "populate: join"),
	ALLOW(sched_getaffinity, "populate: how many processors"),
	ALLOW(sched_setaffinity, "populate: its threads on the processors of RAM's node"),
	ROW_KIND_ANON,
	ROW_KIND_CHARDEV,
	ALLOW(rt_sigaction, "the kick signal"),
	ALLOW_MASKED(clone, 0, CLONE_THREAD, CLONE_THREAD, "pthread_create: threads only"),
	DENY(clone3, 38 /* ENOSYS */, "pthread_create falls back to clone, whose flags we see"),
	ALLOW(rt_sigprocmask, "pthread_create, a thread's start"),
	ALLOW(set_robust_list, "a thread's start"),
	ALLOW(rseq, "a thread's start: glibc has it for all threads or none"),
	ALLOW(getpid, "vcpus_start: whom to kick"), ALLOW(gettid, "vcpu.tid"),
	ALLOW_IF(prctl, 0, PR_SET_NAME, "pthread_setname_np: vcpuN"),
	ALLOW_IOCTL(KVM_GET_API_VERSION, "vm_check_host"),
	ALLOW_IOCTL(KVM_CHECK_EXTENSION, "vm_check_host, vm_create"),
	ALLOW_IOCTL(KVM_CREATE_VM, "vm_create"),
	ALLOW_IOCTL(KVM_SET_TSS_ADDR, "vm_create"),
	ALLOW_IOCTL(KVM_SET_IDENTITY_MAP_ADDR, "vm_create"),
	ALLOW_IOCTL(KVM_CREATE_IRQCHIP, "vm_create"),
	ALLOW_IOCTL(KVM_CREATE_PIT2, "vm_create"),
	ALLOW_IOCTL(KVM_REINJECT_CONTROL, "vm_create: no re-injection of PIT ticks"),
	ALLOW_IOCTL(KVM_ENABLE_CAP, "vm_create: 32-bit x2APIC ids; guard_enable: exits for bus locks "
		"and where no interrupt comes through"),
	ALLOW_IOCTL(KVM_GET_VCPU_MMAP_SIZE, "vm_create"),
	ALLOW_IOCTL(KVM_GET_SUPPORTED_CPUID, "vm_phys_space, vcpus_create"),
	ALLOW_IOCTL(KVM_CREATE_DEVICE, "kvm_vfio_add"),
	ALLOW_IF(fcntl, 1, F_DUPFD_CLOEXEC, "kvm_vfio_add: above FD_FLOOR"),
	ALLOW_IOCTL(KVM_CREATE_VCPU, "vcpus_create"),
	ALLOW_IOCTL(KVM_X86_GET_MCE_CAP_SUPPORTED, "mce_setup"),
	ALLOW_IOCTL(KVM_X86_SETUP_MCE, "mce_setup"),
	ALLOW_IOCTL(KVM_SET_CPUID2, "vcpus_create"),
	ALLOW_IOCTL(KVM_GET_SREGS, "vcpus_create: the state a reset returns to"),
	ALLOW_IOCTL(KVM_GET_MSRS, "vcpus_create"),
	ALLOW_IOCTL(KVM_GET_MSR_INDEX_LIST, "vcpus_create"),
	ALLOW_IOCTL(KVM_GET_LAPIC, "vcpus_create"),
	ALLOW_IOCTL(KVM_GET_MP_STATE, "vcpus_create"),
	ALLOW_IOCTL(KVM_GET_VCPU_EVENTS, "vcpus_create"),
	ALLOW_IOCTL(KVM_GET_DEBUGREGS, "vcpus_create"),
	ALLOW_IOCTL(KVM_GET_XCRS, "vcpus_create"),
	ALLOW_IOCTL(KVM_GET_XSAVE, "vcpus_create"),
	ALLOW_IOCTL(KVM_GET_IRQCHIP, "vm_create: the state a reset returns to"),
	ALLOW_IOCTL(KVM_GET_PIT2, "vm_create"),
};

static const struct policy_row run[] = {
	ROWS_THREADS,
	ROWS_MAIN_ONLY,
};

static const struct policy_row vcpu[] = {
	ROWS_THREADS,
	ROWS_VCPU_ONLY,
};

const struct policy policy_core_setup = POLICY("core", "setup", setup);
const struct policy policy_core_run = POLICY("core", "run", run);
const struct policy policy_vcpu_run = POLICY("vcpu", "run", vcpu);
