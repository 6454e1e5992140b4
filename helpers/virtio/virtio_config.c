/* SPDX-License-Identifier: Apache-2.0
 *
 * Config space of a virtio device on PCI: ids (virtio 1.2 §4.1.2), capabilities (§4.1.4), and the
 * window into the BARs that is in config space itself (§4.1.4.9).
 *
 * Helper process, one thread. BAR registers and MSI-X Message Control are the core's; what is here
 * in their place no guest sees.
 *
 * COMMAND's Bus Master Enable is kept and shown, and gates nothing: the queues run past this
 * process, the IOMMU bounds what they reach whatever the bit says, and a driver stops them by a
 * reset (virtio 1.2 §3.3). A guest that clears the bit and counts on it harms itself.
 */
#include <string.h>

#include "helpers/virtio/virtio_pci.h"

enum { /* PCI 3.0 §6.1, §6.2 */
	VENDOR = 0x1af4, DEVICE_BASE = 0x1040, SUBSYSTEM = 0x1100, REVISION = 1,
	REG_STATUS = 0x06, STATUS_CAPS = 0x10, STATUS_INTX = 0x08,
	REG_LINE = 0x3c, REG_PIN = 0x3d,
	COMMAND_BITS = 0x0006 | PCI_COMMAND_NO_INTX, /* memory, bus master, no INTx */
	CAP_VENDOR = 0x09, CAP_MSIX = 0x11,
};

enum { /* §4.1.4: cfg_type; where each capability is */
	TYPE_COMMON = 1, TYPE_NOTIFY, TYPE_ISR, TYPE_DEVICE, TYPE_PCI,
	AT_COMMON = 0x4c, AT_NOTIFY = 0x5c, AT_ISR = 0x70, AT_DEVICE = 0x80, AT_WINDOW = 0x90,
	CAP_LEN = 16, WINDOW_LEN = 20,
	WINDOW_BAR = AT_WINDOW + 4, WINDOW_OFFSET = AT_WINDOW + 8, WINDOW_SIZE = AT_WINDOW + 12,
	WINDOW_DATA = AT_WINDOW + 16, WINDOW_END = AT_WINDOW + WINDOW_LEN,
};

/* Class code by virtio device type (PCI code and id assignment); others: unassigned. */
static const struct {
	uint16_t type, class;
} classes[] = {
	{VIRTIO_NET, 0x0200},    /* ethernet */
	{VIRTIO_BLOCK, 0x0100},  /* SCSI storage, as every hypervisor has it */
	{3, 0x0780},             /* console: communication */
	{VIRTIO_SCSI, 0x0100},
	{VIRTIO_GPU, 0x0380},    /* display */
	{18, 0x0980},            /* input */
	{19, 0x0780},            /* socket */
	{VIRTIO_CRYPTO, 0x1080},
	{VIRTIO_FS, 0x0180},     /* storage */
};

static void put(struct virtio_pci *vp, unsigned at, unsigned size, uint32_t value)
{
	memcpy(vp->pci + at, &value, size);
}

static uint32_t get(const struct virtio_pci *vp, unsigned at, unsigned size)
{
	uint32_t value = 0;

	memcpy(&value, vp->pci + at, size);
	return value;
}

static void add_cap(struct virtio_pci *vp, unsigned at, unsigned next, unsigned type, unsigned bar,
	uint32_t offset, uint32_t len)
{
	put(vp, at, 4, CAP_VENDOR | next << 8 | CAP_LEN << 16 | type << 24);
	put(vp, at + 4, 1, bar);
	put(vp, at + 8, 4, offset);
	put(vp, at + 12, 4, len);
}

