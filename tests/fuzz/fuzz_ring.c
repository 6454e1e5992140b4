/* SPDX-License-Identifier: Apache-2.0
 *
 * A split virtqueue in the memory of a hostile guest, of a device that has died: the requests it
 * left are found and ended. Guest RAM is patches on zeros; no access leaves it.
 *
 * fuzzes: helpers/virtio/split_ring.c
 * links: helpers/virtio/split_ring.c
 */
#include "tests/fuzz/fuzz.h"

#include "helpers/virtio/split_ring.h"

enum { RAM = 1024, DRIVER = 0x100, DEVICE = 0x180 };

static uint8_t *ram; /* a block of its own, so that a step outside is seen */

static void *guest(const void *of, uint64_t gpa, uint64_t size)
{
	(void)of;
	return gpa < RAM && size <= RAM - gpa ? ram + gpa : NULL;
}

static void patch(struct input *in)
{
	unsigned at = (unsigned)take(in, 1), size = at & 1 ? 8 : 2;
	uint64_t value = at & 1 ? take_number(in) : take(in, 2);

	memcpy(ram + (at & ~1u) * 2, &value, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint16_t heads[SPLIT_RING_MAX];
	struct input in = input_of(data, size);
	unsigned flags = (unsigned)take(&in, 1), n;
	struct virtio_queue q = {.size = (uint16_t)(1u << (flags & 15)), .driver = DRIVER,
		.device = DEVICE};
	struct split_ring ring;

	if (flags & 0x80) {
		q.desc = take_number(&in);
		q.driver = take_number(&in);
		q.device = take_number(&in);
	}
	if (!ram)
		ram = malloc(RAM);
	memset(ram, 0, RAM);
	while (input_left(&in))
		patch(&in);
	if (split_ring_open(&ring, &q, guest, NULL) < 0)
		return 0;
	n = split_ring_left(&ring, heads);
	require(n <= ring.size);
	for (unsigned i = 0; i < n; i++) {
		uint16_t used = split_ring_used(&ring);

		require(heads[i] < ring.size);
		split_ring_end(&ring, heads[i], 1);
		require(split_ring_used(&ring) == (uint16_t)(used + 1));
	}
	require(split_ring_head(&ring, split_ring_avail(&ring)) < ring.size);
	return 0;
}
