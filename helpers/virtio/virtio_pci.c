/* SPDX-License-Identifier: Apache-2.0
 *
 * A virtio device on PCI as a whole: made, described to the core, reset.
 *
 * Helper process, one thread. What a driver sees of it is in virtio_regs.c, virtio_config.c and
 * virtio_irq.c.
 */
#include <errno.h>
#include <string.h>

#include "helpers/virtio/virtio_pci.h"

/* Feature bits passed through (§6, §2.2): device types' own 0-23 and 50-63, and of the others
 * INDIRECT_DESC, EVENT_IDX, VERSION_1, ACCESS_PLATFORM, RING_PACKED, IN_ORDER, ORDER_PLATFORM.
 * SR_IOV and RING_RESET need registers we do not have; NOTIFICATION_DATA and NOTIF_CONFIG_DATA say
 * more in a notification than an eventfd can carry. */
#define VERSION_1 (1ull << 32)
#define FEATURES  (0xffffffull | 3ull << 28 | 0x1full << 32 | ~0ull << 50)

int virtio_pci_init(struct virtio_pci *vp, struct err *err)
{
	int r = virtio_irq_init(vp, err);

	if (r < 0)
		return r;
	if (!(vp->offered & VERSION_1))
		return err_set(err, -ENOTSUP, BLAME_HOST,
			"it is a legacy device (virtio before 1.0, no VIRTIO_F_VERSION_1)");
	vp->offered = virtio_features_fit(vp->type, vp->offered & FEATURES);
	virtio_regs_init(vp);
	virtio_config_build(vp);
	return 0;
}

void virtio_pci_describe(const struct virtio_pci *vp, struct function_desc *ret)
{
	uint64_t notify = NOTIFY_STRIDE;

	while (notify < vp->n_queues * (uint64_t)NOTIFY_STRIDE)
		notify *= 2;
	*ret = (struct function_desc){
		.config_size = sizeof(vp->pci),
		.regions[VIRTIO_BAR_REGS] = {.size = REGS_SIZE, .is_64 = true},
		.regions[VIRTIO_BAR_NOTIFY] = {.size = notify, .is_64 = true},
		.msix = {.vectors = vp->n_queues + 1, .cap = VIRTIO_CAP_MSIX,
			.table_offset = REGS_TABLE, .pba_offset = REGS_PBA},
		.doorbells = {.count = vp->n_queues, .bar = VIRTIO_BAR_NOTIFY,
			.stride = NOTIFY_STRIDE},
		.intx = true,
	};
	if (vp->n_pages) {
		struct region_desc *region = &ret->regions[VIRTIO_BAR_NOTIFY];

		region->doorbell_pages = true;
		region->n_ranges = 1;
		region->ranges[0].size = vp->n_pages * (uint64_t)NOTIFY_STRIDE;
	}
	memcpy(ret->config, vp->pci, sizeof(vp->pci));
}

int virtio_pci_reset(struct virtio_pci *vp, struct err *err)
{
	int r = virtio_regs_reset(vp, err);

	virtio_config_build(vp);
	return r;
}
