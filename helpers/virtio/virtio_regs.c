/* SPDX-License-Identifier: Apache-2.0
 *
 * Registers of a virtio device on PCI: common configuration (virtio 1.2 §4.1.4.3) with the device
 * status machine (§2.1, §3.1.1), device configuration (§4.1.4.6), notifications (§4.1.4.4).
 *
 * Helper process, one thread. What a driver may do when, enforced by dropping everything else:
 *
 *   any time             selects, vectors, status; status bits are only ever added, 0 resets
 *   before FEATURES_OK   driver features
 *   FEATURES_OK          size and addresses of a queue that is not enabled; enabling it
 *   DRIVER_OK            enabling a queue, where the device can; queues are the device's now
 */
#include <string.h>

#include "helpers/virtio/virtio_pci.h"
#include "ipc/log.h"

enum { /* §2.1 */
	ACKNOWLEDGE = 1, DRIVER = 2, DRIVER_OK = 4, FEATURES_OK = 8, NEEDS_RESET = 64, FAILED = 128,
};

enum { /* §4.1.4.3 */
	FEATURE_SELECT = 0, FEATURE = 4, ACCEPTED_SELECT = 8, ACCEPTED = 12, CONFIG_VECTOR = 16,
	NUM_QUEUES = 18, STATUS = 20, GENERATION = 21, QUEUE_SELECT = 22, QUEUE_SIZE = 24,
	QUEUE_VECTOR = 26, QUEUE_ENABLE = 28, QUEUE_NOTIFY_OFF = 30, QUEUE_DESC = 32,
	QUEUE_DRIVER = 40, QUEUE_DEVICE = 48,
};

#define VERSION_1 (1ull << 32)

static void clear_queues(struct virtio_pci *vp)
{
	for (unsigned i = 0; i < vp->n_queues; i++)
		vp->queues[i] = (struct virtio_queue){.max = vp->queues[i].max,
			.size = vp->queues[i].max, .vector = VIRTIO_NO_VECTOR};
}

void virtio_regs_init(struct virtio_pci *vp)
{
	vp->config_vector = VIRTIO_NO_VECTOR;
	clear_queues(vp);
}

/* ---- device configuration ------------------------------------------------------------------- */

/* The generation is counted here, as the device's own is not to be had with a consistent read: it
 * grows when the configuration is found changed (§2.5.1, §4.1.4.3.1). */
static void refresh(struct virtio_pci *vp)
{
	static uint8_t now[VIRTIO_CONFIG_MAX];
	struct err err = {0};

	if (!vp->config_size)
		return;
	if (vp->ops->config_read(vp, now, &err) < 0) {
		log_warn("%s", err.msg);
		return;
	}
	if (memcmp(now, vp->config, vp->config_size) == 0)
		return;
	memcpy(vp->config, now, vp->config_size);
	vp->generation++;
}

static uint64_t device_read(struct virtio_pci *vp, uint64_t offset, unsigned size)
{
	uint64_t value = 0;

	refresh(vp);
	for (unsigned i = 0; i < size && offset + i < vp->config_size; i++)
		value |= (uint64_t)vp->config[offset + i] << 8 * i;
	return value;
}

static void device_write(struct virtio_pci *vp, uint64_t offset, unsigned size, uint64_t value)
{
	if (offset < vp->config_size && size <= vp->config_size - offset)
		vp->ops->config_write(vp, (unsigned)offset, size, (const uint8_t *)&value);
}

/* ---- status --------------------------------------------------------------------------------- */

int virtio_regs_reset(struct virtio_pci *vp, struct err *err)
{
	int r = vp->ops->reset(vp, err);

	/* A device that will not be reset is not shown as one: drivers wait for 0 for ever. It gets
	 * no further than FEATURES_OK the next time. */
	vp->status = 0;
	vp->accepted = 0;
	vp->feature_select = vp->accepted_select = vp->queue_select = 0;
	clear_queues(vp);
	virtio_irq_reset(vp);
	return r;
}

/* §3.1.1 step 5 and 6; a device that says no leaves the bit unset, and the driver gives up. */
static void negotiate(struct virtio_pci *vp)
{
	struct err err = {0};

	if ((vp->accepted & ~vp->offered) || !(vp->accepted & VERSION_1))
		return;
	if (vp->ops->features(vp, vp->accepted, &err) < 0)
		log_warn("features 0x%llx: %s", (unsigned long long)vp->accepted, err.msg);
	else
		vp->status |= FEATURES_OK;
}

