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

#include "vmm/acpi.h"
#include "vmm/boot.h"

enum {
	TABLE_ALIGN = 64, /* what the FACS needs (5.2.10) */
	RSDP_V1_LEN = 20,
	FADT_REVISION = 6, FADT_MINOR = 5,
	PM_PROFILE_SERVER = 4,
	NO_C2 = 101, NO_C3 = 1001, /* latencies too long to be used (5.2.9) */
	BOOT_ARCH_NO_VGA = 1 << 2, BOOT_ARCH_NO_RTC = 1 << 5,
	FADT_WBINVD = 1 << 0, FADT_C1 = 1 << 2, FADT_NO_SLEEP_BUTTON = 1 << 5,
	FADT_NO_FIXED_RTC = 1 << 6, FADT_RESET_REG = 1 << 10, FADT_HEADLESS = 1 << 12,
	GAS_IO = 1, GAS_BYTE = 1, GAS_WORD = 2,
	MADT_REVISION = 5, MADT_PCAT = 1,
	MADT_LAPIC = 0, MADT_IOAPIC = 1, MADT_OVERRIDE = 2, MADT_LAPIC_NMI = 4,
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

struct PACKED gas {
	uint8_t space, width, offset, access;
	uint64_t addr;
};

struct PACKED fadt { /* 5.2.9, behind the header */
	uint32_t facs, dsdt;
	uint8_t reserved, pm_profile;
	uint16_t sci;
	uint32_t smi_cmd;
	uint8_t acpi_enable, acpi_disable, s4bios, pstate;
	uint32_t pm1a_evt, pm1b_evt, pm1a_cnt, pm1b_cnt, pm2_cnt, pm_tmr, gpe0, gpe1;
	uint8_t pm1_evt_len, pm1_cnt_len, pm2_cnt_len, pm_tmr_len, gpe0_len, gpe1_len, gpe1_base;
	uint8_t cst;
	uint16_t c2_latency, c3_latency, flush_size, flush_stride;
	uint8_t duty_offset, duty_width, day_alarm, month_alarm, century;
	uint16_t boot_arch;
	uint8_t reserved2;
	uint32_t flags;
	struct gas reset;
	uint8_t reset_value;
	uint16_t arm_boot_arch;
	uint8_t minor;
	uint64_t x_facs, x_dsdt;
	struct gas x_pm1a_evt, x_pm1b_evt, x_pm1a_cnt, x_pm1b_cnt, x_pm2_cnt, x_pm_tmr, x_gpe0;
	struct gas x_gpe1, sleep_control, sleep_status;
	char hypervisor[8];
};

struct PACKED facs {
	char signature[4];
	uint32_t length, hardware_signature, waking_vector, global_lock, flags;
	uint64_t x_waking_vector;
	uint8_t version, reserved[31];
};

_Static_assert(sizeof(struct rsdp) == 36 && sizeof(struct header) == 36, "5.2.5, 5.2.6");
_Static_assert(sizeof(struct header) + sizeof(struct fadt) == 276, "5.2.9");
_Static_assert(sizeof(struct facs) == 64, "5.2.10");

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
	while (!aml_overflowed(out) && out->len % TABLE_ALIGN)
		aml_byte(out, 0);
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
	const struct facs facs = {
		.signature = {'F', 'A', 'C', 'S'}, .length = sizeof(facs), .version = 2};
	uint32_t addr = align_table(out);

	aml_bytes(out, &facs, sizeof(facs));
	return addr;
}

static struct gas io_register(uint8_t width, uint8_t access, uint16_t port)
{
	return (struct gas){.space = GAS_IO, .width = width, .access = access, .addr = port};
}

