/* SPDX-License-Identifier: Apache-2.0
 *
 * What the vhost-vdpa device is: type, features, queues, doorbell pages.
 *
 * vDPA helper, at set-up. The order of the requests is the one every back end takes: queries,
 * owner, backend features, then what needs an owner.
 */
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "helpers/vdpa/vdpa.h"
#include "ipc/log.h"

enum {
	PAGE = 4096, ACKNOWLEDGE = 1, DRIVER = 2, /* virtio 1.2 §2.1 */
	NET_PAIR = 2, NET_WITH_CONTROL = 3, /* receive, transmit; and control (§5.1.2) */
	NET_MAX_PAIRS = 8, /* of virtio_net_config (§5.1.4) */
};

#define BIT(n) (1ull << (n))
/* Features of a network device that stand on more than one queue pair, MQ and RSS, and the one that
 * stands on a control queue (§5.1.3). */
#define NET_PAIRS   (BIT(22) | BIT(60))
#define NET_CTRL_VQ BIT(17)

/* What we know how to use. Address spaces beside the first are for shadow queues. */
#define BACKEND_WANTED                                                                             \
	(BIT(VHOST_BACKEND_F_IOTLB_MSG_V2) | BIT(VHOST_BACKEND_F_IOTLB_BATCH) |                    \
		BIT(VHOST_BACKEND_F_SUSPEND) | BIT(VHOST_BACKEND_F_RESUME) |                       \
		BIT(VHOST_BACKEND_F_ENABLE_AFTER_DRIVER_OK) | BIT(VHOST_BACKEND_F_IOTLB_PERSIST))

static int learn_type(struct vdpa *v, struct err *err)
{
	struct virtio_pci *vp = &v->virtio;
	uint32_t type = 0, size = 0;
	int r = VDPA_ASK(v, VHOST_VDPA_GET_DEVICE_ID, &type, err);

	if (r == 0)
		r = VDPA_ASK(v, VHOST_GET_FEATURES, &v->features, err);
	if (r == 0)
		r = VDPA_ASK(v, VHOST_VDPA_GET_CONFIG_SIZE, &size, err);
	if (r < 0)
		return r;
	if (!(v->features & ACCESS_PLATFORM))
		return err_set(err, -EPERM, BLAME_HOST,
			"it does not offer VIRTIO_F_ACCESS_PLATFORM: its DMA would go past the IOMMU, "
			"to all of the host's memory; have it offer the feature (QEMU's virtio "
			"devices: iommu_platform=on)");
	vp->type = (uint16_t)type;
	vp->offered = v->features;
	vp->config_size = size < VIRTIO_CONFIG_MAX ? size : VIRTIO_CONFIG_MAX;
	return 0;
}

/* Are there the queues that the configuration of a network device speaks of? vp_vdpa counts before
 * a driver has taken MQ, and may then have fewer. */
static int pairs_fit(const struct vdpa *v, bool *ret, struct err *err)
{
	uint8_t config[VIRTIO_CONFIG_MAX];
	int r;

	*ret = true;
	if (v->virtio.config_size < NET_MAX_PAIRS + 2)
		return 0;
	r = device_config_read(&v->virtio, config, err);
	if (r == 0)
		*ret = 2 * (config[NET_MAX_PAIRS] | (unsigned)config[NET_MAX_PAIRS + 1] << 8) + 1 <=
			v->virtio.n_queues;
	return r;
}

/* With MQ the control queue comes behind all of the device's pairs, else third (§5.1.2). Whatever
 * else needs what is taken away goes with it (virtio_features.c). */
static int fit_features(struct vdpa *v, struct err *err)
{
	struct virtio_pci *vp = &v->virtio;
	bool fit = true;
	int r = 0;

	if (vp->type == VIRTIO_NET && (vp->offered & NET_PAIRS))
		r = pairs_fit(v, &fit, err);
	if (r < 0 || vp->type != VIRTIO_NET || (vp->n_queues == v->device_queues && fit))
		return r;
	vp->offered &= ~NET_PAIRS;
	if (vp->n_queues < NET_WITH_CONTROL)
		vp->offered &= ~NET_CTRL_VQ;
	return 0;
}

static int refuse_fewer(const struct vdpa *v, unsigned wanted, unsigned min, struct err *err)
{
	if (v->virtio.type == VIRTIO_NET)
		return err_set(err, -EINVAL, BLAME_HOST,
			"num_queues=%u: a network device needs %d (receive, transmit), %d with its "
			"control queue; it has %u", wanted, NET_PAIR, NET_WITH_CONTROL,
			v->device_queues);
	if (min)
		return err_set(err, -EINVAL, BLAME_HOST,
			"num_queues=%u: a virtio device of type %u needs %u; it has %u", wanted,
			v->virtio.type, min, v->device_queues);
	return err_set(err, -EINVAL, BLAME_HOST,
		"num_queues=%u: only network, block, SCSI and file system devices can have fewer "
		"queues than they say, which are %u here; leave it out", wanted, v->device_queues);
}

