/* SPDX-License-Identifier: Apache-2.0
 *
 * The vDPA helper against a device that is strict (vdpa_device.h).
 *
 * links: helpers/vdpa/setup.c helpers/vdpa/device.c helpers/vdpa/iotlb.c helpers/vdpa/vring.c
 * links: helpers/vdpa/backend.c helpers/vdpa/life.c helpers/virtio/split_ring.c
 * links: helpers/virtio/virtio_pci.c helpers/virtio/virtio_regs.c helpers/virtio/virtio_features.c
 * links: helpers/virtio/virtio_irq.c helpers/virtio/virtio_config.c
 */
#include "tests/unit/vdpa_device.h"

TestSuite(vdpa, .init = setup);

/* Opened, and one queue running. */
static void start(void)
{
	cr_assert_eq(open_device(0), 0, "%s", err.msg);
	negotiate(1ull << 32);
	set_queue(0, true);
	put(20, 1, 15);
	cr_assert_eq(get(20, 1), 15);
}

Test(vdpa, a_driver_from_reset_to_running)
{
	cr_assert_eq(open_device(0), 0, "%s", err.msg);
	expect_maps(false);
	cr_assert_eq(vdpa.virtio.queues[0].max, 256);
	cr_assert_eq(vdpa.virtio.queues[2].max, 64, "its own, smaller size");
	negotiate(1ull << 32 | 0x20);
	expect("S0 S1 S3 Sb ");
	cr_assert_eq(dev.accepted, 3ull << 32 | 0x20, "ACCESS_PLATFORM whatever the driver says");
	set_queue(0, true);
	set_queue(1, true);
	put(20, 1, 15);
	expect("E0 E1 Sf ");
	cr_assert(!dev.q[2].enabled && dev.q[2].kick && dev.q[2].call);
	cr_assert(dev.q[0].has_base && dev.q[0].base == 0);
	cr_assert_eq(get(20, 1), 15);
	cr_assert_str_eq(message(), "", "maps persist");
	negotiate(1ull << 32);
	set_queue(0, true);
	trace[0] = '\0';
	put(20, 1, 15);
	expect("E0 Sf ");
	cr_assert_str_eq(message(), "");
}

Test(vdpa, maps_are_made_anew_where_a_reset_takes_them)
{
	dev.backend = 0xe;
	cr_assert_eq(open_device(0), 0, "%s", err.msg);
	expect_maps(false);
	for (unsigned i = 0; i < 3; i++) {
		negotiate(1ull << 32);
		set_queue(0, true);
		cr_assert_str_eq(message(), "");
		put(20, 1, 15);
		cr_assert_eq(get(20, 1), 15);
		expect_maps(true);
	}
}

Test(vdpa, a_device_without_state_to_set)
{
	dev.no_base = dev.no_size = true;
	dev.backend = 0x10e;
	cr_assert_eq(open_device(0), 0, "%s", err.msg);
	cr_assert_eq(vdpa.virtio.queues[2].max, 256);
	negotiate(1ull << 32);
	set_queue(0, true);
	put(20, 1, 15);
	cr_assert_eq(get(20, 1), 15);
}

Test(vdpa, a_packed_ring_begins_with_its_wrap_counters_set)
{
	dev.features |= 1ull << 34;
	cr_assert_eq(open_device(0), 0, "%s", err.msg);
	negotiate(5ull << 32);
	set_queue(0, true);
	put(20, 1, 15);
	cr_assert_eq(dev.q[0].base, 0x80008000u);
}

