/* SPDX-License-Identifier: Apache-2.0
 *
 * Who a process is, what rights it has, which namespaces it is in. bulkhead-audit.
 *
 * The operator's namespaces are those of the auditor: run it where the VM was started.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "helpers/audit/audit.h"
#include "ipc/fd.h"

/* ---- identity -------------------------------------------------------------------------------- */

static void check_binary(struct process *process)
{
	const char *should = digest_built(process->binary);
	char link[120];
	int r = proc_link(process->dir, "exe", link, sizeof(link));

	if (r == 0 && !process->promise) {
		finding(process, "binary", VERDICT_WEAK, "%s has no place in a VM's tree, below %d",
			link, process->parent);
		return;
	}
	if (r == 0)
		r = digest_running(process->dir, process->digest);
	if (r < 0)
		finding(process, "binary", VERDICT_UNKNOWN, "%s", strerror(-r));
	else if (strcmp(process->digest, should) != 0)
		finding(process, "binary", VERDICT_WEAK,
			"%s is not the binary that was built with this audit (sha256 %s, should be "
			"%s)", process->binary, process->digest, should);
	else
		finding(process, "binary", VERDICT_OK, "%s, sha256 %s", link, process->digest);
}

static void check_tracer(struct process *process, const char *status)
{
	char value[64];

	if (status_field(status, "TracerPid", value, sizeof(value)) && strcmp(value, "0") != 0)
		finding(process, "tracer", VERDICT_WEAK, "process %s traces it", value);
}

void check_identity(struct audit *audit, struct process *process)
{
	char status[4096];

	(void)audit;
	check_binary(process);
	if (proc_read(process->dir, "status", status, sizeof(status)) == 0)
		check_tracer(process, status);
}

/* ---- rights ---------------------------------------------------------------------------------- */

static void check_user(const struct audit *audit, struct process *process, const struct ids *ids,
	const char *groups)
{
	const char *name = layers[LAYER_USER].name;
	const unsigned *uid = ids->uid, *gid = ids->gid;
	struct ids vms;

	if (process->promise && process->promise->as_started) {
		finding(process, name, VERDICT_OK, "uid %u, gid %u: the operator's", uid[0], gid[0]);
		return;
	}
	if (ids_of(audit->tenant, &vms) && memcmp(uid, vms.uid, sizeof(vms.uid)) != 0)
		finding(process, name, VERDICT_WEAK, "uid %u, and the %s has another", uid[0],
			audit->tenant->promise->name);
	for (unsigned i = 1; i < 4; i++) {
		if (uid[i] != uid[0] || gid[i] != gid[0]) {
			finding(process, name, VERDICT_WEAK,
				"uid %u and %u, gid %u and %u: it can change between them", uid[0],
				uid[i], gid[0], gid[i]);
			return;
		}
	}
	if (uid[0] == 0)
		finding(process, name, VERDICT_NOT_HERE,
			"root outside its user namespace; to have one: %s", layers[LAYER_USER].get);
	else
		finding(process, name, VERDICT_OK, "uid %u, gid %u%s%s", uid[0], gid[0],
			groups[0] ? ", groups " : "", groups);
}

/* The map of root's own id takes a capability more (helpers/launch/walls.c). */
static uint64_t caps_promised(const struct audit *audit, const struct promise *promise)
{
	struct ids vms;

	if (!promise || !(promise->caps >> CAP_SETFCAP & 1) || promise->caps == UINT64_MAX)
		return promise ? promise->caps : 0;
	return ids_of(audit->tenant, &vms) && vms.uid[0] != 0
		? promise->caps & ~(1ull << CAP_SETFCAP) : promise->caps;
}

struct threads {
	struct process *process;
	uint64_t caps;      /* promised */
	bool keeps_bounds;  /* who is not root cannot drop its bounding set */
	unsigned n, caps_weak, nnp_weak;
};

