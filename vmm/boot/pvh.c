/* SPDX-License-Identifier: Apache-2.0
 *
 * An ELF vmlinux by the PVH boot protocol (Xen docs/misc/pvh.pandoc, public/arch-x86/hvm/
 * start_info.h, public/elfnote.h).
 *
 * Core process, main thread. ELF and notes are hostile: each header is read once into a local
 * copy, checked against the file and guest RAM, and only then becomes part of the plan.
 */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "vmm/boot/kernel.h"

enum {
	PHDRS_MAX = 64,
	NOTES_MAX = 256,             /* looked at, all segments together */
	ELFNOTE_PHYS32_ENTRY = 18,   /* XEN_ELFNOTE_PHYS32_ENTRY */
	START_INFO_VERSION = 1,      /* the first with a memory map */
	MODLIST_OFFSET = 0x40,       /* behind the start info, in its page */
	MEMMAP_OFFSET = 0x80,
};

#define START_INFO_MAGIC 0x336ec578u

struct start_info {
	uint32_t magic, version, flags, n_modules;
	uint64_t modlist, cmdline, rsdp, memmap;
	uint32_t n_memmap, reserved;
};

struct modlist_entry {
	uint64_t addr, size, cmdline, reserved;
};

struct start_memmap_entry {
	uint64_t addr, size;
	uint32_t type, reserved;
};

_Static_assert(sizeof(struct start_info) <= MODLIST_OFFSET, "start info");
_Static_assert(MEMMAP_OFFSET + MEMMAP_MAX * sizeof(struct start_memmap_entry) <= PAGE_SIZE, "map");

static int check_elf(const Elf64_Ehdr *ehdr, struct err *err)
{
	if (ehdr->e_ident[EI_CLASS] != ELFCLASS64)
		return err_set(err, -ENOEXEC, BLAME_HOST,
			"is a 32-bit ELF; give an x86-64 vmlinux or bzImage");
	if (ehdr->e_ident[EI_DATA] != ELFDATA2LSB || ehdr->e_machine != EM_X86_64)
		return err_set(err, -ENOEXEC, BLAME_HOST,
			"is an ELF for another machine (e_machine %u); give an x86-64 vmlinux or "
			"bzImage", ehdr->e_machine);
	if (ehdr->e_type != ET_EXEC && ehdr->e_type != ET_DYN)
		return err_set(err, -ENOEXEC, BLAME_HOST,
			"is an ELF object that cannot be started; give a vmlinux or bzImage");
	if (!ehdr->e_phnum || ehdr->e_phnum > PHDRS_MAX ||
		ehdr->e_phentsize != sizeof(Elf64_Phdr))
		return err_set(err, -ENOEXEC, BLAME_HOST,
			"is damaged: an ELF with %u program headers of %u bytes" AGAIN,
			ehdr->e_phnum, ehdr->e_phentsize);
	return 0;
}

static int add_segment(struct kernel *kernel, const Elf64_Phdr *phdr, uint64_t low_ram,
	struct err *err)
{
	struct segment segment = {.offset = phdr->p_offset, .filesz = phdr->p_filesz,
		.addr = phdr->p_paddr, .memsz = phdr->p_memsz};
	uint64_t file_size = kernel->image.size;

	if (!segment.memsz)
		return 0;
	if (segment.offset > file_size || segment.filesz > file_size - segment.offset)
		return err_set(err, -ENODATA, BLAME_HOST,
			"is truncated: %llu bytes to load at byte %llu, in a file of %llu" AGAIN,
			(unsigned long long)segment.filesz, (unsigned long long)segment.offset,
			(unsigned long long)file_size);
	if (segment.filesz > segment.memsz || segment.addr < HIMEM_START ||
		segment.addr > UINT32_MAX || segment.memsz > UINT32_MAX)
		return err_set(err, -ENOEXEC, BLAME_HOST,
			"has a segment of %llu bytes for address 0x%llx; give a vmlinux that loads "
			"between 1 MiB and 4 GiB", (unsigned long long)segment.memsz,
			(unsigned long long)segment.addr);
	if (segment.addr > low_ram || segment.memsz > low_ram - segment.addr)
		return kernel_too_large(segment.addr + segment.memsz, low_ram, err);
	if (kernel->n_segments == KERNEL_SEGMENTS)
		return err_set(err, -ENOEXEC, BLAME_HOST,
			"has more than %d segments to load; give a vmlinux", KERNEL_SEGMENTS);
	kernel->segments[kernel->n_segments++] = segment;
	if (segment.addr + segment.memsz > kernel->end)
		kernel->end = segment.addr + segment.memsz;
	return 0;
}

/* The word behind the name of a note that is Xen's PHYS32_ENTRY: 4 or 8 bytes, used as 4. */
static int entry_of_note(const struct image *image, uint64_t at, const Elf64_Nhdr *note,
	uint64_t desc, uint64_t *ret, struct err *err)
{
	char name[4];
	uint64_t entry = 0;
	int code;

	if (note->n_type != ELFNOTE_PHYS32_ENTRY || note->n_namesz != sizeof(name) ||
		(note->n_descsz != 4 && note->n_descsz != 8))
		return 0;
	code = image_read(image, at + sizeof(*note), name, sizeof(name), err);
	if (code || memcmp(name, "Xen", sizeof(name)) != 0)
		return code;
	code = image_read(image, desc, &entry, note->n_descsz, err);
	if (!code)
		*ret = entry;
	return code;
}

