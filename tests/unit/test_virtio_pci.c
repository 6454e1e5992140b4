/* SPDX-License-Identifier: Apache-2.0
 *
 * The virtio-pci transport against a recorded back end: what Linux's virtio_pci_modern does from
 * probe to removal, resets, everything in the wrong order, interrupts both ways, and nonsense.
 *
 * links: helpers/virtio/virtio_pci.c helpers/virtio/virtio_regs.c helpers/virtio/virtio_features.c
 * links: helpers/virtio/virtio_irq.c helpers/virtio/virtio_config.c
 */
#include "tests/unit/virtio_device.h"

TestSuite(virtio_pci, .init = setup);

Test(virtio_pci, ids_say_block)
{
	cr_assert_eq(cfg_get(0, 4), 0x10421af4u);
	cr_assert_eq(cfg_get(8, 4), 0x01000001u);
	cr_assert_eq(cfg_get(0x2c, 4), 0x11001af4u);
	cr_assert_eq(cfg_get(0x3d, 1), 1u);
}

Test(virtio_pci, capabilities_are_all_there_once)
{
	unsigned seen[6] = {0}, n = 0;

	for (unsigned at = cfg_get(0x34, 1); at; at = cfg_get(at + 1, 1)) {
		cr_assert_lt(n++, 10);
		if (cfg_get(at, 1) != 9)
			continue;
		cr_assert_geq(cfg_get(at + 2, 1), 16);
		seen[cfg_get(at + 3, 1)]++;
		if (cfg_get(at + 3, 1) == 2)
			cr_assert_eq(cfg_get(at + 16, 4), 4096, "notify_off_multiplier");
		if (cfg_get(at + 3, 1) == 4)
			cr_assert_eq(cfg_get(at + 12, 4), sizeof(device_config));
	}
	cr_assert_eq(n, 6, "MSI-X and five of virtio's");
	for (unsigned type = 1; type <= 5; type++)
		cr_assert_eq(seen[type], 1, "type %u", type);
}

Test(virtio_pci, no_device_config_no_capability)
{
	vp.config_size = 0;
	virtio_config_build(&vp);
	for (unsigned at = cfg_get(0x34, 1); at; at = cfg_get(at + 1, 1))
		cr_assert(cfg_get(at, 1) != 9 || cfg_get(at + 3, 1) != 4);
	cr_assert_eq(get(REGS_DEVICE, 4), 0);
}

Test(virtio_pci, the_core_takes_the_description)
{
	static struct describe_wire wire;
	struct function_desc desc, got;

	vp.n_pages = 2;
	virtio_pci_describe(&vp, &desc);
	describe_to_wire(&desc, &wire);
	cr_assert_eq(describe_from_wire(&wire.description, &got, &err), 0, "%s", err.msg);
	cr_assert_eq(got.regions[2].size, 0x4000, "three pages, rounded up");
	cr_assert_eq(got.regions[2].ranges[0].size, 0x2000);
	cr_assert_eq(got.msix.vectors, QUEUES + 1);
	cr_assert_eq(got.doorbells.count, QUEUES);
	vp.n_queues = VIRTIO_QUEUES_MAX;
	virtio_config_build(&vp);
	virtio_pci_describe(&vp, &desc);
	describe_to_wire(&desc, &wire);
	cr_assert_eq(describe_from_wire(&wire.description, &got, &err), 0, "%s", err.msg);
	vp.n_queues = 1;
	vp.n_pages = 0;
	virtio_config_build(&vp);
	virtio_pci_describe(&vp, &desc);
	describe_to_wire(&desc, &wire);
	cr_assert_eq(describe_from_wire(&wire.description, &got, &err), 0, "%s", err.msg);
}

Test(virtio_pci, only_what_may_change_does)
{
	cfg_put(4, 2, 0xffff);
	cr_assert_eq(cfg_get(4, 2), 0x0406u);
	cfg_put(0, 4, 0);
	cfg_put(0x34, 1, 0);
	cfg_put(0x3c, 4, 0xffffff0b);
	cr_assert_eq(cfg_get(0, 4), 0x10421af4u);
	cr_assert_eq(cfg_get(0x34, 1), 0x40u);
	cr_assert_eq(cfg_get(0x3c, 2), 0x010bu);
}

Test(virtio_pci, the_window_in_config_space_reaches_the_registers)
{
	cfg_put(WIN + 4, 1, 0);
	cfg_put(WIN + 8, 4, 18);
	cfg_put(WIN + 12, 4, 2);
	cr_assert_eq(cfg_get(WIN + 16, 2), QUEUES);
	cfg_put(WIN + 8, 4, 20);
	cfg_put(WIN + 12, 4, 1);
	cfg_put(WIN + 16, 1, ACK);
	cr_assert_eq(get(20, 1), ACK);
	expect("status1 ");
	cfg_put(WIN + 4, 1, 2);
	cfg_put(WIN + 8, 4, 4096);
	cfg_put(WIN + 12, 4, 2);
	cfg_put(WIN + 16, 2, 1);
	expect("kick1 ");
	/* Beyond, unaligned, of no size, in no BAR: nothing. */
	cfg_put(WIN + 8, 4, 3 * 4096);
	cfg_put(WIN + 16, 2, 1);
	cfg_put(WIN + 8, 4, 0xfffffffe);
	cfg_put(WIN + 16, 2, 1);
	cfg_put(WIN + 4, 1, 1);
	cfg_put(WIN + 16, 2, 1);
	cfg_put(WIN + 12, 4, 3);
	cfg_put(WIN + 16, 2, 1);
	cfg_get(WIN + 16, 4);
	expect("");
}

