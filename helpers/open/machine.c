/* SPDX-License-Identifier: Apache-2.0
 *
 * All there is to open for a life of the VM, or for one device more, in order: what may be refused before a
 * device is touched comes first.
 *
 * Opener process; at API time in a child of it. Core and broker have been started by now, or are being.
 */
#include "helpers/host/memory.h"
#include "helpers/host/posted.h"
#include "helpers/open/open.h"

int open_machine(struct opening *opening, struct err *err)
{
	int r = files_open(opening, err);

	return r < 0 ? r : memory_check(opening->root.n, &opening->opts.ram, err);
}

int open_devices(struct opening *opening, struct err *err)
{
	int r = tell_config(opening, err);

	memory_say(opening->root.n, &opening->opts.ram);
	posted_say(opening->root.n, cpus_max_apic_id(&opening->opts.cpus));
	if (r == 0)
		r = check_devices(opening, 0, err);
	if (r == 0)
		r = ways_open(opening, 0, err);
	if (r == 0)
		r = tell_devices(opening, 0, err);
	return r < 0 ? r : tell_go(opening, err);
}

void opening_reset(struct opening *opening)
{
	opening->way = WAY_NONE;
	opening->n_groups = 0;
	for (unsigned i = 0; i < VM_SLOTS; i++) {
		opening->devices[i].group = -1;
		opening->devices[i].generation = 0;
	}
}
