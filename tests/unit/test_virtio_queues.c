/* SPDX-License-Identifier: Apache-2.0
 *
 * Queues, vectors and interrupts of virtio on PCI, and what guests do to them that no driver does.
 *
 * links: helpers/virtio/virtio_pci.c helpers/virtio/virtio_regs.c helpers/virtio/virtio_features.c
 * links: helpers/virtio/virtio_irq.c helpers/virtio/virtio_config.c
 */
#include "tests/unit/virtio_device.h"

TestSuite(virtio_queues, .init = setup);

Test(virtio_queues, queue_sizes)
{
	static const unsigned bad[] = {0, 3, 257, 512, 65535};

	negotiate(V1);
	put(22, 2, 0);
	for (unsigned i = 0; i < 5; i++) {
		put(24, 2, bad[i]);
		cr_assert_eq(get(24, 2), 256);
	}
	put(24, 2, 1);
	cr_assert_eq(get(24, 2), 1);
}

Test(virtio_queues, queues_that_are_not_there)
{
	negotiate(V1);
	trace[0] = '\0';
	for (unsigned i = QUEUES; i < 65536; i += 997) {
		put(22, 2, i);
		cr_assert_eq(get(24, 2), 0);
		set_queue(i, 8);
		enable(i);
		cr_assert_eq(get(28, 2), 0);
		cr_assert_eq(get(32, 8), 0);
	}
	expect("");
}

Test(virtio_queues, vectors_that_are_not_there_do_not_take)
{
	put(16, 2, QUEUES + 1);
	cr_assert_eq(get(16, 2), 0xffff);
	put(16, 2, QUEUES);
	cr_assert_eq(get(16, 2), QUEUES);
	put(22, 2, 0);
	put(26, 2, 0xfffe);
	cr_assert_eq(get(26, 2), 0xffff);
}

Test(virtio_queues, a_device_that_does_not_start_says_so)
{
	negotiate(V1);
	refuse_start = true;
	put(20, 1, get(20, 1) | DRIVER_OK);
	cr_assert(get(20, 1) & NEEDS_RESET);
	cr_assert(signalled(vp.own[1].n), "by a configuration interrupt");
	trace[0] = '\0';
	put(20, 1, 0x8f);
	expect("status8f ");
	refuse_start = false;
	put(20, 1, 0);
	cr_assert_eq(get(20, 1), 0, "0 is 0, whatever the device needs");
	negotiate(V1);
	put(20, 1, get(20, 1) | DRIVER_OK);
	cr_assert(!(get(20, 1) & NEEDS_RESET));
	hurt = true;
	cr_assert(get(20, 1) & NEEDS_RESET, "the device says so itself");
	put(20, 1, 0);
	cr_assert_eq(get(20, 1), 0);
}

Test(virtio_queues, a_driver_is_never_left_waiting_for_a_reset)
{
	negotiate(V1);
	refuse_reset = true;
	put(20, 1, 0);
	cr_assert_eq(get(20, 1), 0);
	cr_assert_eq(virtio_pci_reset(&vp, &err), -EIO, "but the core is told");
}

Test(virtio_queues, widths_are_each_fields_own)
{
	put(20, 2, ACK);
	put(20, 4, ACK);
	put(16, 4, 0);
	put(16, 1, 0);
	put(22, 8, 1);
	cr_assert_eq(get(20, 1), 0);
	cr_assert_eq(get(16, 2), 0xffff);
	cr_assert_eq(get(22, 2), 0);
	negotiate(V1);
	put(32, 8, 0x123456789000);
	cr_assert_eq(get(32, 8), 0x123456789000u);
	cr_assert_eq(get(36, 4), 0x1234);
	put(32, 2, 1);
	cr_assert_eq(get(32, 8), 0x123456789000u);
}

/* ---- device configuration ------------------------------------------------------------------- */