/* ---- a driver's life ------------------------------------------------------------------------ */

Test(virtio_pci, linux_from_probe_to_removal)
{
	cr_assert_eq(get(18, 2), QUEUES);
	negotiate(V1 | 0x40);
	expect("reset status1 status3 features100000040 ");
	cr_assert_eq(get(20, 1), ACK | DRIVER | FEATURES_OK);
	put(16, 2, 0);
	cr_assert_eq(get(16, 2), 0);
	for (unsigned i = 0; i < 2; i++) {
		put(22, 2, i);
		cr_assert_eq(get(24, 2), 256);
		cr_assert_eq(get(28, 2), 0, "not enabled");
		cr_assert_eq(get(30, 2), i, "queue_notify_off");
		set_queue(i, 128);
		cr_assert_eq(get(26, 2), i + 1);
	}
	enable(0);
	enable(1);
	cr_assert_eq(get(28, 2), 1);
	expect("");
	put(20, 1, get(20, 1) | DRIVER_OK);
	expect("start ");
	cr_assert_eq(get(20, 1), ACK | DRIVER | FEATURES_OK | DRIVER_OK);
	cr_assert_eq(vp.queues[1].size, 128);
	cr_assert_eq(vp.queues[1].desc, 0x100001000ull);
	cr_assert_eq(vp.queues[1].driver, 0x200101000ull);
	cr_assert_eq(vp.queues[1].device, 0x300201000ull);
	cr_assert(vp.queues[0].enabled && vp.queues[1].enabled && !vp.queues[2].enabled);
	put(20, 1, 0);
	expect("reset ");
	/* del_vqs comes after the reset. */
	put(22, 2, 1);
	put(26, 2, 0xffff);
	cr_assert_eq(get(26, 2), 0xffff);
	put(16, 2, 0xffff);
	cr_assert_eq(get(24, 2), 256);
	cr_assert_eq(get(28, 2), 0);
	cr_assert_eq(get(32, 8), 0);
	negotiate(V1);
	expect("reset status1 status3 features100000000 ");
}

Test(virtio_pci, features_are_masked_and_selected)
{
	put(0, 4, 0);
	cr_assert_eq(get(4, 4), 0x30ffffffu);
	put(0, 4, 1);
	cr_assert_eq(get(4, 4), 0xfffc001fu, "no SR_IOV, NOTIFICATION_DATA, RING_RESET");
	put(0, 4, 2);
	cr_assert_eq(get(4, 4), 0);
	put(8, 4, 7);
	put(12, 4, ~0u);
	cr_assert_eq(vp.accepted, 0);
}

Test(virtio_pci, a_legacy_device_is_refused)
{
	vp.offered = 0x40;
	cr_assert_eq(virtio_pci_init(&vp, &err), -ENOTSUP);
}

Test(virtio_pci, features_that_were_not_offered_do_not_stand)
{
	vp.offered = V1;
	negotiate(V1 | 1);
	expect("reset status1 status3 ");
	cr_assert_eq(get(20, 1), ACK | DRIVER);
	negotiate(0);
	cr_assert_eq(get(20, 1), ACK | DRIVER, "without VERSION_1");
	refuse_features = true;
	negotiate(V1);
	cr_assert_eq(get(20, 1), ACK | DRIVER);
	put(20, 1, ACK | DRIVER | FEATURES_OK | DRIVER_OK);
	cr_assert_eq(get(20, 1), ACK | DRIVER);
}

Test(virtio_pci, features_stand_once)
{
	negotiate(V1);
	put(8, 4, 0);
	put(12, 4, 0x40);
	cr_assert_eq(vp.accepted, V1);
	trace[0] = '\0';
	put(20, 1, ACK | DRIVER | FEATURES_OK);
	expect("");
}

Test(virtio_pci, the_wrong_order_does_nothing)
{
	put(20, 1, FEATURES_OK);
	cr_assert_eq(get(20, 1), 0);
	put(20, 1, DRIVER_OK);
	cr_assert_eq(get(20, 1), 0);
	put(20, 1, ACK | FEATURES_OK | DRIVER_OK);
	cr_assert_eq(get(20, 1), ACK);
	trace[0] = '\0';
	set_queue(0, 64);
	enable(0);
	cr_assert(!vp.queues[0].enabled);
	cr_assert_eq(vp.queues[0].size, 256);
	cr_assert_eq(vp.queues[0].desc, 0);
	negotiate(V1);
	set_queue(0, 64);
	enable(0);
	set_queue(0, 32);
	cr_assert_eq(vp.queues[0].size, 64, "enabled");
	put(28, 2, 0);
	cr_assert(vp.queues[0].enabled, "stays enabled until a reset");
	put(20, 1, get(20, 1) | DRIVER_OK);
	set_queue(1, 64);
	cr_assert_eq(vp.queues[1].size, 256, "the device runs");
	trace[0] = '\0';
	enable(1);
	expect("enable1 ");
	put(20, 1, ACK);
	cr_assert_eq(get(20, 1), ACK | DRIVER | FEATURES_OK | DRIVER_OK, "bits are not taken back");
	expect("");
}
