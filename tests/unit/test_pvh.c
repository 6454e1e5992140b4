/* SPDX-License-Identifier: Apache-2.0
 *
 * The loader on hand-made ELF files with a PVH note: a sound one, then every field of every header
 * at its extremes, and files that are no PVH kernels.
 *
 * links: vmm/pci/layout.c vmm/kvm/ram.c vmm/boot/boot.c vmm/boot/image.c vmm/boot/bzimage.c vmm/boot/pvh.c
 * links: vmm/boot/initramfs.c vmm/boot/memmap.c vmm/boot/acpi.c ipc/cpus.c vmm/boot/aml.c vmm/boot/dsdt.c
 */
#include <elf.h>
#include <errno.h>

#include "tests/unit/loader.h"

enum { TEXT = 0x1000, TEXT_SIZE = 0x800, PHDRS = 3, NOTE_DESC = 8 };

/* One file: ELF header, program headers, a note of another kind and the PVH note, text. */
struct file {
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdr[PHDRS];
	struct {
		Elf64_Nhdr other;
		char other_name[4];
		uint32_t other_desc;
		Elf64_Nhdr nhdr;
		char name[4];
		uint64_t entry;
	} __attribute__((packed)) notes;
	uint8_t padding[TEXT - sizeof(Elf64_Ehdr) - PHDRS * sizeof(Elf64_Phdr) - 44];
	uint8_t text[TEXT_SIZE];
} __attribute__((packed));

_Static_assert(offsetof(struct file, text) == TEXT, "text");

struct start_info {
	uint32_t magic, version, flags, n_modules;
	uint64_t modlist, cmdline, rsdp, memmap;
	uint32_t n_memmap, reserved;
};

static struct ram ram;
static struct file file;

static void make(void)
{
	memset(&file, 0, sizeof(file));
	memcpy(file.ehdr.e_ident, ELFMAG, SELFMAG);
	file.ehdr.e_ident[EI_CLASS] = ELFCLASS64;
	file.ehdr.e_ident[EI_DATA] = ELFDATA2LSB;
	file.ehdr.e_type = ET_EXEC;
	file.ehdr.e_machine = EM_X86_64;
	file.ehdr.e_phoff = offsetof(struct file, phdr);
	file.ehdr.e_phnum = PHDRS;
	file.ehdr.e_phentsize = sizeof(Elf64_Phdr);
	file.phdr[0] = (Elf64_Phdr){.p_type = PT_LOAD, .p_offset = TEXT, .p_paddr = 0x200000,
		.p_filesz = TEXT_SIZE, .p_memsz = 0x3000};
	file.phdr[1] = (Elf64_Phdr){.p_type = PT_LOAD, .p_offset = TEXT, .p_paddr = 0x400000,
		.p_filesz = 0x10, .p_memsz = 0x10};
	file.phdr[2] = (Elf64_Phdr){.p_type = PT_NOTE, .p_offset = offsetof(struct file, notes),
		.p_filesz = sizeof(file.notes), .p_align = 4};
	file.notes.other = (Elf64_Nhdr){.n_namesz = 4, .n_descsz = 4, .n_type = 18};
	memcpy(file.notes.other_name, "GNU", 4);
	file.notes.nhdr = (Elf64_Nhdr){.n_namesz = 4, .n_descsz = NOTE_DESC, .n_type = 18};
	memcpy(file.notes.name, "Xen", 4);
	file.notes.entry = 0x200040;
	for (size_t i = 0; i < TEXT_SIZE; i++)
		file.text[i] = (uint8_t)(i * 5 + 1);
}

static void setup(void)
{
	ram_of(&ram, 16 * MiB);
	make();
}

static void teardown(void)
{
	ram_done(&ram);
}

TestSuite(pvh, .init = setup, .fini = teardown);

Test(pvh, loads)
{
	struct vcpu_entry entry;
	struct err err = {0};
	struct start_info info;
	struct memmap_entry map[MEMMAP_MAX];
	uint64_t gdt[3], module[4], first[3];

	memset(ram.host + 0x200000, 0xff, 0x4000); /* bss is cleared, what follows is left */
	cr_assert_eq(load(&ram, file_of(&file, sizeof(file)), -1, "a b", &entry, &err), 0, "%s",
		err.msg);
	cr_assert(entry.protected_mode);
	cr_assert_eq(entry.rip, 0x200040);
	cr_assert_eq(entry.rbx, BOOT_PARAMS);
	cr_assert_eq(entry.cr3, 0);
	cr_assert(!memcmp(ram.host + 0x200000, file.text, TEXT_SIZE));
	cr_assert_eq(ram.host[0x200000 + TEXT_SIZE], 0);
	cr_assert_eq(ram.host[0x202fff], 0);
	cr_assert_eq(ram.host[0x203000], 0xff);
	memcpy(gdt, ram.host + BOOT_GDT, sizeof(gdt));
	cr_assert_eq(gdt[2], 0x00cf9b000000ffff);
	memcpy(&info, ram.host + BOOT_PARAMS, sizeof(info));
	cr_assert_eq(info.magic, 0x336ec578);
	cr_assert_eq(info.version, 1);
	cr_assert_eq(info.n_modules, 0);
	cr_assert_eq(info.rsdp, ACPI_BASE);
	cr_assert_str_eq((char *)ram.host + info.cmdline, "a b");
	cr_assert_eq(info.n_memmap, boot_memmap(&ram.layout, map));
	memcpy(first, ram.host + info.memmap, sizeof(first));
	cr_assert_eq(first[1], LOW_RAM_TOP);
	cr_assert_eq(first[2], 1);

	cr_assert_eq(load(&ram, file_of(&file, sizeof(file)), file_of("\x1f\x8b....", 6), "",
		&entry, &err), 0, "%s", err.msg);
	memcpy(&info, ram.host + BOOT_PARAMS, sizeof(info));
	cr_assert_eq(info.n_modules, 1);
	memcpy(module, ram.host + info.modlist, sizeof(module));
	cr_assert_eq(module[0], 16 * MiB - PAGE_SIZE);
	cr_assert_eq(module[1], 6);
}