Test(vdpa, calls_follow_the_vectors)
{
	int vector = eventfd(0, EFD_NONBLOCK);

	cr_assert_eq(open_device(0), 0, "%s", err.msg);
	negotiate(1ull << 32);
	set_queue(0, true);
	put(20, 1, 15);
	cr_assert_eq(dev.q[0].call_fd, vdpa.virtio.own[0].n);
	cr_assert_eq(dev.config_call, vdpa.virtio.own[1].n);
	virtio_irq_mode(&vdpa.virtio, true);
	put(22, 2, 0);
	put(26, 2, 1);
	put(16, 2, 0);
	virtio_irq_arm(&vdpa.virtio, 1, (struct fd){dup(vector)});
	cr_assert_eq(dev.q[0].call_fd, vdpa.virtio.vectors[1].n, "armed while it runs");
	virtio_irq_arm(&vdpa.virtio, 0, (struct fd){dup(vector)});
	cr_assert_eq(dev.config_call, vdpa.virtio.vectors[0].n);
	virtio_irq_mode(&vdpa.virtio, false);
	cr_assert_eq(dev.q[0].call_fd, vdpa.virtio.own[0].n);
	cr_assert_eq(dev.config_call, vdpa.virtio.own[1].n);
	put(20, 1, 0);
	dev.calls_after_start = 0;
	dev.q[0].call = false;
	put(22, 2, 0);
	put(26, 2, 0xffff);
	cr_assert(!dev.q[0].call, "nothing is asked of a device that does not run");
}

Test(vdpa, a_queue_enabled_late)
{
	cr_assert_eq(open_device(0), 0, "%s", err.msg);
	negotiate(1ull << 32);
	set_queue(0, true);
	set_queue(1, false);
	put(20, 1, 15);
	trace[0] = '\0';
	put(22, 2, 1);
	put(28, 2, 1);
	expect("E1 ");
	cr_assert_eq(get(28, 2), 1);
	put(22, 2, 2);
	put(28, 2, 1);
	expect("");
	cr_assert_eq(get(28, 2), 0, "it has no addresses");
}

Test(vdpa, a_device_that_does_not_take_the_features)
{
	cr_assert_eq(open_device(0), 0, "%s", err.msg);
	dev.says_no = true;
	negotiate(1ull << 32);
	cr_assert_eq(get(20, 1), 3);
}

Test(vdpa, a_queue_it_cannot_have_stops_the_start)
{
	cr_assert_eq(open_device(0), 0, "%s", err.msg);
	negotiate(1ull << 32);
	set_queue(0, true);
	vdpa.virtio.queues[0].driver = 1;
	put(20, 1, 15);
	cr_assert_eq(get(20, 1) & 0x40, 0x40);
	negotiate(1ull << 32);
	set_queue(0, true);
	put(20, 1, 15);
	cr_assert_eq(get(20, 1), 15, "a reset heals it");
}

Test(vdpa, fewer_queues_than_the_device_has)
{
	dev.queues = 5;
	dev.features = 0x308830028 | 1 << 22;
	cr_assert_eq(open_device(3), 0, "%s", err.msg);
	cr_assert_eq(vdpa.virtio.n_queues, 3);
	cr_assert_eq(vdpa.virtio.offered >> 22 & 1, 0, "no MQ");
	cr_assert_eq(vdpa.virtio.offered >> 17 & 1, 1, "its control queue is the third");
	memset(&vdpa.virtio, 0, sizeof(vdpa.virtio));
	vdpa.virtio.ops = &ops;
	cr_assert_eq(open_device(2), 0, "%s", err.msg);
	cr_assert_eq(vdpa.virtio.offered >> 17 & 1, 0);
	cr_assert_eq(vdpa.virtio.offered >> 23 & 1, 0, "nothing that needs it");
	cr_assert_eq(vdpa.virtio.offered >> 5 & 1, 1);
	cr_assert_eq(open_device(1), -EINVAL);
	cr_assert(strstr(err.msg, "needs 2"), "%s", err.msg);
	cr_assert_eq(open_device(6), -EINVAL);
	cr_assert(strstr(err.msg, "num_queues=6") && strstr(err.msg, "has 5"), "%s", err.msg);
}

