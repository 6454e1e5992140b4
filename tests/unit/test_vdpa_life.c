/* SPDX-License-Identifier: Apache-2.0
 *
 * The one state of a vDPA device's life (life.h) over random sequences of what a driver, its VM,
 * the device and the passing of time may do, each request failing now and then: it says what is
 * true of the device, and the driver is told what follows from it.
 *
 * links: helpers/vdpa/setup.c helpers/vdpa/device.c helpers/vdpa/iotlb.c helpers/vdpa/vring.c
 * links: helpers/vdpa/backend.c helpers/vdpa/life.c helpers/virtio/split_ring.c
 * links: helpers/virtio/virtio_pci.c helpers/virtio/virtio_regs.c helpers/virtio/virtio_features.c
 * links: helpers/virtio/virtio_irq.c helpers/virtio/virtio_config.c
 */
#include "tests/unit/vdpa_device.h"

enum { ACK = 1, DRIVER = 2, OK = 4, FEATURES = 8, NEEDS = 64, GIVEN_UP = 128, STEPS = 20000 };
enum { LIVES = (int)LIFE_DEAD + 1 };

static bool paused; /* the VM: nothing comes of its driver then */
static unsigned long seen_in[LIVES];

TestSuite(vdpa_life, .init = setup, .timeout = 120);

Test(vdpa_life, only_a_reset_heals)
{
	for (int life = 0; life < LIVES; life++) {
		cr_expect_eq(life_after((enum life)life, LIFE_DID_RESET), LIFE_RESET);
		cr_expect_eq(life_after((enum life)life, LIFE_RESET_FAILED), LIFE_BROKEN);
		cr_expect(life == LIFE_RESET ||
			life_after((enum life)life, LIFE_STARTED) == (enum life)life);
		cr_expect_eq(life_after((enum life)life, LIFE_START_FAILED), LIFE_BROKEN);
	}
	for (enum life_event event = LIFE_DID_SUSPEND; event <= LIFE_DIED; event++) {
		cr_expect_eq(life_after(LIFE_RESET, event), LIFE_RESET);
		cr_expect_eq(life_after(LIFE_BROKEN, event), LIFE_BROKEN);
		cr_expect_eq(life_after(LIFE_DEAD, event), LIFE_DEAD);
	}
	cr_expect_eq(life_after(LIFE_RESET, LIFE_STARTED), LIFE_RUNNING);
	cr_expect_eq(life_after(LIFE_RUNNING, LIFE_DIED), LIFE_DEAD);
	cr_expect_eq(life_after(LIFE_RUNNING, LIFE_DID_SUSPEND), LIFE_SUSPENDED);
	cr_expect_eq(life_after(LIFE_SUSPENDED, LIFE_DID_RESUME), LIFE_RUNNING);
}

static unsigned dice(unsigned sides)
{
	return (unsigned)random() % sides;
}

static uint16_t used_index(void)
{
	const struct vring_used *used = iotlb_guest(&vdpa, 0x12000, 16);

	return used->idx;
}

static bool interrupted(void)
{
	uint64_t count;

	return read(virtio_irq_fd(&vdpa.virtio, VIRTIO_CONFIG_EVENT), &count, 8) == 8;
}

static unsigned messages(void)
{
	unsigned n = 0;

	while (*message())
		n++;
	return n;
}

/* What the driver does next, if it does as it should; or something else. */
static void driver(void)
{
	static const uint8_t steps[] = {ACK, ACK | DRIVER, ACK | DRIVER | FEATURES,
		ACK | DRIVER | FEATURES | OK, GIVEN_UP, 0};
	uint8_t status = vdpa.virtio.status;

	switch (dice(8)) {
	case 0:
		if (dice(4) == 0)
			put(20, 1, 0);
		break;
	case 1: put(20, 1, status | steps[dice(sizeof(steps))]); break;
	case 2: set_queue(dice(2), dice(2)); break;
	case 3:
		put(22, 2, dice(2));
		put(28, 2, 1);
		break;
	case 4: virtio_irq_mode(&vdpa.virtio, dice(2)); break;
	default:
		for (unsigned i = 0; i < 4; i++)
			if ((status & steps[i]) != steps[i]) {
				put(8, 4, 1);
				put(12, 4, 1);
				if (steps[i] & OK)
					set_queue(0, true);
				put(20, 1, steps[i]);
				return;
			}
	}
}

