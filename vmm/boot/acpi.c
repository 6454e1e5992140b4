/* SPDX-License-Identifier: Apache-2.0
 *
 * The ACPI tables (ACPI 6.5, chapter 5), in the BIOS area at ACPI_BASE, RSDP first.
 *
 * Core process, main thread, vCPUs parked. The platform is full ACPI, not hardware-reduced, with
 * as little of it as Linux needs: PM1a event and control blocks, no SMI command (so the guest takes
 * ACPI mode as given), no PM timer, no GPEs; and flags that say what legacy is not there, so that
 * no guest goes looking.
 */
#include <errno.h>
#include <string.h>

#include "vmm/boot/acpi.h"
#include "vmm/boot/boot.h"

enum {
	TABLE_ALIGN = 64, /* what the FACS needs (5.2.10) */
	RSDP_V1_LEN = 20,
	FADT_REVISION = 6, FADT_LEN = 276,
	FACS_LEN = 64,
	MADT_REVISION = 5, MADT_PCAT = 1,
	MADT_LAPIC = 0, MADT_IOAPIC = 1, MADT_OVERRIDE = 2, MADT_LAPIC_NMI = 4,
	MADT_X2APIC = 9, MADT_X2APIC_NMI = 10,
	MADT_ENABLED = 1, MADT_ACTIVE_HIGH = 0x1, MADT_LEVEL = 0xc, MADT_ALL = 0xff,
};

#define PACKED __attribute__((packed))

struct PACKED rsdp {
	char signature[8];
	uint8_t checksum;
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt, length;
	uint64_t xsdt;
	uint8_t ext_checksum, reserved[3];
};

struct PACKED header {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem_id[6], oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
};

/* The first dword of a generic address structure in port space (5.2.3.2); the port comes next. */
#define IO_REGISTER(bits, access) (1u | (bits) << 8 | (access) << 24)

/* What is not zero in the FADT (5.2.9), but for the tables it points to. */
enum { FADT_FACS = 36, FADT_DSDT = 40, FADT_X_DSDT = 140 };
static const struct {
	uint16_t offset, size;
	uint32_t value;
} fadt_fields[] = {
	{45, 1, 4},                         /* preferred profile: enterprise server */
	{46, 2, SCI_IRQ},
	{56, 4, PM1A_EVT_PORT},
	{64, 4, PM1A_CNT_PORT},
	{88, 1, 4},                         /* PM1_EVT_LEN */
	{89, 1, 2},                         /* PM1_CNT_LEN */
	{96, 2, 101}, {98, 2, 1001},        /* C2 and C3 latencies too long to be used */
	{109, 2, 1 << 2 | 1 << 5},          /* no VGA, no CMOS RTC; no 8042 either */
	{112, 4, 1 << 0 | 1 << 2 |          /* WBINVD, C1 */
		1 << 5 | 1 << 6 |           /* neither sleep button nor RTC wake in PM1 */
		1 << 10 | 1 << 12},         /* RESET_REG, headless */
	{116, 4, IO_REGISTER(8, 1)}, {120, 4, RESET_PORT},
	{128, 1, RESET_VALUE},
	{131, 1, 5},                        /* ACPI 6.5 */
	{148, 4, IO_REGISTER(32, 2)}, {152, 4, PM1A_EVT_PORT}, /* X_PM1a_EVT_BLK */
	{172, 4, IO_REGISTER(16, 2)}, {176, 4, PM1A_CNT_PORT}, /* X_PM1a_CNT_BLK */
};

_Static_assert(sizeof(struct rsdp) == 36 && sizeof(struct header) == 36, "5.2.5, 5.2.6");

static uint8_t checksum(const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	uint8_t sum = 0;

	while (len--)
		sum += *at++;
	return (uint8_t)-sum;
}

/* The address in the guest of what comes next. */
static uint32_t align_table(struct aml *out)
{
	static const uint8_t zeros[TABLE_ALIGN];

	aml_bytes(out, zeros, (TABLE_ALIGN - out->len % TABLE_ALIGN) % TABLE_ALIGN);
	return (uint32_t)(ACPI_BASE + out->len);
}

