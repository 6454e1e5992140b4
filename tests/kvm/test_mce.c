/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory errors, by signals as the kernel sends them. It lets only a thread send itself such a one:
 * ioctl(2) is this file's, and passes everything on but the KVM_RUN that meets a bad page.
 *
 * links: vmm/kvm/vm.c vmm/kvm/gate.c vmm/kvm/kick.c vmm/kvm/kvm_vfio.c vmm/kvm/guard.c vmm/kvm/mce.c vmm/kvm/vcpu.c vmm/kvm/vcpu_state.c vmm/kvm/vcpu_report.c vmm/kvm/cpuid.c ipc/cpus.c vmm/pci/bus.c vmm/kvm/irq.c vmm/platform/serial.c vmm/platform/serial_out.c vmm/platform/platform.c vmm/kvm/ram.c vmm/pci/layout.c vmm/pci/pci.c seccomp/core.c
 */
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/kvm.h>

#include "tests/kvm/machine.h"
#include "vmm/kvm/mce.h"

enum { STATUS = 0x400 + 4 * (MCE_BANKS - 1) + 1, ADDR = STATUS + 1, MISC = STATUS + 2 };

/* CR4.MCE, "!" when ready, hlt; the handler stores status, address and MCG_STATUS at DATA. */
static const uint8_t code[] = {
	0x0f, 0x01, 0x1d, LE32(CODE + 0x70),			/* lidt [CODE + 0x70] */
	0x0f, 0x20, 0xe0, 0x0d, LE32(0x40), 0x0f, 0x22, 0xe0,	/* mov eax, cr4; or; mov cr4, eax */
	OUTB(0x3f8, '!'), 0xf4, 0xeb, 0xfd,
	[0x70] = 0xff, 0x07, LE32(CODE + 0x800),		/* IDT: limit, base */
	[0x80] = 0xb9, LE32(STATUS), 0x0f, 0x32,		/* rdmsr, to DATA and DATA + 4 */
	0xa3, LE32(DATA), 0x89, 0x15, LE32(DATA + 4),
	0xb9, LE32(ADDR), 0x0f, 0x32, 0xa3, LE32(DATA + 8), 0x89, 0x15, LE32(DATA + 12),
	0xb9, LE32(0x17a), 0x0f, 0x32, 0xa3, LE32(DATA + 16),
	POWEROFF,
};

static struct machine *m;
static void *_Atomic bad; /* vCPU 0 touches it next */

static void send_sigbus(int tid, int si_code, void *addr)
{
	siginfo_t info = {.si_signo = SIGBUS, .si_code = si_code};

	info.si_addr = addr;
	info.si_addr_lsb = 12;
	cr_assert_eq(syscall(SYS_rt_tgsigqueueinfo, getpid(), tid, SIGBUS, &info), 0, "%s",
		strerror(errno));
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg, *addr;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (request != KVM_RUN || !m || fd != m->vm.vcpus[0].fd.n || !(addr = atomic_exchange(&bad, NULL)))
		return (int)syscall(SYS_ioctl, fd, request, arg);
	send_sigbus((int)syscall(SYS_gettid), BUS_MCEERR_AR, addr);
	errno = EINTR;
	return -1;
}

static void touch(uint64_t gpa)
{
	bad = guest_word(m, gpa);
	vcpu_kick(&m->vm.vcpus[0]);
}

static uint64_t msr(uint32_t index)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} one = {.head.nmsrs = 1, .entry.index = index};

	cr_assert(ioctl(m->vm.vcpus[0].fd.n, KVM_GET_MSRS, &one) == 1, "0x%x", index);
	return one.entry.data;
}

/* A guest that has said that it is ready, of two vCPUs. */
static void start(enum seccomp_mode mode)
{
	static const uint32_t gate[2] = {0x10 << 16 | 0x80, CODE | 0x8e00};
	static const uint64_t gdt[] = {0, 0, 0x00cf9b000000ffff, 0x00cf93000000ffff};
	struct err err = {0};
	struct pollfd p;

	m = machine_make(2);
	mce_watch(&m->vm);
	memcpy(ram_at(&m->vm.ram, BOOT_GDT, sizeof(gdt)), gdt, sizeof(gdt));
	memcpy(ram_at(&m->vm.ram, CODE + 0x800 + 8 * 18, 8), gate, 8);
	machine_load(m, code, sizeof(code));
	log_init("test", LOG_ERROR, 2);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	cr_assert(vcpus_start(&m->vm, mode, &err) == 0, "%s", err.msg);
	vcpus_resume(&m->vm);
	p = (struct pollfd){.fd = m->out, .events = POLLIN};
	cr_assert(poll(&p, 1, 10000) == 1);
	expect_output(m, "!");
}

