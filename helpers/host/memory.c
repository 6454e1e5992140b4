/* SPDX-License-Identifier: Apache-2.0
 *
 * Looking at the host's memory before guest RAM is made of it: a refusal that names what is missing
 * is better than the out-of-memory killer.
 *
 * Opener process. What cannot be read is not known to be wrong.
 */
#include "helpers/host/memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helpers/host/files.h"
#include "ipc/log.h"

#define NODES "sys/devices/system/node"

/* Of the whole host, or of the node that was asked for. */
static void hugepages_dir(const struct ram_options *options, char ret[static 96])
{
	unsigned long long kib = options->hugepage_size / KiB;

	if (options->on_node)
		snprintf(ret, 96, NODES "/node%u/hugepages/hugepages-%llukB", options->node, kib);
	else
		snprintf(ret, 96, "sys/kernel/mm/hugepages/hugepages-%llukB", kib);
}

static uint64_t free_hugepages(int root, const char *dir, uint64_t *ret_reserved)
{
	uint64_t free = 0;
	char path[128];

	*ret_reserved = 0;
	snprintf(path, sizeof(path), "%s/free_hugepages", dir);
	(void)attr_number(root, &free, NULL, "%s", path);
	snprintf(path, sizeof(path), "%s/resv_hugepages", dir); /* nodes have none */
	(void)attr_number(root, ret_reserved, NULL, "%s", path);
	return free;
}

static int check_hugepages(int root, const struct ram_options *options, struct err *err)
{
	unsigned long long kib = options->hugepage_size / KiB, need;
	uint64_t available, reserved;
	char dir[96], text[32];

	if (options->hugepage_size != 2 * MiB && options->hugepage_size != GiB)
		return err_set(err, -EINVAL, BLAME_HOST,
			"--memory hugepage_size: %llu KiB is not a size known here; give 2M or 1G",
			kib);
	if (options->size % options->hugepage_size)
		return err_set(err, -EINVAL, BLAME_HOST,
			"--memory size: %llu MiB is not a multiple of the huge page size, %llu MiB",
			(unsigned long long)(options->size / MiB), kib / 1024);
	need = options->size / options->hugepage_size;
	hugepages_dir(options, dir);
	if (attr_read(root, text, sizeof(text), "%s/free_hugepages", dir) < 0)
		return err_set(err, -ENOTSUP, BLAME_HOST,
			"--memory hugepage_size: this machine has no huge pages of %llu MiB; "
			"ls /sys/kernel/mm/hugepages lists the sizes it has", kib / 1024);
	available = free_hugepages(root, dir, &reserved);
	available -= reserved < available ? reserved : available;
	if (need > available)
		return err_set(err, -ENOMEM, BLAME_HOST,
			"--memory hugepages=on: the guest needs %llu pages of %llu MiB, %llu are "
			"free; add %llu to /%s/nr_hugepages", need, kib / 1024,
			(unsigned long long)available, need - (unsigned long long)available, dir);
	return 0;
}

static int too_little(const struct ram_options *options, const char *where, uint64_t kib,
	const char *what, struct err *err)
{
	return err_set(err, -ENOMEM, BLAME_HOST,
		"--memory size: the guest needs %llu MiB, %s has %llu MiB available (%s); give less "
		"or free some", (unsigned long long)(options->size / MiB), where,
		(unsigned long long)(kib / 1024), what);
}

/* A node's meminfo has no MemAvailable: what is free, and what is only a copy of files. */
static int check_node(int root, const struct ram_options *options, struct err *err)
{
	uint64_t free = 0, files = 0, shmem = 0;
	char path[96], where[32], online[64];

	snprintf(path, sizeof(path), NODES "/node%u/meminfo", options->node);
	attr_read(root, online, sizeof(online), NODES "/has_memory");
	if (attr_number(root, &free, "MemFree:", "%s", path) < 0)
		return err_set(err, -ENODEV, BLAME_HOST,
			"--memory host_numa_node=%u: this host has no such node; those with memory "
			"are %s", options->node, online[0] ? online : "none, without NUMA");
	if (options->hugepages)
		return check_hugepages(root, options, err);
	(void)attr_number(root, &files, "FilePages:", "%s", path);
	(void)attr_number(root, &shmem, "Shmem:", "%s", path);
	free += files > shmem ? files - shmem : 0;
	snprintf(where, sizeof(where), "NUMA node %u", options->node);
	if (options->size / KiB > free)
		return too_little(options, where, free, "free, or held by files, in its meminfo", err);
	return 0;
}

int memory_check(int root, const struct ram_options *options, struct err *err)
{
	uint64_t available = 0;

	if (options->on_node)
		return check_node(root, options, err);
	if (options->hugepages)
		return check_hugepages(root, options, err);
	if (attr_number(root, &available, "MemAvailable:", "%s", "proc/meminfo") < 0)
		return 0;
	if (options->size / KiB > available)
		return too_little(options, "this machine", available, "MemAvailable in /proc/meminfo",
			err);
	return 0;
}

/* "0-3,8-11" */
void memory_node_cpus(int root, unsigned node, cpu_set_t *ret)
{
	char text[1024], *at = text, *end;

	CPU_ZERO(ret);
	attr_read(root, text, sizeof(text), NODES "/node%u/cpulist", node);
	while (*at >= '0' && *at <= '9') {
		unsigned long first = strtoul(at, &end, 10), last = first;

		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		for (; first <= last && first < CPU_SETSIZE; first++)
			CPU_SET(first, ret);
		at = *end == ',' ? end + 1 : end;
	}
}

/* Which word of the file is in brackets. */
static bool chosen(const char *text, const char *word)
{
	const char *at = strchr(text, '[');

	return at && strncmp(at + 1, word, strlen(word)) == 0 && at[1 + strlen(word)] == ']';
}

const char *memory_thp_off(int root)
{
	static const char *const off[] = {"never", "deny"};
	char text[96];

	/* Since Linux 6.11 each size has a word of its own, which may be that of all. */
	if (attr_read(root, text, sizeof(text),
		"sys/kernel/mm/transparent_hugepage/hugepages-2048kB/shmem_enabled") < 0 ||
		chosen(text, "inherit"))
		attr_read(root, text, sizeof(text),
			"sys/kernel/mm/transparent_hugepage/shmem_enabled");
	for (unsigned i = 0; i < sizeof(off) / sizeof(off[0]); i++) {
		if (chosen(text, off[i]))
			return off[i];
	}
	return NULL;
}

void memory_say(int root, const struct ram_options *options)
{
	const char *off = options->hugepages ? NULL : memory_thp_off(root);

	if (off)
		log_info("guest RAM: pages of 4 KiB, as /sys/kernel/mm/transparent_hugepage/"
			"shmem_enabled is «%s»; «advise» there gives it huge ones where it can", off);
}