/* How many queues the guest gets. */
static int fit_queues(struct vdpa *v, unsigned wanted, struct err *err)
{
	unsigned min = device_min_queues(&v->virtio);
	uint32_t has = 0;
	int r = VDPA_ASK(v, VHOST_VDPA_GET_VQS_COUNT, &has, err);

	if (r < 0)
		return r;
	v->device_queues = has;
	if (wanted > has || has == 0)
		return err_set(err, -EINVAL, BLAME_HOST,
			"num_queues=%u: the device has %u virtqueues; give %u or less, or leave it "
			"out", wanted, has, has);
	if (!wanted)
		wanted = has;
	if (wanted > VIRTIO_QUEUES_MAX)
		return err_set(err, -E2BIG, BLAME_HOST,
			"the device has %u virtqueues, a guest can have %d; give num_queues=%d or "
			"less", has, VIRTIO_QUEUES_MAX, VIRTIO_QUEUES_MAX);
	if (wanted < has && (min == 0 || wanted < min))
		return refuse_fewer(v, wanted, min, err);
	v->virtio.n_queues = wanted;
	return fit_features(v, err);
}

static int own(struct vdpa *v, struct err *err)
{
	int r = VDPA_ASK(v, VHOST_GET_BACKEND_FEATURES, &v->backend, err);

	if (r < 0)
		return r;
	v->backend &= BACKEND_WANTED;
	/* vhost-vdpa before Linux 6.4 set a packed ring's base wrong. No kernel with either of
	 * these is as old (6.6, 6.7); without them a split ring does. */
	if (!BACKEND_HAS(v, ENABLE_AFTER_DRIVER_OK) && !BACKEND_HAS(v, IOTLB_PERSIST))
		v->virtio.offered &= ~RING_PACKED;
	if (VDPA_ASK(v, VHOST_SET_OWNER, NULL, err) < 0)
		return err->code;
	return VDPA_ASK(v, VHOST_SET_BACKEND_FEATURES, &v->backend, err);
}

/* The largest power of two in what the device and vhost take. Older kernels know only of a size for
 * all queues, and some devices too. */
static int size_queues(struct vdpa *v, struct err *err)
{
	uint16_t most = 0;
	int r = VDPA_ASK(v, VHOST_VDPA_GET_VRING_NUM, &most, err);

	for (unsigned i = 0; i < v->virtio.n_queues && r == 0; i++) {
		struct vhost_vring_state state = {.index = i};
		unsigned size = most, power = 1;

		if (ioctl(v->node.n, VHOST_VDPA_GET_VRING_SIZE, &state) == 0 && state.num &&
			state.num < size)
			size = state.num;
		while (power * 2 <= size && power < 32768)
			power *= 2;
		v->virtio.queues[i].max = size ? (uint16_t)power : 0;
	}
	return r;
}

int setup_device(struct vdpa *v, unsigned num_queues, struct err *err)
{
	int r = learn_type(v, err);

	if (r == 0)
		r = fit_queues(v, num_queues, err);
	if (r == 0)
		r = own(v, err);
	if (r == 0)
		r = size_queues(v, err);
	return r;
}

/* The first queues, at most max, whose doorbell is a page of its own. The core maps them in the
 * same way. */
static unsigned count_pages(const struct vdpa *v, unsigned max)
{
	unsigned n;

	for (n = 0; n < max; n++) {
		void *page = mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, v->node.n, (off_t)n * PAGE);

		if (page == MAP_FAILED)
			break;
		munmap(page, PAGE);
	}
	return n;
}

/* Pages may depend on the features a driver takes: mlx5 has one for its first pair always, and one
 * for the others if MQ was taken. A page is mapped when it is first touched, and the kernel does
 * not ask again whether there is one (vhost_vdpa_fault): of a queue that has none then the guest
 * would get the host's page 0. So only pages count that are there before and after all features are
 * taken, and no control queue's, which is the third or the last depending on them (virtio 1.2
 * §5.1.2) and may be software. The others are notified by their eventfds. */
int setup_pages(struct vdpa *v, struct err *err)
{
	struct virtio_pci *vp = &v->virtio;
	bool control = vp->type == VIRTIO_NET && vp->offered & NET_CTRL_VQ;
	unsigned n = count_pages(v, control && vp->n_queues > NET_PAIR ? NET_PAIR : vp->n_queues);
	struct err no = {0};
	int r = 0;

	if (n) {
		r = device_set_status(v, ACKNOWLEDGE, err);
		if (r == 0)
			r = device_set_status(v, ACKNOWLEDGE | DRIVER, err);
		if (r < 0)
			return r;
		if (device_set_features(v, vp->offered, ACKNOWLEDGE | DRIVER, &no) == 0)
			n = count_pages(v, n);
		r = device_set_status(v, 0, err);
	}
	vp->n_pages = n;
	log_info("virtio device type %u, features 0x%llx, backend 0x%llx, %u of %u queues, size %u, "
		 "%u doorbell pages", vp->type, (unsigned long long)v->features,
		(unsigned long long)v->backend, vp->n_queues, v->device_queues,
		vp->queues[0].max, vp->n_pages);
	return r;
}
