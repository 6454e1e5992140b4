/* SPDX-License-Identifier: Apache-2.0
 *
 * Loads kernel, initramfs, command line and tables into guest RAM.
 *
 * Core process, main thread, with the vCPUs parked or not started. First a plan is made, which
 * touches nothing and is all that boot_check does; then the plan is carried out. Everything lies
 * in low RAM: the tables below 1 MiB, the kernel where it wants to be, the initramfs at the top; or
 * above 4 GiB, when it is too large for that and the kernel reaches it there.
 * A guest's devices may write to RAM all the while, so nothing is read back from it.
 */
#include "vmm/boot/boot.h"

#include <errno.h>
#include <string.h>

#include "vmm/boot/kernel.h"

enum {
	PTE_PRESENT_WRITE = 0x3,
	PTE_LARGE = 0x80,
	IDENTITY_GIB = 4,
	STACK_TOP = 0x8ff0, /* below the page tables; neither protocol asks for one */
};

#define WANT_KERNEL "a bzImage or a PVH vmlinux"

struct plan {
	struct kernel kernel;
	struct image initramfs;
	struct initrd initrd;
};

/* What people give by mistake. */
static const struct {
	unsigned offset, len;
	const char *magic, *what;
} not_kernels[] = {
	{0x38, 4, "ARM\x64", "is an arm64 kernel; give an x86-64 one"},
	{0x30, 5, "RISCV", "is a RISC-V kernel; give an x86-64 one"},
	{0, 2, "\x1f\x8b", "is gzip data; decompress it (gunzip), or give the bzImage"},
	{0, 5, "\xfd" "7zXZ", "is xz data; decompress it (unxz), or give the bzImage"},
	{0, 4, "\x28\xb5\x2f\xfd", "is zstd data; decompress it (unzstd), or give the bzImage"},
	{0, 4, "0707", "is a cpio archive; it belongs to --initramfs"},
	{0, 4, "\x27\x05\x19\x56", "is a U-Boot image; give the bzImage"},
	{0, 2, "MZ", "is an EFI program without a Linux boot header (a unified kernel image?), or "
		"truncated; give the bzImage"},
};

static bool has_magic(const uint8_t *head, size_t head_len, size_t offset, const char *magic,
	size_t len)
{
	return offset + len <= head_len && !memcmp(head + offset, magic, len);
}

static int plan_kernel(struct kernel *kernel, int fd, uint64_t low_ram, struct err *err)
{
	uint8_t head[KERNEL_HEAD];
	size_t len;
	int code = image_init(&kernel->image, fd, WANT_KERNEL, err);

	if (code)
		return code;
	len = kernel->image.size < sizeof(head) ? kernel->image.size : sizeof(head);
	code = image_read(&kernel->image, 0, head, len, err);
	if (code)
		return code;
	if (has_magic(head, len, 0, "\x7f" "ELF", 4))
		return pvh_plan(kernel, head, len, low_ram, err);
	if (has_magic(head, len, 0x1fe, "\x55\xaa", 2) && has_magic(head, len, 0x202, "HdrS", 4))
		return bzimage_plan(kernel, head, len, low_ram, err);
	for (size_t i = 0; i < sizeof(not_kernels) / sizeof(not_kernels[0]); i++)
		if (has_magic(head, len, not_kernels[i].offset, not_kernels[i].magic,
			not_kernels[i].len))
			return err_set(err, -ENOEXEC, BLAME_HOST, "%s", not_kernels[i].what);
	return err_set(err, -ENOEXEC, BLAME_HOST, "is no kernel known here; give " WANT_KERNEL);
}

static int plan_cmdline(const struct kernel *kernel, const char *cmdline, struct err *err)
{
	size_t len = cmdline ? strlen(cmdline) : 0;

	if (len > kernel->cmdline_max)
		return err_set(err, -E2BIG, BLAME_HOST,
			"--cmdline: %zu characters; this kernel takes at most %u", len,
			kernel->cmdline_max);
	return 0;
}

/* [from, end) of RAM, as high as the kernel reaches; page aligned. */
static bool place_initrd(struct initrd *initrd, uint64_t from, uint64_t end, uint64_t limit)
{
	uint64_t top = (limit < end ? limit : end) & ~(PAGE_SIZE - 1);

	if (top < from || initrd->size > ((top - from) & ~(PAGE_SIZE - 1)))
		return false;
	initrd->addr = (top - initrd->size) & ~(PAGE_SIZE - 1);
	return true;
}

static int initramfs_too_large(const struct plan *plan, uint64_t low_ram, struct err *err)
{
	const struct kernel *kernel = &plan->kernel;
	bool reach_ends = kernel->initrd_limit < low_ram, high = kernel->initrd_limit > HIGH_RAM_BASE;
	uint64_t top = reach_ends ? kernel->initrd_limit : low_ram;

	return err_set(err, -E2BIG, BLAME_HOST,
		"%llu MiB do not fit between the kernel, which ends at %llu MiB, and %llu MiB, where "
		"%s; give %s", (unsigned long long)(plan->initrd.size / MiB),
		(unsigned long long)(kernel->end / MiB), (unsigned long long)(top / MiB),
		reach_ends ? "this kernel's reach ends" : "RAM below 3 GiB ends",
		reach_ends || (low_ram == LOW_RAM_MAX && !high) ? "a smaller one" :
			"a smaller one or more --memory");
}