/* Walks one PT_NOTE; *budget notes are left to look at in all. Sets *ret when it is found. */
static int find_entry(const struct image *image, const Elf64_Phdr *phdr, unsigned *budget,
	uint64_t *ret, struct err *err)
{
	uint64_t align = phdr->p_align == 8 ? 8 : 4;
	uint64_t at = phdr->p_offset, end;

	if (phdr->p_offset > image->size || phdr->p_filesz > image->size - phdr->p_offset)
		return err_set(err, -ENODATA, BLAME_HOST,
			"is truncated: its notes lie behind its end" AGAIN);
	end = phdr->p_offset + phdr->p_filesz;
	while (end - at >= sizeof(Elf64_Nhdr) && *budget) {
		Elf64_Nhdr note;
		uint64_t desc, next;
		int code = image_read(image, at, &note, sizeof(note), err);

		if (code)
			return code;
		(*budget)--;
		desc = (sizeof(note) + (uint64_t)note.n_namesz + align - 1) & ~(align - 1);
		next = (desc + note.n_descsz + align - 1) & ~(align - 1);
		if (desc + note.n_descsz > end - at)
			break;
		code = entry_of_note(image, at, &note, at + desc, ret, err);
		if (code)
			return code;
		at = next < end - at ? at + next : end;
	}
	return 0;
}

static int check_entry(const struct kernel *kernel, struct err *err)
{
	for (unsigned i = 0; i < kernel->n_segments; i++) {
		const struct segment *segment = &kernel->segments[i];

		if (kernel->entry >= segment->addr &&
			kernel->entry - segment->addr < segment->filesz)
			return 0;
	}
	return err_set(err, -ENOEXEC, BLAME_HOST,
		"is damaged: its PVH entry 0x%llx lies in none of its segments" AGAIN,
		(unsigned long long)kernel->entry);
}

/* The notes come first: an ELF without the right one is no kernel, wherever it would load. */
static int read_phdrs(struct kernel *kernel, const Elf64_Ehdr *ehdr, uint32_t type,
	uint64_t low_ram, struct err *err)
{
	unsigned budget = NOTES_MAX;
	int code = 0;

	for (unsigned i = 0; !code && i < ehdr->e_phnum; i++) {
		Elf64_Phdr phdr;
		uint64_t at = ehdr->e_phoff + i * sizeof(phdr);

		/* A sum that wraps reads the wrong bytes of the file, which are checked too. */
		code = image_read(&kernel->image, at, &phdr, sizeof(phdr), err);
		if (code || phdr.p_type != type)
			continue;
		if (type == PT_NOTE)
			code = find_entry(&kernel->image, &phdr, &budget, &kernel->entry, err);
		else
			code = add_segment(kernel, &phdr, low_ram, err);
	}
	return code;
}

int pvh_plan(struct kernel *kernel, const uint8_t *head, size_t head_len, uint64_t low_ram,
	struct err *err)
{
	Elf64_Ehdr ehdr;
	int code;

	if (head_len < sizeof(ehdr))
		return err_set(err, -ENODATA, BLAME_HOST,
			"is truncated: it has %zu bytes" AGAIN, head_len);
	memcpy(&ehdr, head, sizeof(ehdr));
	kernel->pvh = true;
	kernel->initrd_limit = LOW_RAM_MAX;
	kernel->cmdline_max = CMDLINE_MAX - 1;
	code = check_elf(&ehdr, err);
	if (!code)
		code = read_phdrs(kernel, &ehdr, PT_NOTE, low_ram, err);
	if (!code && !kernel->entry)
		code = err_set(err, -ENOEXEC, BLAME_HOST,
			"is an ELF without a PVH entry: no kernel, or built without CONFIG_PVH; "
			"give its bzImage, or build it with CONFIG_PVH=y");
	if (!code)
		code = read_phdrs(kernel, &ehdr, PT_LOAD, low_ram, err);
	return code ? code : check_entry(kernel, err);
}

void pvh_write_params(const struct layout *layout, const struct initrd *initrd, void *page)
{
	struct memmap_entry map[MEMMAP_MAX];
	unsigned n = boot_memmap(layout, map);
	struct start_info info = {.magic = START_INFO_MAGIC, .version = START_INFO_VERSION,
		.cmdline = BOOT_CMDLINE, .rsdp = ACPI_BASE,
		.memmap = BOOT_PARAMS + MEMMAP_OFFSET, .n_memmap = n};
	struct modlist_entry module = {.addr = initrd->addr, .size = initrd->size};
	uint8_t *to = page;

	if (initrd->size) {
		info.n_modules = 1;
		info.modlist = BOOT_PARAMS + MODLIST_OFFSET;
		memcpy(to + MODLIST_OFFSET, &module, sizeof(module));
	}
	for (unsigned i = 0; i < n; i++) {
		struct start_memmap_entry entry = {
			.addr = map[i].addr, .size = map[i].size, .type = map[i].type};

		memcpy(to + MEMMAP_OFFSET + i * sizeof(entry), &entry, sizeof(entry));
	}
	memcpy(to, &info, sizeof(info));
}
