/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists of capabilities, as they are and as none should be; devices at random; what of a BAR may be mapped.
 *
 * links: helpers/vfio/config.c helpers/vfio/caps.c helpers/vfio/ext_caps.c helpers/vfio/msix.c
 * links: helpers/vfio/map.c helpers/vfio/access.c helpers/vfio/ranges.c helpers/vfio/known.c
 */
#include "tests/unit/config_device.h"

Test(config_lists, extended_capabilities)
{
	nvme();
	ext();
	build(4096);
	cr_assert(ext_listed(1) && ext_listed(3) && ext_listed(0x0b));
	cr_assert_not(ext_listed(0x0e) || ext_listed(0x10) || ext_listed(0x1b));
	cr_assert_eq(guest(0x140, 4), 0x17010003, "ARI and SR-IOV are skipped");
	cr_assert_eq(guest(0x170, 4), 0x0001000b, "the last one shown");
	cr_assert_eq(guest(0x144, 4), 0x12345678);
	cr_assert_eq(guest(0x164, 4), 0);
	cr_assert_eq(through(0x104, 4, 0x10), 0x10);
	cr_assert_eq(through(0x100, 4, 0x10), -1);
	cr_assert_eq(through(0x178, 4, 0xffffffff), -1, "vendor specific: read only");
	cr_assert_eq(through(0x168, 4, 0xffffffff), -1);
}

Test(config_lists, first_extended_capability_hidden)
{
	nvme();
	ext();
	put(0x100, 4, 0x14010010); /* SR-IOV first */
	build(4096);
	cr_assert_eq(guest(0x100, 4), 0x14000000, "id 0, but the list goes on");
	cr_assert(ext_listed(3));
	put(0x100, 4, 0x00010010);
	build(4096);
	cr_assert_eq(guest(0x100, 4), 0);
}

Test(config_lists, without_express_there_is_no_extended_space)
{
	nvme();
	ext();
	put(0x61, 1, 0);
	build(4096);
	cr_assert_eq(map.size, 256);
	nvme();
	build(256);
	cr_assert_eq(map.size, 256);
}

Test(config_lists, lists_that_loop)
{
	nvme();
	ext();
	put(0x81, 1, 0x40);
	put(0x180, 4, 0x1001001b);
	build(4096);
	cr_assert(listed(0x10));
	cr_assert_eq(guest(0x81, 1), 0);
	put(0x180, 4, 0x1401001b);
	build(4096);
	cr_assert(ext_listed(0x0b));
	put(0x100, 4, 0x10010010); /* itself */
	build(4096);
	cr_assert_eq(guest(0x100, 4), 0);
}

Test(config_lists, capabilities_that_do_not_fit)
{
	nvme();
	put(0x41, 1, 0xf8); /* MSI-X -> a second one, 8 bytes before the end */
	put(0xf8, 4, 0x00070011);
	build(4096);
	cr_assert_eq(map.msix.vectors, 65);
	cr_assert_eq(map.msix.cap, 0x40);
	cr_assert_eq(guest(0x41, 1), 0);
	nvme();
	put(0x34, 1, 0xfc);
	put(0xfc, 4, 0xff000009); /* vendor specific of length 0 */
	build(4096);
	cr_assert_not(listed(0x09));
	nvme();
	put(0x34, 1, 0x10); /* points into the header */
	build(4096);
	cr_assert_eq(guest(0x34, 1), 0);
	cr_assert_eq(guest(0x06, 2) & 0x10, 0);
}

/* VFIO has no bridges, whatever a device says once it is asked again. */
Test(config_lists, a_header_is_an_endpoints)
{
	nvme();
	put(0x0e, 1, 0x01);
	build(4096);
	cr_assert_eq(guest(0x0e, 1), 0);
	cr_assert_eq(notes.n, 2, "and MSI");
	memset(raw, 0xff, sizeof(raw));
	cr_assert_eq(try_build(4096), -ENODEV);
	cr_assert_eq(err.blame, BLAME_HOST);
}