static void check_capabilities(struct threads *threads, unsigned tid, const char *status)
{
	const uint64_t own = threads->caps, bounds = threads->keeps_bounds ? UINT64_MAX : 0;
	const uint64_t rest = own == UINT64_MAX ? own : 0;
	const struct {
		const char *name;
		uint64_t allowed;
	} sets[] = {{"CapInh", rest}, {"CapPrm", own}, {"CapEff", own}, {"CapBnd", rest | bounds},
		{"CapAmb", rest}};

	for (unsigned i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		char value[32] = "?", *end = value;
		uint64_t has = 0;

		if (status_field(status, sets[i].name, value, sizeof(value)))
			has = strtoull(value, &end, 16);
		if (end != value && !(has & ~sets[i].allowed))
			continue;
		finding(threads->process, layers[LAYER_CAPABILITIES].name, VERDICT_WEAK,
			"thread %u: %s %s", tid, sets[i].name, value);
		threads->caps_weak++;
	}
}

static int check_thread(unsigned tid, void *opaque)
{
	struct threads *threads = opaque;
	char file[48], status[4096], value[8];

	snprintf(file, sizeof(file), "task/%u/status", tid);
	if (proc_read(threads->process->dir, file, status, sizeof(status)) < 0)
		return 0;
	threads->n++;
	check_capabilities(threads, tid, status);
	if (!status_field(status, "NoNewPrivs", value, sizeof(value)) || strcmp(value, "1") != 0) {
		finding(threads->process, layers[LAYER_NO_NEW_PRIVS].name, VERDICT_WEAK,
			"thread %u: not set", tid);
		threads->nnp_weak++;
	}
	return 0;
}

static void check_dumpable(struct process *process, const struct ids *ids)
{
	const char *name = layers[LAYER_DUMPABLE].name;
	int r = dumpable_to_its_user(process, ids);

	if (r == -ENODATA) /* the capabilities are WEAK in a row of their own */
		finding(process, name, VERDICT_UNSEEN, "its user cannot read its memory, but could "
			"not if it were dumpable: it has capabilities, or a security module refuses");
	else if (r < 0)
		finding(process, name, VERDICT_UNKNOWN, "%s", strerror(-r));
	else
		finding(process, name, r ? VERDICT_WEAK : VERDICT_OK,
			r ? "its user can read its memory" : "no; its user cannot read its memory");
}

static void report_threads(const struct threads *threads)
{
	const char *caps = threads->caps == UINT64_MAX ? "the operator's" : threads->caps
		? "none but to start and end processes" : "none in any of five sets";

	if (!threads->caps_weak)
		finding(threads->process, layers[LAYER_CAPABILITIES].name, VERDICT_OK, "%s, %u thread%s",
			caps, threads->n, threads->n > 1 ? "s" : "");
	if (!threads->nnp_weak)
		finding(threads->process, layers[LAYER_NO_NEW_PRIVS].name, VERDICT_OK, "set");
}

void check_rights(struct audit *audit, struct process *process)
{
	const struct promise *promise = process->promise;
	struct threads threads = {.process = process, .caps = caps_promised(audit, promise)};
	char status[4096], groups[256];
	struct ids ids, launcher;
	int r = proc_read(process->dir, "status", status, sizeof(status));

	if (r < 0) {
		finding(process, "status", VERDICT_UNKNOWN, "%s", strerror(-r));
		return;
	}
	if (status_ids(status, &ids) && status_field(status, "Groups", groups, sizeof(groups))) {
		check_user(audit, process, &ids, groups);
		threads.keeps_bounds = promise && promise->free &&
			ids_of(&audit->processes[0], &launcher) && launcher.uid[0] != 0;
		if (!promise || !promise->as_started)
			check_dumpable(process, &ids);
	} else {
		finding(process, layers[LAYER_USER].name, VERDICT_UNKNOWN, "its status has none");
	}
	r = proc_each(process->dir, "task", check_thread, &threads);
	if (r < 0 || !threads.n)
		finding(process, "threads", VERDICT_UNKNOWN, "%s", strerror(-r));
	else
		report_threads(&threads);
}

/* ---- namespaces ------------------------------------------------------------------------------ */

static int namespace_of(int dir, const char *name, char *ret, size_t size)
{
	char file[32];

	snprintf(file, sizeof(file), "ns/%s", name);
	return proc_link(dir, file, ret, size);
}

