/* SPDX-License-Identifier: Apache-2.0
 *
 * Faulting guest RAM in by threads: all of it is there afterwards, an odd end included, or it is said
 * why not; no thread is left behind.
 *
 * links: vmm/kvm/populate.c vmm/kvm/ram.c vmm/pci/layout.c
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/kvm/populate.h"

static struct err err;

static struct ram make(uint64_t size)
{
	struct ram_options options = {.size = size, .hugepage_size = 2 * MiB};
	struct ram ram = {.memfd = FD_NONE_INIT};

	cr_assert_eq(ram_create(&ram, &options, (struct phys_space){.bits = 40}, &err), 0, "%s", err.msg);
	return ram;
}

static uint64_t resident(const struct ram *ram)
{
	struct stat st;

	cr_assert_eq(fstat(ram->memfd.n, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

static unsigned threads(void)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *entry;
	unsigned n = 0;

	cr_assert_not_null(tasks);
	while ((entry = readdir(tasks)))
		n += entry->d_name[0] != '.';
	closedir(tasks);
	return n;
}

Test(populate, all)
{
	struct ram ram = make(130 * MiB);
	unsigned before = threads();

	cr_assert_eq(resident(&ram), 0);
	cr_assert_eq(populate(&ram, &err), 0, "%s", err.msg);
	cr_expect_eq(resident(&ram), 130 * MiB);
	cr_expect_eq(threads(), before);
	ram_done(&ram);
}

/* The file ends before its mapping does. */
Test(populate, cannot)
{
	struct ram ram = make(64 * MiB);
	unsigned before = threads();

	ram.layout.ram_size += 32 * MiB;
	cr_expect_lt(populate(&ram, &err), 0);
	cr_expect_not_null(strstr(err.msg, "allocating 96 MiB"), "%s", err.msg);
	cr_expect_eq(threads(), before);
	ram.layout.ram_size -= 32 * MiB;
	ram_done(&ram);
}
