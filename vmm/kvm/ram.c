/* SPDX-License-Identifier: Apache-2.0
 *
 * Guest RAM: makes the memfd, seals it, maps it. That the machine has it the opener has seen.
 *
 * Core process, main thread, at start, before any other process has the memfd. Invariant: once
 * ram_create returned 0 the file can neither shrink nor grow nor be unsealed, so no access inside
 * [host, host + ram_size) can raise SIGBUS for want of a file behind it; huge pages are reserved
 * by the mmap itself, small ones were available when we looked, and RAM that devices reach is
 * pinned before the guest runs.
 */
#include "vmm/kvm/ram.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "ipc/log.h"
#include "seccomp/layers.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* linux/memfd.h since 6.3 */
#endif
#ifndef MFD_HUGE_SHIFT
#define MFD_HUGE_SHIFT 26 /* linux/memfd.h: log2 of the page size lies above this bit */
#endif

enum { SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL };

static int make_memfd(const struct ram_options *options, struct fd *ret, struct err *err)
{
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	fd_owned memfd = FD_NONE_INIT;

	if (options->hugepages)
		flags |= MFD_HUGETLB |
			(unsigned)__builtin_ctzll(options->hugepage_size) << MFD_HUGE_SHIFT;
	memfd.n = memfd_create("guest-ram", flags | MFD_NOEXEC_SEAL);
	if (memfd.n < 0 && errno == EINVAL) { /* before Linux 6.3 */
		layer_missing(LAYER_NOEXEC_SEAL, -EINVAL, err, "memfd_create: %s", strerror(errno));
		memfd.n = memfd_create("guest-ram", flags);
	} else if (memfd.n >= 0) {
		layer_holds(LAYER_NOEXEC_SEAL, "guest RAM's memfd");
	}
	if (memfd.n < 0)
		return err_set(err, -errno, BLAME_HOST, "memfd_create for guest RAM: %s",
			strerror(errno));
	if (ftruncate(memfd.n, (off_t)options->size))
		return err_set(err, -errno, BLAME_HOST, "guest RAM of %llu MiB: ftruncate: %s",
			(unsigned long long)(options->size / MiB), strerror(errno));
	if (fcntl(memfd.n, F_ADD_SEALS, SEALS))
		return err_set(err, -errno, BLAME_HOST, "guest RAM: sealing the memfd: %s",
			strerror(errno));
	*ret = fd_take(&memfd);
	return 0;
}

/* Maps the memfd on a 1 GiB or 2 MiB boundary, so that KVM and the IOMMU can use pages as large:
 * guest and host address then agree in the low bits. */
static int map_aligned(int memfd, const struct ram_options *options, uint8_t **ret)
{
	size_t size = options->size, align = size >= GiB ? GiB : 2 * MiB;
	uint8_t *reserved, *start;

	if (size > SIZE_MAX - align)
		return -ENOMEM;
	reserved = mmap(NULL, size + align, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		-1, 0);
	if (reserved == MAP_FAILED)
		return -errno;
	start = reserved + (align - (uintptr_t)reserved % align) % align;
	if (mmap(start, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, memfd, 0) ==
		MAP_FAILED) {
		int code = -errno;

		munmap(reserved, size + align);
		return code;
	}
	if (start > reserved)
		munmap(reserved, (size_t)(start - reserved));
	if (start + size < reserved + size + align)
		munmap(start + size, (size_t)(reserved + align - start));
	*ret = start;
	return 0;
}

/* A policy of the file, not of this mapping: whoever faults a page in, the broker's pinning too, gets
 * it there (Linux mm/shmem.c, shmem_set_policy). */
static int bind_to_node(struct ram *ram, const struct ram_options *options, struct err *err)
{
	enum { BITS = 8 * sizeof(unsigned long) };
	unsigned long nodes[NUMA_NODES_MAX / BITS] = {0};

	nodes[options->node / BITS] = 1ul << options->node % BITS;
	if (syscall(SYS_mbind, ram->host, options->size, MPOL_BIND, nodes, NUMA_NODES_MAX + 1, 0) < 0)
		return err_set(err, -errno, BLAME_HOST, "--memory host_numa_node=%u: mbind: %s; %s",
			options->node, strerror(errno), errno == ENOSYS ?
			"this kernel has no NUMA, leave it out" : "may this cgroup use the node "
			"(cpuset.mems)?");
	return 0;
}

static int advise(struct ram *ram, const struct ram_options *options, struct err *err)
{
	/* No child may inherit the guest, no core dump may hold it. */
	if (madvise(ram->host, options->size, MADV_DONTFORK) ||
		madvise(ram->host, options->size, MADV_DONTDUMP))
		return err_set(err, -errno, BLAME_HOST, "guest RAM: madvise: %s", strerror(errno));
	/* Has effect where shmem_enabled is "advise"; a kernel without THP says EINVAL. */
	if (!options->hugepages)
		(void)madvise(ram->host, options->size, MADV_HUGEPAGE);
	if (options->prefault && madvise(ram->host, options->size, MADV_POPULATE_WRITE))
		return err_set(err, -errno, BLAME_HOST,
			"--memory prefault=on: allocating %llu MiB: %s; %s",
			(unsigned long long)(options->size / MiB), strerror(errno),
			errno == EINVAL ? "it needs Linux 5.14" :
				"look at the memory limits of this cgroup and cpuset");
	return 0;
}

int ram_create(struct ram *ram, const struct ram_options *options, const cpu_set_t *node_cpus,
	struct phys_space phys, struct err *err)
{
	struct ram made = {.memfd = FD_NONE_INIT, .hugepages = options->hugepages};
	int code = layout_plan(options->size, phys, &made.layout, err);

	if (!code)
		code = make_memfd(options, &made.memfd, err);
	if (code)
		return code;
	code = map_aligned(made.memfd.n, options, &made.host);
	if (code)
		err_set(err, code, BLAME_HOST, "guest RAM of %llu MiB: mmap: %s",
			(unsigned long long)(options->size / MiB), strerror(-code));
	if (!code && options->on_node)
		code = bind_to_node(&made, options, err);
	if (!code)
		code = advise(&made, options, err);
	if (code) {
		ram_done(&made);
		return code;
	}
	made.node_cpus = *node_cpus;
	*ram = made;
	return 0;
}

int ram_seal(const struct ram *ram, struct err *err)
{
	enum { SYS_MSEAL = 462 };

	if (syscall(SYS_MSEAL, ram->host, ram->layout.ram_size, 0) < 0)
		return layer_missing(LAYER_MSEAL, -errno, err, "%s", strerror(errno));
	layer_holds(LAYER_MSEAL, "guest RAM");
	return 0;
}

void ram_done(struct ram *ram)
{
	if (ram->host)
		munmap(ram->host, ram->layout.ram_size);
	ram->host = NULL;
	fd_close(&ram->memfd);
}

void *ram_at(const struct ram *ram, uint64_t gpa, size_t len)
{
	for (unsigned i = 0; i < ram->layout.n_ram; i++) {
		const struct ram_region *region = &ram->layout.ram[i];

		if (gpa >= region->gpa && gpa - region->gpa < region->size &&
			len <= region->size - (gpa - region->gpa))
			return ram->host + region->offset + (gpa - region->gpa);
	}
	return NULL;
}
