/* SPDX-License-Identifier: Apache-2.0
 *
 * The loader on hand-made bzImages and initramfs files: a sound one, then every header field at its
 * extremes, every wrong file, every truncation.
 *
 * links: vmm/pci/layout.c vmm/kvm/ram.c vmm/boot/boot.c vmm/boot/image.c vmm/boot/bzimage.c vmm/boot/pvh.c
 * links: vmm/boot/initramfs.c vmm/boot/memmap.c vmm/boot/acpi.c ipc/cpus.c vmm/boot/aml.c vmm/boot/dsdt.c
 */
#include <asm/bootparam.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "tests/unit/loader.h"

enum {
	SETUP_SECTS = 3,
	SETUP_SIZE = (SETUP_SECTS + 1) * 512,
	PAYLOAD = 64 * 1024,
	FILE_SIZE = SETUP_SIZE + PAYLOAD,
	HDR = 0x1f1,
};

static struct ram ram;
static uint8_t image[FILE_SIZE];

static struct setup_header header(void)
{
	return (struct setup_header){
		.setup_sects = SETUP_SECTS, .syssize = PAYLOAD / 16, .boot_flag = 0xaa55,
		.jump = 0x6aeb, .header = 0x53726448, .version = 0x020f, .loadflags = LOADED_HIGH,
		.initrd_addr_max = 0x7fffffff, .kernel_alignment = 0x200000,
		.relocatable_kernel = 1, .xloadflags = XLF_KERNEL_64, .cmdline_size = 2047,
		.pref_address = 0x400000, .init_size = 0x200000, .setup_data = 0x1234,
	};
}

static void make(const struct setup_header *hdr)
{
	memset(image, 0, sizeof(image));
	memset(image, 0xee, HDR); /* what boot_params must not get */
	memcpy(image + HDR, hdr, sizeof(*hdr));
	for (size_t i = 0; i < PAYLOAD; i++)
		image[SETUP_SIZE + i] = (uint8_t)(i * 7 + 1);
}

static void setup(void)
{
	struct setup_header hdr = header();

	ram_of(&ram, 16 * MiB);
	make(&hdr);
}

static void teardown(void)
{
	ram_done(&ram);
}

TestSuite(bzimage, .init = setup, .fini = teardown);

static const char cpio[] =
	"070701" "00000001" "000081a4" "00000000" "00000000" "00000001" "00000000" "00000005"
	"00000000" "00000000" "00000000" "00000000" "00000002" "00000000" "f\0" "hello\0\0\0"
	"070701" "00000000" "00000000" "00000000" "00000000" "00000001" "00000000" "00000000"
	"00000000" "00000000" "00000000" "00000000" "0000000b" "00000000" "TRAILER!!!\0\0\0";

enum { CPIO_SIZE = sizeof(cpio) - 1 };

Test(bzimage, loads)
{
	struct vcpu_entry entry;
	struct boot_params params;
	struct err err = {0};
	int kernel = file_of(image, sizeof(image)), initramfs = file_of(cpio, CPIO_SIZE);

	cr_assert_eq(load(&ram, kernel, initramfs, "console=ttyS0", &entry, &err), 0, "%s",
		err.msg);
	cr_assert(!entry.protected_mode);
	cr_assert_eq(entry.rip, 0x400200);
	cr_assert_eq(entry.rsi, BOOT_PARAMS);
	cr_assert_eq(entry.cr3, BOOT_PAGETABLES);
	cr_assert(!memcmp(ram.host + 0x400000, image + SETUP_SIZE, PAYLOAD));
	memcpy(&params, ram.host + BOOT_PARAMS, sizeof(params));
	cr_assert_eq(params.hdr.type_of_loader, 0xff);
	cr_assert_eq(params.hdr.cmd_line_ptr, BOOT_CMDLINE);
	cr_assert_eq(params.hdr.setup_data, 0);
	cr_assert_eq(params.hdr.init_size, 0x200000);
	cr_assert_eq(params.acpi_rsdp_addr, ACPI_BASE);
	cr_assert_eq(params.sentinel, 0);
	cr_assert_eq(params.e820_entries, 5);
	cr_assert_eq(params.hdr.ramdisk_size, CPIO_SIZE);
	cr_assert_eq(params.hdr.ramdisk_image % PAGE_SIZE, 0);
	cr_assert(params.hdr.ramdisk_image >= 0x600000);
	cr_assert(!memcmp(ram.host + params.hdr.ramdisk_image, cpio, CPIO_SIZE));
	cr_assert_str_eq((char *)ram.host + BOOT_CMDLINE, "console=ttyS0");
	cr_assert(!memcmp(ram.host + ACPI_BASE, "RSD PTR ", 8));
}