/* Whoever else is in it: the operator, or the first other process of the VM; NULL: nobody. */
static const char *shares(struct audit *audit, const struct process *process, int self,
	const char *name, const char *own)
{
	static char text[96];
	char other[64];

	if (namespace_of(self, name, other, sizeof(other)) == 0 && strcmp(other, own) == 0)
		return "the operator";
	for (unsigned i = 0; i < audit->n; i++) {
		const struct process *p = &audit->processes[i];

		if (p == process || namespace_of(p->dir, name, other, sizeof(other)) < 0 ||
			strcmp(other, own) != 0)
			continue;
		snprintf(text, sizeof(text), "%.40s %d", p->binary, p->pid);
		return text;
	}
	return NULL;
}

/* How many entries a directory has, or -errno. */
static int entries_of(int dir, const char *sub)
{
	int fd = openat(dir, sub, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *entries = fd < 0 ? NULL : fdopendir(fd);
	int n = 0;

	if (!entries)
		return -errno;
	for (struct dirent *d; (d = readdir(entries)) != NULL;)
		n += strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0;
	closedir(entries);
	return n;
}

/* One mount, an empty tmpfs, and the root is it. */
static void check_root(struct process *process)
{
	const char *name = layers[LAYER_ROOT].name;
	char mounts[2048], kind[32] = "", options[128] = "", at[64] = "";
	unsigned lines = 0;
	int r = proc_read(process->dir, "mountinfo", mounts, sizeof(mounts));
	int entries = entries_of(process->dir, "root");
	const char *dash;

	if (r < 0) {
		finding(process, name, VERDICT_UNKNOWN, "%s", strerror(-r));
		return;
	}
	for (const char *p = mounts; *p; p++)
		lines += *p == '\n';
	dash = strstr(mounts, " - ");
	if (!dash || sscanf(mounts, "%*s %*s %*s %*s %63s %127s", at, options) != 2 ||
		sscanf(dash, " - %31s", kind) != 1)
		lines = 0;
	if (lines != 1 || strcmp(at, "/") != 0 || strcmp(kind, "tmpfs") != 0)
		finding(process, name, VERDICT_WEAK, "%u mounts, the first %s of kind %s", lines,
			at, kind);
	else if (strncmp(options, "ro,", 3) != 0 || !strstr(options, "noexec") ||
		!strstr(options, "nosuid") || !strstr(options, "nodev"))
		finding(process, name, VERDICT_WEAK, "mounted %s", options);
	else if (entries < 0)
		finding(process, name, VERDICT_UNKNOWN, "%s", strerror(-entries));
	else if (entries > 0)
		finding(process, name, VERDICT_WEAK, "%d entries in it", entries);
	else
		finding(process, name, VERDICT_OK, "one mount, an empty tmpfs, %s", options);
}

void check_namespaces(struct audit *audit, struct process *process)
{
	static const char *const names[] = {"user", "mnt", "net", "ipc", "uts", "cgroup", "pid"};
	const char *name = layers[LAYER_NAMESPACES].name;
	bool pid = process->promise != NULL;
	unsigned n = sizeof(names) / sizeof(names[0]) - !pid, weak = 0;
	fd_owned self = FD_NONE_INIT;

	if (process->promise && process->promise->free) {
		finding(process, name, VERDICT_OK, "the operator's%s", process->promise->as_started ? ""
			: ": names mean something there, and Landlock says which may be opened");
		return;
	}
	if (proc_open(getpid(), &self.n) < 0)
		return;
	for (unsigned i = 0; i < n; i++) {
		const char *with;
		char own[64];
		int r = namespace_of(process->dir, names[i], own, sizeof(own));

		if (r < 0) {
			finding(process, name, VERDICT_UNKNOWN, "%s", strerror(-r));
			weak = n;
			break;
		}
		with = shares(audit, process, self.n, names[i], own);
		if (!with)
			continue;
		finding(process, name, VERDICT_WEAK, "%s: shared with %s", names[i], with);
		weak++;
	}
	if (!weak)
		finding(process, name, VERDICT_OK, "own user, mnt, net, ipc, uts, cgroup%s",
			pid ? ", pid" : "");
	check_root(process);
}
