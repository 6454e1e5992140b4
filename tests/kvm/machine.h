/* SPDX-License-Identifier: Apache-2.0
 *
 * A machine in the test's own process: RAM, platform, serial port into a pipe, PCI root; and guests
 * of hand-made 32-bit code, entered flat at CODE like a PVH kernel.
 */
#pragma once

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/pci/pci.h"
#include "vmm/platform/platform.h"
#include "vmm/platform/serial.h"
#include "vmm/kvm/vcpu.h"

#define CODE  0x100000u /* where guests start */
#define DATA  0x200000u /* where they leave what they found, zero at first */
#define STACK 0x180000u

/* mov dx, port; mov al, value; out dx, al */
#define OUTB(port, value) 0x66, 0xba, (port) & 0xff, (port) >> 8, 0xb0, (value), 0xee
/* mov dx, 0x604; mov ax, SLP_EN | S5; out dx, ax; then hlt for ever */
#define POWEROFF 0x66, 0xba, 0x04, 0x06, 0x66, 0xb8, 0x00, 0x34, 0x66, 0xef, 0xf4, 0xeb, 0xfd
/* A 32-bit little-endian operand. */
#define LE32(v) (v) & 0xff, (v) >> 8 & 0xff, (v) >> 16 & 0xff, (v) >> 24 & 0xff

struct machine {
	struct vm vm;
	struct pci pci;
	struct platform platform;
	struct serial serial;
	int out; /* what the guest prints */
};

static inline int open_kvm(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, 0xae00 /* KVM_GET_API_VERSION */, 0) != 12)
		cr_skip_test("/dev/kvm: %s", fd < 0 ? strerror(errno) : "does not answer");
	return fd;
}

static inline struct machine *machine_make_cpus(const struct cpus *cpus)
{
	static struct machine m;
	const struct ram_options ram = {.size = 16 * MiB, .hugepage_size = 2 * MiB};
	const cpu_set_t no_node = {0};
	struct fd kvm = {open_kvm()};
	struct err err = {0};
	int pipes[2];

	cr_assert(pipe2(pipes, O_NONBLOCK | O_CLOEXEC) == 0);
	m.out = pipes[0];
	cr_assert(vm_check_host(kvm.n, cpus, &err) == 0, "%s", err.msg);
	cr_assert(ram_create(&m.vm.ram, &ram, &no_node, (struct phys_space){.bits = 40}, &err) == 0,
		"%s", err.msg);
	cr_assert(vm_create(&m.vm, kvm, &err) == 0, "%s", err.msg);
	cr_assert(vm_map_ram(&m.vm, &err) == 0, "%s", err.msg);
	cr_assert(pci_init(&m.pci, &m.vm, &err) == 0, "%s", err.msg);
	cr_assert(platform_init(&m.platform, &m.vm) == 0);
	cr_assert(serial_init(&m.serial, &m.vm.pio, &m.vm.irq, pipes[1]) == 0);
	cr_assert(vcpus_create(&m.vm, cpus, &err) == 0, "%s", err.msg);
	return &m;
}

static inline struct machine *machine_make(unsigned n_vcpus)
{
	return machine_make_cpus(&(struct cpus){n_vcpus, n_vcpus, 1, n_vcpus, 1, 1});
}

static inline uint32_t *guest_word(struct machine *m, uint64_t gpa)
{
	return ram_at(&m->vm.ram, gpa, 4);
}

static inline void machine_load(struct machine *m, const uint8_t *code, size_t len)
{
	const struct vcpu_entry entry = {.protected_mode = true, .rip = CODE, .rsp = STACK};
	struct err err = {0};

	memcpy(ram_at(&m->vm.ram, CODE, len), code, len);
	cr_assert(vcpus_reset(&m->vm, &entry, &err) == 0, "%s", err.msg);
}

static inline void machine_start(struct machine *m)
{
	struct err err = {0};

	log_init("test", LOG_ERROR, 2);
	cr_assert(vcpus_start(&m->vm, SECCOMP_MODE_OFF, &err) == 0, "%s", err.msg);
	vcpus_resume(&m->vm);
}

/* Until the guest asks for something; parked then. */
static inline enum vm_request machine_wait(struct machine *m)
{
	struct pollfd p = {.fd = m->vm.request_fd.n, .events = POLLIN};

	cr_assert(poll(&p, 1, 10000) == 1, "the guest asks for nothing");
	vcpus_park(&m->vm);
	return (enum vm_request)m->vm.request;
}

static inline enum vm_request machine_run(struct machine *m, const uint8_t *code, size_t len)
{
	machine_load(m, code, len);
	machine_start(m);
	return machine_wait(m);
}

/* What main.c does. */
static inline void machine_reset(struct machine *m, const uint8_t *code, size_t len)
{
	struct err err = {0};
	uint64_t asked;

	while (read(m->vm.request_fd.n, &asked, sizeof(asked)) > 0)
		;
	pci_reset(&m->pci);
	platform_reset(&m->platform);
	serial_reset(&m->serial);
	cr_assert(vm_reset(&m->vm, &err) == 0, "%s", err.msg);
	machine_load(m, code, len);
	vcpus_resume(&m->vm);
}

static inline void expect_output(struct machine *m, const char *want)
{
	char got[256] = "";
	ssize_t n = read(m->out, got, sizeof(got) - 1);

	cr_expect(n == (ssize_t)strlen(want) && strcmp(got, want) == 0, "printed «%s», not «%s»",
		n > 0 ? got : "", want);
}
