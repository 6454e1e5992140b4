/* SPDX-License-Identifier: Apache-2.0
 *
 * The layers of confinement, one row each: what it is, whether we start without it, how to get it.
 *
 * Every process says of each layer it puts up that it holds (at -v), or that it is missing. A
 * required layer that is missing is a refusal, or, with --allow-degraded, one loud line. The others
 * depend on what the kernel or the host has; their absence is told at -v. `bulkhead audit` and
 * SECURITY.md use the same rows.
 */
#pragma once

#include <stdbool.h>

#include "ipc/err.h"

enum layer {
	LAYER_USER, LAYER_NAMESPACES, LAYER_ROOT, LAYER_CAPABILITIES, LAYER_NO_NEW_PRIVS,
	LAYER_LIMITS, LAYER_DUMPABLE, LAYER_LANDLOCK, LAYER_SCOPES, LAYER_MDWE, LAYER_PARENT,
	LAYER_SECCOMP, LAYER_CGROUP, LAYER_CORE_SCHED, LAYER_NOEXEC_SEAL, LAYER_MSEAL,
	LAYER_PASSRIGHTS, LAYER_REMAPPING, LAYERS,
};

struct layer_row {
	const char *name;
	bool required;
	const char *what;
	const char *get; /* where it is missing: what to do, or what it needs */
};

extern const struct layer_row layers[LAYERS];

/* --allow-degraded, before the first layer. */
void layers_allow_degraded(bool allow);
bool layers_degraded(void);

/* "strict" or "degraded", as a child is told; anything else: -EINVAL. */
int layers_parse(const char *text);

void layer_holds(enum layer layer, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* It does not hold; the text says why. 0: we go on without. -errno with *err filled: it is
 * required, and nobody allowed to go on. code: a negative errno. */
int layer_missing(enum layer layer, int code, struct err *err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
