/* SPDX-License-Identifier: Apache-2.0
 *
 * The ACPI tables, found the way a guest finds them; the DSDT taken apart and compiled again by
 * iasl where there is one.
 *
 * links: vmm/pci/layout.c vmm/kvm/ram.c vmm/boot/acpi.c ipc/cpus.c vmm/boot/aml.c vmm/boot/dsdt.c
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/boot/aml.h"
#include "vmm/boot/boot.h"

static struct ram ram;

static void tables_of(uint64_t size, const struct cpus *cpus)
{
	const struct ram_options options = {.size = size};
	struct err err = {0};

	cr_assert_eq(ram_create(&ram, &options, &(cpu_set_t){0}, (struct phys_space){.bits = 40}, &err), 0, "%s", err.msg);
	cr_assert_eq(acpi_write(&ram, cpus, &err), 0, "%s", err.msg);
}

static void tables(uint64_t size, unsigned n_vcpus)
{
	tables_of(size, &(struct cpus){n_vcpus, n_vcpus, 1, n_vcpus, 1, 1});
}

static uint64_t number(const uint8_t *at, size_t size)
{
	uint64_t value = 0;

	memcpy(&value, at, size);
	return value;
}

static uint8_t sum(const uint8_t *at, size_t len)
{
	uint8_t total = 0;

	while (len--)
		total += *at++;
	return total;
}

/* The table at a guest address, its frame checked. */
static const uint8_t *table_at(uint64_t addr, const char *signature)
{
	const uint8_t *table = ram_at(&ram, addr, 36);

	cr_assert(table && addr > ACPI_BASE && addr < HIMEM_START, "%s", signature);
	cr_assert(!memcmp(table, signature, 4), "%.4s is not %s", (const char *)table, signature);
	cr_assert(addr + number(table + 4, 4) <= HIMEM_START);
	cr_assert_eq(sum(table, number(table + 4, 4)), 0, "%s checksum", signature);
	return table;
}

static const uint8_t *table_n(unsigned n, const char *signature)
{
	const uint8_t *rsdp = ram_at(&ram, ACPI_BASE, 36);
	const uint8_t *xsdt = table_at(number(rsdp + 24, 8), "XSDT");

	cr_assert_eq(number(xsdt + 4, 4), 36 + 3 * 8);
	return table_at(number(xsdt + 36 + n * 8, 8), signature);
}

Test(acpi, rsdp)
{
	const uint8_t *rsdp;

	tables(16 * MiB, 1);
	rsdp = ram_at(&ram, ACPI_BASE, 36);
	cr_assert(!memcmp(rsdp, "RSD PTR ", 8));
	cr_assert_eq(rsdp[15], 2);
	cr_assert_eq(sum(rsdp, 20), 0);
	cr_assert_eq(sum(rsdp, 36), 0);
}

Test(acpi, fadt)
{
	const uint8_t *fadt, *facs;

	tables(16 * MiB, 1);
	fadt = table_n(0, "FACP");
	cr_assert_eq(number(fadt + 4, 4), 276);
	cr_assert_eq(fadt[8], 6);
	cr_assert_eq(number(fadt + 46, 2), SCI_IRQ);
	cr_assert_eq(number(fadt + 48, 4), 0, "SMI_CMD");
	cr_assert_eq(number(fadt + 56, 4), PM1A_EVT_PORT);
	cr_assert_eq(number(fadt + 64, 4), PM1A_CNT_PORT);
	cr_assert_eq(fadt[88], 4);
	cr_assert_eq(fadt[89], 2);
	cr_assert_eq(number(fadt + 109, 2), 1 << 2 | 1 << 5, "no VGA, no RTC, no 8042");
	cr_assert_eq(number(fadt + 112, 4) & (1 << 20), 0, "not hardware-reduced");
	cr_assert(number(fadt + 112, 4) & (1 << 10), "RESET_REG_SUP");
	cr_assert_eq(number(fadt + 112, 4) & (1 << 4), 0, "fixed power button");
	cr_assert_eq(number(fadt + 120, 8), RESET_PORT);
	cr_assert_eq(fadt[128], RESET_VALUE);
	cr_assert_eq(number(fadt + 140, 8), number(fadt + 40, 4), "X_DSDT is DSDT");
	cr_assert_eq(number(fadt + 152, 8), PM1A_EVT_PORT);
	cr_assert_eq(number(fadt + 176, 8), PM1A_CNT_PORT);
	cr_assert_eq(number(fadt + 36, 4) % 64, 0);
	facs = ram_at(&ram, number(fadt + 36, 4), 64);
	cr_assert(!memcmp(facs, "FACS\x40\0\0\0", 8));
}

