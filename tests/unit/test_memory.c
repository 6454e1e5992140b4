/* SPDX-License-Identifier: Apache-2.0
 *
 * What a host has for guest RAM, on hosts made of files; and RAM that is really bound to a node.
 *
 * links: helpers/host/memory.c helpers/host/files.c vmm/kvm/ram.c vmm/pci/layout.c
 */
#include <errno.h>
#include <linux/mempolicy.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "helpers/host/memory.h"
#include "tests/unit/tree.h"
#include "vmm/kvm/ram.h"

static struct err err;

static void host(void)
{
	tree_make();
	tree_file("proc/meminfo", "MemTotal: 8388608 kB\nMemAvailable: 4194304 kB\n");
	tree_file("sys/devices/system/node/has_memory", "0-1\n");
	tree_file("sys/devices/system/node/node0/cpulist", "0-3,8-9,1020-1030\n");
	tree_file("sys/devices/system/node/node1/cpulist", "\n");
	tree_file("sys/devices/system/node/node1/meminfo", "Node 1 MemTotal: 4194304 kB\n"
		"Node 1 MemFree: 1048576 kB\nNode 1 FilePages: 2097152 kB\nNode 1 Shmem: 1048576 kB\n");
	tree_file("sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "600\n");
	tree_file("sys/kernel/mm/hugepages/hugepages-2048kB/resv_hugepages", "100\n");
	tree_file("sys/devices/system/node/node1/hugepages/hugepages-2048kB/free_hugepages", "300\n");
}

TestSuite(memory, .init = host, .fini = tree_remove);

static int check(const struct ram_options *options)
{
	err = (struct err){0};
	return memory_check(tree, options, &err);
}

Test(memory, of_the_whole_host)
{
	cr_expect_eq(check(&(struct ram_options){.size = 4 * GiB}), 0, "%s", err.msg);
	cr_expect_eq(check(&(struct ram_options){.size = 4 * GiB + 2 * MiB}), -ENOMEM);
	cr_expect(strstr(err.msg, "this machine has 4096 MiB"), "%s", err.msg);
	cr_expect_eq(check(&(struct ram_options){.size = 1000 * MiB, .hugepages = true,
		.hugepage_size = 2 * MiB}), 0, "%s", err.msg);
	cr_expect_eq(check(&(struct ram_options){.size = 1002 * MiB, .hugepages = true,
		.hugepage_size = 2 * MiB}), -ENOMEM);
	cr_expect(strstr(err.msg, "add 1 to /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"),
		"%s", err.msg);
}

Test(memory, of_a_node)
{
	struct ram_options options = {.size = 2 * GiB, .on_node = true, .node = 1};

	cr_expect_eq(check(&options), 0, "%s", err.msg);
	options.size += 2 * MiB;
	cr_expect_eq(check(&options), -ENOMEM);
	cr_expect(strstr(err.msg, "NUMA node 1 has 2048 MiB"), "%s", err.msg);
	options = (struct ram_options){.size = 600 * MiB, .on_node = true, .node = 1,
		.hugepages = true, .hugepage_size = 2 * MiB};
	cr_expect_eq(check(&options), 0, "%s", err.msg);
	options.size += 2 * MiB;
	cr_expect_eq(check(&options), -ENOMEM);
	cr_expect(strstr(err.msg,
		"/sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages"), "%s", err.msg);
	options.node = 7;
	cr_expect_eq(check(&options), -ENODEV);
	cr_expect(strstr(err.msg, "host_numa_node=7") && strstr(err.msg, "0-1"), "%s", err.msg);
}

Test(memory, processors_of_a_node)
{
	cpu_set_t cpus;

	memory_node_cpus(tree, 0, &cpus);
	cr_expect_eq(CPU_COUNT(&cpus), 4 + 2 + 4); /* up to 1023 */
	cr_expect(CPU_ISSET(3, &cpus) && !CPU_ISSET(4, &cpus) && CPU_ISSET(9, &cpus));
	memory_node_cpus(tree, 1, &cpus);
	cr_expect_eq(CPU_COUNT(&cpus), 0);
	memory_node_cpus(tree, 2, &cpus);
	cr_expect_eq(CPU_COUNT(&cpus), 0);
	tree_file("sys/devices/system/node/node2/cpulist", "3-1,junk,5\n");
	memory_node_cpus(tree, 2, &cpus);
	cr_expect_eq(CPU_COUNT(&cpus), 0);
}

Test(memory, transparent_huge_pages)
{
	const char *all = "sys/kernel/mm/transparent_hugepage/shmem_enabled";
	const char *size = "sys/kernel/mm/transparent_hugepage/hugepages-2048kB/shmem_enabled";

	cr_expect_null(memory_thp_off(tree), "nothing is known");
	tree_file(all, "always within_size advise [never] deny force\n");
	cr_expect_str_eq(memory_thp_off(tree), "never");
	tree_file(all, "always within_size advise never [deny] force\n");
	cr_expect_str_eq(memory_thp_off(tree), "deny");
	tree_file(all, "always within_size [advise] never deny force\n");
	cr_expect_null(memory_thp_off(tree));
	tree_file(size, "always inherit within_size advise [never]\n");
	cr_expect_str_eq(memory_thp_off(tree), "never", "its own word counts");
	tree_file(all, "always within_size advise [never] deny force\n");
	tree_file(size, "always inherit within_size [advise] never\n");
	cr_expect_null(memory_thp_off(tree));
	tree_file(size, "always [inherit] within_size advise never\n");
	cr_expect_str_eq(memory_thp_off(tree), "never");
}

/* Without /proc/meminfo nothing is known to be wrong; with it the next step is named. */
Test(memory, what_is_missing)
{
	struct ram_options odd = {.size = 32 * MiB, .hugepages = true, .hugepage_size = 4 * KiB};

	cr_expect_eq(check(&(struct ram_options){.size = 900 * GiB}), -ENOMEM);
	cr_expect(strstr(err.msg, "needs 921600 MiB") && strstr(err.msg, "MemAvailable"), "%s", err.msg);
	cr_expect_eq(check(&odd), -EINVAL);
	odd.hugepage_size = GiB;
	odd.size = GiB + 2 * MiB;
	cr_expect_eq(check(&odd), -EINVAL);
	cr_expect(strstr(err.msg, "multiple"), "%s", err.msg);
	odd.size = GiB;
	cr_expect_eq(check(&odd), -ENOTSUP);
	cr_expect(strstr(err.msg, "ls /sys/kernel/mm/hugepages"), "%s", err.msg);
	tree_file("proc/meminfo", "MemTotal: 8388608 kB\n");
	cr_expect_eq(check(&(struct ram_options){.size = 900 * GiB}), 0, "%s", err.msg);
}

/* On this machine's first node. */
Test(memory, bound)
{
	const struct ram_options options = {.size = 32 * MiB, .on_node = true, .node = 0};
	struct ram ram;
	unsigned long nodes[NUMA_NODES_MAX / 64] = {0};
	int policy = -1, root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;
	cpu_set_t cpus;

	memory_node_cpus(root, 0, &cpus);
	close(root);
	r = ram_create(&ram, &options, &cpus, (struct phys_space){.bits = 40}, &err);
	if (r < 0 || CPU_COUNT(&cpus) == 0)
		cr_skip_test("%s", err.msg);
	cr_assert_eq(syscall(SYS_get_mempolicy, &policy, nodes, NUMA_NODES_MAX + 1,
		ram.host + 16 * MiB, MPOL_F_ADDR), 0, "%s", strerror(errno));
	cr_expect_eq(policy, MPOL_BIND);
	cr_expect_eq(nodes[0], 1);
	cr_expect(CPU_EQUAL(&ram.node_cpus, &cpus));
	ram_done(&ram);
}
