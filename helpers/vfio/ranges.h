/* SPDX-License-Identifier: Apache-2.0
 *
 * Sets of mappable ranges of a BAR. VFIO helper; pure.
 */
#pragma once

#include "ipc/describe.h"

/* Takes the whole pages of [offset, offset + size) out of the region's ranges. What does not fit
 * into REGION_RANGES any more is left out: it traps. */
void ranges_cut(struct region_desc *region, uint64_t offset, uint64_t size);

/* Adds a range, whole pages of it, in ascending order; ignores what does not fit in. */
void ranges_add(struct region_desc *region, uint64_t offset, uint64_t size);
