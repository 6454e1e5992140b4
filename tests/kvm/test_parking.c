/* SPDX-License-Identifier: Apache-2.0
 *
 * That vCPUs come to the gate, or the VM ends without them, whatever KVM_RUN returns and however long an
 * instruction takes. KVM_RUN fails here by order: ioctl(2) is ours.
 *
 * links: vmm/kvm/vm.c vmm/kvm/gate.c vmm/kvm/guard.c vmm/kvm/kick.c vmm/kvm/kvm_vfio.c vmm/kvm/mce.c vmm/kvm/vcpu.c vmm/kvm/vcpu_state.c
 * links: vmm/kvm/vcpu_report.c vmm/kvm/cpuid.c ipc/cpus.c vmm/pci/bus.c vmm/kvm/irq.c vmm/platform/serial.c
 * links: vmm/platform/serial_out.c vmm/platform/platform.c vmm/kvm/ram.c
 * links: vmm/pci/layout.c vmm/pci/pci.c seccomp/core.c
 */
#include <linux/kvm.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <time.h>

#include "ipc/frame.h"
#include "tests/kvm/machine.h"

static _Atomic int run_fails; /* with that errno */
static _Atomic int times = -1; /* so often, -1: from now on */
static _Atomic bool run_hangs;
static _Atomic unsigned hanging;
static int log_pipe[2];

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	hanging += request == KVM_RUN && run_hangs;
	while (request == KVM_RUN && run_hangs)
		usleep(10000);
	if (request == KVM_RUN && run_fails && times != 0) {
		times -= times > 0;
		errno = run_fails;
		return -1;
	}
	return (int)syscall(SYS_ioctl, fd, request, arg);
}

static unsigned lines(const char *what)
{
	static char text[65536];
	ssize_t n = read(log_pipe[0], text, sizeof(text) - 1);
	unsigned found = 0;

	text[n > 0 ? n : 0] = '\0';
	for (const char *at = text; (at = strstr(at, what)) != NULL; at++)
		found++;
	return found;
}

static const uint8_t spins[] = {0xeb, 0xfe};

static struct machine *started(const uint8_t *code, size_t len, unsigned n_vcpus)
{
	struct machine *m = machine_make(n_vcpus);

	cr_assert(pipe2(log_pipe, O_NONBLOCK) == 0);
	machine_load(m, code, len);
	machine_start(m);
	log_init("", LOG_ERROR, log_pipe[1]);
	return m;
}

static void ends_with_one_line(int code, const char *says)
{
	struct machine *m;
	int64_t began;

	m = started(spins, sizeof(spins), 1);
	run_fails = code;
	vcpu_kick(&m->vm.vcpus[0]);
	cr_expect(machine_wait(m) == VM_FATAL);
	began = now_ms();
	cr_expect(vcpus_park(&m->vm));
	cr_expect(now_ms() - began < 1000);
	cr_expect(lines(says) == 1);
	vcpus_log_faults(&m->vm);
	cr_expect(lines("rip") == 0, "KVM has told no registers");
}

/* kvm_mmu_post_init_vm, where pids.max leaves no room for KVM's own task. */
Test(parking, eagain_for_ever, .timeout = 30)
{
	ends_with_one_line(EAGAIN, "pids.max");
}

/* kvm->vm_dead. */
Test(parking, eio_for_ever, .timeout = 30)
{
	ends_with_one_line(EIO, "KVM_RUN fails");
}

Test(parking, some_eagain_is_nothing, .timeout = 30)
{
	static const uint8_t code[] = {POWEROFF};

	run_fails = EAGAIN;
	times = 100;
	cr_expect(machine_wait(started(code, sizeof(code), 1)) == VM_POWEROFF);
}

/* An NMI for a processor that waits for its INIT wakes it each time anew, and KVM says EAGAIN
 * (kvm_arch_vcpu_ioctl_run, KVM_MP_STATE_UNINITIALIZED). */
Test(parking, an_nmi_for_a_processor_that_is_not_started, .timeout = 30)
{
	static const uint8_t code[] = {
		0xc7, 0x05, LE32(0xfee00300), LE32(0xc4400), /* ICR: NMI to all but self */
		0xb9, LE32(200000), 0xe2, 0xfe,	     /* mov ecx, …; loop $ */
		POWEROFF,
	};

	cr_expect(machine_wait(started(code, sizeof(code), 2)) == VM_POWEROFF);
	cr_expect(lines("EAGAIN") == 0);
}

Test(parking, a_vcpu_that_never_comes_is_given_up, .timeout = 60)
{
	struct machine *m;
	int64_t began;

	run_hangs = true;
	m = started(spins, sizeof(spins), 2);
	while (hanging < 2)
		usleep(1000);
	began = now_ms();
	cr_expect(!vcpus_park(&m->vm));
	cr_expect(now_ms() - began >= 10000 && now_ms() - began < 25000, "%ld ms",
		(long)(now_ms() - began));
	cr_expect(lines("not all of them have stopped") == 1);
}

/* A helper that answers each access just in time, until it is in nobody's way any more. */
static void slow_read(void *opaque, uint64_t offset, uint8_t *data, unsigned size)
{
	struct machine *m = opaque;

	(void)offset;
	memset(data, 0xff, size);
	if (!gate_hurries(&m->vm.gate))
		usleep(300000);
}

static void no_write(void *opaque, uint64_t offset, const uint8_t *data, unsigned size)
{
	(void)opaque, (void)offset, (void)data, (void)size;
}

Test(parking, a_long_instruction_on_a_slow_device, .timeout = 60)
{
	static const struct bus_ops slow = {.read = slow_read, .write = no_write};
	/* mov esi, 0xd0000000; mov ecx, 4096; rep lodsb; jmp $ */
	static const uint8_t code[] = {0xbe, LE32(0xd0000000), 0xb9, LE32(4096), 0xf3, 0xac, 0xeb,
		0xfe};
	struct machine *m = machine_make(1);
	int64_t began;

	cr_assert(pipe2(log_pipe, O_NONBLOCK) == 0);
	cr_assert(bus_add(&m->vm.mmio, 0xd0000000, 0x1000, &slow, m) == 0);
	machine_load(m, code, sizeof(code));
	machine_start(m);
	usleep(500000);
	began = now_ms();
	cr_expect(vcpus_park(&m->vm));
	cr_expect(now_ms() - began < 8000, "%ld ms", (long)(now_ms() - began));
	cr_expect(gate_is_closed(&m->vm.gate) && !gate_hurries(&m->vm.gate),
		"it would be the main thread's asks that nobody waits for");
}
