/* SPDX-License-Identifier: Apache-2.0
 *
 * A bzImage by the 64-bit boot protocol (Linux Documentation/arch/x86/boot.rst).
 *
 * Core process, main thread. The setup header is hostile: every field is checked here, on one copy
 * of the file's first page, before it becomes part of the plan.
 */
#include <asm/bootparam.h>
#include <errno.h>
#include <string.h>

#include "vmm/boot/kernel.h"

enum {
	PROTOCOL_MIN = 0x020c,      /* xloadflags came with 2.12 */
	JUMP_LEN = 0x201,           /* the byte that says how far the header goes, from 0x202 */
	HEADER_BASE = 0x202,
	SETUP_MIN_END = 0x264,      /* up to init_size, the last field we need */
	SECTOR = 512,
	PARAGRAPH = 16,
	ENTRY_64 = 0x200,           /* boot.rst, "64-bit boot protocol" */
	LOADER_UNREGISTERED = 0xff,
	VID_MODE_NORMAL = 0xffff,
	HEAP_END = 0xfe00,
};

_Static_assert(sizeof(struct boot_params) == PAGE_SIZE, "zero page");
_Static_assert(offsetof(struct boot_params, hdr) == SETUP_OFFSET, "setup header");

static int check_header(const struct setup_header *hdr, unsigned setup_end, struct err *err)
{
	if (hdr->version < PROTOCOL_MIN || setup_end < SETUP_MIN_END)
		return err_set(err, -ENOEXEC, BLAME_HOST,
			"speaks boot protocol %u.%u with a header of %u bytes; 2.12 is needed "
			"(Linux 3.8 or newer)", hdr->version >> 8, hdr->version & 0xff,
			setup_end - SETUP_OFFSET);
	if (!(hdr->xloadflags & XLF_KERNEL_64))
		return err_set(err, -ENOEXEC, BLAME_HOST,
			"is a 32-bit kernel; give one built with CONFIG_64BIT");
	if (!(hdr->loadflags & LOADED_HIGH))
		return err_set(err, -ENOEXEC, BLAME_HOST,
			"is a zImage that loads below 1 MiB; give a bzImage");
	if (!hdr->kernel_alignment || hdr->kernel_alignment & (hdr->kernel_alignment - 1) ||
		hdr->kernel_alignment > GiB)
		return err_set(err, -ENOEXEC, BLAME_HOST,
			"is damaged: its header asks for an alignment of %u bytes" AGAIN,
			hdr->kernel_alignment);
	if (!hdr->syssize)
		return err_set(err, -ENOEXEC, BLAME_HOST,
			"is damaged: its header says it holds no kernel" AGAIN);
	return 0;
}

/* Where the kernel goes and how far the RAM it needs there reaches. */
static int place(const struct setup_header *hdr, uint64_t payload, uint64_t low_ram,
	uint64_t *ret_start, uint64_t *ret_end, struct err *err)
{
	uint64_t start = hdr->pref_address, align = hdr->kernel_alignment;
	uint64_t need = hdr->init_size > payload ? hdr->init_size : payload;

	if (start > UINT32_MAX || (start < HIMEM_START && !hdr->relocatable_kernel))
		return err_set(err, -ENOEXEC, BLAME_HOST,
			"is damaged: its header asks to be loaded at 0x%llx" AGAIN,
			(unsigned long long)start);
	if (start < HIMEM_START)
		start = HIMEM_START;
	if (hdr->relocatable_kernel)
		start = (start + align - 1) & ~(align - 1);
	if (start > low_ram || need > low_ram - start)
		return kernel_too_large(start + need, low_ram, err);
	*ret_start = start;
	*ret_end = start + need;
	return 0;
}

int bzimage_plan(struct kernel *kernel, const uint8_t *head, size_t head_len, uint64_t low_ram,
	struct err *err)
{
	struct setup_header hdr;
	uint64_t offset, payload, start = 0;
	unsigned setup_end;
	int code;

	if (head_len < SETUP_END)
		return err_set(err, -ENODATA, BLAME_HOST,
			"is truncated: it has %zu bytes" AGAIN, head_len);
	setup_end = HEADER_BASE + head[JUMP_LEN];
	if (setup_end > SETUP_END)
		setup_end = SETUP_END;
	memcpy(&hdr, head + SETUP_OFFSET, sizeof(hdr));
	code = check_header(&hdr, setup_end, err);
	if (code)
		return code;
	/* "If the setup_sects field contains 0, the real value is 4." */
	offset = (1 + (hdr.setup_sects ? hdr.setup_sects : 4)) * (uint64_t)SECTOR;
	payload = hdr.syssize * (uint64_t)PARAGRAPH;
	if (offset > kernel->image.size || payload > kernel->image.size - offset)
		return err_set(err, -ENODATA, BLAME_HOST,
			"is truncated: its header speaks of %llu bytes, it has %llu" AGAIN,
			(unsigned long long)offset + payload,
			(unsigned long long)kernel->image.size);
	code = place(&hdr, payload, low_ram, &start, &kernel->end, err);
	if (code)
		return code;
	kernel->pvh = false;
	kernel->entry = start + ENTRY_64;
	/* initrd_addr_max ends at 2 GiB for old boot loaders' sake; who can be loaded above 4 GiB takes
	 * an initramfs anywhere (boot.rst, xloadflags, ext_ramdisk_image). */
	kernel->initrd_limit = hdr.xloadflags & XLF_CAN_BE_LOADED_ABOVE_4G ? UINT64_MAX
		: (uint64_t)hdr.initrd_addr_max + 1;
	kernel->cmdline_max = hdr.cmdline_size < CMDLINE_MAX ? hdr.cmdline_size : CMDLINE_MAX - 1;
	kernel->n_segments = 1;
	kernel->segments[0] = (struct segment){
		.offset = offset, .filesz = payload, .addr = start, .memsz = payload};
	kernel->setup_len = setup_end - SETUP_OFFSET;
	memcpy(kernel->setup, head + SETUP_OFFSET, kernel->setup_len);
	return 0;
}

void bzimage_write_params(const struct kernel *kernel, const struct layout *layout,
	const struct initrd *initrd, void *page)
{
	struct boot_params params = {.acpi_rsdp_addr = ACPI_BASE};
	struct memmap_entry map[MEMMAP_MAX];
	unsigned n = boot_memmap(layout, map);

	memcpy((uint8_t *)&params + SETUP_OFFSET, kernel->setup, kernel->setup_len);
	params.hdr.type_of_loader = LOADER_UNREGISTERED;
	params.hdr.ext_loader_type = params.hdr.ext_loader_ver = 0;
	params.hdr.loadflags |= CAN_USE_HEAP;
	params.hdr.heap_end_ptr = HEAP_END;
	params.hdr.vid_mode = VID_MODE_NORMAL;
	params.hdr.code32_start = (uint32_t)kernel->segments[0].addr;
	params.hdr.cmd_line_ptr = (uint32_t)BOOT_CMDLINE;
	params.hdr.ramdisk_image = (uint32_t)initrd->addr;
	params.hdr.ramdisk_size = (uint32_t)initrd->size;
	params.ext_ramdisk_image = (uint32_t)(initrd->addr >> 32);
	params.ext_ramdisk_size = (uint32_t)(initrd->size >> 32);
	params.hdr.setup_data = 0;
	params.e820_entries = (uint8_t)n;
	for (unsigned i = 0; i < n; i++)
		params.e820_table[i] = (struct boot_e820_entry){
			.addr = map[i].addr, .size = map[i].size, .type = map[i].type};
	memcpy(page, &params, sizeof(params));
}
