/* SPDX-License-Identifier: Apache-2.0
 *
 * bulkhead-policy, the verb `bulkhead seccomp`: policies for people to read, export and probe, and
 * the tracer behind `--seccomp log`.
 *
 * A program of its own with the rights of whoever runs it, one thread. Nothing of it is linked into
 * a process of a VM, and no VM needs it unless it runs with --seccomp log.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "ipc/err.h"
#include "seccomp/policy.h"

/* A call as the tracer saw it. */
struct call {
	int nr;
	uint64_t args[6];
};

/* ---- names.c: from names to policies, and to text ------------------------------------------- */

/* "vfio" or "vfio:setup"; without a stage, `stage`. Refuses with the list of all. */
int policy_by_name(const char *text, const char *stage, const struct policy **ret, struct err *err);
/* By the two arguments of POLICY_ANNOUNCE; NULL: none has that name. */
const struct policy *policy_by_announcement(const uint64_t args[2]);

/* The policy's row that covers the call of process `pid`, NULL: none. It may deny it. */
const struct policy_row *row_of(const struct policy *policy, const struct call *call, int pid);

/* "ioctl 0x3b6f VFIO_DEVICE_RESET", "mmap arg2 &PROT_EXEC==0". */
enum { ROW_TEXT = 100 };
void row_text(const struct policy_row *row, char ret[static ROW_TEXT]);

/* The row that would allow the call, as it is written in seccomp/<process>.c: of an argument that
 * some policy looks at, this value; else any. ret_key: that value, 0 without one. */
enum { CALL_TEXT = 160 };
void row_for_call(const struct call *call, char ret[static CALL_TEXT], uint64_t *ret_key);
/* "openat", or "call 511" of a number without a name. */
void call_name(int nr, char ret[static CALL_TEXT]);

/* ---- show.c --------------------------------------------------------------------------------- */

/* Prints a policy, or all with a head line (seccomp/POLICY.txt). */
void show_policy(const struct policy *policy);
void show_all(void);

/* ---- report.c: what was counted ------------------------------------------------------------- */

/* A thread or process has entered the policy. */
void report_entered(const struct policy *policy);
/* A call that the policy would have killed. */
void report_forbidden(const struct policy *policy, const struct call *call);
/* A call that the policy's row covers. */
void report_used(const struct policy *policy, const struct policy_row *row, const struct call *call);
/* One log line a policy that was entered and a call it would have killed; rows: and one a row. */
void report_print(bool rows);

/* ---- watch.c -------------------------------------------------------------------------------- */

struct watch {
	pid_t leader;     /* whom it is about; children are followed */
	const char *name; /* of the leader, for messages */
	bool begun;       /* false: calls before the leader's exec are let pass, not counted */
	bool kill;        /* the first forbidden call ends the leader and all others */
	bool rows;        /* the filters show allowed calls, too: report the use of rows */
};

/* Becomes the leader's tracer. The leader and all it starts die with us. */
int watch_attach(const struct watch *watch, struct err *err);

enum { WATCH_KILLED = 1 };
/* Until nobody is left; prints the report unless `kill`. ret_status: the leader's wait status.
 * WATCH_KILLED when a call was forbidden and `kill` set, else 0. */
int watch_run(struct watch *watch, int *ret_status);
