/* SPDX-License-Identifier: Apache-2.0
 *
 * What a seccomp policy is: a const table of system calls, each with the reason it is there.
 *
 * Rows compare with EQ and MASKED_EQ only: libseccomp 2.5.4 miscompiles ordered comparisons
 * (GHSA-4q85-33p6-j5g6). What no row allows kills the process (SECCOMP_RET_KILL_PROCESS), except
 * calls listed by DENY, which a library probes for and takes an errno from.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "ipc/err.h"

struct policy_row {
	int nr;
	const char *name;
	int deny_errno;     /* 0: allowed; else the errno the call gets */
	int arg;            /* which argument is compared, -1: none */
	uint64_t mask;      /* ~0: EQ, else MASKED_EQ */
	uint64_t value;
	bool own_pid;       /* the value is the pid of the process that loads the policy */
	const char *value_name; /* how the listing shows it: "VFIO_DEVICE_SET_IRQS" */
	const char *why;    /* names the function that needs it */
};

struct policy {
	const char *process; /* "launch", "core", "vcpu", "broker", "vfio", "vdpa", "null", "api" */
	const char *stage;   /* "setup", "run" */
	const struct policy_row *rows;
	unsigned n_rows;
	bool open; /* what no row denies is allowed */
};

#define ALLOW(call, reason)                                                                        \
	{.nr = SYS_##call, .name = #call, .arg = -1, .why = "" reason}
#define ALLOW_IF(call, n, v, reason)                                                               \
	{.nr = SYS_##call, .name = #call, .arg = (n), .mask = ~0ull, .value = (v),                 \
		.value_name = #v, .why = "" reason}
#define ALLOW_MASKED(call, n, m, v, reason)                                                        \
	{.nr = SYS_##call, .name = #call, .arg = (n), .mask = (m), .value = (v),                   \
		.value_name = "&" #m "==" #v, .why = "" reason}
/* Only descriptors below FD_FLOOR: the core keeps there what it may read and write, and from there on
 * devices that are to be mapped, or named to KVM, and nothing else. */
enum { FD_FLOOR = 64 };
#define ALLOW_LOW_FD(call, reason)                                                                 \
	{.nr = SYS_##call, .name = #call, .arg = 0, .mask = ~(uint64_t)(FD_FLOOR - 1), .value = 0, \
		.value_name = "<FD_FLOOR", .why = "" reason}
#define ALLOW_OWN_PID(call, n, reason)                                                             \
	{.nr = SYS_##call, .name = #call, .arg = (n), .mask = ~0ull, .own_pid = true,              \
		.value_name = "own pid", .why = "" reason}
/* ioctl by exact number. The kernel looks at the low 32 bits of the request only. */
#define ALLOW_IOCTL(request, reason)                                                               \
	{.nr = SYS_ioctl, .name = "ioctl", .arg = 1, .mask = 0xffffffffull,                        \
		.value = (uint32_t)(request), .value_name = #request, .why = "" reason}
#define DENY(call, errnum, reason)                                                                 \
	{.nr = SYS_##call, .name = #call, .arg = -1, .deny_errno = (errnum), .why = "" reason}

#define POLICY(proc, stg, table)                                                                   \
	{.process = (proc), .stage = (stg), .rows = (table),                                       \
		.n_rows = sizeof(table) / sizeof((table)[0])}

/* --seccomp true|log|false. Log and off are for finding out, and print a loud line. In log mode a
 * call without a row is shown to the tracer, which counts it and lets it pass; without a tracer it
 * fails with ENOSYS. A process that logs at LOG_DEBUG shows it its allowed calls, too. */
enum seccomp_mode { SECCOMP_MODE_KILL, SECCOMP_MODE_LOG, SECCOMP_MODE_OFF };

/* "true", "log" or "false"; anything else: -EINVAL. */
int policy_mode_parse(const char *text, enum seccomp_mode *ret);
/* And back. */
const char *policy_mode_name(enum seccomp_mode mode);

/* The call by which a thread in log mode tells its tracer (helpers/policy/watch.c) which policy it
 * is in: a number no kernel has a call for, and no policy a row. Process and stage are its first
 * two arguments, up to eight characters each. */
#define POLICY_ANNOUNCE SYS_tuxcall
enum { POLICY_NAME_BYTES = 8 };

/* The policy as libseccomp holds it, a scmp_filter_ctx, which the caller releases. allow, other: what
 * becomes of an allowed call and of one without a row (SCMP_ACT_ALLOW, SCMP_ACT_KILL_PROCESS). pid:
 * who is to load it, 0: we are. Entries by another ABI are always killed. 0 or -errno. */
int policy_build(const struct policy *policy, uint32_t allow, uint32_t other, int pid, void **ret);

/* Writes the policy as process `pid` gives it to the kernel (an array of struct sock_filter), or as
 * libseccomp's pseudo code, for people. Linked into tools and tests. 0 or -errno. */
enum policy_format { POLICY_BPF, POLICY_PFC };
int policy_export(const struct policy *policy, enum policy_format format, int pid, int fd);

/* Loads the policy for the calling thread (all_threads: for every thread of the process, TSYNC).
 * no_new_privs must be set. x32 and i386 entries are killed. Allocates; call it before the heap
 * is out of reach. 0 or -errno. */
int policy_enter(const struct policy *policy, enum seccomp_mode mode, bool all_threads,
	struct err *err);

/* What the row's argument is compared with in process `pid`, 0: in this one. */
uint64_t policy_row_value(const struct policy_row *row, int pid);

/* Every policy of every process, for listings and tests; ends with NULL. */
extern const struct policy *const policies[];

extern const struct policy policy_launch_run, policy_open_run;
extern const struct policy policy_core_setup, policy_core_run, policy_vcpu_run;
extern const struct policy policy_broker_setup, policy_broker_run;
extern const struct policy policy_vfio_setup, policy_vfio_run;
extern const struct policy policy_vdpa_setup, policy_vdpa_run;
extern const struct policy policy_null_setup, policy_null_run;
extern const struct policy policy_api_run;
