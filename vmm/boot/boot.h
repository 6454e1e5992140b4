/* SPDX-License-Identifier: Apache-2.0
 *
 * Direct kernel boot: what is put into guest RAM before the first instruction, and where that is.
 *
 * Core process, main thread, with the vCPUs parked or not started. The kernel and initramfs are
 * open descriptors, read with pread(2) at start and again at every guest reset: no path is used
 * after start. Every field read from these files is hostile.
 */
#pragma once

#include <stdbool.h>

#include "vmm/kvm/ram.h"
#include "vmm/kvm/vcpu.h"

struct boot_source {
	int kernel, initramfs; /* borrowed; initramfs -1: none */
	const char *cmdline;
	const struct cpus *cpus;
};

/* Cheap check, before anything was started: is this a kernel we can boot with such RAM? */
int boot_check(const struct boot_source *source, const struct layout *layout, struct err *err);

/* Loads a bzImage (Linux x86 boot protocol, 64-bit entry) or an ELF vmlinux with a PVH note (Xen
 * pvh.h), initramfs, command line, ACPI tables, memory map. *ret: where vCPU 0 starts. */
int boot_load(struct ram *ram, const struct boot_source *source, struct vcpu_entry *ret,
	struct err *err);

/* acpi.c: writes RSDP, XSDT, FADT, FACS, MADT, MCFG and DSDT at ACPI_BASE. */
int acpi_write(struct ram *ram, const struct cpus *cpus, struct err *err);

/* memmap.c: the map the kernel gets, as e820 types (1 RAM, 2 reserved). */
struct memmap_entry {
	uint64_t addr, size;
	uint32_t type;
};
enum { MEMMAP_MAX = 8 };
unsigned boot_memmap(const struct layout *layout, struct memmap_entry ret[MEMMAP_MAX]);