/* virtio 1.3 §5.1.3.1: whatever is a command goes with the queue for commands. */
Test(vdpa, features_go_with_what_they_need)
{
	const uint64_t commands = 1ull << 2 | 0x7full << 17 | 1ull << 50 | 1ull << 51 | 1ull << 52 |
		1ull << 53 | 1ull << 57 | 1ull << 60;

	dev.queues = 5;
	dev.features = 0x308830028 | commands;
	cr_assert_eq(open_device(2), 0, "%s", err.msg);
	cr_assert_eq(vdpa.virtio.offered & commands, 0, "0x%llx",
		(unsigned long long)(vdpa.virtio.offered & commands));
	vdpa.virtio.n_queues = 0;
	cr_assert_eq(open_device(3), 0, "%s", err.msg);
	cr_assert_eq(vdpa.virtio.offered & commands, commands & ~(1ull << 22 | 1ull << 60),
		"but for MQ and RSS: all of it");
}

Test(vdpa, features_that_were_never_whole)
{
	/* TSO6 alone has its CSUM; ECN and RSC_EXT stand on it; GUEST_TSO4 and _ECN on nothing. */
	cr_assert_eq(virtio_features_fit(1, 1 | 1ull << 12 | 1ull << 13 | 1ull << 61 | 1ull << 7 |
		1ull << 9), 1 | 1ull << 12 | 1ull << 13 | 1ull << 61);
	cr_assert_eq(virtio_features_fit(1, 1ull << 11 | 1ull << 13 | 1ull << 5), 1ull << 5);
	cr_assert_eq(virtio_features_fit(20, 0x3e), 0);
	cr_assert_eq(virtio_features_fit(20, 0x3f), 0x3f);
	cr_assert_eq(virtio_features_fit(16, 0x1e), 0x0e);
	cr_assert_eq(virtio_features_fit(2, ~0ull), ~0ull);
}

/* A file system's first queue is for what must not wait, a SCSI host's first two are not for
 * requests; of the others nobody knows which queue is which. */
Test(vdpa, fewer_queues_where_the_configuration_says_how_many)
{
	dev.type = 26;
	dev.queues = 5;
	dev.config_size = 44;
	dev.config[36] = 4;
	cr_assert_eq(open_device(3), 0, "%s", err.msg);
	cr_assert_eq(get(REGS_DEVICE + 36, 4), 2);
	cr_assert_eq(open_device(1), -EINVAL);
	cr_assert(strstr(err.msg, "needs 2"), "%s", err.msg);
	dev.features |= 1; /* notifications have one, too */
	cr_assert_eq(open_device(3), 0, "%s", err.msg);
	cr_assert_eq(get(REGS_DEVICE + 36, 4), 1);
	dev.type = 8;
	dev.config[0] = 3;
	cr_assert_eq(open_device(4), 0, "%s", err.msg);
	cr_assert_eq(get(REGS_DEVICE, 4), 2);
	dev.type = 20;
	cr_assert_eq(open_device(4), -EINVAL);
	cr_assert(strstr(err.msg, "leave it out"), "%s", err.msg);
	cr_assert_eq(open_device(0), 0, "%s", err.msg);
}

/* mlx5: one pair has a page always, the others if MQ was taken; and if it was not, the kernel would
 * map something else. */
Test(vdpa, doorbell_pages_are_there_whatever_a_driver_takes)
{
	dev.queues = 9;
	dev.features |= 1 << 22;
	dev.pages = 2;
	dev.pages_after = 8;
	cr_assert_eq(open_device(0), 0, "%s", err.msg);
	cr_assert_eq(vdpa.virtio.n_pages, 2);
	cr_assert_eq(dev.accepted, vdpa.virtio.offered | 1ull << 33, "all of them were taken");
	cr_assert_eq(dev.status, 0, "and a reset ended it");
	dev.pages = 8;
	dev.pages_after = 1;
	cr_assert_eq(open_device(0), 0, "%s", err.msg);
	cr_assert_eq(vdpa.virtio.n_pages, 1);
	dev.pages = 0;
	trace[0] = '\0';
	cr_assert_eq(open_device(0), 0, "%s", err.msg);
	cr_assert_eq(vdpa.virtio.n_pages, 0);
	expect("");
}

