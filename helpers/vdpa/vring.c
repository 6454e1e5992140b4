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

enum { DRIVER_OK = 4, NEEDS_RESET = 64 }; /* virtio 1.2 §2.1 */

int vring_reset(struct virtio_pci *vp, struct err *err)
{
	int r = device_set_status(vdpa_of(vp), 0, err);

	vdpa_happened(vdpa_of(vp), r < 0 ? LIFE_RESET_FAILED : LIFE_DID_RESET);
	return r;
}

/* A device that could not be started is not started by giving it up. */
void vring_status(struct virtio_pci *vp, uint8_t status)
{
	const struct vdpa *v = vdpa_of(vp);
	struct err err = {0};

	if (v->life == LIFE_BROKEN)
		status &= (uint8_t)~DRIVER_OK;
	if (device_set_status(v, status, &err) < 0)
		log_warn("status 0x%x: %s", status, err.msg);
}

/* A driver that goes on after a reset that failed gets no further than this. */
int vring_features(struct virtio_pci *vp, uint64_t features, struct err *err)
{
	const struct vdpa *v = vdpa_of(vp);

	if (v->life != LIFE_RESET)
		return err_set(err, -EBUSY, BLAME_HOST, "the device was not reset before");
	return device_set_features(v, features, vp->status, err);
}

/* A queue begins at 0; in a packed ring with both wrap counters set (§2.8.1). A device without
 * state to set (vp_vdpa) is there already. */
static int set_base(const struct vdpa *v, unsigned queue, struct err *err)
{
	struct vhost_vring_state base = {.index = queue};
	int r;

	if (v->virtio.accepted & RING_PACKED)
		base.num = 0x80008000;
	r = VDPA_ASK(v, VHOST_SET_VRING_BASE, &base, err);
	return r == -EOPNOTSUPP ? 0 : r;
}

/* IOVAs in the fields for user addresses: guest-physical ones, as in iotlb.c. */
static int set_ring(const struct vdpa *v, unsigned queue, struct err *err)
{
	const struct virtio_queue *q = &v->virtio.queues[queue];
	struct vhost_vring_state num = {.index = queue, .num = q->size};
	struct vhost_vring_addr addr = {.index = queue, .desc_user_addr = q->desc,
		.avail_user_addr = q->driver, .used_user_addr = q->device};
	int r = VDPA_ASK(v, VHOST_SET_VRING_NUM, &num, err);

	if (r == 0)
		r = set_base(v, queue, err);
	if (r == 0)
		r = VDPA_ASK(v, VHOST_SET_VRING_ADDR, &addr, err);
	return r;
}

static int set_call(const struct vdpa *v, unsigned which, struct err *err)
{
	int fd = virtio_irq_fd(&v->virtio, which);
	struct vhost_vring_file call = {.index = which, .fd = fd};

	if (which == VIRTIO_CONFIG_EVENT)
		return VDPA_ASK(v, VHOST_VDPA_SET_CONFIG_CALL, &fd, err);
	return VDPA_ASK(v, VHOST_SET_VRING_CALL, &call, err);
}

static int set_enable(const struct vdpa *v, unsigned queue, struct err *err)
{
	struct vhost_vring_state enable = {.index = queue, .num = 1};

	return VDPA_ASK(v, VHOST_VDPA_SET_VRING_ENABLE, &enable, err);
}

static int set_queue(const struct vdpa *v, unsigned queue, struct err *err)
{
	const struct virtio_queue *q = &v->virtio.queues[queue];
	struct vhost_vring_file kick = {.index = queue, .fd = v->kicks[queue].n};
	int r = 0;

	/* Not enabled but with addresses: may be enabled while the device runs. */
	if (q->enabled || q->desc)
		r = set_ring(v, queue, err);
	if (r == 0)
		r = VDPA_ASK(v, VHOST_SET_VRING_KICK, &kick, err);
	if (r == 0)
		r = set_call(v, queue, err);
	if (r == 0 && q->enabled)
		r = set_enable(v, queue, err);
	return r < 0 ? err_prefix(err, "queue %u", queue) : 0;
}

static int start(const struct vdpa *v, struct err *err)
{
	uint8_t status = 0;
	int r = set_call(v, VIRTIO_CONFIG_EVENT, err);

	for (unsigned i = 0; i < v->virtio.n_queues && r == 0; i++)
		r = set_queue(v, i, err);
	if (r == 0)
		r = device_set_status(v, v->virtio.status, err);
	if (r == 0)
		r = device_get_status(v, &status, err);
	if (r == 0 && (status & (DRIVER_OK | NEEDS_RESET)) != DRIVER_OK)
		r = err_set(err, -EIO, BLAME_HOST, "the device does not come up, its status is 0x%x",
			status);
	return r;
}

int vring_start(struct virtio_pci *vp, struct err *err)
{
	struct vdpa *v = vdpa_of(vp);
	int r = iotlb_refresh(v, err);

	if (r == 0)
		r = start(v, err);
	vdpa_happened(v, r < 0 ? LIFE_START_FAILED : LIFE_STARTED);
	if (r == 0)
		backend_started(v);
	return r;
}

/* Only what was told to the device at its start: set_queue. */
int vring_enable(struct virtio_pci *vp, unsigned queue, struct err *err)
{
	const struct vdpa *v = vdpa_of(vp);

	if (!BACKEND_HAS(v, ENABLE_AFTER_DRIVER_OK) || v->life != LIFE_RUNNING ||
		!vp->queues[queue].desc)
		return err_set(err, -EOPNOTSUPP, BLAME_GUEST, "the device cannot");
	return set_enable(v, queue, err);
}

bool vring_needs_reset(const struct virtio_pci *vp)
{
	const struct vdpa *v = vdpa_of(vp);
	uint8_t status = 0;

	if (v->life == LIFE_BROKEN || v->life == LIFE_DEAD)
		return true;
	return device_get_status(v, &status, NULL) < 0 || (status & NEEDS_RESET);
}

void vring_kick(struct virtio_pci *vp, unsigned queue)
{
	const struct vdpa *v = vdpa_of(vp);
	const uint64_t one = 1;

	if (v->kicks[queue].n >= 0 && write(v->kicks[queue].n, &one, sizeof(one)) < 0)
		return; /* a full counter says as much */
}

/* A device that does not run gets its eventfds when it starts. */
void vring_rewire(struct virtio_pci *vp, unsigned which)
{
	const struct vdpa *v = vdpa_of(vp);
	struct err err = {0};

	if (v->life != LIFE_RESET && set_call(v, which, &err) < 0)
		log_warn("queue %u: %s", which, err.msg);
}

/* One that may run though it should not is made to stand still, too; what a dead one has to be
 * answered is, before the VM counts as standing still. */
int vring_suspend(struct vdpa *v, struct err *err)
{
	int r = v->life == LIFE_RUNNING || v->life == LIFE_BROKEN
		? VDPA_ASK(v, VHOST_VDPA_SUSPEND, NULL, err) : 0;

	if (v->life == LIFE_DEAD)
		backend_tick(v);
	if (r == 0)
		vdpa_happened(v, LIFE_DID_SUSPEND);
	return r;
}

/* A broken one is left as it was found; whether it takes that is no reason not to go on. */
int vring_resume(struct vdpa *v, struct err *err)
{
	int r = v->life == LIFE_SUSPENDED || v->life == LIFE_BROKEN
		? VDPA_ASK(v, VHOST_VDPA_RESUME, NULL, err) : 0;

	if (r < 0 && v->life == LIFE_SUSPENDED)
		return r;
	vdpa_happened(v, LIFE_DID_RESUME);
	backend_started(v);
	return 0;
}
