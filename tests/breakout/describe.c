/* SPDX-License-Identifier: Apache-2.0
 *
 * Descriptions of a device that would give a helper what is not its device's. Helper process,
 * sealed by then: the honest Description is built, and one thing in it made a lie.
 *
 * No message names a guest address, a GSI or a memslot, so the attempts of scenarios 10, 11 and 13
 * cannot be made by asking: what is left is to describe a BAR, a table or doorbells that are not
 * where they may be.
 */
#include "seccomp/birth.h"
#include "tests/breakout/lies.h"

enum { PAGE = 4096 };

/* One mappable range in the first memory BAR. */
static long range(uint64_t offset, uint64_t size)
{
	Bulkhead__Region *region = forged_wire->description.regions[0];
	unsigned i = region->index;

	bulkhead__range__init(&forged_wire->ranges[i][0]);
	forged_wire->ranges[i][0].offset = offset;
	forged_wire->ranges[i][0].size = size;
	forged_wire->range_ptrs[i][0] = &forged_wire->ranges[i][0];
	region->mappable = forged_wire->range_ptrs[i];
	region->n_mappable = 1;
	return THROUGH;
}

long lie_range_outside(void)
{
	return range(forged_wire->description.regions[0]->size, PAGE);
}

/* Ends, by wrapping around, inside the BAR. */
long lie_range_wraps(void)
{
	return range(~0ull - PAGE + 1, 2 * PAGE);
}

long lie_range_unaligned(void)
{
	return range(0, PAGE / 2);
}

/* Half a page more than it has: its neighbour's first. */
long lie_bar_size(void)
{
	forged_wire->description.regions[0]->size += PAGE / 2;
	return THROUGH;
}

long lie_bar_number(void)
{
	forged_wire->description.regions[0]->index = PCI_BARS;
	return THROUGH;
}

/* The page of the MSI-X table: the guest would write interrupts past the core. */
long lie_table_mappable(void)
{
	const Bulkhead__MsixGeometry *msix = forged_wire->description.msix;

	return range(msix->table_offset & ~(uint32_t)(PAGE - 1), PAGE);
}

/* Where another device's BAR may begin: ioeventfds there. */
long lie_doorbells(void)
{
	Bulkhead__Doorbells *bells = forged_wire->description.doorbells;

	bells->bar = forged_wire->description.regions[0]->index;
	bells->offset = forged_wire->description.regions[0]->size;
	bells->stride = 4;
	bells->count = 1;
	return THROUGH;
}

/* A socket in the device's place, to be mapped as a BAR. */
long lie_kind(void)
{
	forge_descriptor(BIRTH_FD_LOG);
	return range(0, PAGE);
}
