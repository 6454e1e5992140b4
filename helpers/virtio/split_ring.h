/* SPDX-License-Identifier: Apache-2.0
 *
 * A split virtqueue (virtio 1.2 §2.7) from the device's side, for a helper whose device has died:
 * which requests it left unanswered, and their end.
 *
 * Helper process, one thread. The rings are guest memory, written by the guest at any time: every
 * field is read once and checked, and a guest that lies in them confuses only its own driver.
 */
#pragma once

#include <stdint.h>
#include <linux/virtio_ring.h>

#include "helpers/virtio/virtio_pci.h"

enum { SPLIT_RING_MAX = 32768 };

/* Where [gpa, gpa + size) of the guest is here, or NULL if not all of it is RAM in one piece. */
typedef void *split_ring_guest(const void *ram, uint64_t gpa, uint64_t size);

struct split_ring {
	unsigned size; /* a power of two, at most SPLIT_RING_MAX */
	const uint8_t *desc;
	const struct vring_avail *avail;
	struct vring_used *used;
	split_ring_guest *guest;
	const void *ram; /* for guest */
};

/* -EFAULT: the queue's parts are not where rings can be. */
int split_ring_open(struct split_ring *ring, const struct virtio_queue *q, split_ring_guest *guest,
	const void *ram);

/* The driver's next available index, and the device's next used one. */
uint16_t split_ring_avail(const struct split_ring *ring);
uint16_t split_ring_used(const struct split_ring *ring);
/* The head of the request at that available index. */
uint16_t split_ring_head(const struct split_ring *ring, uint16_t index);

/* Heads of the requests that are available and were not used, oldest first. ret_heads has room for
 * SPLIT_RING_MAX. Returns how many. */
unsigned split_ring_left(const struct split_ring *ring, uint16_t *ret_heads);

/* Uses the request: `status` in the last byte the device may write, where block devices have it
 * (§5.2.6), and nothing else. */
void split_ring_end(struct split_ring *ring, uint16_t head, uint8_t status);
