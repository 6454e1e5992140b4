/* SPDX-License-Identifier: Apache-2.0
 *
 * Faulting guest RAM in by threads: all of it is there afterwards, an odd end included, and giving
 * up leaves no thread behind.
 *
 * links: vmm/populate.c vmm/ram.c vmm/layout.c
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <sys/stat.h>

#include "vmm/populate.h"

static struct err err;

static struct ram make(uint64_t size)
{
	struct ram_options options = {.size = size, .hugepage_size = 2 * MiB};
	struct ram ram = {.memfd = FD_NONE_INIT};

	cr_assert_eq(ram_create(&ram, &options, 40, &err), 0, "%s", err.msg);
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
	struct populate populate;
	unsigned before = threads();

	cr_assert_eq(resident(&ram), 0);
	populate_start(&populate, &ram);
	cr_expect_geq(populate.n, 1);
	populate_end(&populate, false);
	cr_expect_eq(resident(&ram), 130 * MiB);
	cr_expect_eq(threads(), before);
	ram_done(&ram);
}

Test(populate, given_up)
{
	struct ram ram = make(512 * MiB);
	struct populate populate;
	unsigned before = threads();

	populate_start(&populate, &ram);
	populate_end(&populate, true);
	cr_expect_lt(resident(&ram), 512 * MiB);
	cr_expect_eq(threads(), before);
	ram_done(&ram);
}

Test(populate, nothing_begun)
{
	struct populate populate = {0};
	unsigned before = threads();

	populate_end(&populate, false);
	cr_expect_eq(threads(), before);
}
