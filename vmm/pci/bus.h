/* SPDX-License-Identifier: Apache-2.0
 *
 * Address to handler, for the accesses KVM hands to user space: one bus for ports, one for MMIO.
 *
 * Core process. bus_add and bus_remove by any thread; bus_read and bus_write by vCPU threads. The
 * lock covers the look-up only: a handler runs without it, brings its own lock, and may add and
 * remove ranges. So a handler can still be called once after its range was removed; it must take
 * that as an access to nothing.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct bus_ops {
	/* size is 1, 2, 4 or 8; [offset, offset + size) lies inside the range. data is little
	 * endian. read must fill size bytes. */
	void (*read)(void *opaque, uint64_t offset, uint8_t *data, unsigned size);
	void (*write)(void *opaque, uint64_t offset, const uint8_t *data, unsigned size);
};

struct bus_range {
	uint64_t base, size;
	const struct bus_ops *ops;
	void *opaque;
};

enum { BUS_RANGES = 512 };

struct bus {
	pthread_rwlock_t lock;
	unsigned n;
	struct bus_range ranges[BUS_RANGES]; /* sorted by base, disjoint */
};

void bus_init(struct bus *bus);

/* 0, -EINVAL (empty or wraps), -EEXIST (overlaps another range), -ENOSPC. */
int bus_add(struct bus *bus, uint64_t base, uint64_t size, const struct bus_ops *ops, void *opaque);

/* Removes the range that begins at base; 0 or -ENOENT. */
int bus_remove(struct bus *bus, uint64_t base);

/* An access nobody answers reads as all-ones and is dropped on write; returns whether anybody
 * answered. An access that crosses the end of a range is one nobody answers. */
bool bus_read(struct bus *bus, uint64_t addr, uint8_t *data, unsigned size);
bool bus_write(struct bus *bus, uint64_t addr, const uint8_t *data, unsigned size);