static void guest_asks(void)
{
	struct vring_avail *avail = iotlb_guest(&vdpa, 0x11000, 16);

	avail->ring[avail->idx % 256] = 0;
	avail->idx++;
}

static void device_answers(void)
{
	const struct vring_avail *avail = iotlb_guest(&vdpa, 0x11000, 16);
	struct vring_used *used = iotlb_guest(&vdpa, 0x12000, 16);

	if (vdpa.life == LIFE_RUNNING && !dev.dead && used->idx != avail->idx)
		used->idx++;
}

/* One thing happens. Returns whether the rings may have been written by us. */
static void step(void)
{
	uint16_t used = used_index();
	bool ours = true;

	switch (dice(10)) {
	case 0:
		if (vring_suspend(&vdpa, &err) == 0)
			paused = true;
		break;
	case 1:
		if (paused && vring_resume(&vdpa, &err) == 0)
			paused = false;
		break;
	case 2:
		skew_ms += 1000ll * dice(50);
		backend_tick(&vdpa);
		break;
	case 3: dev.dead = dice(4) == 0; break;
	case 4:
		if (!paused)
			guest_asks();
		break;
	case 5:
		device_answers();
		ours = false;
		break;
	default:
		if (!paused)
			driver();
	}
	cr_assert(!ours || used_index() == used || vdpa.life == LIFE_DEAD,
		"the rings are the device's while it lives, and the driver's after");
}

static void check(enum life before, unsigned n_messages)
{
	uint8_t status = vdpa.virtio.status;
	bool told = vdpa.life == LIFE_BROKEN || vdpa.life == LIFE_DEAD;

	seen_in[vdpa.life]++;
	cr_assert(vdpa.life != LIFE_RESET || !(dev.status & OK), "at rest, and runs");
	cr_assert(vdpa.life != LIFE_RUNNING || (dev.status & OK && !dev.suspended));
	cr_assert(vdpa.life != LIFE_SUSPENDED || (dev.status & OK && dev.suspended && paused));
	cr_assert(!paused || vdpa.life != LIFE_RUNNING);
	cr_assert_eq(get(20, 1), status | (status && told ? NEEDS : 0));
	if (vdpa.life == LIFE_RUNNING && before != LIFE_RUNNING && before != LIFE_SUSPENDED)
		cr_assert_eq(n_messages, vdpa.backend >> 8 & 1 ? 0 : 6, "its maps are there");
	if (told && status & OK && (vdpa.life == LIFE_DEAD) != (before == LIFE_DEAD))
		cr_assert(interrupted(), "the driver is told");
}

static void live(uint64_t backend, unsigned seed)
{
	static const int requests[] = {0x10, 0x11, 0x12, 0x20, 0x21, 0x71, 0x72, 0x75, 0x77, 0x7d,
		0x7e, 0x00};
	struct vring_desc *desc;

	srandom(seed);
	dev.type = 2;
	dev.queues = 2;
	dev.config_size = 60;
	vdpa.silence_s = 5;
	dev.backend = backend;
	cr_assert_eq(open_device(0), 0, "%s", err.msg);
	desc = iotlb_guest(&vdpa, 0x10000, 16);
	*desc = (struct vring_desc){.addr = 0x90000, .len = 1, .flags = VRING_DESC_F_WRITE};
	messages();
	log_init("test", LOG_SAY, -1);
	for (unsigned i = 0; i < STEPS; i++) {
		enum life before = vdpa.life;
		unsigned n;

		trace[0] = '\0';
		dev.fail_at = dice(3) ? 0 : requests[dice(sizeof(requests) / sizeof(int))];
		step();
		dev.fail_at = 0;
		n = messages();
		check(before, n);
	}
	for (int life = 0; life < LIVES; life++)
		cr_expect_gt(seen_in[life], 100, "state %d was hardly met", life);
}

Test(vdpa_life, says_what_is_true_with_maps_that_persist)
{
	live(0x17e, 1);
}

Test(vdpa_life, says_what_is_true_with_maps_that_a_reset_takes)
{
	live(0x7e, 2);
}