/* Third without MQ, last with it; and where it is software a write to a page is not heard. */
Test(vdpa, no_control_queue_has_a_doorbell_page)
{
	dev.pages = dev.pages_after = 3;
	cr_assert_eq(open_device(0), 0, "%s", err.msg);
	cr_assert_eq(vdpa.virtio.n_pages, 2);
	dev.features &= ~(1ull << 17);
	cr_assert_eq(open_device(0), 0, "%s", err.msg);
	cr_assert_eq(vdpa.virtio.n_pages, 3);
	dev.features |= 1ull << 17;
	cr_assert_eq(open_device(2), 0, "%s", err.msg);
	cr_assert_eq(vdpa.virtio.n_pages, 2);
}

/* vp_vdpa over a card of two pairs counts three queues. */
Test(vdpa, a_card_that_speaks_of_more_pairs_than_it_has_queues)
{
	dev.queues = 3;
	dev.features |= 1 << 22;
	dev.config[8] = 2;
	cr_assert_eq(open_device(0), 0, "%s", err.msg);
	cr_assert_eq(vdpa.virtio.n_queues, 3);
	cr_assert_eq(vdpa.virtio.offered >> 22 & 1, 0, "no MQ");
	cr_assert_eq(vdpa.virtio.offered >> 17 & 1, 1, "its control queue");
}

Test(vdpa, an_odd_number_of_queues_and_its_full_features)
{
	dev.queues = 7;
	dev.features |= 1 << 22;
	cr_assert_eq(open_device(0), 0, "%s", err.msg);
	cr_assert_eq(vdpa.virtio.n_queues, 7);
	cr_assert_eq(vdpa.virtio.offered >> 22 & 1, 1);
}

Test(vdpa, a_block_device_says_as_many_queues_as_there_are)
{
	uint8_t config[64];

	dev.type = 2;
	dev.queues = 4;
	dev.config_size = 60;
	dev.config[34] = 4;
	cr_assert_eq(open_device(2), 0, "%s", err.msg);
	cr_assert_eq(device_config_read(&vdpa.virtio, config, &err), 0);
	cr_assert_eq(config[34], 2);
	cr_assert_eq(get(REGS_DEVICE + 34, 2), 2);
	put(REGS_DEVICE + 32, 1, 1);
	cr_assert_eq(dev.config[32], 1);
}

Test(vdpa, a_device_past_the_iommu_is_refused)
{
	dev.features &= ~(1ull << 33);
	cr_assert_eq(open_device(0), -EPERM);
	cr_assert(strstr(err.msg, "ACCESS_PLATFORM"), "%s", err.msg);
}

Test(vdpa, ram_it_cannot_reach_is_refused)
{
	dev.range.last = 0xffffffff;
	cr_assert_eq(open_device(0), -ERANGE);
	cr_assert(strstr(err.msg, "0x100000000 (1 MiB)"), "%s", err.msg);
}

/* The kernel says EFAULT to everything. */
Test(vdpa, what_the_iotlb_does_not_take_is_explained)
{
	fd_close(&iotlb);
	vdpa.n_ram = 2;
	cr_assert_lt(open_device(0), 0);
	dev.backend = 0x2; /* no batch: the update itself fails */
	cr_assert_lt(open_device(0), 0);
	cr_assert(strstr(err.msg, "hugepages=on") && strstr(err.msg, "vhost_vdpa.max_iotlb_entries"),
		"%s", err.msg);
}

Test(vdpa, every_request_may_fail)
{
	static const int setup_requests[] = {0x70, 0x00, 0x79, 0x80, 0x26, 0x01, 0x25, 0x76, 0x78};
	static const int run_requests[] = {0x10, 0x11, 0x20, 0x21, 0x75, 0x77};

	for (unsigned i = 0; i < sizeof(setup_requests) / sizeof(int); i++) {
		if (setup_requests[i] == 0)
			continue; /* GET and SET_FEATURES share the number */
		dev.fail_at = setup_requests[i];
		cr_assert_eq(open_device(0), -EIO, "0x%x", setup_requests[i]);
	}
	dev.fail_at = 0;
	memset(&vdpa.virtio, 0, sizeof(vdpa.virtio));
	vdpa.virtio.ops = &ops;
	cr_assert_eq(open_device(0), 0, "%s", err.msg);
	for (unsigned i = 0; i < sizeof(run_requests) / sizeof(int); i++) {
		negotiate(1ull << 32);
		set_queue(0, true);
		dev.fail_at = run_requests[i];
		put(20, 1, 15);
		cr_assert_eq(get(20, 1) & 0x40, 0x40, "0x%x", run_requests[i]);
		dev.fail_at = 0;
	}
}

