/* SPDX-License-Identifier: Apache-2.0
 *
 * From the driver's view of the device to vhost's: status, features, queues.
 *
 * vDPA helper, at run time. A queue is told to the device when the driver says DRIVER_OK, not
 * before: size, base, addresses, kick, call, and enabled if the driver enabled it. Every queue gets
 * its call eventfd by then, used or not, as vp_vdpa asks its device for interrupt vectors at
 * DRIVER_OK and for queues with a call only; which eventfd it is may change later. Queues are
 * taken away by a reset only: a device that is itself virtio cannot disable one.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "helpers/vdpa/vdpa.h"
#include "ipc/log.h"

enum { DRIVER_OK = 4, FEATURES_OK = 8, NEEDS_RESET = 64 }; /* virtio 1.2 §2.1 */

#define ACCESS_PLATFORM (1ull << 33)

int vring_reset(struct err *err)
{
	int r;

	/* Of no use any more either way: the driver takes its rings back. */
	memset(vdpa.ringed, 0, sizeof(vdpa.ringed));
	vdpa.dead = false;
	r = device_set_status(&vdpa, 0, err);
	if (r < 0)
		return r;
	vdpa.running = false;
	if (!BACKEND_HAS(&vdpa, IOTLB_PERSIST))
		vdpa.maps_stale = true;
	return 0;
}

void vring_status(uint8_t status)
{
	struct err err = {0};

	if (device_set_status(&vdpa, status, &err) < 0)
		log_warn("status 0x%x: %s", status, err.msg);
}

/* The device translates its addresses whatever the driver knows of it. */
int vring_features(uint64_t features, struct err *err)
{
	uint8_t status = 0;
	int r;

	features |= ACCESS_PLATFORM;
	r = VDPA_ASK(&vdpa, VHOST_SET_FEATURES, &features, err);
	if (r == 0)
		r = device_set_status(&vdpa, vdpa.virtio.status | FEATURES_OK, err);
	if (r == 0)
		r = device_get_status(&vdpa, &status, err);
	if (r == 0 && !(status & FEATURES_OK))
		r = err_set(err, -EINVAL, BLAME_GUEST, "the device does not take them");
	return r;
}

/* A queue begins at 0; in a packed ring with both wrap counters set (§2.8.1). A device without
 * state to set (vp_vdpa) is there already. */
static int set_base(unsigned queue, struct err *err)
{
	struct vhost_vring_state base = {.index = queue};
	int r;

	if (vdpa.virtio.accepted & RING_PACKED)
		base.num = 0x80008000;
	r = VDPA_ASK(&vdpa, VHOST_SET_VRING_BASE, &base, err);
	return r == -EOPNOTSUPP ? 0 : r;
}

/* IOVAs in the fields for user addresses: guest-physical ones, as in iotlb.c. */
static int set_ring(unsigned queue, struct err *err)
{
	const struct virtio_queue *q = &vdpa.virtio.queues[queue];
	struct vhost_vring_state num = {.index = queue, .num = q->size};
	struct vhost_vring_addr addr = {.index = queue, .desc_user_addr = q->desc,
		.avail_user_addr = q->driver, .used_user_addr = q->device};
	int r = VDPA_ASK(&vdpa, VHOST_SET_VRING_NUM, &num, err);

	if (r == 0)
		r = set_base(queue, err);
	if (r == 0)
		r = VDPA_ASK(&vdpa, VHOST_SET_VRING_ADDR, &addr, err);
	vdpa.ringed[queue] = r == 0;
	return r;
}

static int set_call(unsigned which, struct err *err)
{
	int fd = virtio_irq_fd(&vdpa.virtio, which);
	struct vhost_vring_file call = {.index = which, .fd = fd};

	if (which == VIRTIO_CONFIG_EVENT)
		return VDPA_ASK(&vdpa, VHOST_VDPA_SET_CONFIG_CALL, &fd, err);
	return VDPA_ASK(&vdpa, VHOST_SET_VRING_CALL, &call, err);
}

static int set_enable(unsigned queue, struct err *err)
{
	struct vhost_vring_state enable = {.index = queue, .num = 1};

	return VDPA_ASK(&vdpa, VHOST_VDPA_SET_VRING_ENABLE, &enable, err);
}

static int set_queue(unsigned queue, struct err *err)
{
	const struct virtio_queue *q = &vdpa.virtio.queues[queue];
	struct vhost_vring_file kick = {.index = queue, .fd = vdpa.kicks[queue].n};
	int r = 0;

	/* Not enabled but with addresses: may be enabled while the device runs. */
	if (q->enabled || q->desc)
		r = set_ring(queue, err);
	if (r == 0)
		r = VDPA_ASK(&vdpa, VHOST_SET_VRING_KICK, &kick, err);
	if (r == 0)
		r = set_call(queue, err);
	if (r == 0 && q->enabled)
		r = set_enable(queue, err);
	return r < 0 ? err_prefix(err, "queue %u", queue) : 0;
}

int vring_start(struct err *err)
{
	uint8_t status = 0;
	int r = iotlb_refresh(&vdpa, err);

	if (r == 0)
		r = set_call(VIRTIO_CONFIG_EVENT, err);
	for (unsigned i = 0; i < vdpa.virtio.n_queues && r == 0; i++)
		r = set_queue(i, err);
	if (r == 0)
		r = device_set_status(&vdpa, vdpa.virtio.status, err);
	if (r < 0)
		return r;
	vdpa.running = true; /* as far as we know, and until a reset */
	backend_started();
	r = device_get_status(&vdpa, &status, err);
	if (r == 0 && (status & (DRIVER_OK | NEEDS_RESET)) != DRIVER_OK)
		r = err_set(err, -EIO, BLAME_HOST, "the device does not come up, its status is 0x%x",
			status);
	return r;
}

int vring_enable(unsigned queue, struct err *err)
{
	if (!BACKEND_HAS(&vdpa, ENABLE_AFTER_DRIVER_OK) || !vdpa.ringed[queue])
		return err_set(err, -EOPNOTSUPP, BLAME_GUEST, "the device cannot");
	return set_enable(queue, err);
}

bool vring_needs_reset(void)
{
	uint8_t status = 0;

	return device_get_status(&vdpa, &status, NULL) < 0 || (status & NEEDS_RESET);
}

void vring_kick(unsigned queue)
{
	const uint64_t one = 1;

	if (vdpa.kicks[queue].n >= 0 && write(vdpa.kicks[queue].n, &one, sizeof(one)) < 0)
		return; /* a full counter says as much */
}

void vring_rewire(unsigned which)
{
	struct err err = {0};

	if (vdpa.running && set_call(which, &err) < 0)
		log_warn("queue %u: %s", which, err.msg);
}