/* What the processor finds: descriptors and an identity map of 4 GiB. */
Test(bzimage, tables_for_the_processor)
{
	struct vcpu_entry entry;
	struct err err = {0};
	uint64_t gdt[4], entries[512];
	int kernel = file_of(image, sizeof(image));

	cr_assert_eq(load(&ram, kernel, -1, NULL, &entry, &err), 0, "%s", err.msg);
	memcpy(gdt, ram.host + BOOT_GDT, sizeof(gdt));
	cr_assert_eq(gdt[2], 0x00af9b000000ffff);
	cr_assert_eq(gdt[3], 0x00cf93000000ffff);
	memcpy(entries, ram.host + BOOT_PAGETABLES, sizeof(entries));
	cr_assert_eq(entries[0], (BOOT_PAGETABLES + 0x1000) | 3);
	cr_assert_eq(entries[1], 0);
	memcpy(entries, ram.host + BOOT_PAGETABLES + 0x1000, sizeof(entries));
	for (uint64_t gib = 0; gib < 4; gib++) {
		uint64_t pd[512];

		cr_assert_eq(entries[gib], (BOOT_PAGETABLES + (2 + gib) * 0x1000) | 3);
		memcpy(pd, ram.host + (entries[gib] & ~0xfffull), sizeof(pd));
		for (uint64_t i = 0; i < 512; i++)
			cr_assert_eq(pd[i], (gib * GiB + i * 2 * MiB) | 0x83);
	}
	cr_assert_eq(entries[4], 0);
}

/* A guest reset: the second load finds low memory dirty and the file changed. */
Test(bzimage, loads_again)
{
	struct vcpu_entry entry;
	struct err err = {0};
	int kernel = file_of(image, sizeof(image));

	cr_assert_eq(load(&ram, kernel, -1, "first boot, long", &entry, &err), 0);
	memset(ram.host, 0xff, HIMEM_START);
	cr_assert_eq(load(&ram, kernel, -1, "x", &entry, &err), 0);
	cr_assert_eq(ram.host[BOOT_CMDLINE + 1], 0);
	cr_assert_eq(ram.host[0x600], 0);
	cr_assert_eq(ftruncate(kernel, FILE_SIZE - 16), 0);
	refused(&ram, kernel, -1, "", "--kernel: is truncated");
	cr_assert_eq(ftruncate(kernel, 0), 0);
	refused(&ram, kernel, -1, "", "--kernel: is empty");
}