static size_t begin_table(struct aml *out, const char *signature, uint8_t revision, uint32_t *ret)
{
	struct header header = {.revision = revision, .oem_id = {'B', 'U', 'L', 'K', 'H', 'D'},
		.oem_table_id = {'B', 'U', 'L', 'K', 'H', 'E', 'A', 'D'}, .oem_revision = 1,
		.creator_id = {'B', 'L', 'K', 'H'}, .creator_revision = 1};
	size_t mark;

	memcpy(header.signature, signature, sizeof(header.signature));
	*ret = align_table(out);
	mark = out->len;
	aml_bytes(out, &header, sizeof(header));
	return mark;
}

static void end_table(struct aml *out, size_t mark)
{
	struct header header;

	if (aml_overflowed(out))
		return;
	memcpy(&header, out->buf + mark, sizeof(header));
	header.length = (uint32_t)(out->len - mark);
	memcpy(out->buf + mark, &header, sizeof(header));
	header.checksum = checksum(out->buf + mark, header.length);
	memcpy(out->buf + mark, &header, sizeof(header));
}

static uint32_t write_dsdt(struct aml *out, const struct layout *layout, unsigned n_vcpus)
{
	uint32_t addr;
	size_t mark = begin_table(out, "DSDT", 2, &addr); /* 2: integers of 64 bits */

	dsdt_write(out, layout, n_vcpus);
	end_table(out, mark);
	return addr;
}

static uint32_t write_facs(struct aml *out)
{
	const uint8_t facs[FACS_LEN] = {'F', 'A', 'C', 'S', FACS_LEN, [32] = 2 /* version */};
	uint32_t addr = align_table(out);

	aml_bytes(out, facs, sizeof(facs));
	return addr;
}

static uint32_t write_fadt(struct aml *out, uint32_t dsdt, uint32_t facs)
{
	uint8_t fadt[FADT_LEN] = {0};
	uint32_t addr;
	size_t mark = begin_table(out, "FACP", FADT_REVISION, &addr);

	for (size_t i = 0; i < sizeof(fadt_fields) / sizeof(fadt_fields[0]); i++)
		memcpy(fadt + fadt_fields[i].offset, &fadt_fields[i].value, fadt_fields[i].size);
	memcpy(fadt + FADT_FACS, &facs, sizeof(facs)); /* one FACS field only: 5.2.9 */
	memcpy(fadt + FADT_DSDT, &dsdt, sizeof(dsdt));
	memcpy(fadt + FADT_X_DSDT, &dsdt, sizeof(dsdt));
	memcpy(fadt + FADT_LEN - 8, "BULKHEAD", 8); /* hypervisor vendor */
	aml_bytes(out, fadt + sizeof(struct header), FADT_LEN - sizeof(struct header));
	end_table(out, mark);
	return addr;
}

static void write_override(struct aml *out, uint8_t irq, uint32_t gsi, uint16_t flags)
{
	const struct PACKED {
		uint8_t type, len, bus, irq;
		uint32_t gsi;
		uint16_t flags;
	} entry = {MADT_OVERRIDE, sizeof(entry), 0, irq, gsi, flags};

	aml_bytes(out, &entry, sizeof(entry));
}

/* Ids below 255 have entries of the old kind, all others of the new one (5.2.12.12); so have the UIDs,
 * which are the vCPUs' numbers. Neither enabled nor online capable is what vCPUs up to max= are: not
 * there, and nothing brings them (5.2.12.2). */
static void write_processor(struct aml *out, const struct cpus *cpus, uint32_t i)
{
	const uint32_t id = cpus_apic_id(cpus, i), flags = i < cpus->boot ? MADT_ENABLED : 0;
	const struct PACKED {
		uint8_t type, len, uid, id;
		uint32_t flags;
	} lapic = {MADT_LAPIC, sizeof(lapic), (uint8_t)i, (uint8_t)id, flags};
	const struct PACKED {
		uint8_t type, len;
		uint16_t reserved;
		uint32_t id, flags, uid;
	} x2apic = {MADT_X2APIC, sizeof(x2apic), 0, id, flags, i};

	if (id < MADT_ALL)
		aml_bytes(out, &lapic, sizeof(lapic));
	else
		aml_bytes(out, &x2apic, sizeof(x2apic));
}

