/* SPDX-License-Identifier: Apache-2.0
 *
 * Can this host's hardware hand a device's interrupt to a running vCPU, without an exit? Told to
 * the operator, and of no other consequence.
 *
 * Opener process. Reads /proc and /sys under a root.
 */
#pragma once

#include <stdbool.h>

struct posted {
	bool can;
	char what[200]; /* by what means, or why not and what to do */
};

/* max_apic_id: the guest's highest. */
void posted_look(int root, unsigned max_apic_id, struct posted *ret);

/* A line about this host, at -v. */
void posted_say(int root, unsigned max_apic_id);