Test(pvh, refusals)
{
#define REFUSED(assignment, words)                                             \
	do {                                                                   \
		make();                                                        \
		assignment;                                                    \
		refused(&ram, file_of(&file, sizeof(file)), -1, "", words);    \
	} while (0)
	REFUSED(file.ehdr.e_ident[EI_CLASS] = ELFCLASS32, "32-bit ELF");
	REFUSED(file.ehdr.e_machine = EM_AARCH64, "another machine");
	REFUSED(file.ehdr.e_type = ET_REL, "cannot be started");
	REFUSED(file.ehdr.e_phnum = 0, "is damaged");
	REFUSED(file.ehdr.e_phnum = 65, "is damaged");
	REFUSED(file.ehdr.e_phoff = UINT64_MAX, "is truncated");
	REFUSED(file.notes.nhdr.n_type = 17, "built without CONFIG_PVH");
	REFUSED(file.notes.nhdr.n_descsz = 2, "built without CONFIG_PVH");
	REFUSED(file.notes.other.n_descsz = UINT32_MAX, "built without CONFIG_PVH");
	REFUSED(file.notes.other.n_namesz = UINT32_MAX, "built without CONFIG_PVH");
	REFUSED(file.phdr[2].p_filesz = UINT64_MAX, "is truncated");
	REFUSED(file.notes.entry = 0x100000, "lies in none of its segments");
	REFUSED(file.notes.entry = 0x200000 + TEXT_SIZE, "lies in none of its segments");
	REFUSED(file.phdr[0].p_paddr = 0x7000, "between 1 MiB and 4 GiB");
	REFUSED(file.phdr[0].p_paddr = UINT64_MAX - 1, "between 1 MiB and 4 GiB");
	REFUSED(file.phdr[0].p_memsz = 16 << 20, "needs 18 MiB of RAM");
	REFUSED(file.phdr[0].p_filesz = 0x4000, "is truncated");
	REFUSED(file.phdr[0].p_memsz = 0x10, "give a vmlinux that loads");
	REFUSED(file.phdr[0].p_offset = UINT64_MAX, "is truncated");
#undef REFUSED
}

Test(pvh, too_many_segments)
{
	struct {
		struct file file;
		Elf64_Phdr phdr[40];
	} large;

	large.file = file;
	large.file.ehdr.e_phoff = sizeof(file);
	large.file.ehdr.e_phnum = 40;
	for (unsigned i = 0; i < 40; i++)
		large.phdr[i] = file.phdr[i ? 0 : 2];
	refused(&ram, file_of(&large, sizeof(large)), -1, "", "more than 16 segments");
}

/* Every byte of the headers and notes begins every extreme, at every width. */
Test(pvh, extremes, .timeout = 120)
{
	int kernel = file_of(&file, sizeof(file));
	size_t len = offsetof(struct file, padding);
	unsigned loaded = 0;

	for (size_t at = 0; at < len; at++) {
		for (size_t i = 0; i < N_EXTREMES; i++) {
			for (size_t width = 1; width <= 8; width *= 2) {
				struct vcpu_entry entry;
				struct err err = {0};

				cr_assert_eq(pwrite(kernel, &extremes[i], width, (off_t)at),
					(ssize_t)width);
				loaded += !load(&ram, kernel, -1, "", &entry, &err);
				cr_assert_eq(pwrite(kernel, &file, len + 8, 0), (ssize_t)len + 8);
			}
		}
	}
	cr_assert(loaded);
}

Test(pvh, every_truncation)
{
	int kernel = file_of(&file, sizeof(file));

	for (off_t size = sizeof(file) - 1; size > 0; size -= 7) {
		struct vcpu_entry entry;
		struct err err = {0};

		cr_assert_eq(ftruncate(kernel, size), 0);
		cr_assert(load(&ram, kernel, -1, "", &entry, &err) < 0);
	}
}