static void start(struct virtio_pci *vp)
{
	struct err err = {0};

	vp->status |= DRIVER_OK;
	if (vp->ops->start(vp, &err) == 0)
		return;
	log_error("cannot be started: %s; the guest is told that it needs a reset", err.msg);
	virtio_irq_signal(vp, VIRTIO_CONFIG_EVENT); /* §2.1.2 */
}

static void write_status(struct virtio_pci *vp, uint8_t value)
{
	uint8_t added = value & ~vp->status;
	struct err err = {0};

	if (value == 0) {
		if (virtio_regs_reset(vp, &err) < 0)
			log_error("%s", err.msg);
		return;
	}
	if (added & (ACKNOWLEDGE | DRIVER | FAILED)) {
		vp->status |= added & (ACKNOWLEDGE | DRIVER | FAILED);
		vp->ops->status(vp, vp->status);
	}
	if ((added & FEATURES_OK) && (vp->status & DRIVER) && (vp->status & ACKNOWLEDGE))
		negotiate(vp);
	if ((added & DRIVER_OK) && (vp->status & FEATURES_OK))
		start(vp);
}

static uint8_t read_status(const struct virtio_pci *vp)
{
	bool needs_reset = vp->status && vp->ops->needs_reset(vp);

	return vp->status | (needs_reset ? NEEDS_RESET : 0);
}

/* ---- common configuration ------------------------------------------------------------------- */

static void put(uint8_t *image, unsigned at, unsigned size, uint64_t value)
{
	memcpy(image + at, &value, size);
}

static uint64_t common_read(struct virtio_pci *vp, uint64_t offset, unsigned size)
{
	static const struct virtio_queue none;
	const struct virtio_queue *q =
		vp->queue_select < vp->n_queues ? &vp->queues[vp->queue_select] : &none;
	uint8_t image[COMMON_SIZE + sizeof(uint64_t)] = {0};
	unsigned feature = vp->feature_select, accepted = vp->accepted_select;
	uint64_t value = 0;

	if (offset >= COMMON_SIZE)
		return 0;
	if (offset <= GENERATION && offset + size > GENERATION)
		refresh(vp);
	put(image, FEATURE_SELECT, 4, feature);
	put(image, FEATURE, 4, feature < 2 ? vp->offered >> 32 * feature : 0);
	put(image, ACCEPTED_SELECT, 4, accepted);
	put(image, ACCEPTED, 4, accepted < 2 ? vp->accepted >> 32 * accepted : 0);
	put(image, CONFIG_VECTOR, 2, vp->config_vector);
	put(image, NUM_QUEUES, 2, vp->n_queues);
	if (offset <= STATUS && offset + size > STATUS)
		image[STATUS] = read_status(vp);
	image[GENERATION] = vp->generation;
	put(image, QUEUE_SELECT, 2, vp->queue_select);
	put(image, QUEUE_SIZE, 2, q->size);
	put(image, QUEUE_VECTOR, 2, q == &none ? VIRTIO_NO_VECTOR : q->vector);
	put(image, QUEUE_ENABLE, 2, q->enabled);
	put(image, QUEUE_NOTIFY_OFF, 2, q == &none ? 0 : vp->queue_select);
	put(image, QUEUE_DESC, 8, q->desc);
	put(image, QUEUE_DRIVER, 8, q->driver);
	put(image, QUEUE_DEVICE, 8, q->device);
	memcpy(&value, image + offset, size);
	return value;
}

static void write_accepted(struct virtio_pci *vp, uint32_t value)
{
	unsigned shift = vp->accepted_select * 32;

	if (vp->accepted_select < 2 && !(vp->status & FEATURES_OK))
		vp->accepted = (vp->accepted & ~(0xffffffffull << shift)) | (uint64_t)value << shift;
}

/* A vector that is not there reads back as none: the driver sees it did not take (§4.1.5.1.2). */
static uint16_t check_vector(const struct virtio_pci *vp, uint32_t value)
{
	return value <= vp->n_queues ? (uint16_t)value : VIRTIO_NO_VECTOR;
}

static void write_enable(struct virtio_pci *vp, struct virtio_queue *q, uint32_t value)
{
	struct err err = {0};

	if (value != 1 || q->enabled || !(vp->status & FEATURES_OK))
		return;
	if (!(vp->status & DRIVER_OK))
		q->enabled = true;
	else if (vp->ops->enable && vp->ops->enable(vp, vp->queue_select, &err) == 0)
		q->enabled = true;
	else
		log_warn("queue %u cannot be enabled while the device runs%s%s", vp->queue_select,
			err.code ? ": " : "", err.msg);
}