void virtio_config_build(struct virtio_pci *vp)
{
	uint16_t class = 0x00ff;

	for (unsigned i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (classes[i].type == vp->type)
			class = classes[i].class;
	memset(vp->pci, 0, sizeof(vp->pci));
	put(vp, 0x00, 4, VENDOR | (uint32_t)(DEVICE_BASE + vp->type) << 16);
	put(vp, REG_STATUS, 2, STATUS_CAPS);
	put(vp, 0x08, 4, REVISION | (uint32_t)class << 16);
	put(vp, 0x2c, 4, VENDOR | (uint32_t)SUBSYSTEM << 16);
	put(vp, 0x34, 1, VIRTIO_CAP_MSIX);
	put(vp, REG_PIN, 1, 1);
	put(vp, VIRTIO_CAP_MSIX, 4, CAP_MSIX | AT_COMMON << 8 | vp->n_queues << 16);
	put(vp, VIRTIO_CAP_MSIX + 4, 4, REGS_TABLE | VIRTIO_BAR_REGS);
	put(vp, VIRTIO_CAP_MSIX + 8, 4, REGS_PBA | VIRTIO_BAR_REGS);
	add_cap(vp, AT_COMMON, AT_NOTIFY, TYPE_COMMON, VIRTIO_BAR_REGS, REGS_COMMON, COMMON_SIZE);
	add_cap(vp, AT_NOTIFY, AT_ISR, TYPE_NOTIFY, VIRTIO_BAR_NOTIFY, 0,
		vp->n_queues * NOTIFY_STRIDE);
	put(vp, AT_NOTIFY + 2, 1, CAP_LEN + 4);
	put(vp, AT_NOTIFY + CAP_LEN, 4, NOTIFY_STRIDE);
	/* A device without a configuration of its own has no such structure (§4.1.4.6.1). */
	add_cap(vp, AT_ISR, vp->config_size ? AT_DEVICE : AT_WINDOW, TYPE_ISR, VIRTIO_BAR_REGS,
		REGS_ISR, 1);
	add_cap(vp, AT_DEVICE, AT_WINDOW, TYPE_DEVICE, VIRTIO_BAR_REGS, REGS_DEVICE,
		vp->config_size);
	add_cap(vp, AT_WINDOW, 0, TYPE_PCI, 0, 0, 0);
	put(vp, AT_WINDOW + 2, 1, WINDOW_LEN);
}

/* Where the window points: one aligned access inside BAR 0 or BAR 2. */
static bool window(const struct virtio_pci *vp, unsigned *ret_bar, uint64_t *ret_offset,
	unsigned *ret_size)
{
	uint32_t bar = get(vp, WINDOW_BAR, 1), offset = get(vp, WINDOW_OFFSET, 4);
	uint32_t size = get(vp, WINDOW_SIZE, 4);
	uint32_t end = bar == VIRTIO_BAR_REGS ? REGS_SIZE
		: bar == VIRTIO_BAR_NOTIFY    ? vp->n_queues * NOTIFY_STRIDE
					      : 0;

	if ((size != 1 && size != 2 && size != 4) || offset % size || offset >= end ||
		size > end - offset)
		return false;
	*ret_bar = bar;
	*ret_offset = offset;
	*ret_size = size;
	return true;
}

int virtio_config_read(struct virtio_pci *vp, unsigned offset, unsigned size, uint32_t *ret,
	struct err *err)
{
	uint64_t value, at;
	unsigned bar, len;
	int r = 0;

	if (offset < WINDOW_END && offset + size > WINDOW_DATA && window(vp, &bar, &at, &len)) {
		r = virtio_region_read(vp, bar, at, len, &value, err);
		if (r == 0)
			put(vp, WINDOW_DATA, len, (uint32_t)value);
	}
	if (virtio_irq_intx_pending(vp))
		vp->pci[REG_STATUS] |= STATUS_INTX;
	else
		vp->pci[REG_STATUS] &= (uint8_t)~STATUS_INTX;
	if (r == 0)
		*ret = get(vp, offset, size);
	return r;
}

/* Which bits of a byte of config space a guest may change. */
static uint8_t writable(unsigned at)
{
	if (at == PCI_COMMAND_REG || at == PCI_COMMAND_REG + 1)
		return (uint8_t)(COMMAND_BITS >> (at - PCI_COMMAND_REG) * 8);
	if (at == REG_LINE || at == WINDOW_BAR || (at >= WINDOW_OFFSET && at < WINDOW_END))
		return 0xff;
	return 0;
}

int virtio_config_write(struct virtio_pci *vp, unsigned offset, unsigned size, uint32_t value,
	struct err *err)
{
	unsigned bar, len;
	uint64_t at;

	for (unsigned i = 0; i < size; i++) {
		uint8_t mask = writable(offset + i), *byte = &vp->pci[offset + i];

		*byte = (uint8_t)((*byte & ~mask) | (value >> i * 8 & mask));
	}
	if (offset <= PCI_COMMAND_REG + 1 && offset + size > PCI_COMMAND_REG)
		virtio_irq_raise_pin(vp);
	if (offset < WINDOW_END && offset + size > WINDOW_DATA && window(vp, &bar, &at, &len))
		return virtio_region_write(vp, bar, at, len, get(vp, WINDOW_DATA, len), err);
	return 0;
}
