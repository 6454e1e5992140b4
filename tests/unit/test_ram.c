/* SPDX-License-Identifier: Apache-2.0
 *
 * Guest RAM: seals, alignment, bounds. (The machine that has too little: test_memory.c.)
 *
 * links: vmm/pci/layout.c vmm/kvm/ram.c
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "vmm/kvm/ram.h"

static const struct ram_options plain = {.size = 32 * MiB};

static int make(struct ram *ram, const struct ram_options *options, struct err *err)
{
	static const cpu_set_t any;

	return ram_create(ram, options, &any, (struct phys_space){.bits = 40}, err);
}

Test(ram, sealed_and_aligned)
{
	struct ram ram;
	struct err err = {0};
	int seals;

	cr_assert_eq(make(&ram, &plain, &err), 0, "%s", err.msg);
	seals = fcntl(ram.memfd.n, F_GET_SEALS);
	cr_assert_eq(seals & (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL),
		F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	cr_assert(ftruncate(ram.memfd.n, 0) && errno == EPERM);
	cr_assert(ftruncate(ram.memfd.n, 64 << 20) && errno == EPERM);
	cr_assert(fcntl(ram.memfd.n, F_ADD_SEALS, F_SEAL_WRITE) && errno == EPERM);
	cr_assert_eq(fcntl(ram.memfd.n, F_GETFD), FD_CLOEXEC);
	cr_assert_eq((uintptr_t)ram.host % (2 * MiB), 0);
	ram.host[0] = ram.host[32 * MiB - 1] = 1;
	ram_done(&ram);
	cr_assert(!ram.host && ram.memfd.n < 0);
	ram_done(&ram);
}

Test(ram, large_is_aligned_to_a_gigabyte)
{
	const struct ram_options options = {.size = GiB + 2 * MiB};
	struct ram ram;
	struct err err = {0};

	if (make(&ram, &options, &err) == -ENOMEM)
		cr_skip_test("%s", err.msg);
	cr_assert_eq((uintptr_t)ram.host % GiB, 0);
	ram_done(&ram);
}

Test(ram, no_child_inherits_it)
{
	struct ram ram;
	struct err err = {0};
	int status;
	pid_t pid;

	cr_assert_eq(make(&ram, &plain, &err), 0, "%s", err.msg);
	pid = fork();
	if (!pid) {
		unsigned char in_core;

		_exit(mincore(ram.host, PAGE_SIZE, &in_core) && errno == ENOMEM ? 0 : 1);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
	ram_done(&ram);
}

Test(ram, sealed_it_stays_where_it_is)
{
	struct ram ram;
	struct err err = {0};

	cr_assert_eq(make(&ram, &plain, &err), 0, "%s", err.msg);
	cr_assert_eq(ram_seal(&ram, &err), 0, "%s", err.msg);
	if (syscall(462, NULL, 0, 0) < 0)
		cr_skip_test("mseal: %s, it needs Linux 6.10", strerror(errno));
	cr_expect(munmap(ram.host, PAGE_SIZE) < 0 && errno == EPERM);
	cr_expect(mprotect(ram.host, PAGE_SIZE, PROT_READ) < 0 && errno == EPERM);
	cr_expect(mremap(ram.host, 32 * MiB, 16 * MiB, 0) == MAP_FAILED && errno == EPERM);
	cr_expect(mmap(ram.host, PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
			  0) == MAP_FAILED && errno == EPERM);
	ram.host[0] = ram.host[32 * MiB - 1] = 1;
}

Test(ram, at_checks_every_byte)
{
	/* The arithmetic alone, on a host address that is never touched. */
	struct ram ram = {.host = (uint8_t *)0x100000000};
	const struct layout *layout = &ram.layout;

	cr_assert_eq(layout_plan(5 * GiB, (struct phys_space){.bits = 40}, &ram.layout, NULL), 0);
	cr_assert_eq(ram_at(&ram, 0, 1), ram.host);
	cr_assert_eq(ram_at(&ram, 0, 3 * GiB), ram.host);
	cr_assert_eq(ram_at(&ram, 3 * GiB - 1, 1), ram.host + 3 * GiB - 1);
	cr_assert_null(ram_at(&ram, 3 * GiB - 1, 2));
	cr_assert_null(ram_at(&ram, 3 * GiB, 1));
	cr_assert_null(ram_at(&ram, 4 * GiB - 1, 2));
	cr_assert_eq(ram_at(&ram, 4 * GiB, 2 * GiB), ram.host + 3 * GiB);
	cr_assert_null(ram_at(&ram, 4 * GiB, 2 * GiB + 1));
	cr_assert_null(ram_at(&ram, layout->ram[1].gpa + layout->ram[1].size, 1));
	cr_assert_null(ram_at(&ram, UINT64_MAX, 2));
	cr_assert_null(ram_at(&ram, 1, SIZE_MAX));
	cr_assert_null(ram_at(&ram, UINT64_MAX, SIZE_MAX));
}

Test(ram, prefault_takes_the_pages)
{
	struct ram_options options = plain;
	struct ram ram;
	struct err err = {0};
	unsigned char in_core[32 * MiB / PAGE_SIZE];

	options.prefault = true;
	cr_assert_eq(make(&ram, &options, &err), 0, "%s", err.msg);
	cr_assert_eq(mincore(ram.host, options.size, in_core), 0);
	for (size_t i = 0; i < sizeof(in_core); i++)
		cr_assert(in_core[i] & 1);
	ram_done(&ram);
}

/* What cannot be made says so and touches nothing of the caller's. */
Test(ram, a_file_too_large)
{
	const struct ram_options options = {.size = 512 * GiB, .hugepages = true,
		.hugepage_size = GiB};
	struct err err = {0};
	struct ram ram;

	memset(&ram, 0x5a, sizeof(ram));
	cr_assert_lt(ram_create(&ram, &options, &(cpu_set_t){0}, (struct phys_space){.bits = 46}, &err),
		0);
	cr_assert(strstr(err.msg, "guest RAM"), "%s", err.msg);
	cr_assert_eq(ram.host, (uint8_t *)0x5a5a5a5a5a5a5a5a);
}

Test(ram, hugepages_when_there_are_some)
{
	const struct ram_options options = {
		.size = 32 * MiB, .hugepages = true, .hugepage_size = 2 * MiB, .prefault = true};
	struct ram ram;
	struct err err = {0};

	if (make(&ram, &options, &err))
		cr_skip_test("%s", err.msg);
	cr_assert(ram.hugepages);
	memset(ram.host, 1, options.size);
	ram_done(&ram);
}
