/* SPDX-License-Identifier: Apache-2.0
 *
 * The back end behind the device: does it live, and what its driver gets when it does not.
 *
 * vDPA helper, at run time. When a VDUSE daemon ends, vhost says nothing: the device stays, and
 * what waits for an answer waits for ever. So the rings' indices are looked at now and then, the
 * one use this process has for guest memory while all is well; requests of which none is answered
 * for long are a reason to ask for the queue's state, which a back end has to answer.
 *
 * VDUSE gives its daemon msg_timeout for an answer, in which another daemon may take its place and
 * go on with the requests, and calls it broken for good after (vduse_dev_msg_sync): a question can
 * be the end of a daemon that only stands still, so it is asked no sooner than a back end was
 * silent for as long as the device itself allows it (silence_s, which the opener has read), and
 * never where the device would wait for ever. We hear nothing meanwhile: an access of the guest's
 * that traps just then fails the device.
 *
 * A driver of a broken device is told that it needs a reset (virtio 1.2 §2.1.2), which Linux does
 * not act on; so a disk's requests are ended with an I/O error here, those it left and those that
 * come, until the driver resets the device and finds that it does not start again.
 */
#include <errno.h>
#include <stddef.h>

#include "helpers/vdpa/vdpa.h"
#include "helpers/virtio/split_ring.h"
#include "ipc/log.h"

enum {
	LOOK_MS = 2000, ANSWER_MS = 100,
	STATUS_IOERR = 1, /* VIRTIO_BLK_S_IOERR, virtio 1.2 §5.2.6 */
};

static struct {
	uint16_t used;
	int64_t since; /* the last progress we saw, or the last sign of life */
} seen[VIRTIO_QUEUES_MAX];

static uint16_t answered[VIRTIO_QUEUES_MAX]; /* available indices, once it is dead */
static int64_t due;

/* Queues whose requests the device owes an answer: a disk's all, a card's transmit queues. */
static bool watched(const struct vdpa *v, unsigned queue)
{
	const struct virtio_pci *vp = &v->virtio;

	return vp->queues[queue].enabled && !(vp->accepted & RING_PACKED) &&
		(vp->type == VIRTIO_BLOCK || (vp->type == VIRTIO_NET && queue % 2 == 1));
}

static bool open_ring(const struct vdpa *v, unsigned queue, struct split_ring *ret)
{
	return watched(v, queue) &&
		split_ring_open(ret, &v->virtio.queues[queue], iotlb_guest, v) == 0;
}

void backend_started(const struct vdpa *v)
{
	for (unsigned i = 0; i < v->virtio.n_queues; i++) {
		seen[i].used = 0;
		seen[i].since = now_ms();
	}
}

static bool stalled(const struct vdpa *v, unsigned queue, int64_t now)
{
	struct split_ring ring;
	uint16_t used;

	if (!open_ring(v, queue, &ring))
		return false;
	used = split_ring_used(&ring);
	if (used == seen[queue].used && used != split_ring_avail(&ring))
		return now - seen[queue].since >= v->silence_s * 1000ll;
	seen[queue].used = used;
	seen[queue].since = now;
	return false;
}

/* Any answer will do, also that there is no such state to tell (vp_vdpa). */
static bool lives(const struct vdpa *v, unsigned queue)
{
	struct vhost_vring_state state = {.index = queue};
	int r;

	log_warn("queue %u: no request was answered for %u s; its back end is asked for a sign of "
		 "life", queue, v->silence_s);
	r = VDPA_ASK(v, VHOST_GET_VRING_BASE, &state, NULL);
	seen[queue].since = now_ms();
	return r != -EIO;
}

static void end_left(const struct vdpa *v, unsigned queue)
{
	static uint16_t heads[SPLIT_RING_MAX];
	struct split_ring ring;
	unsigned n;

	if (!open_ring(v, queue, &ring))
		return;
	answered[queue] = split_ring_avail(&ring);
	n = split_ring_left(&ring, heads);
	for (unsigned i = 0; i < n; i++)
		split_ring_end(&ring, heads[i], STATUS_IOERR);
	virtio_irq_signal(&v->virtio, queue);
}

static void end_new(const struct vdpa *v, unsigned queue)
{
	struct split_ring ring;
	uint16_t n;

	if (!open_ring(v, queue, &ring))
		return;
	n = (uint16_t)(split_ring_avail(&ring) - answered[queue]);
	for (unsigned left = n < ring.size ? n : ring.size; left; left--)
		split_ring_end(&ring, split_ring_head(&ring, answered[queue]++), STATUS_IOERR);
	if (n)
		virtio_irq_signal(&v->virtio, queue);
}

static void bury(struct vdpa *v)
{
	bool disk = v->virtio.type == VIRTIO_BLOCK;

	vdpa_happened(v, LIFE_DIED);
	log_error("its back end is dead: it gave no sign of life%s; make the device anew "
		  "(`vdpa dev del`, `vdpa dev add`) and start the guest again",
		disk ? "; the guest gets I/O errors" : "");
	for (unsigned i = 0; i < v->virtio.n_queues && disk; i++)
		end_left(v, i);
	virtio_irq_signal(&v->virtio, VIRTIO_CONFIG_EVENT);
}

static int look(struct vdpa *v)
{
	int64_t now = now_ms();

	if (!v->silence_s)
		return -1;
	if (now < due)
		return (int)(due - now);
	due = now + LOOK_MS;
	for (unsigned i = 0; i < v->virtio.n_queues && v->life == LIFE_RUNNING; i++)
		if (stalled(v, i, now) && !lives(v, i))
			bury(v);
	return LOOK_MS;
}

int backend_tick(struct vdpa *v)
{
	if (v->life == LIFE_RUNNING)
		return look(v);
	if (v->life != LIFE_DEAD || v->virtio.type != VIRTIO_BLOCK)
		return -1;
	for (unsigned i = 0; i < v->virtio.n_queues; i++)
		end_new(v, i);
	return ANSWER_MS;
}
