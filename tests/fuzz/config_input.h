/* SPDX-License-Identifier: Apache-2.0
 *
 * A PCI device as an input of fuzz_config: what VFIO says of it, its BARs, and config space as
 * patches on zeros. config_put() writes what config_take() reads.
 *
 *   1 byte   flags, below
 *   2 bytes  MSI and MSI-X vectors VFIO has, log2 + 1 each, 0: none; or as many as there can be
 *   7 bytes  BARs and ROM: log2 of the size, 0: none; 0x80: not a power of two
 *   then     patches: 2 bytes of offset (of dwords), 4 of value
 */
#pragma once

#include "tests/fuzz/fuzz.h"
#include "tests/unit/vfio_device.h"

enum {
	INPUT_SMALL = 1, INPUT_RESET = 2, INPUT_ATOMICS = 4, INPUT_INTX = 8, INPUT_NORESIZE = 16,
	INPUT_UNMAPPABLE = 32, INPUT_ODD_SIZE = 0x80, INPUT_PATCH = 6,
};

static inline void config_take(struct input *in, uint8_t raw[PCI_CONFIG_MAX], unsigned *ret_size,
	struct vfio_double *ret)
{
	unsigned flags = (unsigned)take(in, 1), msi = (unsigned)take(in, 1);
	unsigned msix = (unsigned)take(in, 1);

	*ret_size = flags & INPUT_SMALL ? 256 : PCI_CONFIG_MAX;
	ret->can_reset = flags & INPUT_RESET;
	ret->atomics = flags & INPUT_ATOMICS;
	ret->no_resize = flags & INPUT_NORESIZE;
	ret->irqs[VFIO_PCI_INTX_IRQ_INDEX] = !!(flags & INPUT_INTX);
	ret->irqs[VFIO_PCI_MSI_IRQ_INDEX] = msi ? 1u << (msi - 1) % 6 : 0;
	ret->irqs[VFIO_PCI_MSIX_IRQ_INDEX] = msix ? 1u << (msix - 1) % 12 : 0;
	for (unsigned i = 0; i <= VFIO_PCI_ROM_REGION_INDEX; i++) {
		unsigned log2 = (unsigned)take(in, 1);

		if (log2)
			ret->size[i] = (1ull << log2 % 48) + (log2 & INPUT_ODD_SIZE ? 512 : 0);
		ret->mappable[i] = !(flags & INPUT_UNMAPPABLE);
	}
	memset(raw, 0, PCI_CONFIG_MAX);
	while (input_left(in)) {
		unsigned at = (unsigned)take(in, 2) * 4 % PCI_CONFIG_MAX;
		uint32_t value = (uint32_t)take(in, 4);

		memcpy(raw + at, &value, 4);
	}
}

static inline unsigned input_log2(uint64_t n)
{
	unsigned log2 = 0;

	while (n >> (log2 + 1))
		log2++;
	return log2;
}

/* Returns the length, at most 10 + INPUT_PATCH * 1024. */
static inline size_t config_put(uint8_t *to, const uint8_t raw[PCI_CONFIG_MAX], unsigned size,
	const struct vfio_double *says)
{
	unsigned msi = says->irqs[VFIO_PCI_MSI_IRQ_INDEX];
	unsigned msix = says->irqs[VFIO_PCI_MSIX_IRQ_INDEX];
	uint8_t *at = to;

	*at++ = (uint8_t)((size == 256 ? INPUT_SMALL : 0) | (says->can_reset ? INPUT_RESET : 0) |
		(says->atomics ? INPUT_ATOMICS : 0) |
		(says->irqs[VFIO_PCI_INTX_IRQ_INDEX] ? INPUT_INTX : 0));
	*at++ = (uint8_t)(msi ? input_log2(msi) + 1 : 0);
	*at++ = (uint8_t)(msix ? 12 : 0);
	for (unsigned i = 0; i <= VFIO_PCI_ROM_REGION_INDEX; i++)
		*at++ = (uint8_t)(says->size[i] ? input_log2(says->size[i]) : 0);
	for (unsigned i = 0; i < PCI_CONFIG_MAX; i += 4) {
		uint32_t value;

		memcpy(&value, raw + i, 4);
		if (!value)
			continue;
		*at++ = (uint8_t)(i / 4);
		*at++ = (uint8_t)(i / 4 >> 8);
		memcpy(at, &value, 4);
		at += 4;
	}
	return (size_t)(at - to);
}