/* LINT1 of every local APIC is its NMI. */
static void write_nmi(struct aml *out, bool x2apic)
{
	const struct PACKED {
		uint8_t type, len, uid;
		uint16_t flags;
		uint8_t lint;
	} nmi = {MADT_LAPIC_NMI, sizeof(nmi), MADT_ALL, 0, 1};
	const struct PACKED {
		uint8_t type, len;
		uint16_t flags;
		uint32_t uid;
		uint8_t lint, reserved[3];
	} nmi2 = {MADT_X2APIC_NMI, sizeof(nmi2), 0, UINT32_MAX, 1, {0}};

	aml_bytes(out, &nmi, sizeof(nmi));
	if (x2apic)
		aml_bytes(out, &nmi2, sizeof(nmi2));
}

static uint32_t write_madt(struct aml *out, const struct cpus *cpus)
{
	const struct PACKED {
		uint32_t lapic, flags;
	} body = {(uint32_t)LAPIC_BASE, MADT_PCAT};
	const struct PACKED {
		uint8_t type, len, id, reserved;
		uint32_t addr, gsi_base;
	} ioapic = {MADT_IOAPIC, sizeof(ioapic), 0, 0, (uint32_t)IOAPIC_BASE, 0};
	uint32_t addr;
	size_t mark = begin_table(out, "APIC", MADT_REVISION, &addr);

	aml_bytes(out, &body, sizeof(body));
	for (uint32_t i = 0; i < cpus->max; i++)
		write_processor(out, cpus, i);
	aml_bytes(out, &ioapic, sizeof(ioapic));
	write_override(out, 0, 2, 0); /* the PIT, as KVM wires it */
	write_override(out, SCI_IRQ, SCI_IRQ, MADT_ACTIVE_HIGH | MADT_LEVEL);
	write_nmi(out, cpus_apic_id(cpus, cpus->max - 1) >= MADT_ALL);
	end_table(out, mark);
	return addr;
}

static uint32_t write_mcfg(struct aml *out)
{
	const struct PACKED {
		uint64_t reserved, base;
		uint16_t segment;
		uint8_t first_bus, last_bus;
		uint32_t reserved2;
	} body = {.base = ECAM_BASE, .last_bus = (uint8_t)(ECAM_SIZE / MiB - 1)};
	uint32_t addr;
	size_t mark = begin_table(out, "MCFG", 1, &addr);

	aml_bytes(out, &body, sizeof(body));
	end_table(out, mark);
	return addr;
}

static uint32_t write_xsdt(struct aml *out, const uint32_t *tables, size_t n)
{
	uint32_t addr;
	size_t mark = begin_table(out, "XSDT", 1, &addr);

	for (size_t i = 0; i < n; i++) {
		uint64_t table = tables[i];

		aml_bytes(out, &table, sizeof(table));
	}
	end_table(out, mark);
	return addr;
}

int acpi_write(struct ram *ram, const struct cpus *cpus, struct err *err)
{
	struct aml out = {.buf = ram_at(ram, ACPI_BASE, ACPI_SIZE), .cap = ACPI_SIZE};
	struct rsdp rsdp = {.signature = {'R', 'S', 'D', ' ', 'P', 'T', 'R', ' '},
		.oem_id = {'B', 'U', 'L', 'K', 'H', 'D'}, .revision = 2, .length = sizeof(rsdp)};
	uint32_t tables[3], dsdt;

	if (!out.buf)
		return err_set(err, -EINVAL, BLAME_BUG, "no room for ACPI tables");
	aml_bytes(&out, &rsdp, sizeof(rsdp));
	dsdt = write_dsdt(&out, &ram->layout, cpus->boot);
	tables[0] = write_fadt(&out, dsdt, write_facs(&out));
	tables[1] = write_madt(&out, cpus);
	tables[2] = write_mcfg(&out);
	rsdp.xsdt = write_xsdt(&out, tables, sizeof(tables) / sizeof(tables[0]));
	if (aml_overflowed(&out))
		return err_set(err, -ENOSPC, BLAME_BUG, "the ACPI tables exceed %llu KiB",
			ACPI_SIZE / KiB);
	rsdp.checksum = checksum(&rsdp, RSDP_V1_LEN);
	rsdp.ext_checksum = checksum(&rsdp, sizeof(rsdp));
	memcpy(out.buf, &rsdp, sizeof(rsdp));
	return 0;
}