Test(acpi, madt)
{
	static const uint8_t tail[] = {
		1, 12, 0, 0, 0x00, 0x00, 0xc0, 0xfe, 0, 0, 0, 0, /* IOAPIC */
		2, 10, 0, 0, 2, 0, 0, 0, 0, 0,                   /* IRQ 0 is GSI 2 */
		2, 10, 0, 9, 9, 0, 0, 0, 0x0d, 0,                /* SCI: level, high */
		4, 6, 0xff, 0, 0, 1,                             /* NMI: LINT1 */
	};
	const uint8_t *madt;

	tables(16 * MiB, 32);
	madt = table_n(1, "APIC");
	cr_assert_eq(number(madt + 36, 4), LAPIC_BASE);
	cr_assert_eq(number(madt + 4, 4), 44 + 32 * 8 + sizeof(tail));
	for (uint8_t i = 0; i < 32; i++) {
		const uint8_t lapic[8] = {0, 8, i, i, 1};

		cr_assert(!memcmp(madt + 44 + i * 8, lapic, sizeof(lapic)));
	}
	cr_assert(!memcmp(madt + 44 + 32 * 8, tail, sizeof(tail)));
}

Test(acpi, mcfg)
{
	const uint8_t *mcfg;

	tables(16 * MiB, 1);
	mcfg = table_n(2, "MCFG");
	cr_assert_eq(number(mcfg + 4, 4), 60);
	cr_assert_eq(number(mcfg + 44, 8), ECAM_BASE);
	cr_assert_eq(mcfg[54], 0);
	cr_assert_eq(mcfg[55], 0);
}

/* Ids up to 254 by the old entries, the others by x2APIC's, and their NMI. */
Test(acpi, madt_of_many)
{
	static const uint8_t nmi2[12] = {10, 12, 0, 0, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0};
	const uint8_t *madt;
	uint64_t len;

	tables(16 * MiB, 1024);
	madt = table_n(1, "APIC");
	len = number(madt + 4, 4);
	cr_assert_eq(len, 44 + 255 * 8 + (1024 - 255) * 16 + 38 + sizeof(nmi2));
	for (unsigned i = 0; i < 255; i++) {
		const uint8_t lapic[8] = {0, 8, (uint8_t)i, (uint8_t)i, 1};

		cr_assert(!memcmp(madt + 44 + i * 8, lapic, sizeof(lapic)));
	}
	for (unsigned i = 255; i < 1024; i++) {
		const uint8_t *x2apic = madt + 44 + 255 * 8 + (i - 255) * 16;

		cr_assert(x2apic[0] == 9 && x2apic[1] == 16);
		cr_assert_eq(number(x2apic + 4, 4), i, "id");
		cr_assert_eq(number(x2apic + 8, 4), 1, "enabled");
		cr_assert_eq(number(x2apic + 12, 4), i, "uid");
	}
	cr_assert(!memcmp(madt + len - sizeof(nmi2), nmi2, sizeof(nmi2)));
}

/* Three threads, three cores, two packages: ids have gaps. One of the 18 is not there yet. */
Test(acpi, madt_of_a_topology_and_of_more_than_boot)
{
	const struct cpus cpus = {17, 18, 3, 3, 1, 2};
	const uint8_t *madt;

	tables_of(16 * MiB, &cpus);
	madt = table_n(1, "APIC");
	cr_assert_eq(number(madt + 4, 4), 44 + 18 * 8 + 38);
	for (unsigned i = 0; i < 18; i++) {
		const unsigned id = i % 3 | i / 3 % 3 << 2 | i / 9 << 4;
		const uint8_t lapic[8] = {0, 8, (uint8_t)i, (uint8_t)id, i < 17};

		cr_assert(!memcmp(madt + 44 + i * 8, lapic, sizeof(lapic)), "%u", i);
	}
}