static uint32_t write_fadt(struct aml *out, uint32_t dsdt, uint32_t facs)
{
	const struct fadt fadt = {
		.facs = facs, .dsdt = dsdt, .x_dsdt = dsdt, /* one FACS field only: 5.2.9 */
		.pm_profile = PM_PROFILE_SERVER, .sci = SCI_IRQ,
		.pm1a_evt = PM1A_EVT_PORT, .pm1_evt_len = 4,
		.x_pm1a_evt = io_register(32, GAS_WORD, PM1A_EVT_PORT),
		.pm1a_cnt = PM1A_CNT_PORT, .pm1_cnt_len = 2,
		.x_pm1a_cnt = io_register(16, GAS_WORD, PM1A_CNT_PORT),
		.c2_latency = NO_C2, .c3_latency = NO_C3,
		.boot_arch = BOOT_ARCH_NO_VGA | BOOT_ARCH_NO_RTC,
		.flags = FADT_WBINVD | FADT_C1 | FADT_NO_SLEEP_BUTTON | FADT_NO_FIXED_RTC |
			FADT_RESET_REG | FADT_HEADLESS,
		.reset = io_register(8, GAS_BYTE, RESET_PORT), .reset_value = RESET_VALUE,
		.minor = FADT_MINOR,
		.hypervisor = {'B', 'U', 'L', 'K', 'H', 'E', 'A', 'D'},
	};
	uint32_t addr;
	size_t mark = begin_table(out, "FACP", FADT_REVISION, &addr);

	aml_bytes(out, &fadt, sizeof(fadt));
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

static uint32_t write_madt(struct aml *out, unsigned n_vcpus)
{
	const struct PACKED {
		uint32_t lapic, flags;
	} body = {(uint32_t)LAPIC_BASE, MADT_PCAT};
	const struct PACKED {
		uint8_t type, len, id, reserved;
		uint32_t addr, gsi_base;
	} ioapic = {MADT_IOAPIC, sizeof(ioapic), 0, 0, (uint32_t)IOAPIC_BASE, 0};
	const struct PACKED {
		uint8_t type, len, uid;
		uint16_t flags;
		uint8_t lint;
	} nmi = {MADT_LAPIC_NMI, sizeof(nmi), MADT_ALL, 0, 1};
	uint32_t addr;
	size_t mark = begin_table(out, "APIC", MADT_REVISION, &addr);

	aml_bytes(out, &body, sizeof(body));
	for (unsigned i = 0; i < n_vcpus; i++) {
		const struct PACKED {
			uint8_t type, len, uid, id;
			uint32_t flags;
		} lapic = {MADT_LAPIC, sizeof(lapic), (uint8_t)i, (uint8_t)i, MADT_ENABLED};

		aml_bytes(out, &lapic, sizeof(lapic));
	}
	aml_bytes(out, &ioapic, sizeof(ioapic));
	write_override(out, 0, 2, 0); /* the PIT, as KVM wires it */
	write_override(out, SCI_IRQ, SCI_IRQ, MADT_ACTIVE_HIGH | MADT_LEVEL);
	aml_bytes(out, &nmi, sizeof(nmi));
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

int acpi_write(struct ram *ram, unsigned n_vcpus, struct err *err)
{
	struct aml out = {.buf = ram_at(ram, ACPI_BASE, ACPI_SIZE), .cap = ACPI_SIZE};
	struct rsdp rsdp = {.signature = {'R', 'S', 'D', ' ', 'P', 'T', 'R', ' '},
		.oem_id = {'B', 'U', 'L', 'K', 'H', 'D'}, .revision = 2, .length = sizeof(rsdp)};
	uint32_t tables[3], dsdt;

	if (!out.buf || n_vcpus >= MADT_ALL)
		return err_set(err, -EINVAL, BLAME_BUG, "no room for ACPI tables of %u vCPUs",
			n_vcpus);
	aml_bytes(&out, &rsdp, sizeof(rsdp));
	dsdt = write_dsdt(&out, &ram->layout, n_vcpus);
	tables[0] = write_fadt(&out, dsdt, write_facs(&out));
	tables[1] = write_madt(&out, n_vcpus);
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
