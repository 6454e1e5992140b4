/* SPDX-License-Identifier: Apache-2.0
 *
 * What the vhost-vdpa device is: type, features, queues, configuration, doorbell pages.
 *
 * vDPA helper, at set-up, but for status and configuration. The order of the requests is the one
 * every back end takes: queries, owner, backend features, then what needs an owner.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "helpers/vdpa/vdpa.h"
#include "ipc/log.h"

enum {
	PAGE = 4096,
	NET_QUEUES_MIN = 2, NET_QUEUES_CONTROL = 3, /* receive, transmit; and control */
	BLOCK_NUM_QUEUES = 34, /* of virtio_blk_config (virtio 1.2 §5.2.4) */
	NET_MAX_PAIRS = 8,     /* of virtio_net_config (§5.1.4) */
};

#define BIT(n) (1ull << (n))
#define ACCESS_PLATFORM BIT(33)
/* Features of a network device that stand on more than one queue pair, and on the control queue
 * (§5.1.3): MQ, RSS; CTRL_GUEST_OFFLOADS, CTRL_VQ, CTRL_RX, CTRL_VLAN, CTRL_RX_EXTRA,
 * GUEST_ANNOUNCE, CTRL_MAC_ADDR, VQ_NOTF_COAL, NOTF_COAL, HASH_REPORT. */
#define NET_PAIRS   (BIT(22) | BIT(60))
#define NET_CONTROL                                                                                \
	(BIT(2) | BIT(17) | BIT(18) | BIT(19) | BIT(20) | BIT(21) | BIT(23) | BIT(52) | BIT(53) |  \
		BIT(57))

/* What we know how to use. Address spaces beside the first are for shadow queues. */
#define BACKEND_WANTED                                                                             \
	(BIT(VHOST_BACKEND_F_IOTLB_MSG_V2) | BIT(VHOST_BACKEND_F_IOTLB_BATCH) |                    \
		BIT(VHOST_BACKEND_F_SUSPEND) | BIT(VHOST_BACKEND_F_RESUME) |                       \
		BIT(VHOST_BACKEND_F_ENABLE_AFTER_DRIVER_OK) | BIT(VHOST_BACKEND_F_IOTLB_PERSIST))

/* struct vhost_vdpa_config with room behind it. */
union config {
	struct vhost_vdpa_config head;
	uint8_t space[sizeof(struct vhost_vdpa_config) + VIRTIO_CONFIG_MAX];
};

int vdpa_ioctl(const struct vdpa *v, unsigned long request, const char *name, void *arg,
	struct err *err)
{
	if (ioctl(v->node.n, request, arg) < 0)
		return err_set(err, -errno, BLAME_HOST, "%s: %s", name, strerror(errno));
	return 0;
}

int device_set_status(struct vdpa *v, uint8_t status, struct err *err)
{
	return VDPA_ASK(v, VHOST_VDPA_SET_STATUS, &status, err);
}

int device_get_status(struct vdpa *v, uint8_t *ret, struct err *err)
{
	return VDPA_ASK(v, VHOST_VDPA_GET_STATUS, ret, err);
}

/* A block driver takes as many queues as the configuration says, so that is what it says. */
int device_config_read(uint8_t *ret, struct err *err)
{
	static union config config;
	uint8_t *num_queues = ret + BLOCK_NUM_QUEUES;
	unsigned n = vdpa.virtio.n_queues;
	int r;

	config.head.off = 0;
	config.head.len = vdpa.virtio.config_size;
	r = VDPA_ASK(&vdpa, VHOST_VDPA_GET_CONFIG, &config, err);
	if (r < 0)
		return r;
	memcpy(ret, config.head.buf, vdpa.virtio.config_size);
	if (vdpa.virtio.type == TYPE_BLOCK && vdpa.virtio.config_size >= BLOCK_NUM_QUEUES + 2 &&
		(num_queues[0] | (unsigned)num_queues[1] << 8) > n) {
		num_queues[0] = (uint8_t)n;
		num_queues[1] = (uint8_t)(n >> 8);
	}
	return 0;
}

void device_config_write(unsigned offset, unsigned size, const uint8_t *data)
{
	static union config config;
	struct err err = {0};

	config.head.off = offset;
	config.head.len = size;
	memcpy(config.head.buf, data, size);
	if (VDPA_ASK(&vdpa, VHOST_VDPA_SET_CONFIG, &config, &err) < 0)
		log_warn("%s", err.msg);
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
	r = device_config_read(config, err);
	if (r == 0)
		*ret = 2 * (config[NET_MAX_PAIRS] | (unsigned)config[NET_MAX_PAIRS + 1] << 8) + 1 <=
			v->virtio.n_queues;
	return r;
}

/* How many queues the guest gets, and which features go with the ones it does not. */
static int fit_queues(struct vdpa *v, unsigned wanted, struct err *err)
{
	struct virtio_pci *vp = &v->virtio;
	uint32_t has = 0;
	bool fit = true;
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
	vp->n_queues = wanted;
	if (vp->type == TYPE_NET && (vp->offered & NET_PAIRS))
		r = pairs_fit(v, &fit, err);
	if (r < 0 || vp->type != TYPE_NET || (wanted == has && fit))
		return r;
	if (wanted < NET_QUEUES_MIN)
		return err_set(err, -EINVAL, BLAME_HOST,
			"num_queues=%u: a network device needs %d (receive, transmit), %d with its "
			"control queue; it has %u", wanted, NET_QUEUES_MIN, NET_QUEUES_CONTROL, has);
	/* With MQ the control queue comes behind all of the device's pairs, else third (§5.1.2). */
	vp->offered &= ~NET_PAIRS;
	if (wanted < NET_QUEUES_CONTROL)
		vp->offered &= ~NET_CONTROL;
	return 0;
}

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
	if (ioctl(v->node.n, VHOST_SET_OWNER, NULL) < 0)
		return err_set(err, -errno, BLAME_HOST, "VHOST_SET_OWNER: %s", strerror(errno));
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

/* The first queues whose doorbell is a page of its own. The core maps them in the same way. */
static void find_pages(struct vdpa *v)
{
	struct virtio_pci *vp = &v->virtio;
	void *page;

	for (; vp->n_pages < vp->n_queues; vp->n_pages++) {
		page = mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, v->node.n,
			(off_t)vp->n_pages * PAGE);
		if (page == MAP_FAILED)
			return;
		munmap(page, PAGE);
	}
}

int device_setup(struct vdpa *v, unsigned num_queues, struct err *err)
{
	int r = learn_type(v, err);

	if (r == 0)
		r = fit_queues(v, num_queues, err);
	if (r == 0)
		r = own(v, err);
	if (r == 0)
		r = size_queues(v, err);
	if (r < 0)
		return r;
	find_pages(v);
	log_info("virtio device type %u, features 0x%llx, backend 0x%llx, %u of %u queues, size %u, "
		 "%u doorbell pages", v->virtio.type, (unsigned long long)v->features,
		(unsigned long long)v->backend, v->virtio.n_queues, v->device_queues,
		v->virtio.queues[0].max, v->virtio.n_pages);
	return 0;
}
