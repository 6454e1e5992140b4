/* SPDX-License-Identifier: Apache-2.0
 *
 * The world's files (world.h): said anew as a whole each time; only what is different is written.
 */
#include "tests/unit/tree.h"
#include "tests/unit/world_put.h"

enum { ENTRIES = 4096 /* a power of two, several times as many as there are */, FIRST_PID = 100 };

struct entry {
	char *path, *bytes;
	size_t size;
	enum world_file kind;
	unsigned said; /* the round it was said in last */
	bool changed;
};

static struct entry entries[ENTRIES];
static unsigned this_round, n_paths;
static int n_openers;

int world_root(void)
{
	return tree;
}

const char *world_folder(void)
{
	return tree_path;
}

static struct entry *entry_of(const char *path)
{
	uint32_t at = 2166136261u;

	for (const char *c = path; *c; c++)
		at = (at ^ (uint8_t)*c) * 16777619u;
	while (entries[at % ENTRIES].path && strcmp(entries[at % ENTRIES].path, path) != 0)
		at++;
	return &entries[at % ENTRIES];
}

void world_say(enum world_file kind, const char *path, const void *bytes, size_t size)
{
	struct entry *entry = entry_of(path);

	entry->said = this_round;
	if (!entry->path)
		entry->path = strdup(path), n_paths++;
	else if (entry->bytes && entry->kind == kind && entry->size == size &&
		memcmp(entry->bytes, bytes, size) == 0)
		return;
	free(entry->bytes);
	entry->bytes = malloc(size + 1);
	memcpy(entry->bytes, bytes, size);
	entry->bytes[size] = '\0';
	entry->size = size;
	entry->kind = kind;
	entry->changed = true;
}

/* It goes, and the folders it was the last one in: an empty one means something (network.c). */
static void forget(struct entry *entry)
{
	char path[512];

	unlinkat(tree, entry->path, entry->kind == WORLD_FOLDER ? AT_REMOVEDIR : 0);
	snprintf(path, sizeof(path), "%s", entry->path);
	for (char *end; (end = strrchr(path, '/'));) {
		*end = '\0';
		if (unlinkat(tree, path, AT_REMOVEDIR) < 0)
			break;
	}
	free(entry->bytes);
	entry->bytes = NULL;
}

static void make(const struct entry *entry)
{
	if (entry->kind == WORLD_LINK) {
		tree_link(entry->path, entry->bytes);
	} else if (entry->kind == WORLD_FOLDER) {
		tree_dirs(entry->path);
		mkdirat(tree, entry->path, 0755);
	} else {
		tree_bytes(entry->path, entry->bytes, entry->size);
	}
}

/* What is no more would fill it in the end. */
static void sweep(void)
{
	static struct entry old[ENTRIES];

	memcpy(old, entries, sizeof(old));
	memset(entries, 0, sizeof(entries));
	n_paths = 0;
	for (unsigned i = 0; i < ENTRIES; i++) {
		if (old[i].bytes)
			*entry_of(old[i].path) = old[i], n_paths++;
		else
			free(old[i].path);
	}
}

void world_said(void)
{
	for (unsigned i = 0; i < ENTRIES; i++)
		if (entries[i].bytes && entries[i].said != this_round)
			forget(&entries[i]);
	for (unsigned i = 0; i < ENTRIES; i++) {
		if (entries[i].bytes && entries[i].changed)
			make(&entries[i]);
		entries[i].changed = false;
	}
	this_round++;
	n_openers = 0;
	if (n_paths > ENTRIES / 2)
		sweep();
}

const char *text_of(const char *fmt, ...)
{
	static char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return text;
}

void put_file(const char *at, const char *text)
{
	world_say(WORLD_FILE, at, text, strlen(text));
}

void put_link(const char *at, const char *to)
{
	world_say(WORLD_LINK, at, to, strlen(to));
}

void put_node(const char *node, char kind, const char *number, const char *at, unsigned mode,
	const char *how)
{
	char line[64], file[400];

	snprintf(line, sizeof(line), "node %c %s %o %s", kind, number, mode, how);
	if (node)
		put_file(node, line);
	snprintf(file, sizeof(file), "sys/devices/%s/dev", at);
	put_file(file, number);
	snprintf(file, sizeof(file), "sys/devices/%s/uevent", at);
	snprintf(line, sizeof(line), "MAJOR=1\nDEVNAME=%.40s\n", node ? node + strlen("dev/") : "x");
	put_file(file, line);
	snprintf(file, sizeof(file), "../../devices/%s", at);
	snprintf(line, sizeof(line), "sys/dev/%s/%s", kind == 'b' ? "block" : "char", number);
	put_link(line, file);
}

void put_opener(char kind, const char *number)
{
	char at[64], line[64];
	const int pid = FIRST_PID + n_openers++;

	snprintf(at, sizeof(at), "proc/%d/comm", pid);
	put_file(at, "qemu\n");
	snprintf(at, sizeof(at), "proc/%d/fd/9", pid);
	snprintf(line, sizeof(line), "node %c %s 0", kind, number);
	put_file(at, line);
}

void world_reset(void)
{
	char all[128];

	snprintf(all, sizeof(all), "%s/run", tree_path);
	nftw(all, tree_remove_one, 16, FTW_DEPTH | FTW_PHYS);
	mkdirat(tree, "run", 0755);
}

void world_begin(void)
{
	tree_make();
}

void world_end(void)
{
	tree_remove();
	for (unsigned i = 0; i < ENTRIES; i++) {
		free(entries[i].path);
		free(entries[i].bytes);
	}
}
