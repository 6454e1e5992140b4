/* SPDX-License-Identifier: Apache-2.0
 *
 * What is asked of the vhost-vdpa device all along: status, features, configuration.
 *
 * vDPA helper, at set-up and at run time.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "helpers/vdpa/vdpa.h"
#include "ipc/log.h"

enum { FEATURES_OK = 8 }; /* virtio 1.2 §2.1 */

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

int device_set_status(const struct vdpa *v, uint8_t status, struct err *err)
{
	return VDPA_ASK(v, VHOST_VDPA_SET_STATUS, &status, err);
}

int device_get_status(const struct vdpa *v, uint8_t *ret, struct err *err)
{
	return VDPA_ASK(v, VHOST_VDPA_GET_STATUS, ret, err);
}

int device_set_features(const struct vdpa *v, uint64_t features, uint8_t status, struct err *err)
{
	uint8_t now = 0;
	int r;

	/* It translates its addresses whatever the driver knows of it. */
	features |= ACCESS_PLATFORM;
	r = VDPA_ASK(v, VHOST_SET_FEATURES, &features, err);
	if (r == 0)
		r = device_set_status(v, status | FEATURES_OK, err);
	if (r == 0)
		r = device_get_status(v, &now, err);
	if (r == 0 && !(now & FEATURES_OK))
		r = err_set(err, -EINVAL, BLAME_GUEST, "the device does not take them");
	return r;
}

/* Where the configuration says how many queues for requests there are, which is how many a driver
 * takes, and how many queues come before them (virtio 1.2 §5.2.4, §5.6.4, §5.11.4). */
static const struct queue_count {
	uint16_t type, at, size, before;
} counts[] = {
	{VIRTIO_BLOCK, 34, 2, 0},
	{VIRTIO_SCSI, 0, 4, 2},
	{VIRTIO_FS, 36, 4, 1},
};

static const struct queue_count *count_of(const struct virtio_pci *vp)
{
	for (unsigned i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		if (counts[i].type == vp->type)
			return &counts[i];
	return NULL;
}

/* A file system's notifications have a queue of their own, if it has them (§5.11.2, §5.11.3). */
static unsigned queues_before(const struct virtio_pci *vp, const struct queue_count *count)
{
	return count->before + (vp->type == VIRTIO_FS && vp->offered & 1);
}

unsigned device_min_queues(const struct virtio_pci *vp)
{
	const struct queue_count *count = count_of(vp);

	if (vp->type == VIRTIO_NET)
		return 2;
	return count ? queues_before(vp, count) + 1 : 0;
}

/* It says no more queues than the guest has. */
static void say_queues(const struct virtio_pci *vp, uint8_t *config)
{
	const struct queue_count *count = count_of(vp);
	uint32_t says = 0, has;

	if (!count || vp->config_size < count->at + count->size)
		return;
	has = vp->n_queues - queues_before(vp, count);
	memcpy(&says, config + count->at, count->size);
	if (says > has)
		memcpy(config + count->at, &has, count->size);
}

int device_config_read(const struct virtio_pci *vp, uint8_t *ret, struct err *err)
{
	static union config config;
	int r;

	config.head.off = 0;
	config.head.len = vp->config_size;
	r = VDPA_ASK(vdpa_of(vp), VHOST_VDPA_GET_CONFIG, &config, err);
	if (r < 0)
		return r;
	memcpy(ret, config.head.buf, vp->config_size);
	say_queues(vp, ret);
	return 0;
}

void device_config_write(struct virtio_pci *vp, unsigned offset, unsigned size,
	const uint8_t *data)
{
	static union config config;
	struct err err = {0};

	config.head.off = offset;
	config.head.len = size;
	memcpy(config.head.buf, data, size);
	if (VDPA_ASK(vdpa_of(vp), VHOST_VDPA_SET_CONFIG, &config, &err) < 0)
		log_warn("%s", err.msg);
}
