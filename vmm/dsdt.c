/* SPDX-License-Identifier: Apache-2.0
 *
 * The DSDT: PCI root, ECAM reservation, COM1, processors, power-off.
 *
 * Core process, main thread. Emitted instead of compiled with the build, because the windows and
 * the number of processors are known only at run time.
 */
#include <stdio.h>

#include "vmm/acpi.h"

enum {
	PRT_PINS = 4,
	PRT_GSI_BASE = 16, PRT_GSIS = 8, /* PCI interrupts: IOAPIC pins 16-23 */
	PCI_IO_FIRST = 0x1000, PCI_IO_LAST = 0xffff,
	CF8_PORT = 0xcf8, CF8_PORTS = 8,
	COM1_PORTS = 8,

	/* ACPI 6.5, 20.2.5 */
	STORE_OP = 0x70, AND_OP = 0x7b, OR_OP = 0x7d, CREATE_DWORD_FIELD_OP = 0x8a, LNOT_OP = 0x92,
	LEQUAL_OP = 0x93, RETURN_OP = 0xa4, NAME_OP = 0x08, LOCAL0 = 0x60, ARG0 = 0x68, ARG1 = 0x69,
	ARG3 = 0x6b,

	/* _OSC status (ACPI 6.5, 6.2.11) and PCI control bits (PCI Firmware 3.3, 4.5.1). */
	OSC_BAD_UUID = 0x04, OSC_BAD_REVISION = 0x08, OSC_MASKED = 0x10,
	OSC_PME = 0x04, OSC_AER = 0x08, OSC_PCIE_CAPABILITY = 0x10, OSC_LTR = 0x20,
	OSC_GRANTED = OSC_PME | OSC_AER | OSC_PCIE_CAPABILITY | OSC_LTR, /* no hot plug */
};

/* 33DB4D5B-1FF7-401C-9657-7441C03DD766, PCI host bridge, as ToUUID lays it out. */
static const uint8_t osc_uuid[16] = {0x5b, 0x4d, 0xdb, 0x33, 0xf7, 0x1f, 0x1c, 0x40, 0x96, 0x57,
	0x74, 0x41, 0xc0, 0x3d, 0xd7, 0x66};

/* CreateDWordField (Arg3, index, name) */
static void dword_field(struct aml *aml, unsigned index, const char *name)
{
	aml_byte(aml, CREATE_DWORD_FIELD_OP);
	aml_byte(aml, ARG3);
	aml_int(aml, index);
	aml_path(aml, name);
}

/* CDW1 |= bit */
static void set_status(struct aml *aml, unsigned bit)
{
	aml_byte(aml, OR_OP);
	aml_path(aml, "CDW1");
	aml_int(aml, bit);
	aml_path(aml, "CDW1");
}

/* Grants what is in OSC_GRANTED of what the guest asks for, and says so where that is less. */
static void write_osc_grant(struct aml *aml)
{
	size_t differs;

	dword_field(aml, 8, "CDW3");
	aml_byte(aml, AND_OP); /* Local0 = CDW3 & OSC_GRANTED */
	aml_path(aml, "CDW3");
	aml_int(aml, OSC_GRANTED);
	aml_byte(aml, LOCAL0);
	differs = aml_begin_if(aml); /* If (Local0 != CDW3) */
	aml_byte(aml, LNOT_OP);
	aml_byte(aml, LEQUAL_OP);
	aml_byte(aml, LOCAL0);
	aml_path(aml, "CDW3");
	set_status(aml, OSC_MASKED);
	aml_end(aml, differs);
	differs = aml_begin_if(aml); /* If (Arg1 != 1) */
	aml_byte(aml, LNOT_OP);
	aml_byte(aml, LEQUAL_OP);
	aml_byte(aml, ARG1);
	aml_int(aml, 1);
	set_status(aml, OSC_BAD_REVISION);
	aml_end(aml, differs);
	aml_byte(aml, STORE_OP); /* CDW3 = Local0 */
	aml_byte(aml, LOCAL0);
	aml_path(aml, "CDW3");
}

static void write_osc(struct aml *aml)
{
	size_t method = aml_begin_method(aml, "_OSC", 4), branch;

	dword_field(aml, 0, "CDW1");
	branch = aml_begin_if(aml);
	aml_byte(aml, LEQUAL_OP);
	aml_byte(aml, ARG0);
	aml_buffer(aml, osc_uuid, sizeof(osc_uuid));
	write_osc_grant(aml);
	aml_end(aml, branch);
	branch = aml_begin_else(aml);
	set_status(aml, OSC_BAD_UUID);
	aml_end(aml, branch);
	aml_byte(aml, RETURN_OP);
	aml_byte(aml, ARG3);
	aml_end(aml, method);
}

