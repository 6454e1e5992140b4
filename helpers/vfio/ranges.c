/* SPDX-License-Identifier: Apache-2.0
 *
 * Sets of mappable ranges of a BAR. VFIO helper; pure. A mistake here could only make something
 * trap that need not, or be refused by describe_from_wire.
 */
#include "helpers/vfio/ranges.h"

enum { PAGE = 4096 };

void ranges_add(struct region_desc *region, uint64_t offset, uint64_t size)
{
	uint64_t first, end, last = 0;

	if (offset > region->size || size > region->size - offset)
		return;
	first = (offset + PAGE - 1) & ~(uint64_t)(PAGE - 1);
	end = (offset + size) & ~(uint64_t)(PAGE - 1);
	if (region->n_ranges)
		last = region->ranges[region->n_ranges - 1].offset +
			region->ranges[region->n_ranges - 1].size;
	if (first < last || first >= end || region->n_ranges == REGION_RANGES)
		return;
	region->ranges[region->n_ranges++] = (struct region_range){first, end - first};
}

void ranges_cut(struct region_desc *region, uint64_t offset, uint64_t size)
{
	uint64_t first = offset & ~(uint64_t)(PAGE - 1);
	uint64_t end = (offset + size + PAGE - 1) & ~(uint64_t)(PAGE - 1);
	struct region_desc cut = {.size = region->size};

	for (unsigned i = 0; i < region->n_ranges; i++) {
		uint64_t from = region->ranges[i].offset;
		uint64_t to = from + region->ranges[i].size;

		if (to <= first || from >= end) {
			ranges_add(&cut, from, to - from);
			continue;
		}
		if (from < first)
			ranges_add(&cut, from, first - from);
		if (to > end)
			ranges_add(&cut, end, to - end);
	}
	region->n_ranges = cut.n_ranges;
	for (unsigned i = 0; i < cut.n_ranges; i++)
		region->ranges[i] = cut.ranges[i];
}
