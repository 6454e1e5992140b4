/* SPDX-License-Identifier: Apache-2.0
 *
 * A virtio device's registers, config space window, interrupts and resets in any sequence, on a
 * back end that checks what virtio_pci.h promises it and now and then says no.
 *
 * fuzzes: helpers/virtio/virtio_pci.c helpers/virtio/virtio_regs.c helpers/virtio/virtio_irq.c
 * fuzzes: helpers/virtio/virtio_config.c
 * links: helpers/virtio/virtio_pci.c helpers/virtio/virtio_regs.c helpers/virtio/virtio_features.c
 * links: helpers/virtio/virtio_irq.c helpers/virtio/virtio_config.c
 */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <sys/eventfd.h>

#include "helpers/virtio/virtio_pci.h"
#include "ipc/log.h"

enum { QUEUES = 3, QUEUE_MAX = 256, CONFIG_SIZE = 60, DRIVER_OK = 4, FEATURES_OK = 8 };

static struct input in;
static struct virtio_pci vp;
static uint8_t device_config[CONFIG_SIZE];

static int outcome(struct virtio_pci *of, struct err *err)
{
	require(of == &vp);
	return take(&in, 1) > 0xf0 ? err_set(err, -EIO, BLAME_HOST, "no") : 0;
}

static void on_status(struct virtio_pci *of, uint8_t status)
{
	require(of == &vp && status & ~(DRIVER_OK | FEATURES_OK));
}

static int on_features(struct virtio_pci *of, uint64_t features, struct err *err)
{
	require((features & ~vp.offered) == 0 && features & 1ull << 32);
	return outcome(of, err);
}

static int on_start(struct virtio_pci *of, struct err *err)
{
	require(vp.status & FEATURES_OK && vp.status & DRIVER_OK);
	for (unsigned i = 0; i < QUEUES; i++) {
		const struct virtio_queue *q = &vp.queues[i];

		require(q->size && q->size <= QUEUE_MAX && (q->size & (q->size - 1)) == 0);
		require(q->vector <= QUEUES || q->vector == VIRTIO_NO_VECTOR);
	}
	return outcome(of, err);
}

static int on_enable(struct virtio_pci *of, unsigned queue, struct err *err)
{
	require(queue < QUEUES && vp.status & DRIVER_OK && !vp.queues[queue].enabled);
	return outcome(of, err);
}

static bool on_needs_reset(const struct virtio_pci *of)
{
	require(of == &vp && vp.status);
	return take(&in, 1) > 0xf0;
}

static int on_config_read(const struct virtio_pci *of, uint8_t *ret, struct err *err)
{
	(void)of;
	memcpy(ret, device_config, sizeof(device_config));
	return outcome(&vp, err);
}

static void on_config_write(struct virtio_pci *of, unsigned offset, unsigned size,
	const uint8_t *data)
{
	require(of == &vp && offset < CONFIG_SIZE && size <= CONFIG_SIZE - offset);
	memcpy(device_config + offset, data, size);
}

static void on_kick(struct virtio_pci *of, unsigned queue)
{
	require(of == &vp && queue < QUEUES);
}

static void on_rewire(struct virtio_pci *of, unsigned which)
{
	require(of == &vp);
	require(which < QUEUES || which == VIRTIO_CONFIG_EVENT);
	require(virtio_irq_fd(&vp, which) >= 0);
}

static const struct virtio_ops ops = {
	.reset = outcome, .status = on_status, .features = on_features, .start = on_start,
	.enable = on_enable, .needs_reset = on_needs_reset, .config_read = on_config_read,
	.config_write = on_config_write, .kick = on_kick, .rewire = on_rewire,
};

static struct fd event(void)
{
	return (struct fd){eventfd(take(&in, 1) & 1, EFD_CLOEXEC | EFD_NONBLOCK)};
}

/* As helper.c lets it through: naturally aligned, inside the BAR. */
static void access_bar(unsigned op)
{
	unsigned bar = op & 0x10 ? VIRTIO_BAR_NOTIFY : VIRTIO_BAR_REGS, size = 1u << (op & 3);
	uint64_t end = bar == VIRTIO_BAR_NOTIFY ? 4 * NOTIFY_STRIDE : REGS_SIZE;
	uint64_t at = (take(&in, op & 4 ? 2 : 1) & (end - 1)) / size * size;
	uint64_t value = 0;
	struct err err;

	if (op & 8)
		virtio_region_write(&vp, bar, at, size, take(&in, size), &err);
	else
		virtio_region_read(&vp, bar, at, size, &value, &err);
}

static void access_config(unsigned op)
{
	unsigned size = 1u << (op & 3) % 3, at = (unsigned)take(&in, 1) / size * size;
	uint32_t value;
	struct err err;

	if (op & 8)
		virtio_config_write(&vp, at, size, (uint32_t)take(&in, size), &err);
	else
		virtio_config_read(&vp, at, size, &value, &err);
}

static void one(void)
{
	unsigned op = (unsigned)take(&in, 1), which;
	struct err err;
	int fds[HELPER_EVENTS];

	if (op < 0x80) {
		access_bar(op);
	} else if (op < 0xc0) {
		access_config(op);
	} else {
		switch (op & 7) {
		case 0: virtio_irq_mode(&vp, op & 8); break;
		case 1: /* the skeleton lets it through only while MSI-X is on */
			if (vp.msix)
				virtio_irq_arm(&vp, (op >> 3) % (QUEUES + 1), event());
			break;
		case 2:
			if (vp.msix)
				virtio_irq_arm(&vp, (op >> 3) % (QUEUES + 1), FD_NONE_INIT);
			break;
		case 3: virtio_irq_intx(&vp, event(), event()); break;
		case 4:
			virtio_irq_event_fds(&vp, fds);
			if (fds[(op >> 3) % HELPER_EVENTS] >= 0)
				virtio_irq_on_event(&vp, (op >> 3) % HELPER_EVENTS);
			break;
		case 5: virtio_pci_reset(&vp, &err); break;
		case 6: device_config[op >> 3 & 7]++; break;
		default:
			which = op >> 3 & 3;
			virtio_irq_signal(&vp, which < QUEUES ? which : VIRTIO_CONFIG_EVENT);
			break;
		}
	}
	require(!(vp.status & DRIVER_OK) || vp.status & FEATURES_OK);
}

static void begin(void)
{
	struct err err;

	if (!vp.ops) {
		vp.ops = &ops;
		vp.type = 2;
		vp.offered = ~0ull;
		vp.n_queues = QUEUES;
		vp.config_size = CONFIG_SIZE;
		for (unsigned i = 0; i < QUEUES; i++)
			vp.queues[i].max = QUEUE_MAX;
		require(virtio_pci_init(&vp, &err) == 0);
	}
	virtio_irq_mode(&vp, false);
	virtio_irq_intx(&vp, FD_NONE_INIT, FD_NONE_INIT);
	virtio_pci_reset(&vp, &err);
	vp.generation = 0;
	memset(vp.config, 0, CONFIG_SIZE);
	memset(device_config, 0, sizeof(device_config));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	log_init("", LOG_SAY, -1);
	in = (struct input){0};
	begin();
	in = input_of(data, size);
	while (input_left(&in))
		one();
	return 0;
}