/* INTA-INTD of every device to a pin of the IOAPIC, swizzled (PCI 2.2.6). */
static void write_prt(struct aml *aml)
{
	size_t prt, entry;

	aml_byte(aml, NAME_OP);
	aml_path(aml, "_PRT");
	prt = aml_begin_package(aml, PCI_DEVICES * PRT_PINS);
	for (unsigned device = 0; device < PCI_DEVICES; device++) {
		for (unsigned pin = 0; pin < PRT_PINS; pin++) {
			entry = aml_begin_package(aml, 4);
			aml_int(aml, device << 16 | 0xffff);
			aml_int(aml, pin);
			aml_int(aml, 0); /* no link device: the next is a GSI */
			aml_int(aml, PRT_GSI_BASE + (device + pin) % PRT_GSIS);
			aml_end(aml, entry);
		}
	}
	aml_end(aml, prt);
}

static void write_pci(struct aml *aml, const struct layout *layout)
{
	size_t device = aml_begin_device(aml, "PCI0"), crs;

	aml_name_eisaid(aml, "_HID", "PNP0A08");
	aml_name_eisaid(aml, "_CID", "PNP0A03");
	aml_name_int(aml, "_UID", 0);
	aml_name_int(aml, "_SEG", 0);
	aml_name_int(aml, "_BBN", 0);
	crs = aml_begin_crs(aml);
	aml_res_bus_window(aml, 0, 0);
	aml_res_io(aml, CF8_PORT, CF8_PORTS);
	aml_res_io_window(aml, PCI_IO_FIRST, PCI_IO_LAST);
	aml_res_memory_window(aml, MMIO32_BASE, MMIO32_END - 1);
	if (layout->mmio64_end > layout->mmio64_base)
		aml_res_memory_window(aml, layout->mmio64_base, layout->mmio64_end - 1);
	aml_end_crs(aml, crs);
	write_osc(aml);
	write_prt(aml);
	aml_end(aml, device);
}

/* The ECAM belongs to no device of the bus (PCI Firmware 3.3, 4.1.2). */
static void write_ecam(struct aml *aml)
{
	size_t device = aml_begin_device(aml, "ECAM"), crs;

	aml_name_eisaid(aml, "_HID", "PNP0C02");
	aml_name_int(aml, "_UID", 0);
	crs = aml_begin_crs(aml);
	aml_res_memory32(aml, (uint32_t)ECAM_BASE, (uint32_t)ECAM_SIZE);
	aml_end_crs(aml, crs);
	aml_end(aml, device);
}

static void write_com1(struct aml *aml)
{
	size_t device = aml_begin_device(aml, "COM1"), crs;

	aml_name_eisaid(aml, "_HID", "PNP0501");
	aml_name_int(aml, "_UID", 1);
	crs = aml_begin_crs(aml);
	aml_res_io(aml, COM1_PORT, COM1_PORTS);
	aml_res_irq(aml, COM1_IRQ);
	aml_end_crs(aml, crs);
	aml_end(aml, device);
}

/* _UID is what the MADT's local APIC entries call ACPI processor UID. */
static void write_cpus(struct aml *aml, unsigned n_vcpus)
{
	for (unsigned i = 0; i < n_vcpus; i++) {
		char name[sizeof("C999")];
		size_t device;

		snprintf(name, sizeof(name), "C%03u", i % 1000);
		device = aml_begin_device(aml, name);
		aml_byte(aml, NAME_OP);
		aml_path(aml, "_HID");
		aml_string(aml, "ACPI0007");
		aml_name_int(aml, "_UID", i);
		aml_end(aml, device);
	}
}

void dsdt_write(struct aml *aml, const struct layout *layout, unsigned n_vcpus)
{
	size_t scope = aml_begin_scope(aml, "\\_SB_"), s5;

	write_pci(aml, layout);
	write_ecam(aml);
	write_com1(aml);
	write_cpus(aml, n_vcpus);
	aml_end(aml, scope);
	aml_byte(aml, NAME_OP);
	aml_path(aml, "\\_S5_");
	s5 = aml_begin_package(aml, 4); /* PM1a, PM1b, two reserved (ACPI 6.5, 7.4.2) */
	aml_int(aml, PM1_CNT_S5);
	aml_int(aml, 0);
	aml_int(aml, 0);
	aml_int(aml, 0);
	aml_end(aml, s5);
}
