/* SPDX-License-Identifier: Apache-2.0
 *
 * What a dead device left in a split virtqueue: told exactly for devices that answer in order and
 * out of it, across the wrap of the indices; chains, and rings that lie.
 *
 * links: helpers/virtio/split_ring.c
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "helpers/virtio/split_ring.h"

enum { SIZE = 8, MEM = 1 << 16, DESC = 0, AVAIL = 0x1000, USED = 0x2000, DATA = 0x3000,
	INDIRECT = 0x4000 };

static _Alignas(16) uint8_t mem[MEM];
static struct vring_desc *const desc = (struct vring_desc *)(void *)(mem + DESC);
static struct vring_avail *const avail = (struct vring_avail *)(void *)(mem + AVAIL);
static struct vring_used *const used = (struct vring_used *)(void *)(mem + USED);
static struct virtio_queue queue = {.size = SIZE, .desc = DESC, .driver = AVAIL, .device = USED};
static struct split_ring ring;
static uint16_t heads[SPLIT_RING_MAX];

static void *guest(const void *of, uint64_t gpa, uint64_t size)
{
	(void)of;
	return gpa < MEM && size <= MEM - gpa ? mem + gpa : NULL;
}

static void setup(void)
{
	cr_assert_eq(split_ring_open(&ring, &queue, guest, NULL), 0);
	for (unsigned i = 0; i < SIZE; i++)
		desc[i] = (struct vring_desc){.addr = DATA + i * 16, .len = 1,
			.flags = VRING_DESC_F_WRITE};
}

TestSuite(split_ring, .init = setup);

/* The driver makes a request available; the device uses one. */
static void ask(uint16_t head)
{
	avail->ring[avail->idx++ % SIZE] = head;
}

static void use(uint16_t head)
{
	used->ring[used->idx++ % SIZE].id = head;
}

static void expect_left(unsigned n, const uint16_t *want)
{
	unsigned got = split_ring_left(&ring, heads);

	cr_assert_eq(got, n, "%u", got);
	cr_assert_arr_eq(heads, want, n * sizeof(*want));
}

#define LEFT(...)                                                                                  \
	expect_left(sizeof((uint16_t[]){__VA_ARGS__}) / 2, (const uint16_t[]){__VA_ARGS__})

Test(split_ring, nothing_is_left_of_an_idle_queue)
{
	expect_left(0, NULL);
	ask(3), use(3);
	expect_left(0, NULL);
}

Test(split_ring, one_at_a_time)
{
	for (unsigned i = 0; i < 100000; i++)
		ask(0), use(0);
	ask(0);
	LEFT(0);
}

Test(split_ring, in_order)
{
	for (unsigned i = 0; i < 70000; i++) {
		ask(i % SIZE);
		if (i >= 3)
			use((i - 3) % SIZE);
	}
	LEFT(69997 % SIZE, 69998 % SIZE, 69999 % SIZE);
}

Test(split_ring, out_of_order)
{
	ask(0), ask(1), ask(2), ask(3);
	use(3), use(1);
	LEFT(0, 2);
	ask(1), use(2), ask(2), ask(3), use(1);
	LEFT(0, 2, 3);
	use(0), use(2), use(3);
	expect_left(0, NULL);
	ask(5), ask(0), use(0);
	LEFT(5);
}

/* One request hangs while many others come and go with another head. */
Test(split_ring, an_old_request)
{
	ask(4);
	for (unsigned i = 0; i < SIZE - 2; i++)
		ask(0), use(0);
	LEFT(4);
}

Test(split_ring, full)
{
	for (uint16_t i = 0; i < SIZE; i++)
		ask(i);
	LEFT(0, 1, 2, 3, 4, 5, 6, 7);
}

Test(split_ring, nonsense_is_bounded)
{
	avail->idx = SIZE + 1;
	expect_left(0, NULL);
	avail->idx = SIZE;
	memset(avail->ring, 0xff, SIZE * 2);
	LEFT(7);
	memset(mem, 0xff, sizeof(mem));
	avail->idx = 4;
	cr_assert_leq(split_ring_left(&ring, heads), SIZE);
	for (uint16_t i = 0; i < SIZE; i++)
		split_ring_end(&ring, i, 1);
}

Test(split_ring, a_request_ends)
{
	desc[2].flags = VRING_DESC_F_NEXT;
	desc[2].next = 5;
	split_ring_end(&ring, 2, 1);
	cr_assert_eq(mem[DATA + 5 * 16], 1);
	cr_assert_eq(mem[DATA + 2 * 16], 0);
	cr_assert(used->idx == 1 && used->ring[0].id == 2 && used->ring[0].len == 1);
}

Test(split_ring, an_indirect_request_ends)
{
	struct vring_desc *table = (struct vring_desc *)(void *)(mem + INDIRECT);

	desc[1] = (struct vring_desc){.addr = INDIRECT, .len = 32, .flags = VRING_DESC_F_INDIRECT};
	table[0] = (struct vring_desc){.addr = DATA, .len = 512, .flags = VRING_DESC_F_NEXT, .next = 1};
	table[1] = (struct vring_desc){.addr = DATA + 512, .len = 4, .flags = VRING_DESC_F_WRITE};
	split_ring_end(&ring, 1, 1);
	cr_assert_eq(mem[DATA + 515], 1, "the last byte");
	cr_assert_eq(mem[DATA + 512], 0);
}

/* It is used all the same, and nothing is written. */
Test(split_ring, a_chain_that_leads_nowhere)
{
	static uint8_t before[USED];
	static const struct vring_desc bad[] = {
		{.flags = VRING_DESC_F_NEXT, .next = 0},
		{.flags = VRING_DESC_F_NEXT, .next = SIZE},
		{.addr = MEM, .len = 1, .flags = VRING_DESC_F_WRITE},
		{.addr = ~0ull, .len = 1, .flags = VRING_DESC_F_WRITE},
		{.addr = DATA, .len = 0, .flags = VRING_DESC_F_WRITE},
		{.addr = DATA, .len = 1},
		{.addr = MEM - 16, .len = 32, .flags = VRING_DESC_F_INDIRECT},
		{.addr = DATA, .len = 0, .flags = VRING_DESC_F_INDIRECT},
		{.addr = DESC, .len = 16, .flags = VRING_DESC_F_INDIRECT},
	};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		desc[0] = bad[i];
		memcpy(before, mem, USED);
		split_ring_end(&ring, 0, 1);
		cr_assert_eq(used->idx, i + 1);
		cr_assert_eq(used->ring[i % SIZE].len, 0, "%u", i);
		cr_assert_arr_eq(mem, before, USED);
		cr_assert_eq(mem[DATA], 0);
	}
}

Test(split_ring, rings_that_are_not_there)
{
	static const struct virtio_queue bad[] = {
		{.size = 0},
		{.size = SIZE, .desc = 8, .driver = AVAIL, .device = USED},
		{.size = SIZE, .desc = DESC, .driver = AVAIL + 1, .device = USED},
		{.size = SIZE, .desc = DESC, .driver = AVAIL, .device = USED + 2},
		{.size = SIZE, .desc = MEM, .driver = AVAIL, .device = USED},
		{.size = SIZE, .desc = DESC, .driver = MEM - 4, .device = USED},
		{.size = SIZE, .desc = DESC, .driver = AVAIL, .device = MEM - 64},
	};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(split_ring_open(&ring, &bad[i], guest, NULL), -EFAULT, "%u", i);
}
