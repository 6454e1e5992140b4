/* SPDX-License-Identifier: Apache-2.0
 *
 * `bulkhead audit PID`: what the kernel says of every process of a running VM, against what this
 * project promises of it.
 *
 * bulkhead-audit, one thread, with the rights of whoever started it; reads, and changes nothing. To
 * read a thread's filters it is stopped, for microseconds, one thread at a time; should the auditor
 * die, the kernel lets the thread go on. What a process of the VM could have written (a name, a
 * path) is made printable first.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ipc/err.h"
#include "seccomp/layers.h"
#include "seccomp/policy.h"

/* ok: as promised. not here: a layer this host or start does not have, and that is no promise.
 * unseen: the kernel shows it to nobody. unknown: it could be read with more rights. */
enum verdict {
	VERDICT_OK, VERDICT_NOT_HERE, VERDICT_UNSEEN, VERDICT_UNKNOWN, VERDICT_WEAK, VERDICTS,
};

enum { FINDINGS_MAX = 64, PROCESSES_MAX = 48, DIGEST_SIZE = 65 };

struct finding {
	const char *what; /* a layer's name, or "binary", "descriptors", ... */
	enum verdict verdict;
	char text[240];
};

/* Kinds of descriptors. */
enum held {
	HELD_EVENT, HELD_SIGNAL, HELD_PID, HELD_SOCKET, HELD_PIPE, HELD_TTY, HELD_NULL, HELD_FILE,
	HELD_DIR, HELD_MEMFD, HELD_KVM, HELD_KVM_VM, HELD_KVM_VCPU, HELD_KVM_DEVICE,
	HELD_VFIO_DEVICE, HELD_VFIO_GROUP, HELD_VFIO_CONTAINER, HELD_IOMMU, HELD_VDPA, HELD_WATCH,
	HELD_OTHER,
	HELD_KINDS,
};
extern const char *const held_names[HELD_KINDS];

/* What is promised of a process: promises.c. */
struct promise {
	const char *name, *binary;
	bool as_started;       /* has the operator's user */
	bool free;             /* has the operator's namespaces and limits */
	bool apart;            /* not on a core with the guest */
	bool helper;           /* there may be several */
	uint64_t caps;         /* bit n: may have that capability */
	bool may_map_ram;
	uint64_t max_files, max_procs; /* RLIMIT_NOFILE, RLIMIT_NPROC */
	bool writes_files;     /* RLIMIT_FSIZE may be unlimited */
	uint64_t fds;          /* bit n: may hold descriptors of kind n */
	uint64_t standard_fds; /* and as 0, 1 and 2, or up to last_standard: what the user gave */
	unsigned last_standard;
	uint64_t high_fds;     /* and from FD_FLOOR on (seccomp/policy.h) */
	unsigned max_devices;  /* descriptors that are VFIO or vDPA devices */
	const struct policy *stack[4]; /* filters of the main thread, the oldest first */
};

/* By the name of the binary; NULL: none of ours. */
const struct promise *promise_of(const char *binary);
extern const struct promise promise_launcher, promise_opener, promise_core, promise_broker;
/* Of a VM with an API: the opener behind its walls, a child of it while it opens, the api. */
extern const struct promise promise_walled, promise_child, promise_api;
/* Filters of the core's vCPU threads. */
extern const struct policy *const vcpu_stack[4];

struct process {
	pid_t pid, parent;
	int dir;                       /* /proc/PID; stands for this process, not for the number */
	const struct promise *promise; /* NULL: a stranger */
	char binary[64];
	char digest[DIGEST_SIZE];      /* of what it runs; "": unknown, or a stranger */
	unsigned n;
	struct finding findings[FINDINGS_MAX];
};

struct audit {
	pid_t launcher;
	int pidfd;
	unsigned n;
	const struct process *core;   /* NULL: no guest, between two lives of an API's */
	const struct process *tenant; /* who has the VM's user */
	struct process processes[PROCESSES_MAX]; /* [0]: the launcher; parents before children */
};

/* Files of /proc/PID. Each returns 0 or -errno. */
int proc_open(pid_t pid, int *ret_dir);
int proc_read(int dir, const char *file, char *ret, size_t size); /* cut to size, NUL at its end */
int proc_link(int dir, const char *file, char *ret, size_t size);
/* Calls each(name, opaque) for every entry that is a number. */
int proc_each(int dir, const char *sub, int (*each)(unsigned number, void *opaque), void *opaque);

/* Parsers, on text a process may have had a hand in. */
bool status_field(const char *status, const char *key, char *ret, size_t size);
/* Real, effective, saved, and of the file system. */
struct ids {
	unsigned uid[4], gid[4];
};
bool status_ids(const char *status, struct ids *ret);
bool ids_of(const struct process *process, struct ids *ret);
/* Hard limit; UINT64_MAX: unlimited. */
bool limits_field(const char *limits, const char *name, uint64_t *ret);
struct mapping {
	uint64_t start, end;
	bool write, execute;
	char path[128];
};
bool maps_line(const char *line, struct mapping *ret);
/* link: what /proc/PID/fd/N points to; device: what /sys/dev/char says of it, "" for no device. */
enum held held_of(const char *link, unsigned mode, const char *device);
/* Everything but printable ASCII becomes '?'. */
void printable(char *text);

/* Fills in the processes: the launcher, what it started, and so on. Strangers are in the list. */
int audit_find(struct audit *audit, pid_t launcher, struct err *err);

void finding(struct process *process, const char *what, enum verdict verdict, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* SHA-256 of a binary of this build, and of the file that runs. -errno: it may not be read. */
const char *digest_built(const char *binary);
int digest_running(int dir, char ret[static DIGEST_SIZE]);
/* 1, 0, or -errno where it cannot be told; -ENODATA: its user is refused a look, and would be if it
 * were dumpable. */
int dumpable_to_its_user(const struct process *process, const struct ids *ids);

/* The checks: each adds what it found. */
void check_identity(struct audit *audit, struct process *process);
void check_rights(struct audit *audit, struct process *process);
void check_namespaces(struct audit *audit, struct process *process);
void check_resources(struct audit *audit, struct process *process);
void check_descriptors(struct audit *audit, struct process *process);
void check_memory(struct audit *audit, struct process *process);
void check_filters(struct audit *audit, struct process *process);

/* report.c. Returns the exit status: 0, 1 or 2. */
int report_text(const struct audit *audit);
int report_json(const struct audit *audit);