Test(bzimage, header_fields)
{
	struct setup_header hdr;
	struct vcpu_entry entry;
	struct err err = {0};

#define REFUSED(assignment, words)                                        \
	do {                                                              \
		hdr = header();                                           \
		assignment;                                               \
		make(&hdr);                                               \
		refused(&ram, file_of(image, sizeof(image)), -1, "", words); \
	} while (0)
	REFUSED(hdr.version = 0x020b, "2.12 is needed");
	REFUSED(hdr.jump = 0x10eb, "2.12 is needed");
	REFUSED(hdr.xloadflags = 0, "32-bit kernel");
	REFUSED(hdr.loadflags = 0, "zImage");
	REFUSED(hdr.kernel_alignment = 0x300000, "alignment");
	REFUSED(hdr.kernel_alignment = 0, "alignment");
	REFUSED(hdr.syssize = 0, "holds no kernel");
	REFUSED(hdr.syssize++, "is truncated");
	REFUSED(hdr.setup_sects = 0, "is truncated"); /* means 4 */
	REFUSED(hdr.init_size = 16 << 20, "needs 20 MiB of RAM to start, the guest has 16 MiB");
	REFUSED(hdr.pref_address = 1ull << 32, "is damaged");
	REFUSED(hdr.pref_address = 0xc0000000, "smaller kernel");
	REFUSED((hdr.relocatable_kernel = 0, hdr.pref_address = 0x8000), "is damaged");
#undef REFUSED
	hdr = header();
	hdr.pref_address = 0x8000; /* relocatable: goes where it may */
	make(&hdr);
	cr_assert_eq(load(&ram, file_of(image, sizeof(image)), -1, "", &entry, &err), 0);
	cr_assert_eq(entry.rip, 0x200200);
}

/* Every offset of the header at every width gets every extreme: an error, or inside RAM. */
Test(bzimage, extremes, .timeout = 120)
{
	struct setup_header hdr = header();
	int kernel = file_of(image, sizeof(image)), initramfs = file_of(cpio, CPIO_SIZE);
	unsigned loaded = 0;

	for (size_t at = HDR; at < 0x290; at++) {
		for (size_t i = 0; i < N_EXTREMES; i++) {
			struct vcpu_entry entry;
			struct err err = {0};

			for (size_t width = 1; width <= 8; width *= 2) {
				cr_assert_eq(pwrite(kernel, &extremes[i], width, (off_t)at),
					(ssize_t)width);
				loaded += !load(&ram, kernel, initramfs, "", &entry, &err);
				cr_assert_eq(pwrite(kernel, image + HDR, 0x290 - HDR, HDR),
					0x290 - HDR);
			}
		}
	}
	cr_assert(loaded);
	make(&hdr);
}

Test(bzimage, cmdline_limit)
{
	struct setup_header hdr = header();
	struct vcpu_entry entry;
	struct err err = {0};
	char line[CMDLINE_MAX + 1];
	int kernel = file_of(image, sizeof(image));

	memset(line, 'x', sizeof(line));
	line[CMDLINE_MAX] = '\0';
	refused(&ram, kernel, -1, line, "--cmdline: 2048 characters");
	line[CMDLINE_MAX - 1] = '\0';
	cr_assert_eq(load(&ram, kernel, -1, line, &entry, &err), 0);
	hdr.cmdline_size = 255;
	make(&hdr);
	refused(&ram, file_of(image, sizeof(image)), -1, line, "at most 255");
}

Test(bzimage, wrong_files)
{
	uint8_t page[4096] = {0};
	int fd;

	fd = open("/", O_RDONLY | O_CLOEXEC);
	refused(&ram, fd, -1, "", "--kernel: is a directory; give");
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	refused(&ram, fd, -1, "", "is not a regular file");
	refused(&ram, file_of("", 0), -1, "", "is empty");
	refused(&ram, file_of("x", 1), -1, "", "is no kernel known here");
	refused(&ram, file_of(page, sizeof(page)), -1, "", "is no kernel known here");
	refused(&ram, file_of("\x1f\x8b\x08", 3), -1, "", "is gzip data");
	refused(&ram, file_of(cpio, CPIO_SIZE), -1, "", "belongs to --initramfs");
	memcpy(page, "MZ", 2);
	refused(&ram, file_of(page, sizeof(page)), -1, "", "EFI program");
	memcpy(page + 0x38, "ARM\x64", 4);
	refused(&ram, file_of(page, sizeof(page)), -1, "", "arm64");
}

