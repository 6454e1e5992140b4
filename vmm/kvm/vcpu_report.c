/* SPDX-License-Identifier: Apache-2.0
 *
 * What the log says of vCPUs: exits to user space by reason, and registers after a fault.
 *
 * Core process, main thread. Counts may be read while the vCPUs run; each is one aligned word.
 */
#include "vmm/kvm/vcpu.h"

#include <linux/kvm.h>
#include <stdio.h>

/* KVM_EXIT_x, include/uapi/linux/kvm.h. */
static const char *const reasons[EXIT_REASONS] = {
	"unknown", "exception", "io", "hypercall", "debug", "hlt", "mmio", "irq-window-open",
	"shutdown", "fail-entry", "intr", "set-tpr", "tpr-access", "s390-sieic", "s390-reset",
	"dcr", "nmi", "internal-error", "osi", "papr-hcall", "s390-ucontrol", "watchdog",
	"s390-tsch", "epr", "system-event", "s390-stsi", "ioapic-eoi", "hyperv", "arm-nisv",
	"x86-rdmsr", "x86-wrmsr", "dirty-ring-full", "ap-reset-hold", "x86-bus-lock", "xen",
	"riscv-sbi", "riscv-csr", "notify", "loongarch-iocsr", "memory-fault",
};

struct line {
	char text[400];
	size_t len;
	uint64_t total;
};

static void add(struct line *line, const char *name, const uint64_t *counter)
{
	uint64_t n = __atomic_load_n(counter, __ATOMIC_RELAXED);
	int len;

	if (n == 0)
		return;
	line->total += n;
	len = snprintf(line->text + line->len, sizeof(line->text) - line->len, "%s%s %llu",
		line->len ? ", " : ": ", name, (unsigned long long)n);
	if (len > 0 && (size_t)len < sizeof(line->text) - line->len)
		line->len += (size_t)len;
}

uint64_t vcpus_exits(const struct vm *vm)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		const struct exit_counts *counts = &vm->vcpus[i].counts;

		for (unsigned k = 0; k < EXIT_REASONS; k++)
			total += __atomic_load_n(&counts->by_reason[k], __ATOMIC_RELAXED);
		total += __atomic_load_n(&counts->bar_gone, __ATOMIC_RELAXED) +
			__atomic_load_n(&counts->interrupted, __ATOMIC_RELAXED);
	}
	return total;
}

void vcpus_log_counts(const struct vm *vm, enum log_level level)
{
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		const struct exit_counts *counts = &vm->vcpus[i].counts;
		struct line line = {0};

		for (unsigned k = 0; k < EXIT_REASONS; k++)
			add(&line, reasons[k], &counts->by_reason[k]);
		add(&line, "bar-gone", &counts->bar_gone);
		add(&line, "interrupted", &counts->interrupted);
		log_line(level, "vcpu%u: %llu exits to user space%s", i,
			(unsigned long long)line.total, line.text);
	}
}

void vcpus_log_faults(const struct vm *vm)
{
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		const struct vcpu *vcpu = &vm->vcpus[i];
		const struct kvm_sregs s = vcpu->run->s.regs.sregs;
		const struct kvm_regs r = vcpu->run->s.regs.regs;

		if (!vcpu->registers_known)
			continue;
		log_error("vcpu%u: rip %04x:%llx rsp %04x:%llx rflags %llx cr0 %llx cr2 %llx "
			"cr3 %llx cr4 %llx efer %llx", i, s.cs.selector, r.rip, s.ss.selector,
			r.rsp, r.rflags, s.cr0, s.cr2, s.cr3, s.cr4, s.efer);
		log_error("vcpu%u: rax %llx rbx %llx rcx %llx rdx %llx rsi %llx rdi %llx rbp %llx",
			i, r.rax, r.rbx, r.rcx, r.rdx, r.rsi, r.rdi, r.rbp);
	}
}
