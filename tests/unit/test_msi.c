/* SPDX-License-Identifier: Apache-2.0
 *
 * The MSI capability against recording ops: a 64-bit one with masks, and the smallest.
 *
 * links: vmm/pci/msi.c vmm/pci/msix.c
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "vmm/pci/msi.h"

enum { BIG = 0x80 | 0x100 | 3 << 1, SMALL = 0 };

static struct msi msi;
static struct {
	unsigned on; /* vectors of the mode, 0: off */
	bool fail_mode, armed[MSI_VECTORS_MAX], live[MSI_VECTORS_MAX], pending[MSI_VECTORS_MAX];
	uint64_t addr[MSI_VECTORS_MAX];
	uint32_t data[MSI_VECTORS_MAX];
} dev;

static int mode(void *o, bool enable)
{
	(void)o;
	if (dev.fail_mode)
		return -ENOSPC;
	dev.on = enable ? msi.table.n : 0;
	return 0;
}

static int arm(void *o, unsigned v)
{
	(void)o;
	cr_assert(v < dev.on && !dev.armed[v]);
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
	return dev.pending[v];
}

static const struct msix_ops ops = {mode, arm, cool, live, quiet, pending};

static uint32_t get(unsigned at, unsigned size)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (uint32_t)msi_read(&msi, at + i) << (8 * i);
	return value;
}

static unsigned n_live(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < MSI_VECTORS_MAX; i++)
		n += dev.live[i];
	return n;
}

/* Four of eight vectors, as Linux sets them up: message, then enable. */
static void enable_four(void)
{
	memset(&dev, 0, sizeof(dev));
	msi_init(&msi, &ops, NULL, BIG | 0x70);
	msi_write(&msi, 4, 4, 0xfee01003);
	msi_write(&msi, 8, 4, 1);
	msi_write(&msi, 12, 2, 0x4047);
	cr_assert_eq(dev.on, 0);
	msi_write(&msi, 2, 2, 2 << 4 | 1);
}

Test(msi, registers)
{
	enable_four();
	cr_assert_eq(msi.len, 24);
	cr_assert_eq(get(2, 2), (BIG | 2 << 4 | 1), "capable, width and masks are read-only");
	cr_assert_eq(get(4, 4), 0xfee01000, "the low bits are reserved");
	cr_assert_eq(get(8, 4), 1);
	cr_assert_eq(get(12, 4), 0x4047);
	cr_assert_eq(get(16, 4), 0);
}

Test(msi, vector_in_the_low_bits_of_data)
{
	enable_four();
	cr_assert_eq(dev.on, 4);
	cr_assert_eq(n_live(), 4);
	for (unsigned i = 0; i < 4; i++) {
		cr_assert_eq(dev.data[i], 0x4044 + i);
		cr_assert_eq(dev.addr[i], 0x1fee01000);
	}
}

Test(msi, masks_keep_a_vector_quiet_and_show_it_pending)
{
	enable_four();
	msi_write(&msi, 16, 4, 1 << 2);
	cr_assert(dev.armed[2] && !dev.live[2] && n_live() == 3);
	dev.pending[2] = true;
	cr_assert_eq(get(20, 4), 1 << 2);
	msi_write(&msi, 20, 4, 0xffffffff);
	msi_write(&msi, 16, 1, 0);
	cr_assert_eq(n_live(), 4);
}

Test(msi, message_changes_while_on)
{
	enable_four();
	msi_write(&msi, 12, 2, 0x4090);
	cr_assert_eq(dev.data[3], 0x4093);
	cr_assert_eq(n_live(), 4);
}

Test(msi, off_and_on_with_another_count)
{
	enable_four();
	msi_write(&msi, 2, 2, 7 << 4 | 1);
	cr_assert_eq(dev.on, 4, "the count is settled when it is enabled");
	msi_write(&msi, 2, 2, 7 << 4);
	cr_assert(dev.on == 0 && n_live() == 0 && !dev.armed[0]);
	msi_write(&msi, 2, 2, 7 << 4 | 1);
	cr_assert_eq(dev.on, 8, "more than it is capable of: all it has");
	cr_assert_eq(n_live(), 8);
	msi_reset(&msi);
	cr_assert(dev.on == 0 && n_live() == 0);
	cr_assert_eq(get(2, 2), BIG);
}

Test(msi, smallest)
{
	memset(&dev, 0, sizeof(dev));
	msi_init(&msi, &ops, NULL, SMALL);
	cr_assert_eq(msi.len, 10);
	msi_write(&msi, 4, 4, 0xfee00000);
	msi_write(&msi, 8, 4, 0xffff0031);
	msi_write(&msi, 2, 2, 1);
	cr_assert(dev.on == 1 && dev.live[0] && dev.data[0] == 0x31 && dev.addr[0] == 0xfee00000);
}

Test(msi, a_device_that_cannot)
{
	memset(&dev, 0, sizeof(dev));
	dev.fail_mode = true;
	msi_init(&msi, &ops, NULL, SMALL);
	msi_write(&msi, 2, 2, 1);
	cr_assert_eq(n_live(), 0);
	dev.fail_mode = false;
	msi_write(&msi, 2, 2, 1);
	cr_assert_eq(n_live(), 1);
}
