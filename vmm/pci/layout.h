/* SPDX-License-Identifier: Apache-2.0
 *
 * The guest's physical address map: one table of constants, and the two things computed from the
 * size of RAM and the host's physical addresses.
 *
 *   0x0000_0000  low RAM, at most 3 GiB
 *   0xc000_0000  32-bit MMIO window of the PCI root
 *   0xf000_0000  ECAM, bus 0
 *   0xfec0_0000  IOAPIC; 0xfee0_0000 local APICs; 0xfeff_c000 KVM's identity map and TSS pages
 *   4 GiB        high RAM: the rest; on AMD around the 12 GiB below 1 TiB
 *   upper half   of 46 bits, or of as many as the host has, where those are fewer or RAM is larger:
 *                64-bit MMIO window
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ipc/config.h"
#include "ipc/err.h"

#define LOW_RAM_MAX	(3 * GiB)
#define MMIO32_BASE	0xc0000000ull
#define MMIO32_END	0xf0000000ull /* exclusive */
#define ECAM_BASE	0xf0000000ull
#define ECAM_SIZE	(1 * MiB) /* bus 0: 256 functions of 4 KiB (PCIe 7.2.2) */
#define IOAPIC_BASE	0xfec00000ull
#define LAPIC_BASE	0xfee00000ull
#define KVM_IDENTITY_MAP 0xfeffc000ull
#define KVM_TSS		0xfeffd000ull /* three pages */
#define HIGH_RAM_BASE	(4 * GiB)
/* HyperTransport's, on AMD: neither processors nor the IOMMU reach memory there (Linux
 * drivers/iommu/amd/iommu.c, HT_RANGE_START). Family 17h and newer have their own 12 GiB at the top
 * of the address space (Linux tools/testing/selftests/kvm/lib/x86/processor.c, vm_compute_max_gfn). */
#define HT_SIZE		(12 * GiB)
#define HT_HOLE_END	(1024 * GiB)
#define HT_HOLE_BASE	(HT_HOLE_END - HT_SIZE)

/* Below 1 MiB, where the loader puts what the kernel reads at boot. */
#define BOOT_GDT	0x500ull
#define BOOT_PARAMS	0x7000ull /* zero page, or hvm_start_info for PVH */
#define BOOT_PAGETABLES	0x9000ull
#define BOOT_CMDLINE	0x20000ull
#define CMDLINE_MAX	2048u
#define LOW_RAM_TOP	0x9fc00ull /* conventional memory ends, EBDA begins */
#define ACPI_BASE	0xe0000ull /* RSDP first, tables behind it, up to 1 MiB */
#define ACPI_SIZE	0x20000ull
#define HIMEM_START	0x100000ull

/* Ports and lines of the platform. */
#define COM1_PORT	0x3f8
#define COM1_IRQ	4
#define PM1A_EVT_PORT	0x600 /* 4 bytes: status, enable (ACPI 4.8.3.1) */
#define PM1A_CNT_PORT	0x604 /* 2 bytes (ACPI 4.8.3.2) */
#define PM1_CNT_S5	5u    /* SLP_TYP of \_S5 in the DSDT */
#define RESET_PORT	0xcf9 /* FADT RESET_REG */
#define RESET_VALUE	0x06
#define SCI_IRQ		9

enum { RAM_REGIONS = 3 };

/* Physical addresses of the host's processors, which are the guest's. */
struct phys_space {
	unsigned bits; /* what KVM can map */
	bool ht;       /* an AMD's, or a Hygon's: HyperTransport has its ranges in it */
};

/* A piece of guest RAM: [gpa, gpa + size) is the memfd's [offset, offset + size). */
struct ram_region {
	uint64_t gpa, size, offset;
};

struct layout {
	uint64_t ram_size;
	unsigned n_ram;
	struct ram_region ram[RAM_REGIONS];
	uint64_t mmio64_base, mmio64_end; /* exclusive */
};

/* Splits ram_size bytes (a multiple of 2 MiB, at least 16 MiB) around the holes and places the
 * 64-bit window. -E2BIG, with the largest size that fits in *err, when RAM reaches into the
 * window. *ret untouched on failure. */
int layout_plan(uint64_t ram_size, struct phys_space phys, struct layout *ret, struct err *err);
