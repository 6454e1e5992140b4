/* SPDX-License-Identifier: Apache-2.0
 *
 * The MSI capability a guest sees.
 *
 * Core process, a vCPU thread inside a trapped config access, the function's lock held. Invariant
 * after every call: table holds the messages the registers mean, so a vector is live exactly when
 * MSI is enabled and it is not masked. How many vectors there are is settled when MSI is enabled.
 */
#include <string.h>

#include "vmm/pci/msi.h"

enum { /* 6.8.1.3; multiple message capable and enable are log2 of a number of vectors */
	CTRL_ENABLE = 1, CTRL_CAPABLE_SHIFT = 1, CTRL_COUNT_SHIFT = 4, CTRL_LOG2 = 7,
	CTRL_64 = 0x80, CTRL_MASKS = 0x100,
	REG_CONTROL = 2, REG_ADDR = 4, REG_ADDR_HIGH = 8,
};

static unsigned reg_data(const struct msi *msi)
{
	return msi->control & CTRL_64 ? 12 : 8;
}

static unsigned log2_capable(const struct msi *msi)
{
	return msi->control >> CTRL_CAPABLE_SHIFT & CTRL_LOG2;
}

/* More than the device is capable of is reserved; it gets what there is. */
static unsigned count(const struct msi *msi)
{
	unsigned wanted = msi->control >> CTRL_COUNT_SHIFT & CTRL_LOG2, max = log2_capable(msi);

	return 1u << (wanted < max ? wanted : max);
}

void msi_init(struct msi *msi, const struct msix_ops *ops, void *opaque, uint16_t control)
{
	memset(msi, 0, sizeof(*msi));
	msi->control = control & (CTRL_64 | CTRL_MASKS | CTRL_LOG2 << CTRL_CAPABLE_SHIFT);
	msi->len = reg_data(msi) + (control & CTRL_MASKS ? 12 : 2);
	msix_init(&msi->table, ops, opaque, msi->vectors, 1u << log2_capable(msi));
}

void msi_reset(struct msi *msi)
{
	if (!msi->len)
		return;
	msix_reset(&msi->table);
	msi->control &= ~(CTRL_ENABLE | CTRL_LOG2 << CTRL_COUNT_SHIFT);
	msi->addr = 0;
	msi->data = 0;
	msi->mask = 0;
}

static uint32_t pending(const struct msi *msi)
{
	uint8_t bits[4];

	msix_pba_read(&msi->table, 0, bits, sizeof(bits));
	return bits[0] | (uint32_t)bits[1] << 8 | (uint32_t)bits[2] << 16 | (uint32_t)bits[3] << 24;
}

static uint8_t byte_of(uint64_t value, unsigned at)
{
	return (uint8_t)(value >> (at * 8));
}

uint8_t msi_read(const struct msi *msi, unsigned offset)
{
	unsigned data = reg_data(msi);

	if (offset < REG_ADDR)
		return byte_of(msi->control, offset - REG_CONTROL);
	if (offset < data)
		return byte_of(msi->addr, offset - REG_ADDR);
	if (offset < data + 2)
		return byte_of(msi->data, offset - data);
	if (offset < data + 4)
		return 0;
	return offset < data + 8 ? byte_of(msi->mask, offset - data - 4)
				 : byte_of(pending(msi), offset - data - 8);
}

static void write_byte(struct msi *msi, unsigned offset, uint8_t byte)
{
	const uint16_t writable = CTRL_ENABLE | CTRL_LOG2 << CTRL_COUNT_SHIFT;
	unsigned data = reg_data(msi), at;

	if (offset == REG_CONTROL) {
		msi->control = (uint16_t)((msi->control & ~writable) | (byte & writable));
	} else if (offset >= REG_ADDR && offset < data) {
		at = (offset - REG_ADDR) * 8;
		msi->addr = (msi->addr & ~(0xffull << at)) | (uint64_t)byte << at;
		msi->addr &= ~3ull;
	} else if (offset >= data && offset < data + 2) {
		at = (offset - data) * 8;
		msi->data = (uint16_t)((msi->data & ~(0xffu << at)) | (unsigned)byte << at);
	} else if (offset >= data + 4 && offset < data + 8 && msi->control & CTRL_MASKS) {
		at = (offset - data - 4) * 8;
		msi->mask = (msi->mask & ~(0xffu << at)) | (uint32_t)byte << at;
	}
}

/* The table as the registers have it. A message changes as a whole, or not. */
static void refresh(struct msi *msi)
{
	for (unsigned i = 0; i < msi->table.n; i++) {
		uint32_t low = (msi->data & ~(msi->table.n - 1u)) | i;
		const uint32_t entry[4] = {(uint32_t)msi->addr, (uint32_t)(msi->addr >> 32), low,
			msi->mask >> i & 1};
		uint8_t bytes[MSIX_ENTRY_SIZE];

		memcpy(bytes, entry, sizeof(bytes)); /* x86: little endian, as in the table */
		msix_table_write(&msi->table, i * MSIX_ENTRY_SIZE, bytes, sizeof(bytes));
	}
}

void msi_write(struct msi *msi, unsigned offset, unsigned size, uint32_t value)
{
	bool enable;

	for (unsigned i = 0; i < size; i++)
		if (offset + i < msi->len)
			write_byte(msi, offset + i, byte_of(value, i));
	enable = msi->control & CTRL_ENABLE;
	if (!enable)
		msix_control_write(&msi->table, 0); /* first: every vector goes cold by its number */
	if (!msi->table.enabled)
		msi->table.n = count(msi);
	refresh(msi);
	if (enable)
		msix_control_write(&msi->table, MSIX_CTRL_ENABLE);
}
