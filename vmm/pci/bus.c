/* SPDX-License-Identifier: Apache-2.0
 *
 * Look-up of the handler for a trapped access, in a sorted array of disjoint ranges.
 *
 * Core process, any thread. The lock is read-held for a binary search of at most BUS_RANGES
 * entries and never while a handler runs: a handler may move its own range (a BAR does).
 */
#include "vmm/pci/bus.h"

#include <errno.h>
#include <string.h>

void bus_init(struct bus *bus)
{
	pthread_rwlock_init(&bus->lock, NULL);
	bus->n = 0;
}

/* Index of the first range that ends behind addr. */
static unsigned search(const struct bus *bus, uint64_t addr)
{
	unsigned low = 0, high = bus->n;

	while (low < high) {
		unsigned mid = (low + high) / 2;

		if (bus->ranges[mid].base + (bus->ranges[mid].size - 1) < addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static int insert(struct bus *bus, const struct bus_range *range)
{
	unsigned at = search(bus, range->base);

	if (at < bus->n && bus->ranges[at].base <= range->base + (range->size - 1))
		return -EEXIST;
	if (bus->n == BUS_RANGES)
		return -ENOSPC;
	memmove(&bus->ranges[at + 1], &bus->ranges[at], (bus->n - at) * sizeof(bus->ranges[0]));
	bus->ranges[at] = *range;
	bus->n++;
	return 0;
}

int bus_add(struct bus *bus, uint64_t base, uint64_t size, const struct bus_ops *ops, void *opaque)
{
	const struct bus_range range = {.base = base, .size = size, .ops = ops, .opaque = opaque};
	int r;

	if (size == 0 || base + (size - 1) < base)
		return -EINVAL;
	pthread_rwlock_wrlock(&bus->lock);
	r = insert(bus, &range);
	pthread_rwlock_unlock(&bus->lock);
	return r;
}

int bus_remove(struct bus *bus, uint64_t base)
{
	int r = -ENOENT;
	unsigned at;

	pthread_rwlock_wrlock(&bus->lock);
	at = search(bus, base);
	if (at < bus->n && bus->ranges[at].base == base) {
		bus->n--;
		memmove(&bus->ranges[at], &bus->ranges[at + 1],
			(bus->n - at) * sizeof(bus->ranges[0]));
		r = 0;
	}
	pthread_rwlock_unlock(&bus->lock);
	return r;
}

/* The range that holds all of [addr, addr + size), by value: it may go any time. KVM splits an
 * access that crosses a page into pieces of any size up to 8; odd ones are for nobody. */
static bool find(struct bus *bus, uint64_t addr, unsigned size, struct bus_range *ret)
{
	bool found = false;
	unsigned at;

	if (size != 1 && size != 2 && size != 4 && size != 8)
		return false;
	pthread_rwlock_rdlock(&bus->lock);
	at = search(bus, addr);
	if (at < bus->n && bus->ranges[at].base <= addr &&
		size <= bus->ranges[at].size - (addr - bus->ranges[at].base)) {
		*ret = bus->ranges[at];
		found = true;
	}
	pthread_rwlock_unlock(&bus->lock);
	return found;
}

bool bus_read(struct bus *bus, uint64_t addr, uint8_t *data, unsigned size)
{
	struct bus_range range;

	memset(data, 0xff, size);
	if (!find(bus, addr, size, &range))
		return false;
	range.ops->read(range.opaque, addr - range.base, data, size);
	return true;
}

bool bus_write(struct bus *bus, uint64_t addr, const uint8_t *data, unsigned size)
{
	struct bus_range range;

	if (!find(bus, addr, size, &range))
		return false;
	range.ops->write(range.opaque, addr - range.base, data, size);
	return true;
}