static int plan_initramfs(struct plan *plan, int fd, const struct layout *layout, struct err *err)
{
	const struct kernel *kernel = &plan->kernel;
	uint64_t low_ram = layout->ram[0].size;
	int code = image_init(&plan->initramfs, fd, "an initramfs file", err);
	bool placed;

	if (code)
		return code;
	plan->initrd.size = plan->initramfs.size;
	placed = place_initrd(&plan->initrd, kernel->end, low_ram, kernel->initrd_limit);
	for (unsigned i = 1; i < layout->n_ram && !placed; i++)
		placed = place_initrd(&plan->initrd, layout->ram[i].gpa,
			layout->ram[i].gpa + layout->ram[i].size, kernel->initrd_limit);
	return placed ? initramfs_check(&plan->initramfs, err)
		: initramfs_too_large(plan, low_ram, err);
}

static int make_plan(const struct boot_source *source, const struct layout *layout,
	struct plan *plan, struct err *err)
{
	int code = plan_kernel(&plan->kernel, source->kernel, layout->ram[0].size, err);

	if (code) {
		err_prefix(err, "--kernel");
		return code;
	}
	code = plan_cmdline(&plan->kernel, source->cmdline, err);
	if (code || source->initramfs < 0)
		return code;
	code = plan_initramfs(plan, source->initramfs, layout, err);
	if (code)
		err_prefix(err, "--initramfs");
	return code;
}

int boot_check(const struct boot_source *source, const struct layout *layout, struct err *err)
{
	struct plan plan = {0};

	return make_plan(source, layout, &plan, err);
}

/* Flat descriptors at the selectors the 64-bit boot protocol names: 0x10 code, 0x18 data. */
static void write_gdt(struct ram *ram, bool code64)
{
	const uint64_t gdt[] = {
		0, 0,
		code64 ? 0x00af9b000000ffffull : 0x00cf9b000000ffffull,
		0x00cf93000000ffffull,
	};

	memcpy(ram_at(ram, BOOT_GDT, sizeof(gdt)), gdt, sizeof(gdt));
}

/* Identity map of the first 4 GiB by 2 MiB pages: PML4, PDPT, four page directories. */
static void write_pagetables(struct ram *ram)
{
	enum { ENTRIES = PAGE_SIZE / 8 };
	uint64_t *pml4 = ram_at(ram, BOOT_PAGETABLES, (2 + IDENTITY_GIB) * PAGE_SIZE);
	uint64_t *pdpt = pml4 + ENTRIES, *pd = pdpt + ENTRIES;

	pml4[0] = (BOOT_PAGETABLES + PAGE_SIZE) | PTE_PRESENT_WRITE;
	for (unsigned i = 0; i < IDENTITY_GIB; i++)
		pdpt[i] = (BOOT_PAGETABLES + (2 + i) * PAGE_SIZE) | PTE_PRESENT_WRITE;
	for (unsigned i = 0; i < IDENTITY_GIB * ENTRIES; i++)
		pd[i] = i * 2 * MiB | PTE_PRESENT_WRITE | PTE_LARGE;
}

static int load_segment(struct ram *ram, const struct image *image, const struct segment *segment,
	struct err *err)
{
	uint8_t *to = ram_at(ram, segment->addr, segment->memsz);

	if (!to || segment->filesz > segment->memsz)
		return err_set(err, -EFAULT, BLAME_BUG, "a segment outside RAM was planned");
	memset(to + segment->filesz, 0, segment->memsz - segment->filesz);
	return image_read(image, segment->offset, to, segment->filesz, err);
}

static int load_files(struct ram *ram, const struct plan *plan, struct err *err)
{
	const struct segment initrd = {.offset = 0, .filesz = plan->initrd.size,
		.addr = plan->initrd.addr, .memsz = plan->initrd.size};
	int code;

	for (unsigned i = 0; i < plan->kernel.n_segments; i++) {
		code = load_segment(ram, &plan->kernel.image, &plan->kernel.segments[i], err);
		if (code) {
			err_prefix(err, "--kernel");
			return code;
		}
	}
	if (!initrd.memsz)
		return 0;
	code = load_segment(ram, &plan->initramfs, &initrd, err);
	if (code)
		err_prefix(err, "--initramfs");
	return code;
}

int boot_load(struct ram *ram, const struct boot_source *source, struct vcpu_entry *ret,
	struct err *err)
{
	struct plan plan = {0};
	uint8_t *low = ram_at(ram, 0, HIMEM_START);
	int code;

	if (!low)
		return err_set(err, -EINVAL, BLAME_BUG, "guest RAM does not begin at 0");
	code = make_plan(source, &ram->layout, &plan, err);
	if (code)
		return code;
	memset(low, 0, HIMEM_START);
	code = load_files(ram, &plan, err);
	if (!code)
		code = acpi_write(ram, source->cpus, err);
	if (code)
		return code;
	write_gdt(ram, !plan.kernel.pvh);
	if (source->cmdline)
		memcpy(low + BOOT_CMDLINE, source->cmdline, strlen(source->cmdline) + 1);
	if (plan.kernel.pvh) {
		pvh_write_params(&ram->layout, &plan.initrd, low + BOOT_PARAMS);
		*ret = (struct vcpu_entry){.protected_mode = true, .rip = plan.kernel.entry,
			.rbx = BOOT_PARAMS, .rsp = STACK_TOP};
		return 0;
	}
	write_pagetables(ram);
	bzimage_write_params(&plan.kernel, &ram->layout, &plan.initrd, low + BOOT_PARAMS);
	*ret = (struct vcpu_entry){.rip = plan.kernel.entry, .rsi = BOOT_PARAMS, .rsp = STACK_TOP,
		.cr3 = BOOT_PAGETABLES};
	return 0;
}
