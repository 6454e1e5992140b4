/* SPDX-License-Identifier: Apache-2.0
 *
 * What Linux takes for an initramfs (Documentation/driver-api/early-userspace/buffer-format.rst), and
 * where one is put that is too large for RAM below 3 GiB.
 *
 * links: vmm/pci/layout.c vmm/kvm/ram.c vmm/boot/boot.c vmm/boot/image.c vmm/boot/bzimage.c vmm/boot/pvh.c
 * links: vmm/boot/initramfs.c vmm/boot/memmap.c vmm/boot/acpi.c ipc/cpus.c vmm/boot/aml.c vmm/boot/dsdt.c
 */
#include <asm/bootparam.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/loader.h"
#include "vmm/boot/kernel.h"

static char file[4096];
static size_t len;
static struct err err;

static void bytes(const void *from, size_t n)
{
	memcpy(file + len, from, n);
	len += n;
}

static void zeros(size_t n)
{
	memset(file + len, 0, n);
	len += n;
}

/* Without the padding that follows it. */
static void entry(const char *name, unsigned name_size, const char *data)
{
	len += (size_t)sprintf(file + len, "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08x%08x",
		1, 0x81a4, 0, 0, 1, 0, strlen(data), 0, 0, 0, 0, name_size, 0);
	bytes(name, strlen(name));
	zeros(name_size - strlen(name));
	if (*data) {
		zeros((4 - len % 4) % 4);
		bytes(data, strlen(data));
	}
}

static void pad(void)
{
	zeros((4 - len % 4) % 4);
}

static int check(void)
{
	int fd = file_of(file, len);
	struct image image = {.fd = fd, .size = len};
	int r = initramfs_check(&image, &err);

	close(fd);
	return r;
}

#define TAKEN() cr_expect_eq(check(), 0, "line %d: %s", __LINE__, err.msg)
#define REFUSED(words)                                                                             \
	cr_expect(check() == -ENOEXEC || err.code == -ENODATA, "line %d: taken", __LINE__);         \
	cr_expect(strstr(err.msg, words), "line %d: %s", __LINE__, err.msg)

Test(initramfs, a_trailer_may_be_missing)
{
	entry("f", 2, "hello");
	TAKEN(); /* nor is its padding there */
	pad();
	TAKEN();
	entry("empty", 6, "");
	TAKEN();
	pad();
	entry("TRAILER!!!", 11, "");
	TAKEN();
}

Test(initramfs, members_one_after_the_other)
{
	entry("f", 2, "hello");
	zeros(509 + (4 - len % 4) % 4);
	pad();
	entry("TRAILER!!!", 11, "");
	zeros(512);
	pad();
	entry("g", 2, "");
	pad();
	bytes("\x1f\x8b\x08\0", 4); /* what is compressed may hide more members behind it */
	TAKEN();
}

Test(initramfs, a_compressed_member_behind_entries_without_trailer)
{
	entry("kernel/x86/microcode/AuthenticAMD.bin", 38, "code");
	zeros(64);
	pad();
	bytes("\x28\xb5\x2f\xfd....", 8);
	TAKEN();
}

Test(initramfs, zeros_before_and_after)
{
	zeros(512);
	entry("f", 2, "hello");
	zeros(1001); /* any number at the end */
	TAKEN();
}

/* "c_namesize may account for more than one trailing '\0'" */
Test(initramfs, a_name_with_padding_of_its_own)
{
	entry("f", 402, "hello");
	TAKEN();
}

Test(initramfs, what_linux_refuses_too)
{
	zeros(512);
	REFUSED("is no initramfs");
	len = 0;
	entry("f", 2, "hello");
	len -= 1;
	REFUSED("truncated");
	len = 0;
	entry("f", 2, "hello");
	zeros(4); /* to 121: "broken padding" */
	bytes("\x1f\x8b\x08", 3);
	REFUSED("byte 121 begins neither");
	len = 0;
	entry("f", 2, "hello");
	pad();
	bytes("junk", 4);
	REFUSED("byte 120 begins neither");
	len = 0;
	entry("f", 2, "hello");
	file[111] = 'x'; /* the name's end */
	REFUSED("damaged");
	len = 0;
	entry("f", 2, "hello");
	file[5] = '7'; /* "incorrect cpio method used" */
	REFUSED("damaged");
}

