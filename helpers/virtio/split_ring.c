/* SPDX-License-Identifier: Apache-2.0
 *
 * What a dead device left in a split virtqueue, and answering it (split_ring.h). Helper process.
 *
 * A device may use requests in another order than they came, so what is left is not simply the last
 * of the available ring. Both rings keep their last `size` entries. From a moment on when nothing
 * was open, the requests left are those made available and not used since; the longest history both
 * rings tell of is tried first, and is one from such a moment if no head was used more often than
 * made available, or is open twice.
 */
#include <errno.h>
#include <string.h>

#include "helpers/virtio/split_ring.h"

static struct {
	int32_t of[SPLIT_RING_MAX]; /* by head: times made available, less times used */
	unsigned odd;               /* heads for which that is neither 0 nor 1 */
} tally;

int split_ring_open(struct split_ring *ring, const struct virtio_queue *q, split_ring_guest *guest,
	const void *ram)
{
	*ring = (struct split_ring){.size = q->size, .guest = guest, .ram = ram};
	/* §2.7: alignment and size of each part. */
	if (!q->size || q->size > SPLIT_RING_MAX || q->desc % 16 || q->driver % 2 || q->device % 4)
		return -EFAULT;
	ring->desc = guest(ram, q->desc, ring->size * sizeof(struct vring_desc));
	ring->avail = guest(ram, q->driver,
		sizeof(struct vring_avail) + ring->size * sizeof(__virtio16));
	ring->used = guest(ram, q->device,
		sizeof(struct vring_used) + ring->size * sizeof(struct vring_used_elem));
	return ring->desc && ring->avail && ring->used ? 0 : -EFAULT;
}

uint16_t split_ring_avail(const struct split_ring *ring)
{
	return __atomic_load_n(&ring->avail->idx, __ATOMIC_ACQUIRE);
}

uint16_t split_ring_used(const struct split_ring *ring)
{
	return __atomic_load_n(&ring->used->idx, __ATOMIC_RELAXED);
}

/* A head that is none is folded into one. */
uint16_t split_ring_head(const struct split_ring *ring, uint16_t index)
{
	return ring->avail->ring[index & (ring->size - 1)] & (ring->size - 1);
}

static unsigned used_head(const struct split_ring *ring, unsigned index)
{
	return ring->used->ring[index & (ring->size - 1)].id & (ring->size - 1);
}

static bool is_odd(unsigned head)
{
	return tally.of[head] < 0 || tally.of[head] > 1;
}

static void count(unsigned head, int by)
{
	tally.odd -= is_odd(head);
	tally.of[head] += by;
	tally.odd += is_odd(head);
}

unsigned split_ring_left(const struct split_ring *ring, uint16_t *ret_heads)
{
	uint16_t used = split_ring_used(ring);
	unsigned open = (uint16_t)(split_ring_avail(ring) - used), history, n = 0;

	if (open > ring->size)
		return 0;
	/* Before the first wrap of the index the rings are not full yet. */
	history = ring->size - open < used ? ring->size - open : used;
	memset(&tally, 0, sizeof(tally));
	for (unsigned i = 0; i < history + open; i++)
		count(split_ring_head(ring, (uint16_t)(used - history + i)), 1);
	for (unsigned i = 0; i < history; i++)
		count(used_head(ring, used - history + i), -1);
	for (; tally.odd && history; history--) {
		count(split_ring_head(ring, (uint16_t)(used - history)), -1);
		count(used_head(ring, used - history), 1);
	}
	for (unsigned i = 0; i < history + open; i++) {
		uint16_t head = split_ring_head(ring, (uint16_t)(used - history + i));

		if (tally.of[head] > 0)
			ret_heads[n++] = head;
		tally.of[head] = 0;
	}
	return n;
}

/* The last descriptor of a chain, through its indirect table if it has one (§2.7.5.3). */
static bool last_of(const struct split_ring *ring, uint16_t head, struct vring_desc *ret)
{
	const uint8_t *table = ring->desc;
	unsigned n = ring->size, at = head;

	/* No chain is longer than its queue. */
	for (unsigned left = ring->size + 1; left; left--) {
		memcpy(ret, table + at * sizeof(*ret), sizeof(*ret));
		if (ret->flags & VRING_DESC_F_INDIRECT) {
			n = ret->len / sizeof(*ret);
			if (table != ring->desc || n == 0)
				return false;
			table = ring->guest(ring->ram, ret->addr, ret->len);
			at = 0;
			if (!table)
				return false;
		} else if (ret->flags & VRING_DESC_F_NEXT) {
			at = ret->next;
			if (at >= n)
				return false;
		} else {
			return true;
		}
	}
	return false;
}

void split_ring_end(struct split_ring *ring, uint16_t head, uint8_t status)
{
	uint16_t used = split_ring_used(ring);
	struct vring_desc last;
	uint8_t *byte = NULL;

	if (last_of(ring, head, &last) && (last.flags & VRING_DESC_F_WRITE) && last.len)
		byte = ring->guest(ring->ram, last.addr + (last.len - 1), 1);
	if (byte)
		*byte = status;
	ring->used->ring[used & (ring->size - 1)] =
		(struct vring_used_elem){.id = head, .len = byte != NULL};
	__atomic_store_n(&ring->used->idx, (uint16_t)(used + 1), __ATOMIC_RELEASE);
}