Test(virtio_queues, generation_grows_when_the_configuration_is_found_changed)
{
	uint64_t before;

	device_config[3] = 7;
	cr_assert_eq(get(REGS_DEVICE, 4), 7u << 24);
	before = get(21, 1);
	cr_assert_eq(get(21, 1), before);
	device_config[59] = 1;
	cr_assert_neq(get(21, 1), before);
	cr_assert_eq(get(REGS_DEVICE + 59, 1), 1);
	cr_assert_eq(get(REGS_DEVICE + 60, 1), 0, "behind it");
	cr_assert_eq(get(REGS_DEVICE + 56, 8), 1u << 24);
	put(REGS_DEVICE + 32, 1, 1);
	expect("config32/1 ");
	put(REGS_DEVICE + 60, 4, 1);
	put(REGS_DEVICE + 56, 8, 1);
	expect("");
}

/* ---- interrupts ----------------------------------------------------------------------------- */

Test(virtio_queues, msix_events_go_to_the_vector)
{
	int vector = eventfd(0, EFD_NONBLOCK), own = vp.own[0].n;
	int fds[HELPER_EVENTS];

	negotiate(V1);
	virtio_irq_mode(&vp, true);
	set_queue(1, 64);
	cr_assert_eq(virtio_irq_fd(&vp, 1), own, "not armed yet");
	signal_fd(own);
	virtio_irq_event_fds(&vp, fds);
	cr_assert(fds[0] < 0 && fds[1] < 0, "nobody spins on what nobody hears");
	virtio_irq_arm(&vp, 2, (struct fd){dup(vector)});
	cr_assert_neq(virtio_irq_fd(&vp, 1), own);
	cr_assert(drained(vector), "what came before the vector was armed");
	signal_fd(virtio_irq_fd(&vp, 1));
	cr_assert(drained(vector));
	cr_assert_eq(virtio_irq_fd(&vp, 0), own);
	put(22, 2, 1);
	put(26, 2, 0xffff);
	cr_assert_eq(virtio_irq_fd(&vp, 1), own);
	put(26, 2, 2);
	virtio_irq_arm(&vp, 2, FD_NONE_INIT);
	cr_assert_eq(virtio_irq_fd(&vp, 1), own);
	virtio_irq_arm(&vp, 2, (struct fd){dup(vector)});
	virtio_irq_mode(&vp, false);
	cr_assert_eq(virtio_irq_fd(&vp, 1), own);
	cr_assert_eq(get(REGS_ISR, 1), 0);
}

Test(virtio_queues, intx_is_raised_until_the_isr_was_read)
{
	int pin = eventfd(0, EFD_NONBLOCK), resample = eventfd(0, EFD_NONBLOCK);
	int fds[HELPER_EVENTS];

	virtio_irq_intx(&vp, (struct fd){dup(pin)}, (struct fd){dup(resample)});
	virtio_irq_event_fds(&vp, fds);
	cr_assert(fds[0] >= 0 && fds[1] >= 0 && fds[2] >= 0);
	signal_fd(virtio_irq_fd(&vp, 0));
	virtio_irq_on_event(&vp, 0);
	cr_assert(drained(pin));
	cr_assert_eq(cfg_get(6, 2) & 8, 8, "interrupt status");
	/* Ended without being looked at: raised again. */
	signal_fd(resample);
	virtio_irq_on_event(&vp, 2);
	cr_assert(drained(pin));
	signal_fd(virtio_irq_fd(&vp, VIRTIO_CONFIG_EVENT));
	virtio_irq_on_event(&vp, 1);
	cr_assert(drained(pin));
	cr_assert_eq(get(REGS_ISR, 1), 3);
	cr_assert_eq(get(REGS_ISR, 1), 0, "reading clears");
	cr_assert_eq(cfg_get(6, 2) & 8, 0);
	signal_fd(resample);
	virtio_irq_on_event(&vp, 2);
	cr_assert(!signalled(pin));
	/* INTX_DISABLE holds it back; a spurious event is none. */
	cfg_put(4, 2, 0x0406);
	signal_fd(virtio_irq_fd(&vp, 0));
	virtio_irq_on_event(&vp, 0);
	virtio_irq_on_event(&vp, 0);
	cr_assert(!signalled(pin));
	cfg_put(4, 2, 0x0006);
	cr_assert(drained(pin), "what was held back comes");
	cr_assert_eq(get(REGS_ISR, 1), 1);
	cfg_put(4, 2, 0x0406);
	cfg_put(4, 2, 0x0006);
	cr_assert(!signalled(pin));
}

