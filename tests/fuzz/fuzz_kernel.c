/* SPDX-License-Identifier: Apache-2.0
 *
 * The head of a kernel image: the input as it is, or patches on a small bzImage or PVH vmlinux. A
 * plan that is made lies inside file and RAM.
 *
 * fuzzes: vmm/boot/bzimage.c vmm/boot/pvh.c
 * links: vmm/boot/boot.c vmm/boot/bzimage.c vmm/boot/pvh.c vmm/boot/image.c vmm/boot/initramfs.c vmm/boot/memmap.c
 * links: vmm/boot/acpi.c ipc/cpus.c vmm/boot/aml.c vmm/boot/dsdt.c vmm/kvm/ram.c vmm/pci/layout.c
 * max_len: 256
 */
#include "tests/fuzz/fuzz.h"

#include <elf.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/boot/kernel.h"

enum { HEAD = 1024, LOW_RAM_MIB = 256 };

static uint8_t head[HEAD];
static uint64_t head_len, file_size;

/* Zeros behind the head. */
ssize_t pread(int fd, void *buf, size_t len, off_t offset)
{
	uint64_t at = (uint64_t)offset;
	size_t n = at < file_size ? file_size - at < len ? file_size - at : len : 0;

	(void)fd;
	memset(buf, 0, n);
	if (at < head_len)
		memcpy(buf, head + at, n < head_len - at ? n : head_len - at);
	return (ssize_t)n;
}

static void put(unsigned at, unsigned size, uint64_t value)
{
	memcpy(head + at, &value, size);
}

/* Linux Documentation/arch/x86/boot.rst. */
static void make_bzimage(void)
{
	put(0x1f1, 1, 1);
	put(0x1f4, 4, 0x1000);
	put(0x1fe, 2, 0xaa55);
	put(0x200, 2, 0x6aeb);
	put(0x202, 4, 0x53726448);
	put(0x206, 2, 0x020f);
	put(0x211, 1, 1);
	put(0x22c, 4, 0x7fffffff);
	put(0x230, 4, 0x200000);
	put(0x234, 1, 1);
	put(0x236, 2, 1);
	put(0x238, 4, 2047);
	put(0x258, 8, 0x1000000);
	put(0x260, 4, 0x100000);
}

static void make_pvh(void)
{
	static const uint32_t note[] = {4, 8, 18, 0x006e6558, 0x1000000, 0};
	const Elf64_Ehdr ehdr = {.e_ident = ELFMAG "\2\1\1", .e_type = ET_EXEC,
		.e_machine = EM_X86_64, .e_phoff = 64, .e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 3};
	const Elf64_Phdr phdrs[] = {
		{.p_type = PT_LOAD, .p_offset = 0x1000, .p_paddr = 0x1000000, .p_filesz = 0x2000,
			.p_memsz = 0x3000},
		{.p_type = PT_LOAD, .p_offset = 0x3000, .p_paddr = 0x1200000, .p_filesz = 0x100,
			.p_memsz = 0x100},
		{.p_type = PT_NOTE, .p_offset = 0x100, .p_filesz = sizeof(note), .p_align = 4},
	};

	memcpy(head, &ehdr, sizeof(ehdr));
	memcpy(head + 64, phdrs, sizeof(phdrs));
	memcpy(head + 0x100, note, sizeof(note));
}

static void make(struct input *in)
{
	unsigned flags = (unsigned)take(in, 1), patches = flags >> 4;

	memset(head, 0, sizeof(head));
	head_len = HEAD;
	file_size = flags & 4 ? take_number(in) & INT64_MAX : 0x20000;
	if ((flags & 3) == 0) {
		head_len = (uint64_t)(in->end - in->at);
		head_len = head_len < HEAD ? head_len : HEAD;
		if (head_len)
			memcpy(head, in->at, head_len);
		file_size = flags & 4 ? file_size : head_len;
		return;
	}
	if (flags & 1)
		make_bzimage();
	else
		make_pvh();
	for (unsigned i = 0; i < patches; i++) {
		unsigned at = (unsigned)take(in, 2);
		unsigned size = 1u << (at >> 10 & 3);
		uint64_t value = at >> 12 & 1 ? take_number(in) : take(in, size);

		put((at & 0x3ff) % (HEAD - 7), size, value);
	}
}

static void check(const struct kernel *kernel, uint64_t low_ram)
{
	static const struct layout layout = {.n_ram = 1, .ram = {{0, 256 * MiB, 0}}};
	const struct initrd initrd = {.addr = 0x2000000, .size = 0x1000};
	uint8_t page[PAGE_SIZE];

	require(kernel->n_segments && kernel->n_segments <= KERNEL_SEGMENTS);
	require(kernel->end <= low_ram && kernel->entry >= HIMEM_START && kernel->entry < low_ram);
	require(kernel->cmdline_max < CMDLINE_MAX);
	for (unsigned i = 0; i < kernel->n_segments; i++) {
		const struct segment *s = &kernel->segments[i];

		require(s->filesz <= s->memsz && s->offset <= kernel->image.size);
		require(s->filesz <= kernel->image.size - s->offset);
		require(s->addr >= HIMEM_START && s->addr <= kernel->end);
		require(s->memsz <= kernel->end - s->addr);
	}
	if (kernel->pvh)
		pvh_write_params(&layout, &initrd, page);
	else
		bzimage_write_params(kernel, &layout, &initrd, page);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	const uint64_t low_ram = LOW_RAM_MIB * MiB;
	struct input in = input_of(data, size);
	static const struct cpus cpus = {1, 1, 1, 1, 1, 1};
	struct boot_source source = {.initramfs = -1, .cpus = &cpus};
	struct kernel kernel = {.image.fd = -1};
	struct err err = {0};
	int r, planned;

	if (fd < 0)
		fd = memfd_create("kernel", MFD_CLOEXEC);
	source.kernel = fd;
	make(&in);
	if (!file_size || ftruncate(fd, (off_t)file_size) < 0)
		return 0;
	r = boot_check(&source, &(struct layout){.n_ram = 1, .ram = {{0, low_ram, 0}}}, &err);
	require(r == 0 || (r == err.code && strlen(err.msg) > 10));
	kernel.image.size = file_size;
	planned = memcmp(head, ELFMAG, SELFMAG) == 0
		? pvh_plan(&kernel, head, head_len < file_size ? head_len : file_size, low_ram, &err)
		: bzimage_plan(&kernel, head, head_len < file_size ? head_len : file_size, low_ram,
			&err);
	require(r < 0 || planned == 0);
	if (planned == 0)
		check(&kernel, low_ram);
	return 0;
}