static void set_half(uint64_t *field, unsigned high, uint32_t value)
{
	unsigned shift = high ? 32 : 0;

	*field = (*field & ~(0xffffffffull << shift)) | (uint64_t)value << shift;
}

/* Size and addresses (§4.1.4.3.2). */
static void write_geometry(const struct virtio_pci *vp, struct virtio_queue *q, unsigned offset,
	uint32_t value)
{
	unsigned high = offset & 4;

	if (q->enabled || (vp->status & (FEATURES_OK | DRIVER_OK)) != FEATURES_OK)
		return;
	switch (offset & ~4u) {
	case QUEUE_SIZE:
		if (value && value <= q->max && !(value & (value - 1)))
			q->size = (uint16_t)value;
		break;
	case QUEUE_DESC: set_half(&q->desc, high, value); break;
	case QUEUE_DRIVER: set_half(&q->driver, high, value); break;
	case QUEUE_DEVICE: set_half(&q->device, high, value); break;
	default: break;
	}
}

static void queue_write(struct virtio_pci *vp, unsigned offset, uint32_t value)
{
	struct virtio_queue *q;

	if (vp->queue_select >= vp->n_queues)
		return;
	q = &vp->queues[vp->queue_select];
	if (offset == QUEUE_VECTOR) {
		q->vector = check_vector(vp, value);
		vp->ops->rewire(vp, vp->queue_select);
	} else if (offset == QUEUE_ENABLE) {
		write_enable(vp, q, value);
	} else {
		write_geometry(vp, q, offset, value);
	}
}

/* Each field by its own width (§4.1.3.1); what is narrower, wider or between fields is dropped. */
static unsigned width(unsigned offset)
{
	if (offset < CONFIG_VECTOR || (offset >= QUEUE_DESC && offset < COMMON_SIZE))
		return 4;
	return offset == STATUS || offset == GENERATION ? 1 : 2;
}

static void common_write(struct virtio_pci *vp, uint64_t at, unsigned size, uint64_t value)
{
	unsigned offset = (unsigned)at;

	if (at >= QUEUE_DESC && size == 8) {
		common_write(vp, at, 4, (uint32_t)value);
		common_write(vp, at + 4, 4, value >> 32);
		return;
	}
	if (at >= COMMON_SIZE || size != width(offset))
		return;
	switch (offset) {
	case FEATURE_SELECT: vp->feature_select = (uint32_t)value; break;
	case ACCEPTED_SELECT: vp->accepted_select = (uint32_t)value; break;
	case ACCEPTED: write_accepted(vp, (uint32_t)value); break;
	case CONFIG_VECTOR:
		vp->config_vector = check_vector(vp, (uint32_t)value);
		vp->ops->rewire(vp, VIRTIO_CONFIG_EVENT);
		break;
	case STATUS: write_status(vp, (uint8_t)value); break;
	case QUEUE_SELECT: vp->queue_select = (uint16_t)value; break;
	default: queue_write(vp, offset, (uint32_t)value); break;
	}
}

/* ---- BARs ----------------------------------------------------------------------------------- */

int virtio_region_read(struct virtio_pci *vp, unsigned bar, uint64_t offset, unsigned size,
	uint64_t *ret, struct err *err)
{
	uint64_t value = 0;

	(void)err;
	if (bar == VIRTIO_BAR_REGS && offset < REGS_ISR)
		value = common_read(vp, offset, size);
	else if (bar == VIRTIO_BAR_REGS && offset == REGS_ISR)
		value = virtio_irq_isr(vp);
	else if (bar == VIRTIO_BAR_REGS && offset >= REGS_DEVICE && offset < REGS_TABLE)
		value = device_read(vp, offset - REGS_DEVICE, size);
	*ret = value;
	return 0;
}

int virtio_region_write(struct virtio_pci *vp, unsigned bar, uint64_t offset, unsigned size,
	uint64_t value, struct err *err)
{
	uint64_t queue = offset / NOTIFY_STRIDE;

	(void)err;
	if (bar == VIRTIO_BAR_REGS && offset < REGS_ISR)
		common_write(vp, offset, size, value);
	else if (bar == VIRTIO_BAR_REGS && offset >= REGS_DEVICE && offset < REGS_TABLE)
		device_write(vp, offset - REGS_DEVICE, size, value);
	else if (bar == VIRTIO_BAR_NOTIFY && offset % NOTIFY_STRIDE == 0 && queue < vp->n_queues)
		vp->ops->kick(vp, (unsigned)queue);
	return 0;
}
