/* SPDX-License-Identifier: Apache-2.0
 *
 * The MSI-X table, PBA and control register against recording ops.
 *
 * links: vmm/pci/msix.c
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/pci/msix.h"

enum { N = 70 };

static struct {
	bool mode, fail_arm, fail_mode;
	bool armed[N], live[N], pending[N];
	uint64_t addr[N];
	uint32_t data[N];
	unsigned arms, lives, modes;
} dev;

static int mode(void *o, bool enable)
{
	(void)o;
	dev.modes++;
	if (dev.fail_mode)
		return -EIO;
	dev.mode = enable;
	return 0;
}

static int arm(void *o, unsigned v)
{
	(void)o;
	cr_assert(dev.mode, "armed before MSI-X mode");
	cr_assert(!dev.armed[v], "armed twice");
	dev.arms++;
	if (dev.fail_arm)
		return -ENOSPC;
	dev.armed[v] = true;
	return 0;
}

static void cool(void *o, unsigned v)
{
	(void)o;
	cr_assert(dev.armed[v] && !dev.live[v]);
	dev.armed[v] = false;
}

static int live(void *o, unsigned v, uint64_t addr, uint32_t data)
{
	(void)o;
	cr_assert(dev.armed[v] && !dev.live[v]);
	dev.lives++;
	dev.live[v] = true;
	dev.addr[v] = addr;
	dev.data[v] = data;
	return 0;
}

static void quiet(void *o, unsigned v)
{
	(void)o;
	cr_assert(dev.live[v]);
	dev.live[v] = false;
}

static bool pending(void *o, unsigned v)
{
	(void)o;
	cr_assert(dev.armed[v] && !dev.live[v], "asked for a vector whose eventfd says nothing");
	return dev.pending[v];
}

static const struct msix_ops ops = {mode, arm, cool, live, quiet, pending};
static struct msix_vector vectors[N];
static struct msix msix;

static void setup(void)
{
	msix_init(&msix, &ops, NULL, vectors, N);
}

static void put(unsigned vector, unsigned word, uint32_t value)
{
	uint8_t data[4];

	memcpy(data, &value, 4);
	msix_table_write(&msix, vector * 16 + word * 4, data, 4);
}

static uint32_t get(unsigned vector, unsigned word)
{
	uint8_t data[4];
	uint32_t value;

	msix_table_read(&msix, vector * 16 + word * 4, data, 4);
	memcpy(&value, data, 4);
	return value;
}

static void program(unsigned vector, uint32_t addr, uint32_t data)
{
	put(vector, 0, addr);
	put(vector, 1, 0);
	put(vector, 2, data);
	put(vector, 3, 0);
}

TestSuite(msix, .init = setup);

Test(msix, powers_on_masked_and_off)
{
	cr_assert_eq(msix_control_read(&msix), N - 1);
	for (unsigned i = 0; i < N; i++)
		cr_assert_eq(get(i, 3), 1u);
}

Test(msix, a_vector_costs_nothing_until_it_is_used)
{
	msix_control_write(&msix, MSIX_CTRL_ENABLE);
	cr_assert(dev.mode);
	cr_assert_eq(dev.arms, 0u);
	program(3, 0xfee01000, 0x41);
	cr_assert_eq(dev.arms, 1u);
	cr_assert(dev.live[3]);
	cr_assert_eq(dev.addr[3], 0xfee01000u);
	cr_assert_eq(dev.data[3], 0x41u);
}

Test(msix, linux_enable_sequence)
{
	msix_control_write(&msix, MSIX_CTRL_ENABLE | MSIX_CTRL_MASKALL);
	program(0, 0xfee00000, 0x30);
	cr_assert(!dev.live[0] && !dev.armed[0]);
	put(0, 3, 1);
	msix_control_write(&msix, MSIX_CTRL_ENABLE);
	cr_assert(!dev.armed[0]);
	put(0, 3, 0);
	cr_assert(dev.live[0]);
}

Test(msix, masking_and_rerouting_need_no_message)
{
	msix_control_write(&msix, MSIX_CTRL_ENABLE);
	program(1, 0xfee00000, 0x30);
	put(1, 3, 1);
	cr_assert(dev.armed[1] && !dev.live[1]);
	put(1, 0, 0xfee02000);
	put(1, 3, 0);
	cr_assert(dev.live[1]);
	cr_assert_eq(dev.addr[1], 0xfee02000u);
	cr_assert_eq(dev.arms, 1u);
	cr_assert_eq(dev.modes, 1u);
}

Test(msix, a_live_entry_that_changes_is_rerouted)
{
	msix_control_write(&msix, MSIX_CTRL_ENABLE);
	program(1, 0xfee00000, 0x30);
	put(1, 2, 0x31);
	cr_assert(dev.live[1]);
	cr_assert_eq(dev.data[1], 0x31u);
	put(1, 2, 0x31);
	cr_assert_eq(dev.lives, 2u, "the same message again is no change");
}

Test(msix, function_mask_stops_all_and_gives_them_back)
{
	msix_control_write(&msix, MSIX_CTRL_ENABLE);
	program(0, 0xfee00000, 0x30);
	program(69, 0xfee00000, 0x31);
	msix_control_write(&msix, MSIX_CTRL_ENABLE | MSIX_CTRL_MASKALL);
	cr_assert(!dev.live[0] && !dev.live[69] && dev.armed[0]);
	msix_control_write(&msix, MSIX_CTRL_ENABLE);
	cr_assert(dev.live[0] && dev.live[69]);
	cr_assert_eq(dev.arms, 2u);
}

Test(msix, disable_cools_every_vector)
{
	msix_control_write(&msix, MSIX_CTRL_ENABLE);
	program(0, 0xfee00000, 0x30);
	msix_control_write(&msix, 0);
	cr_assert(!dev.mode && !dev.armed[0] && !dev.live[0]);
	msix_control_write(&msix, MSIX_CTRL_ENABLE);
	cr_assert(dev.live[0], "the table keeps its entries across disable");
}

Test(msix, reset_forgets_the_table)
{
	msix_control_write(&msix, MSIX_CTRL_ENABLE | MSIX_CTRL_MASKALL);
	program(0, 0xfee00000, 0x30);
	msix_reset(&msix);
	cr_assert_eq(msix_control_read(&msix), N - 1);
	cr_assert_eq(get(0, 0), 0u);
	cr_assert_eq(get(0, 3), 1u);
	cr_assert(!dev.mode);
}

Test(msix, pba_shows_what_collected_while_quiet)
{
	uint8_t pba[16];

	msix_control_write(&msix, MSIX_CTRL_ENABLE);
	program(65, 0xfee00000, 0x30);
	dev.pending[65] = true;
	msix_pba_read(&msix, 8, pba, 8);
	cr_assert_eq(pba[0], 0, "a live vector is never pending");
	put(65, 3, 1);
	msix_pba_read(&msix, 0, pba, 8);
	msix_pba_read(&msix, 8, pba + 8, 8);
	cr_assert_eq(pba[8], 2);
	cr_assert_eq(pba[0], 0);
}

Test(msix, failed_arming_leaves_the_vector_quiet_and_is_tried_again)
{
	msix_control_write(&msix, MSIX_CTRL_ENABLE);
	dev.fail_arm = true;
	program(0, 0xfee00000, 0x30);
	cr_assert(!dev.live[0]);
	dev.fail_arm = false;
	put(0, 3, 0);
	cr_assert(dev.live[0]);
}

Test(msix, failed_mode_leaves_msix_off)
{
	dev.fail_mode = true;
	msix_control_write(&msix, MSIX_CTRL_ENABLE);
	cr_assert_eq(msix_control_read(&msix) & MSIX_CTRL_ENABLE, 0);
}

Test(msix, reserved_control_bits_do_not_stick)
{
	put(2, 3, 0xfffffffe);
	cr_assert_eq(get(2, 3), 0u);
}

/* Whatever a guest writes, in any size at any place, the ops see a legal sequence (they assert it)
 * and the invariant of msix.c holds. */
Test(msix, nonsense_keeps_the_invariant)
{
	uint32_t seed = 1;

	for (unsigned i = 0; i < 200000; i++) {
		uint8_t data[8];
		unsigned size;

		seed = seed * 1664525 + 1013904223;
		size = 1u << (seed >> 28 & 3);
		for (unsigned k = 0; k < 8; k++)
			data[k] = (uint8_t)(seed >> (k * 3));
		dev.fail_arm = (seed >> 8 & 15) == 0;
		if ((seed >> 20 & 63) == 0)
			msix_control_write(&msix, (uint16_t)(seed >> 4));
		else
			msix_table_write(&msix, (seed >> 9) % (N * 16 + 64) / size * size, data, size);
		for (unsigned v = 0; v < N; v++) {
			bool want = msix.enabled && !msix.mask_all && !(vectors[v].entry[3] & 1);

			cr_assert(!dev.live[v] || want, "live though masked");
			cr_assert_eq(vectors[v].live, dev.live[v]);
			cr_assert_eq(vectors[v].armed, dev.armed[v]);
		}
	}
}