Test(bzimage, every_truncation)
{
	int kernel = file_of(image, sizeof(image));

	for (off_t size = FILE_SIZE - 1; size > 0; size -= size > SETUP_SIZE ? 4093 : 1) {
		struct vcpu_entry entry;
		struct err err = {0};

		cr_assert_eq(ftruncate(kernel, size), 0);
		cr_assert(load(&ram, kernel, -1, "", &entry, &err) < 0);
	}
}

Test(bzimage, initramfs_files)
{
	int kernel = file_of(image, sizeof(image));
	static uint8_t big[11 << 20];
	uint8_t padded[(CPIO_SIZE + 512 + 3) / 4 * 4 + 4] = {0};
	struct vcpu_entry entry;
	struct err err = {0};

	refused(&ram, kernel, open("/", O_RDONLY | O_CLOEXEC), "",
		"--initramfs: is a directory; give");
	refused(&ram, kernel, file_of("", 0), "", "--initramfs: is empty");
	refused(&ram, kernel, file_of("hello, world", 12), "", "is no initramfs");
	refused(&ram, kernel, file_of(image, sizeof(image)), "", "is no initramfs");
	refused(&ram, kernel, file_of(padded, sizeof(padded)), "", "is no initramfs");
	refused(&ram, kernel, file_of(big, sizeof(big)), "", "11 MiB do not fit");
	cr_assert_eq(load(&ram, kernel, file_of("\x28\xb5\x2f\xfd....", 8), "", &entry, &err), 0);
	/* Microcode, zeros, then the compressed rest: what Debian makes. */
	memcpy(padded, cpio, CPIO_SIZE);
	memcpy(padded + sizeof(padded) - 4, "\x1f\x8b\x08", 3);
	cr_assert_eq(load(&ram, kernel, file_of(padded, sizeof(padded)), "", &entry, &err), 0,
		"%s", err.msg);
	memcpy(padded + sizeof(padded) - 4, "junk", 4);
	refused(&ram, kernel, file_of(padded, sizeof(padded)), "", "is no initramfs");
	/* Whole entries, with their padding or without, are an initramfs: the trailer may be missing. */
	for (size_t size = 1; size < CPIO_SIZE - 2; size++) {
		bool whole = size >= 117 && size <= 120;

		cr_assert_eq(load(&ram, kernel, file_of(cpio, size), "", &entry, &err) == 0, whole,
			"%zu bytes: %s", size, err.msg);
	}
}

Test(bzimage, initramfs_extremes)
{
	int kernel = file_of(image, sizeof(image)), initramfs = file_of(cpio, CPIO_SIZE);
	const char digits[] = {'0', '9', 'f', 'F', 'g', '-', ' ', '\0', '\xff'};

	for (size_t at = 0; at < CPIO_SIZE; at++) {
		for (size_t i = 0; i < sizeof(digits); i++) {
			struct vcpu_entry entry;
			struct err err = {0};

			cr_assert_eq(pwrite(initramfs, &digits[i], 1, (off_t)at), 1);
			(void)load(&ram, kernel, initramfs, "", &entry, &err);
		}
		cr_assert_eq(pwrite(initramfs, cpio + at, 1, (off_t)at), 1);
	}
}

Test(bzimage, initramfs_stays_in_the_kernels_reach)
{
	struct setup_header hdr = header();
	struct boot_params params;
	struct vcpu_entry entry;
	struct err err = {0};

	hdr.initrd_addr_max = 0x7fffff;
	make(&hdr);
	cr_assert_eq(load(&ram, file_of(image, sizeof(image)), file_of(cpio, CPIO_SIZE), "", &entry,
		&err), 0, "%s", err.msg);
	memcpy(&params, ram.host + BOOT_PARAMS, sizeof(params));
	cr_assert(params.hdr.ramdisk_image + CPIO_SIZE <= 0x800000);
	hdr.initrd_addr_max = 0x5fffff; /* the kernel ends there */
	make(&hdr);
	refused(&ram, file_of(image, sizeof(image)), file_of(cpio, CPIO_SIZE), "",
		"this kernel's reach ends");
}
