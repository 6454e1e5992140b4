/* SPDX-License-Identifier: Apache-2.0
 *
 * For the loader's tests: hand-made files, and a load that must fail with words or end inside RAM.
 */
#pragma once

#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/boot/boot.h"

static const uint64_t extremes[] = {0, 1, 2, 0x7f, 0xff, 0x100, 0x7fff, 0xffff, 0x10000, 0x100000,
	0x200000, 0x1000000, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x7fffffffffffffff,
	0x8000000000000000, 0xfffffffffffff000, 0xffffffffffffffff};

enum { N_EXTREMES = sizeof(extremes) / sizeof(extremes[0]) };

static inline int file_of(const void *bytes, size_t len)
{
	int fd = memfd_create("file", MFD_CLOEXEC);

	cr_assert(fd >= 0);
	cr_assert_eq(pwrite(fd, bytes, len, 0), (ssize_t)len);
	return fd;
}

static inline void ram_of(struct ram *ram, uint64_t size)
{
	const struct ram_options options = {.size = size};
	struct err err = {0};

	cr_assert_eq(ram_create(ram, &options, &(cpu_set_t){0}, (struct phys_space){.bits = 40}, &err), 0,
		"%s", err.msg);
}

static inline int load(struct ram *ram, int kernel, int initramfs, const char *cmdline,
	struct vcpu_entry *entry, struct err *err)
{
	static const struct cpus cpus = {2, 2, 1, 2, 1, 1};
	const struct boot_source source = {.kernel = kernel, .initramfs = initramfs,
		.cmdline = cmdline, .cpus = &cpus};
	int check = boot_check(&source, &ram->layout, err), code;

	*entry = (struct vcpu_entry){0};
	memset(err, 0, sizeof(*err));
	code = boot_load(ram, &source, entry, err);
	cr_assert_eq(check, code, "boot_check %d, boot_load %d: %s", check, code, err->msg);
	if (code) {
		cr_assert(code < 0 && code == err->code && strlen(err->msg) > 10);
		cr_assert(strchr(err->msg, ';'), "no next step: %s", err->msg);
		cr_assert(!entry->rip, "output touched on failure");
	} else {
		cr_assert(entry->rip >= HIMEM_START && entry->rip < ram->layout.ram[0].size);
	}
	return code;
}

/* The load fails and says `words`. */
static inline void refused(struct ram *ram, int kernel, int initramfs, const char *cmdline,
	const char *words)
{
	struct vcpu_entry entry;
	struct err err = {0};

	cr_assert(load(ram, kernel, initramfs, cmdline, &entry, &err) < 0, "loaded; not: %s",
		words);
	cr_assert(strstr(err.msg, words), "says «%s», not «%s»", err.msg, words);
}