TestSuite(mce, .timeout = 30);

Test(mce, a_page_the_guest_has_touched)
{
	uint64_t status;

	start(SECCOMP_MODE_OFF);
	touch(0xabc000);
	cr_assert_eq(machine_wait(m), VM_POWEROFF);
	status = *(uint64_t *)(void *)guest_word(m, DATA);
	cr_expect(status >> 63 && status >> 61 & 1 && status >> 58 & 1, "0x%llx",
		(unsigned long long)status);
	cr_expect_eq(*guest_word(m, DATA + 8), 0xabc000, "address");
	cr_expect_eq(*guest_word(m, DATA + 16) & 7, 7, "MCIP, EIPV, RIPV: 0x%x",
		*guest_word(m, DATA + 16));
	cr_expect_eq(msr(MISC), 0x8c, "a physical address, of 4 KiB");
}

/* Somebody has to be told: vCPU 0, here under its real policy. On AMD that is no machine check yet,
 * but a log entry. */
Test(mce, a_page_nobody_has_touched)
{
	uint64_t status = 0;

	start(SECCOMP_MODE_KILL);
	send_sigbus(getpid(), BUS_MCEERR_AO, guest_word(m, 0xdef000));
	for (unsigned i = 0; i < 500 && m->vm.vcpus[0].optional.pending; i++)
		poll(NULL, 0, 10);
	vcpus_park(&m->vm);
	status = msr(STATUS);
	cr_expect(status >> 63 && status >> 58 & 1, "0x%llx", (unsigned long long)status);
	cr_expect_eq(msr(ADDR), 0xdef000);
}

/* What the last boot met is nothing to the next one. */
Test(mce, banks_are_empty_after_a_reset)
{
	const struct vcpu_entry entry = {.protected_mode = true, .rip = CODE, .rsp = STACK};
	struct err err = {0};

	start(SECCOMP_MODE_OFF);
	touch(0xabc000);
	cr_assert_eq(machine_wait(m), VM_POWEROFF);
	cr_assert(msr(STATUS) >> 63);
	cr_assert_eq(vcpus_reset(&m->vm, &entry, &err), 0, "%s", err.msg);
	cr_expect_eq(msr(STATUS), 0);
	cr_expect_eq(msr(ADDR), 0);
}

/* Optional, and not the guest's: whoever touches it will see. */
Test(mce, a_page_of_ours_nobody_has_touched)
{
	start(SECCOMP_MODE_KILL);
	send_sigbus(getpid(), BUS_MCEERR_AO, &m);
	vcpus_park(&m->vm);
	cr_expect_eq(m->vm.request, VM_RUN);
}

/* In a child, whose last words go to a pipe. */
static int end_by(int si_code, void *addr, char *said, size_t size)
{
	int status = 0, pipes[2];
	ssize_t n;
	pid_t child;

	cr_assert(pipe(pipes) == 0);
	child = fork();
	if (child == 0) {
		log_init("child", LOG_ERROR, pipes[1]);
		mce_watch(&m->vm);
		send_sigbus(getpid(), si_code, addr);
		_exit(77);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	n = read(pipes[0], said, size - 1);
	said[n > 0 ? n : 0] = '\0';
	return status;
}

/* The kernel to be loaded goes there: nobody can be told but the operator. */
Test(mce, a_page_that_is_to_be_loaded)
{
	char said[512];
	int status;

	m = machine_make(1);
	status = end_by(BUS_MCEERR_AR, guest_word(m, 0x100000), said, sizeof(said));
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 2, "0x%x", status);
	cr_expect(strstr(said, "uncorrectable error in guest RAM, at 0x100000"), "%s", said);
}

Test(mce, any_other_sigbus)
{
	char said[512];
	int status;

	m = machine_make(1);
	status = end_by(BUS_ADRERR, (void *)0x1234, said, sizeof(said));
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 2, "0x%x", status);
	cr_expect(strstr(said, "SIGBUS at 0x1234"), "%s", said);
}
