/* SPDX-License-Identifier: Apache-2.0
 *
 * Who has a device node open: the descriptors of every process, as far as this user may see them.
 *
 * Once for all questions of one look at the host, as a host has many descriptors. Kept are those of
 * block devices and of nodes that belong to some device. Nodes are known by their numbers, so also
 * when a process has them from another /dev.
 */
#include "helpers/host/uses.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { NVIDIA_MAJOR = 195 };

struct host host_at(int root)
{
	return (struct host){.root = root};
}

void host_close(struct host *host)
{
	while (host->n_openers)
		free(host->openers[--host->n_openers].at);
	free(host->openers);
	host->openers = NULL;
	host->looked = false;
}

static bool is_kept(const struct stat *st, const char *at)
{
	if (S_ISBLK(st->st_mode) || major(st->st_rdev) == NVIDIA_MAJOR)
		return true;
	return at[0] && (!strstr(at, "/virtual/") || strstr(at, "/virtual/vfio/") ||
		strstr(at, "/virtual/nvme-subsystem/") || strstr(at, "/vhost-vdpa-"));
}

static void add_opener(struct host *host, pid_t pid, const struct stat *st)
{
	const bool block = S_ISBLK(st->st_mode);
	struct opener *more, opener = {.pid = pid, .block = block};
	char at[PATH_MAX];

	snprintf(opener.number, sizeof(opener.number), "%u:%u", major(st->st_rdev),
		minor(st->st_rdev));
	link_read(host->root, at, sizeof(at), "sys/dev/%s/%s", block ? "block" : "char",
		opener.number);
	if (!is_kept(st, at))
		return;
	for (unsigned i = 0; i < host->n_openers; i++)
		if (host->openers[i].pid == pid && host->openers[i].block == block &&
			strcmp(host->openers[i].number, opener.number) == 0)
			return;
	more = realloc(host->openers, (host->n_openers + 1) * sizeof(*more));
	if (!more)
		return;
	host->openers = more;
	opener.at = strdup(at);
	if (opener.at)
		more[host->n_openers++] = opener;
}

static void look_at(struct host *host, const char *pid)
{
	folder_owned fds = folder_of(host->root, "proc/%s/fd", pid);
	struct stat st;

	for (int i = 0; i < fds.n; i++)
		if (node_stat(host->root, &st, "proc/%s/fd/%s", pid, fds.entries[i]->d_name) == 0 &&
			(S_ISBLK(st.st_mode) || S_ISCHR(st.st_mode)))
			add_opener(host, (pid_t)atoi(pid), &st);
}

/* We ourselves do not stand in our way. */
static bool is_ours(const struct host *host, const char *pid)
{
	bool ours = atoi(pid) == getpid();

	for (unsigned i = 0; i < host->n_ours; i++)
		ours |= atoi(pid) == host->ours[i];
	return ours;
}

void openers_look(struct host *host)
{
	if (host->looked)
		return;
	host->looked = true;

	folder_owned pids = folder_of(host->root, "proc");

	for (int i = 0; i < pids.n; i++) {
		const char *pid = pids.entries[i]->d_name;

		if (isdigit((unsigned char)pid[0]) && !is_ours(host, pid))
			look_at(host, pid);
	}
}

void node_name(int root, bool block, const char *number, char *ret, size_t size)
{
	const char *kind = block ? "block" : "char", *at;
	char uevent[1024], word[WORD];

	attr_read(root, uevent, sizeof(uevent), "sys/dev/%s/%s/uevent", kind, number);
	at = strstr(uevent, "DEVNAME=");
	if (at && sscanf(at, "DEVNAME=%63[^\n]", word) == 1)
		snprintf(ret, size, "/dev/%s", word);
	else if (link_name(root, word, sizeof(word), "sys/dev/%s/%s", kind, number) == 0)
		snprintf(ret, size, "/dev/%s", word);
	else if (!block && strncmp(number, "195:", 4) == 0)
		snprintf(ret, size, "/dev/nvidia%s", number + 4);
	else
		snprintf(ret, size, "%s device %s", kind, number);
}

void process_name(int root, pid_t pid, char *ret, size_t size)
{
	char comm[WORD];

	attr_read(root, comm, sizeof(comm), "proc/%d/comm", pid);
	snprintf(ret, size, "%d (%s)", pid, comm[0] ? comm : "?");
}

bool place_open(struct host *host, const struct place *place, bool block, struct obstacle *ret)
{
	char node[160], who[200] = "", process[96];
	size_t used = 0;
	pid_t last = 0;

	openers_look(host);
	for (unsigned i = 0; i < host->n_openers; i++) {
		const struct opener *opener = &host->openers[i];

		if (opener->block != block || opener->pid == last ||
			!place_has_open(host->root, place, opener))
			continue;
		if (!used)
			node_name(host->root, block, opener->number, node, sizeof(node));
		last = opener->pid;
		process_name(host->root, last, process, sizeof(process));
		if (used + strlen(process) + 3 < sizeof(who))
			used += (size_t)sprintf(who + used, "%s%s", used ? ", " : "", process);
	}
	if (used)
		obstacle_set(ret, OBSTACLE_OPEN, node, who);
	return used;
}
