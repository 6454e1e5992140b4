/* SPDX-License-Identifier: Apache-2.0
 *
 * The DSDT: PCI root, ECAM reservation, COM1, processors, power-off.
 *
 * Core process, main thread. Emitted instead of compiled with the build, because the windows and
 * the number of processors are known only at run time, and iasl need not be there to build.
 */
#include <stdio.h>

#include "vmm/boot/acpi.h"

enum {
	PRT_PINS = 4,
	PRT_GSI_BASE = 16, PRT_GSIS = 8, /* PCI interrupts: IOAPIC pins 16-23 */
	PCI_IO_FIRST = 0x1000, PCI_IO_LAST = 0xffff,
	CF8_PORT = 0xcf8, CF8_PORTS = 8,
	COM1_PORTS = 8,
	OSC_GRANTED = 0x3c, /* PME, AER, PCIe capability, LTR (PCI Firmware 3.3, 4.5.1) */
};

/* The one method, which depends on nothing: _OSC (ACPI 6.5, 6.2.11) grants what is in OSC_GRANTED
 * of what the guest asks for, hot plug not, and says so where that is less. Opcodes: 20.2.5. */
static const uint8_t osc[] = {
	0x14, 0x40, 0x06, '_', 'O', 'S', 'C', 0x0c,      /* Method (_OSC, 4, Serialized) { */
	0x8a, 0x6b, 0x00, 'C', 'D', 'W', '1',            /*   CreateDWordField (Arg3, 0, CDW1) */
	0xa0, 0x42, 0x04, 0x93, 0x68,                    /*   If (Arg0 == ToUUID ( */
	0x11, 0x13, 0x0a, 0x10,                          /*     "33db4d5b-1ff7-401c- */
	0x5b, 0x4d, 0xdb, 0x33, 0xf7, 0x1f, 0x1c, 0x40,  /*     9657-7441c03dd766")) { */
	0x96, 0x57, 0x74, 0x41, 0xc0, 0x3d, 0xd7, 0x66,
	0x8a, 0x6b, 0x0a, 0x08, 'C', 'D', 'W', '3',      /*     CreateDWordField (Arg3, 8, CDW3) */
	0x7b, 'C', 'D', 'W', '3', 0x0a, OSC_GRANTED, 0x60, /*   Local0 = CDW3 & OSC_GRANTED */
	0xa0, 0x13, 0x92, 0x93, 0x60, 'C', 'D', 'W', '3', /*    If (Local0 != CDW3) { */
	0x7d, 'C', 'D', 'W', '1', 0x0a, 0x10, 'C', 'D', 'W', '1', /* CDW1 |= 0x10 } masked */
	0x70, 0x60, 'C', 'D', 'W', '3',                  /*     CDW3 = Local0 } */
	0xa1, 0x0c,                                      /*   Else { */
	0x7d, 'C', 'D', 'W', '1', 0x0a, 0x04, 'C', 'D', 'W', '1', /* CDW1 |= 4 } unknown UUID */
	0xa4, 0x6b,                                      /*   Return (Arg3) } */
};

/* INTA-INTD of every device to a pin of the IOAPIC, swizzled (PCI 2.2.6). */
static void write_prt(struct aml *aml)
{
	size_t prt, entry;

	aml_name(aml, "_PRT");
	prt = aml_begin_package(aml, PCI_DEVICES * PRT_PINS);
	for (unsigned i = 0; i < PCI_DEVICES * PRT_PINS; i++) {
		unsigned device = i / PRT_PINS, pin = i % PRT_PINS;

		entry = aml_begin_package(aml, 4);
		aml_int(aml, device << 16 | 0xffff);
		aml_int(aml, pin);
		aml_int(aml, 0); /* no link device: the next is a GSI */
		aml_int(aml, PRT_GSI_BASE + (device + pin) % PRT_GSIS);
		aml_end(aml, entry);
	}
	aml_end(aml, prt);
}

static size_t begin_device(struct aml *aml, const char *path, const char *hid, unsigned uid)
{
	size_t device = aml_begin_device(aml, path);

	aml_name(aml, "_HID");
	aml_eisaid(aml, hid);
	aml_name_int(aml, "_UID", uid);
	return device;
}

static void write_pci(struct aml *aml, const struct layout *layout)
{
	size_t device = begin_device(aml, "PCI0", "PNP0A08", 0), crs;

	aml_name(aml, "_CID");
	aml_eisaid(aml, "PNP0A03");
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
	aml_bytes(aml, osc, sizeof(osc));
	write_prt(aml);
	aml_end(aml, device);
}

/* The ECAM belongs to no device of the bus (PCI Firmware 3.3, 4.1.2). */
static void write_ecam(struct aml *aml)
{
	size_t device = begin_device(aml, "ECAM", "PNP0C02", 0), crs = aml_begin_crs(aml);

	aml_res_memory32(aml, (uint32_t)ECAM_BASE, (uint32_t)ECAM_SIZE);
	aml_end_crs(aml, crs);
	aml_end(aml, device);
}

static void write_com1(struct aml *aml)
{
	size_t device = begin_device(aml, "COM1", "PNP0501", 1), crs = aml_begin_crs(aml);

	aml_res_io(aml, COM1_PORT, COM1_PORTS);
	aml_res_irq(aml, COM1_IRQ);
	aml_end_crs(aml, crs);
	aml_end(aml, device);
}

/* _UID is what the MADT's local APIC entries call ACPI processor UID. Those that are there: one that
 * is not would be one to plug in. */
static void write_cpus(struct aml *aml, unsigned n_vcpus)
{
	for (unsigned i = 0; i < n_vcpus; i++) {
		char name[sizeof("CFFF")];
		size_t device;

		snprintf(name, sizeof(name), "C%03X", i & 0xfff);
		device = aml_begin_device(aml, name);
		aml_name(aml, "_HID");
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
	aml_name(aml, "\\_S5_");
	s5 = aml_begin_package(aml, 4); /* PM1a, PM1b, two reserved (ACPI 6.5, 7.4.2) */
	aml_int(aml, PM1_CNT_S5);
	for (unsigned i = 0; i < 3; i++)
		aml_int(aml, 0);
	aml_end(aml, s5);
}
