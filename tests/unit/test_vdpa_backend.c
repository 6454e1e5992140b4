/* SPDX-License-Identifier: Apache-2.0
 *
 * A vDPA device whose back end is slow, or dies: queue 0 of a disk, with one request open.
 *
 * links: helpers/vdpa/setup.c helpers/vdpa/device.c helpers/vdpa/iotlb.c helpers/vdpa/vring.c
 * links: helpers/vdpa/backend.c helpers/vdpa/life.c helpers/virtio/split_ring.c
 * links: helpers/virtio/virtio_pci.c helpers/virtio/virtio_regs.c helpers/virtio/virtio_features.c
 * links: helpers/virtio/virtio_irq.c helpers/virtio/virtio_config.c
 */
#include "tests/unit/vdpa_device.h"

TestSuite(vdpa_backend, .init = setup);

static struct vring_used *start_disk(void)
{
	struct vring_desc *desc;
	struct vring_avail *avail;

	dev.type = 2;
	dev.queues = 1;
	dev.config_size = 60;
	cr_assert_eq(open_device(0), 0, "%s", err.msg);
	negotiate(1ull << 32);
	set_queue(0, true);
	put(20, 1, 15);
	cr_assert_eq(get(20, 1), 15);
	desc = iotlb_guest(&vdpa, 0x10000, 16);
	avail = iotlb_guest(&vdpa, 0x11000, 16);
	desc[0] = (struct vring_desc){.addr = 0x20000, .len = 1, .flags = VRING_DESC_F_WRITE};
	avail->ring[0] = avail->ring[1] = 0;
	avail->idx = 1;
	return iotlb_guest(&vdpa, 0x12000, 16);
}

static void later(int64_t ms)
{
	skew_ms += ms;
	cr_assert_geq(backend_tick(&vdpa), 0);
}

Test(vdpa_backend, a_back_end_that_is_slow)
{
	struct vring_used *used = start_disk();

	later(3000);
	later(26000);
	cr_assert_eq(dev.asked_for_life, 0);
	later(6000);
	cr_assert_eq(dev.asked_for_life, 1);
	later(3000);
	cr_assert_eq(dev.asked_for_life, 1, "not again at once");
	cr_assert(vdpa.life == LIFE_RUNNING && used->idx == 0);
	used->idx = 1;
	later(100000);
	later(100000);
	cr_assert_eq(dev.asked_for_life, 1, "nothing is open");
}

/* VDUSE calls a daemon broken that leaves a question unanswered for its msg_timeout: one that
 * stands still for less is not asked. */
Test(vdpa_backend, is_not_asked_sooner_than_its_own_time_out)
{
	start_disk();
	vdpa.silence_s = 600;
	later(3000);
	later(590000);
	cr_assert_eq(dev.asked_for_life, 0);
	later(10000);
	cr_assert_eq(dev.asked_for_life, 1);
}

/* It would wait for an answer for ever, and we with it. */
Test(vdpa_backend, is_never_asked_where_it_has_no_time_out)
{
	start_disk();
	vdpa.silence_s = 0;
	dev.dead = true;
	skew_ms += 10000000;
	cr_assert_eq(backend_tick(&vdpa), -1);
	cr_assert(dev.asked_for_life == 0 && vdpa.life == LIFE_RUNNING);
}

Test(vdpa_backend, a_back_end_that_has_no_state_to_tell)
{
	dev.no_base = true;
	start_disk();
	later(3000);
	later(32000);
	cr_assert_eq(dev.asked_for_life, 1);
	cr_assert(vdpa.life == LIFE_RUNNING);
}

Test(vdpa_backend, a_back_end_that_died)
{
	struct vring_used *used = start_disk();
	struct vring_avail *avail = iotlb_guest(&vdpa, 0x11000, 16);
	uint8_t *status = iotlb_guest(&vdpa, 0x20000, 1);
	uint64_t count;

	dev.dead = true;
	later(3000);
	later(32000);
	cr_assert_eq(vdpa.life, LIFE_DEAD);
	cr_assert_eq(get(20, 1) & 0x40, 0x40, "it needs a reset");
	cr_assert(used->idx == 1 && used->ring[0].id == 0 && *status == 1);
	cr_assert_eq(read(virtio_irq_fd(&vdpa.virtio, 0), &count, 8), 8, "interrupt");
	cr_assert_eq(read(virtio_irq_fd(&vdpa.virtio, VIRTIO_CONFIG_EVENT), &count, 8), 8);
	/* New requests fail too. */
	*status = 0xff;
	avail->idx = 2;
	later(1000);
	cr_assert(used->idx == 2 && *status == 1);
	cr_assert_eq(read(virtio_irq_fd(&vdpa.virtio, 0), &count, 8), 8);
	later(1000);
	cr_assert_eq(read(virtio_irq_fd(&vdpa.virtio, 0), &count, 8), -1);
	/* The driver takes its rings back: they are not touched any more. */
	dev.fail_at = 0x72;
	put(20, 1, 0);
	avail->idx = 3;
	skew_ms += 100000;
	cr_assert_eq(backend_tick(&vdpa), -1);
	cr_assert_eq(used->idx, 2);
	negotiate(1ull << 32);
	cr_assert_eq(get(20, 1) & 8, 0, "and it does not start again");
}

/* A card's receive buffers wait for frames that need not come. */
Test(vdpa_backend, an_idle_card)
{
	struct vring_avail *avail;

	cr_assert_eq(open_device(0), 0, "%s", err.msg);
	negotiate(1ull << 32);
	set_queue(0, true);
	set_queue(1, true);
	put(20, 1, 15);
	avail = iotlb_guest(&vdpa, 0x11000, 16);
	avail->idx = 100;
	later(3000);
	later(40000);
	cr_assert_eq(dev.asked_for_life, 0);
	avail = iotlb_guest(&vdpa, 0x21000, 16);
	avail->idx = 1;
	dev.dead = true;
	later(3000);
	later(40000);
	cr_assert(vdpa.life == LIFE_DEAD);
}

/* Its frames are not a disk's requests: there is no error to end them with. */
Test(vdpa_backend, a_dead_cards_ring_is_left_alone)
{
	struct vring_avail *avail;
	struct vring_used *used;

	cr_assert_eq(open_device(0), 0, "%s", err.msg);
	negotiate(1ull << 32);
	set_queue(1, true);
	put(20, 1, 15);
	avail = iotlb_guest(&vdpa, 0x21000, 16);
	used = iotlb_guest(&vdpa, 0x22000, 16);
	avail->idx = 1;
	dev.dead = true;
	later(3000);
	later(40000);
	cr_assert_eq(vdpa.life, LIFE_DEAD);
	avail->idx = 7;
	cr_assert_eq(backend_tick(&vdpa), -1);
	cr_assert_eq(used->idx, 0);
}

/* There is nothing to suspend, and nothing is left to be done in its rings once the VM stands
 * still. */
Test(vdpa_backend, a_dead_device_does_not_keep_its_vm_from_pausing)
{
	struct vring_used *used = start_disk();
	struct vring_avail *avail = iotlb_guest(&vdpa, 0x11000, 16);

	dev.dead = true;
	later(3000);
	later(42000);
	avail->idx = 2;
	cr_assert_eq(vring_suspend(&vdpa, &err), 0, "%s", err.msg);
	cr_assert_eq(used->idx, 2);
	cr_assert_eq(vring_resume(&vdpa, &err), 0, "%s", err.msg);
	cr_assert_eq(vdpa.life, LIFE_DEAD);
}