/* iasl -d, then iasl -we (warnings are errors) on what it made. */
Test(acpi, iasl, .timeout = 60)
{
	const uint8_t *fadt, *dsdt;
	char dir[] = "/tmp/bulkhead-acpi-XXXXXX", command[512];
	int fd, status;

	if (system("command -v iasl >/dev/null 2>&1"))
		cr_skip_test("iasl is not installed (Debian: acpica-tools)");
	tables(16 * MiB, 1024);
	fadt = table_n(0, "FACP");
	dsdt = table_at(number(fadt + 140, 8), "DSDT");
	cr_assert_not_null(mkdtemp(dir));
	snprintf(command, sizeof(command), "%s/dsdt.dat", dir);
	fd = open(command, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	cr_assert(fd >= 0);
	cr_assert_eq(write(fd, dsdt, number(dsdt + 4, 4)), (ssize_t)number(dsdt + 4, 4));
	close(fd);
	snprintf(command, sizeof(command),
		"cd %s && iasl -d dsdt.dat >log 2>&1 && ! grep -iE 'error|warning|invalid' log && "
		"iasl -we -p again dsdt.dsl >log 2>&1 && "
		"grep ' 0 Errors, 0 Warnings, 0 Remarks' log || { cat log; exit 1; }", dir);
	status = system(command);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	cr_assert_eq(system(command), 0);
	cr_assert_eq(status, 0, "iasl is not content, see above");
}

Test(aml, integers_and_names)
{
	static const uint8_t want[] = {
		0x00, 0x01, 0x0a, 0x02, 0x0a, 0xff, 0x0b, 0x00, 0x01, 0x0c, 0x00, 0x00, 0x01, 0x00,
		0x0e, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00,
		'C', 'D', 'W', '1', '\\', '_', 'S', '5', '_',
		'\\', 0x2e, '_', 'S', 'B', '_', 'P', 'C', 'I', '0',
		'\\', 0x2f, 3, 'A', 'A', 'A', 'A', 'B', 'B', 'B', 'B', 'C', 'C', 'C', 'C',
		0x0c, 0x41, 0xd0, 0x0a, 0x08,
	};
	const uint64_t values[] = {0, 1, 2, 0xff, 0x100, 0x10000, 1ull << 32};
	uint8_t buf[128];
	struct aml aml = {.buf = buf, .cap = sizeof(buf)};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		aml_int(&aml, values[i]);
	aml_path(&aml, "CDW1");
	aml_path(&aml, "\\_S5_");
	aml_path(&aml, "\\_SB_.PCI0");
	aml_path(&aml, "\\AAAA.BBBB.CCCC");
	aml_eisaid(&aml, "PNP0A08");
	cr_assert_eq(aml.len, sizeof(want));
	cr_assert(!memcmp(buf, want, sizeof(want)));
}

Test(aml, full_buffer_is_said_and_not_passed)
{
	for (size_t cap = 0; cap < 40; cap++) {
		uint8_t buf[64];
		struct aml aml = {.buf = buf, .cap = cap};
		size_t device, crs;

		memset(buf, 0xa5, sizeof(buf));
		device = aml_begin_device(&aml, "DEV0");
		crs = aml_begin_crs(&aml);
		aml_res_io(&aml, 0x3f8, 8);
		aml_end_crs(&aml, crs);
		aml_end(&aml, device);
		cr_assert_eq(aml_overflowed(&aml), cap < 9 + 5 + 4 + 3 + 8 + 2, "cap %zu", cap);
		for (size_t i = cap; i < sizeof(buf); i++)
			cr_assert_eq(buf[i], 0xa5);
	}
}