/* ---- where it goes ---------------------------------------------------------------------------- */

static int kernel_that_reaches(bool high, unsigned initrd_max)
{
	static uint8_t image[4 * 512 + 65536];
	const struct setup_header hdr = {
		.setup_sects = 3, .syssize = 65536 / 16, .boot_flag = 0xaa55, .jump = 0x6aeb,
		.header = 0x53726448, .version = 0x020f, .loadflags = LOADED_HIGH,
		.initrd_addr_max = initrd_max, .kernel_alignment = 0x200000, .relocatable_kernel = 1,
		.xloadflags = (uint16_t)(XLF_KERNEL_64 | (high ? XLF_CAN_BE_LOADED_ABOVE_4G : 0)),
		.cmdline_size = 2047, .pref_address = 0x400000, .init_size = 0x200000,
	};

	memcpy(image + 0x1f1, &hdr, sizeof(hdr));
	return file_of(image, sizeof(image));
}

/* Sparse, and compressed to who looks at its first bytes. */
static int large(uint64_t size)
{
	int fd = file_of("\x1f\x8b\x08", 3);

	cr_assert_eq(ftruncate(fd, (off_t)size), 0);
	return fd;
}

static int plan(bool high, uint64_t ram, uint64_t initramfs)
{
	static const struct cpus cpus = {1, 1, 1, 1, 1, 1};
	const struct boot_source source = {.kernel = kernel_that_reaches(high, 0x7fffffff),
		.initramfs = large(initramfs), .cpus = &cpus};
	struct layout layout;

	cr_assert_eq(layout_plan(ram, (struct phys_space){.bits = 48, .ht = true}, &layout, &err), 0);
	return boot_check(&source, &layout, &err);
}

Test(initramfs, larger_than_2_gib)
{
	cr_expect_eq(plan(true, 4 * GiB, 2 * GiB + 500 * MiB), 0, "below 3 GiB: %s", err.msg);
	cr_expect_eq(plan(true, 8 * GiB, 3 * GiB), 0, "above 4 GiB: %s", err.msg);
	cr_expect_eq(plan(true, 1100 * GiB, 80 * GiB), 0, "before AMD's hole: %s", err.msg);
	cr_expect_eq(plan(true, 5 * GiB, 3 * GiB), -E2BIG, "nowhere");
	cr_expect(strstr(err.msg, "3072 MiB do not fit") && strstr(err.msg, "more --memory"), "%s",
		err.msg);
	cr_expect_eq(plan(false, 8 * GiB, 2 * GiB), -E2BIG, "out of an old kernel's reach");
	cr_expect(strstr(err.msg, "this kernel's reach ends; give a smaller one"), "%s", err.msg);
}

/* 64 MiB below 3 GiB, 64 above 4: a load that really goes there, and what the kernel is told. */
Test(initramfs, loaded_above_4_gib)
{
	struct ram ram = {.memfd = FD_NONE_INIT, .host = calloc(128, MiB),
		.layout = {.ram_size = 128 * MiB, .n_ram = 2, .ram = {{0, 64 * MiB, 0},
			{4 * GiB, 64 * MiB, 64 * MiB}}}};
	struct boot_params params;
	struct vcpu_entry at;

	cr_assert_eq(load(&ram, kernel_that_reaches(true, 0x7fffffff), large(60 * MiB), "", &at,
		&err), 0, "%s", err.msg);
	memcpy(&params, ram.host + BOOT_PARAMS, sizeof(params));
	cr_expect_eq(params.ext_ramdisk_image, 1);
	cr_expect_eq(params.hdr.ramdisk_image, 4 * MiB);
	cr_expect_eq(params.hdr.ramdisk_size, 60 * MiB);
	cr_expect_eq(params.ext_ramdisk_size, 0);
	cr_expect_eq(ram.host[68 * MiB], 0x1f);
	free(ram.host);
}