Test(config_lists, advanced_features)
{
	nvme();
	put(0x50, 4, 0x03066013); /* in MSI's place */
	put(0x54, 4, 0x00000100);
	put(0x84, 4, 0x00008fc0);
	build(4096);
	cr_assert(listed(0x13) && map.has_flr);
	cr_assert_eq(guest(0x52, 2), 6, "no reset");
	facts.can_reset = true;
	build(4096);
	cr_assert_eq(guest(0x52, 2), 0x0306, "it can be reset");
	cr_assert_eq(through(0x54, 1, 1), -1, "the core resets");
}

/* Whatever the bytes: it ends, stays in bounds, and never shows what is not on the lists. */
Test(config_lists, random_devices, .timeout = 60)
{
	srandom(1);
	for (unsigned n = 0; n < 20000; n++) {
		for (unsigned i = 0; i < sizeof(raw); i++)
			raw[i] = (uint8_t)(random() >> 3);
		raw[0x06] |= 0x10;
		raw[0x0e] &= 0x80;
		for (unsigned i = 0x40; i < 0x100; i += 4)
			raw[i] = (uint8_t)(random() % 0x16);
		for (unsigned i = 0x100; i < 0x1000; i += 4)
			put(i, 2, (uint32_t)(random() % 0x30));
		build(4096);
		cr_assert_eq(listed(0x05), map.msi_cap != 0);
		cr_assert_not(listed(0x14));
		cr_assert_eq(guest(0x0e, 1), 0);
		cr_assert_eq(through(0x10, 4, 0xffffffff), -1);
		for (unsigned i = 0; i < notes.n; i++)
			cr_assert_lt(notes.list[i].at, 4096);
		if (map.size == 4096)
			cr_assert_not(ext_listed(0x10) || ext_listed(0x0f) || ext_listed(0x15));
	}
}

/* Wi-Fi cards whose firmware is told the MSI message, by vendor and id. */
Test(config_lists, what_is_known_not_to_work_is_said)
{
	char said[256] = "";
	int log[2];

	cr_assert_eq(pipe2(log, O_NONBLOCK), 0);
	log_init("", LOG_WARN, log[1]);
	known_warn(0x8086, 0x1104);
	known_warn(0x17cb, 0x0400);
	cr_assert_lt(read(log[0], said, sizeof(said) - 1), 0, "%s", said);
	known_warn(0x17cb, 0x1104);
	cr_assert_gt(read(log[0], said, sizeof(said) - 1), 0);
	cr_assert(strstr(said, "QCN9074, ath11k") && strstr(said, "MSI"), "%s", said);
}

Test(config_lists, ranges_leave_out_the_table)
{
	struct region_desc bar = {.size = 0x10000};

	ranges_add(&bar, 0, bar.size);
	cr_assert_eq(bar.n_ranges, 1);
	ranges_cut(&bar, 0x2010, 65 * 16);
	cr_assert_eq(bar.n_ranges, 2);
	cr_assert_eq(bar.ranges[0].size, 0x2000);
	cr_assert_eq(bar.ranges[1].offset, 0x3000);
	ranges_cut(&bar, 0x3000, 16);
	cr_assert_eq(bar.n_ranges, 2);
	cr_assert_eq(bar.ranges[1].offset, 0x4000);
	ranges_cut(&bar, 0x4ff8, 16); /* across a page's end: both go */
	cr_assert_eq(bar.ranges[1].offset, 0x6000);
	ranges_cut(&bar, 0, 0x10000);
	cr_assert_eq(bar.n_ranges, 0);
}

Test(config_lists, ranges_never_leave_the_bar)
{
	struct region_desc bar = {.size = 0x800};

	ranges_add(&bar, 0, bar.size);
	cr_assert_eq(bar.n_ranges, 0, "smaller than a page");
	bar.size = 0x4000;
	ranges_add(&bar, 0x1000, 0x4000);
	ranges_add(&bar, UINT64_MAX - 0xfff, 0x1000);
	cr_assert_eq(bar.n_ranges, 0);
	ranges_add(&bar, 0x800, 0x2000);
	cr_assert_eq(bar.n_ranges, 1);
	cr_assert_eq(bar.ranges[0].offset, 0x1000);
	cr_assert_eq(bar.ranges[0].size, 0x1000);
	ranges_add(&bar, 0, 0x1000);
	cr_assert_eq(bar.n_ranges, 1, "not ascending");
}
