/* SPDX-License-Identifier: Apache-2.0
 *
 * Trials: attempts of one actor, in VMs with some walls gone, and what came of each.
 *
 * Harness process.
 */
#pragma once

#include <stdbool.h>

#include "tests/breakout/attempts.h"

/* The devices there are for helpers to be of: paths, NULL where there is none. */
struct devices {
	const char *vfio, *vdpa;
};
extern struct devices devices;

/* What happened besides, that must not: a line each, NULL in the end. */
enum { FAULTS_MAX = 64 };
extern char faults[FAULTS_MAX][200];
extern unsigned n_faults;
extern unsigned n_vms;
extern unsigned n_recorded; /* kills the kernel's log had a record of, for the right call */

/* Makes attempts (indices in attempts[], TODO_MAX at most) in as few VMs as it takes: one goes on
 * with the next where the process survived the last. results in the same order. */
void trial(enum who actor, unsigned removed, const int *list, unsigned n, int *results);

/* Has this kernel, or this host, what is tried? */
bool is_there(const struct attempt *attempt);
/* Walls this kernel or host has not: 1 << enum wall. */
unsigned missing_walls(void);

/* How a result reads: "SIGSYS", "ENOENT", "cut off". */
const char *result_name(int result);
/* And with the wall it is due to: "cut off (decoder)". */
const char *result_by(int result);
const char *who_name(enum who who);
const char *wall_name(enum wall wall);
/* Can this actor be had here? */
bool who_is_there(enum who who);
