/* SPDX-License-Identifier: Apache-2.0
 *
 * The vDPA helper: a vhost-vdpa device as a virtio device on PCI.
 *
 * vDPA helper process, one thread. Holds the node, guest RAM and its channels; it was confined
 * before it read the first message (helpers/helper.c). What the guest writes to registers is
 * understood by helpers/virtio/ and told to the kernel by vring.c; the queues themselves run
 * between guest and device.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "helpers/vdpa/vdpa.h"

static struct vdpa vdpa = {.node = {-1}};

static const struct virtio_ops virtio_ops = {
	.reset = vring_reset,
	.status = vring_status,
	.features = vring_features,
	.start = vring_start,
	.enable = vring_enable,
	.needs_reset = vring_needs_reset,
	.config_read = device_config_read,
	.config_write = device_config_write,
	.kick = vring_kick,
	.rewire = vring_rewire,
};

/* The broker stores the node it was given: a second open is not possible. */
static int vdpa_open(struct helper_open *open, struct fd *ret_store, struct err *err)
{
	int r;

	(void)ret_store;
	if (open->device.n < 0 || open->memfd.n < 0)
		return err_set(err, -EBADMSG, BLAME_PEER, "%s: no node or no RAM came with Open",
			open->name);
	for (unsigned i = 0; i < VIRTIO_QUEUES_MAX; i++)
		vdpa.kicks[i] = FD_NONE_INIT;
	vdpa.node = fd_take(&open->device);
	vdpa.n_ram = open->n_ram;
	memcpy(vdpa.ram, open->ram, sizeof(vdpa.ram));
	vdpa.virtio.ops = &virtio_ops;
	vdpa.silence_s = open->silence_s;
	r = setup_device(&vdpa, open->num_queues, err);
	if (r == 0)
		r = virtio_pci_init(&vdpa.virtio, err);
	if (r == 0)
		r = setup_pages(&vdpa, err);
	if (r == 0)
		r = iotlb_setup(&vdpa, open->memfd.n, err);
	return r < 0 ? err_prefix(err, "%s", open->name) : 0;
}

static int vdpa_describe(struct function_desc *ret, struct fd *ret_device, struct err *err)
{
	virtio_pci_describe(&vdpa.virtio, ret);
	ret->can_suspend = BACKEND_HAS(&vdpa, SUSPEND) && BACKEND_HAS(&vdpa, RESUME);
	if (!vdpa.virtio.n_pages)
		return 0;
	ret_device->n = fcntl(vdpa.node.n, F_DUPFD_CLOEXEC, 0);
	if (ret_device->n < 0)
		return err_set(err, -errno, BLAME_HOST, "dup: %s", strerror(errno));
	return 0;
}

static int vdpa_config_read(unsigned offset, unsigned size, uint32_t *ret, struct err *err)
{
	return virtio_config_read(&vdpa.virtio, offset, size, ret, err);
}

static int vdpa_config_write(unsigned offset, unsigned size, uint32_t value, struct err *err)
{
	return virtio_config_write(&vdpa.virtio, offset, size, value, err);
}

static int vdpa_region_read(unsigned index, uint64_t offset, unsigned size, uint64_t *ret,
	struct err *err)
{
	return virtio_region_read(&vdpa.virtio, index, offset, size, ret, err);
}

static int vdpa_region_write(unsigned index, uint64_t offset, unsigned size, uint64_t value,
	struct err *err)
{
	return virtio_region_write(&vdpa.virtio, index, offset, size, value, err);
}

static int vdpa_msix_enable(struct err *err)
{
	(void)err;
	virtio_irq_mode(&vdpa.virtio, true);
	return 0;
}

static int vdpa_msix_disable(struct err *err)
{
	(void)err;
	virtio_irq_mode(&vdpa.virtio, false);
	return 0;
}

static int vdpa_msix_arm(unsigned vector, struct fd eventfd, struct err *err)
{
	(void)err;
	virtio_irq_arm(&vdpa.virtio, vector, eventfd);
	return 0;
}

static int vdpa_reset(bool whole, struct err *err)
{
	(void)whole;
	return virtio_pci_reset(&vdpa.virtio, err);
}

static int vdpa_kick_arm(unsigned queue, struct fd eventfd, struct err *err)
{
	(void)err;
	fd_close(&vdpa.kicks[queue]);
	vdpa.kicks[queue] = eventfd;
	return 0;
}

static int vdpa_intx_arm(struct fd trigger, struct fd resample, struct err *err)
{
	(void)err;
	virtio_irq_intx(&vdpa.virtio, trigger, resample);
	return 0;
}

static int vdpa_suspend(struct err *err)
{
	return vring_suspend(&vdpa, err);
}

static int vdpa_resume(struct err *err)
{
	return vring_resume(&vdpa, err);
}

static int vdpa_tick(void)
{
	return backend_tick(&vdpa);
}

static void vdpa_event_fds(int ret_fds[HELPER_EVENTS])
{
	virtio_irq_event_fds(&vdpa.virtio, ret_fds);
}

static void vdpa_on_event(unsigned which, struct chan *events)
{
	(void)events;
	virtio_irq_on_event(&vdpa.virtio, which);
}

static const struct helper_ops vdpa_ops = {
	.kind = "vdpa",
	.setup = &policy_vdpa_setup,
	.run = &policy_vdpa_run,
	.max_fds = 16 + 2 * VIRTIO_QUEUES_MAX + 8, /* a kick a queue, a vector a queue, and ours */
	.open = vdpa_open,
	.describe = vdpa_describe,
	.config_read = vdpa_config_read,
	.config_write = vdpa_config_write,
	.region_read = vdpa_region_read,
	.region_write = vdpa_region_write,
	.msix_enable = vdpa_msix_enable,
	.msix_disable = vdpa_msix_disable,
	.msix_arm = vdpa_msix_arm,
	.reset = vdpa_reset,
	.kick_arm = vdpa_kick_arm,
	.intx_arm = vdpa_intx_arm,
	.suspend = vdpa_suspend,
	.resume = vdpa_resume,
	.event_fds = vdpa_event_fds,
	.on_event = vdpa_on_event,
	.tick = vdpa_tick,
};

int main(int argc, char **argv)
{
	return helper_run(&vdpa_ops, argc, argv);
}