/* The deadline of the register write that starts the device. */
Test(vdpa, mapping_that_would_take_too_long_at_each_start_is_refused)
{
	dev.backend = 0xe;
	map_ms = 2000;
	cr_assert_eq(open_device(0), -ETIME);
	cr_assert(strstr(err.msg, "hugepages=on") && strstr(err.msg, "6.7"), "%s", err.msg);
	dev.backend = 0x10e;
	cr_assert_eq(open_device(0), 0, "maps persist: %s", err.msg);
}

Test(vdpa, a_packed_ring_needs_a_kernel_that_can)
{
	dev.features |= 1ull << 34;
	dev.backend = 0xe;
	cr_assert_eq(open_device(0), 0, "%s", err.msg);
	cr_assert_eq(vdpa.virtio.offered >> 34 & 1, 0);
}

Test(vdpa, a_reset_that_fails_leaves_it_running)
{
	start();
	cr_assert_eq(vdpa.life, LIFE_RUNNING);
	dev.fail_at = 0x72;
	put(20, 1, 0);
	cr_assert_eq(get(20, 1), 0, "as the driver sees it");
	cr_assert_eq(vdpa.life, LIFE_BROKEN, "it may run");
	dev.fail_at = 0;
	put(20, 1, 0);
	cr_assert_eq(vdpa.life, LIFE_RESET);
}

/* A driver that goes on after a reset that failed: here the device would take its features. */
Test(vdpa, nothing_starts_without_a_reset)
{
	cr_assert_eq(open_device(0), 0, "%s", err.msg);
	put(20, 1, 1);
	dev.fail_at = 0x72;
	put(20, 1, 0);
	dev.fail_at = 0;
	put(20, 1, 1);
	put(20, 1, 3);
	put(8, 4, 1);
	put(12, 4, 1);
	put(20, 1, 11);
	cr_assert_eq(get(20, 1), 0x43, "no FEATURES_OK, and it needs a reset");
	negotiate(1ull << 32);
	cr_assert_eq(get(20, 1), 11);
}

/* It may run, so it is suspended with its VM; and not left so. */
Test(vdpa, a_broken_device_stands_still_with_its_vm_and_goes_on_with_it)
{
	start();
	dev.fail_at = 0x72;
	put(20, 1, 0);
	dev.fail_at = 0;
	trace[0] = '\0';
	cr_assert_eq(vring_suspend(&vdpa, &err), 0, "%s", err.msg);
	cr_assert_eq(vring_resume(&vdpa, &err), 0, "%s", err.msg);
	expect("suspend resume ");
	cr_assert_eq(vdpa.life, LIFE_BROKEN);
	dev.fail_at = 0x7d;
	cr_assert_eq(vring_suspend(&vdpa, &err), -EIO, "it is not said to stand still");
	dev.fail_at = 0x7e;
	cr_assert_eq(vring_resume(&vdpa, &err), 0);
}

/* A device that could not be started is not started by giving it up. */
Test(vdpa, giving_up_is_not_drivers_ok_by_another_way)
{
	cr_assert_eq(open_device(0), 0, "%s", err.msg);
	negotiate(1ull << 32);
	set_queue(0, true);
	dev.fail_at = 0x11;
	put(20, 1, 15);
	trace[0] = '\0';
	put(20, 1, 0x8f);
	expect("S8b ");
	cr_assert_eq(get(20, 1), 0xcf);
}

Test(vdpa, a_start_that_was_not_seen_to_succeed_may_have)
{
	cr_assert_eq(open_device(0), 0, "%s", err.msg);
	negotiate(1ull << 32);
	set_queue(0, true);
	dev.fail_at = 0x71; /* GET_STATUS, after SET_STATUS */
	put(20, 1, 15);
	cr_assert_eq(vdpa.life, LIFE_BROKEN);
}
