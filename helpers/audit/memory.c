/* SPDX-License-Identifier: Apache-2.0
 *
 * What a process has mapped: code that is its binary's and its libraries', and nobody's besides;
 * guest RAM where it is promised, and sealed. bulkhead-audit.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "helpers/audit/audit.h"
#include "ipc/fd.h"

enum { SEAL_EXEC = 0x20 }; /* F_SEAL_EXEC, linux/fcntl.h since 6.3 */

struct memory {
	struct process *process;
	unsigned weak, ram, sealed, unsealed;
	bool in_ram, in_code;
	uint64_t start, ram_start, ram_end;
};

/* Code comes from a file, or is one of the pages the kernel gives every process. A file's name in
 * maps begins with '/'; a memfd's, and memory shared with nobody, has no file anyone could look at. */
static bool has_file(const struct mapping *map)
{
	return strcmp(map->path, "[vdso]") == 0 || strcmp(map->path, "[vsyscall]") == 0 ||
		(map->path[0] == '/' && strncmp(map->path, "/memfd:", 7) != 0 &&
			strncmp(map->path, "/dev/zero", 9) != 0);
}

static void check_mapping(struct memory *memory, const struct mapping *map)
{
	bool ram = strncmp(map->path, "/memfd:guest-ram", 16) == 0;

	memory->in_ram = ram;
	memory->in_code = map->execute;
	memory->start = map->start;
	memory->ram += ram;
	if (ram) {
		memory->ram_start = map->start;
		memory->ram_end = map->end;
	}
	if (map->write && map->execute) {
		finding(memory->process, "memory", VERDICT_WEAK,
			"%" PRIx64 " is writable and executable: %s", map->start, map->path);
		memory->weak++;
	}
	if (map->execute && !has_file(map)) {
		finding(memory->process, "memory", VERDICT_WEAK,
			"%" PRIx64 " is executable and of no file: %s", map->start, map->path);
		memory->weak++;
	}
	if (ram && !memory->process->promise->may_map_ram) {
		finding(memory->process, "memory", VERDICT_WEAK, "guest RAM is mapped at %" PRIx64,
			map->start);
		memory->weak++;
	}
}

/* smaps: a line as in maps, then "Key: value" lines, the last of them "VmFlags: rd wr ...". A page of
 * a file that was written to in memory is no longer the file's, but «anonymous». */
static void check_smaps(struct memory *memory, FILE *smaps)
{
	struct mapping map;
	char line[512];

	while (fgets(line, sizeof(line), smaps)) {
		if (strncmp(line, "Anonymous:", 10) == 0) {
			if (!memory->in_code || strtoul(line + 10, NULL, 10) == 0)
				continue;
			finding(memory->process, "memory", VERDICT_WEAK,
				"the code at %" PRIx64 " was changed", memory->start);
			memory->weak++;
		} else if (strncmp(line, "VmFlags:", 8) == 0) {
			if (memory->in_ram && strstr(line, " sl"))
				memory->sealed++;
			else if (memory->in_ram)
				memory->unsealed++;
		} else if (maps_line(line, &map)) {
			check_mapping(memory, &map);
		}
	}
}

static bool kernel_has_noexec_seal(void)
{
	fd_owned probe = {memfd_create("probe", MFD_CLOEXEC | 8 /* MFD_NOEXEC_SEAL */)};

	return probe.n >= 0;
}

/* A kernel that has mseal takes the call for an empty range. */
static void check_seals(struct process *process, const struct memory *memory)
{
	const char *sealed = layers[LAYER_MSEAL].name, *noexec = layers[LAYER_NOEXEC_SEAL].name;
	char file[64];
	fd_owned fd = FD_NONE_INIT;
	int seals;

	if (syscall(462 /* mseal */, 0, 0, 0) < 0)
		finding(process, sealed, VERDICT_NOT_HERE, "%s", layers[LAYER_MSEAL].get);
	else if (!memory->sealed || memory->unsealed)
		finding(process, sealed, VERDICT_WEAK, "the mapping of guest RAM can be changed");
	else
		finding(process, sealed, VERDICT_OK, "guest RAM");
	snprintf(file, sizeof(file), "map_files/%" PRIx64 "-%" PRIx64, memory->ram_start,
		memory->ram_end);
	fd.n = openat(process->dir, file, O_RDONLY | O_CLOEXEC);
	seals = fd.n < 0 ? -1 : fcntl(fd.n, F_GET_SEALS);
	if (seals < 0)
		finding(process, noexec, VERDICT_UNKNOWN, "%s", strerror(errno));
	else if (~seals & (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		finding(process, noexec, VERDICT_WEAK, "guest RAM's memfd: seals 0x%x", seals);
	else if (!(seals & SEAL_EXEC))
		finding(process, noexec, kernel_has_noexec_seal() ? VERDICT_WEAK : VERDICT_NOT_HERE,
			"guest RAM's memfd can be made executable");
	else
		finding(process, noexec, VERDICT_OK,
			"guest RAM's memfd: shrink, grow, exec sealed");
}

void check_memory(struct audit *audit, struct process *process)
{
	struct memory memory = {.process = process};
	fd_owned fd = {openat(process->dir, "smaps", O_RDONLY | O_CLOEXEC)};
	FILE *smaps = fd.n < 0 ? NULL : fdopen(fd.n, "r");
	char personality[16];

	if (!process->promise)
		return;
	if (!smaps) {
		finding(process, "memory", VERDICT_UNKNOWN, "%s", strerror(errno));
		return;
	}
	(void)fd_take(&fd).n; /* the stream's now */
	check_smaps(&memory, smaps);
	fclose(smaps);
	if (proc_read(process->dir, "personality", personality, sizeof(personality)) == 0 &&
		strtoul(personality, NULL, 16) != 0) {
		finding(process, "memory", VERDICT_WEAK, "personality %.8s", personality);
		memory.weak++;
	}
	if (!memory.weak)
		finding(process, "memory", VERDICT_OK, "nothing writable and executable, no code changed%s",
			memory.ram ? "; guest RAM" : "; no guest RAM");
	if (process == audit->core)
		check_seals(process, &memory);
	finding(process, layers[LAYER_MDWE].name, VERDICT_UNSEEN, "the kernel shows it to nobody");
	finding(process, layers[LAYER_LANDLOCK].name, VERDICT_UNSEEN,
		"the kernel shows it to nobody; -v has each process say what it put up");
}