Test(virtio_queues, what_msix_held_back_comes_by_the_pin)
{
	int pin = eventfd(0, EFD_NONBLOCK), resample = eventfd(0, EFD_NONBLOCK);

	virtio_irq_intx(&vp, (struct fd){dup(pin)}, (struct fd){dup(resample)});
	signal_fd(virtio_irq_fd(&vp, 0));
	virtio_irq_on_event(&vp, 0);
	cr_assert(drained(pin));
	virtio_irq_mode(&vp, true);
	signal_fd(resample);
	virtio_irq_on_event(&vp, 2);
	cr_assert(!signalled(pin));
	virtio_irq_mode(&vp, false);
	cr_assert(drained(pin));
	cr_assert_eq(get(REGS_ISR, 1), 1);
	virtio_irq_mode(&vp, true);
	virtio_irq_mode(&vp, false);
	cr_assert(!signalled(pin));
}

Test(virtio_queues, a_reset_takes_pending_interrupts)
{
	signal_fd(virtio_irq_fd(&vp, 0));
	virtio_irq_on_event(&vp, 0);
	signal_fd(virtio_irq_fd(&vp, 0));
	put(20, 1, 0);
	cr_assert_eq(get(REGS_ISR, 1), 0);
	cr_assert(!signalled(vp.own[0].n));
}

/* ---- nonsense ------------------------------------------------------------------------------- */

Test(virtio_queues, notifications_that_trap)
{
	virtio_region_write(&vp, 2, 2 * 4096, 2, 2, &err);
	expect("kick2 ");
	virtio_region_write(&vp, 2, 3 * 4096, 2, 2, &err);
	virtio_region_write(&vp, 2, 4098, 2, 2, &err);
	expect("");
}

Test(virtio_queues, a_guest_that_writes_anything_anywhere)
{
	uint64_t seed = 42, value;

	for (unsigned i = 0; i < 2000000; i++) {
		unsigned size = 1u << (i % 4), bar = seed >> 60 & 1 ? 2 : 0;
		uint64_t at, end = bar ? 0x4000 : REGS_SIZE;

		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		at = (seed >> 20) % (seed >> 59 & 3 ? 64 : end) / size * size;
		refuse_start = (seed >> 55 & 7) == 0;
		refuse_features = (seed >> 52 & 7) == 0;
		if (i % 16 == 0)
			virtio_irq_mode(&vp, seed >> 40 & 1);
		if (i % 64 == 0 && vp.msix)
			virtio_irq_arm(&vp, seed >> 30 & 3, (struct fd){eventfd(0, EFD_NONBLOCK)});
		if (i % 5 == 0)
			virtio_config_write(&vp, (unsigned)(at & 0xfc), 4, (uint32_t)(seed >> 32),
				&err);
		virtio_config_read(&vp, (unsigned)(at & 0xfc), 4, &(uint32_t){0}, &err);
		virtio_region_write(&vp, bar, at, size, seed >> 24, &err);
		virtio_region_read(&vp, bar, at, size, &value, &err);
		trace[0] = '\0';
	}
	cr_assert_eq(cfg_get(0, 4), 0x10421af4u);
	cr_assert_eq(vp.n_queues, QUEUES);
	put(20, 1, 0);
	negotiate(V1);
	cr_assert_eq(get(22, 2), 0);
}
