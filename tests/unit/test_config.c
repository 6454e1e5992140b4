/* SPDX-License-Identifier: Apache-2.0
 *
 * Config space filtering, register by register: what is shown, what a guest's write changes, and
 * what it leaves as it is in the device. Whole devices, and broken ones: test_config_spaces.c.
 *
 * links: helpers/vfio/config.c helpers/vfio/caps.c helpers/vfio/ext_caps.c helpers/vfio/msix.c
 * links: helpers/vfio/map.c helpers/vfio/access.c helpers/vfio/ranges.c helpers/vfio/known.c
 */
#include "tests/unit/config_device.h"

Test(config, header)
{
	nvme();
	build(4096);
	cr_assert_eq(guest(0x00, 4), 0x00101b36);
	cr_assert_eq(guest(0x04, 2), 0x0406);
	cr_assert_eq(guest(0x08, 4), 0x01080202);
	cr_assert_eq(guest(0x0e, 1), 0, "one function");
	cr_assert_eq(guest(0x10, 4), 4, "flags only");
	cr_assert_eq(guest(0x14, 4), 0);
	cr_assert_eq(guest(0x2c, 4), 0x11001af4);
	cr_assert_eq(guest(0x30, 4), 0);
	cr_assert_eq(guest(0x3c, 2), 0x000b, "no interrupt pin");
	cr_assert_eq(map.size, 4096);
}

Test(config, header_writes)
{
	nvme();
	build(4096);
	cr_assert_eq(through(0x00, 4, 0xffffffff), -1);
	cr_assert_eq(through(0x04, 2, 0xffff), 0x0557);
	cr_assert_eq(through(0x04, 2, 0x0c06), 0x0406);
	cr_assert_eq(through(0x04, 1, 0x06), 0x06);
	cr_assert_eq(through(0x06, 2, 0xf9ff) & 0xff00, 0xf900, "clears by one");
	cr_assert_eq(through(0x04, 4, 0x00000006) & 0xff000000, 0, "clears nothing by itself");
	for (unsigned at = 0x08; at < 0x3c; at += 4)
		cr_assert_eq(through(at, 4, 0xffffffff), -1, "0x%x", at);
	cr_assert_eq(through(0x3c, 1, 0x05), 5);
	cr_assert_eq(through(0x3d, 1, 0x05), -1);
}

Test(config, msi_describes_and_no_more)
{
	nvme();
	put(0x50, 4, 0x00f76005); /* on, 4 of 8 vectors, 64 bit, -> 0x60 */
	build(4096);
	cr_assert_eq(map.msi_cap, 0x50);
	cr_assert(listed(0x05) && listed(0x11) && listed(0x01));
	cr_assert_eq(guest(0x52, 2), 0x0086, "off, 8 vectors, 64 bit");
	for (unsigned at = 0x50; at < 0x5e; at += 2)
		cr_assert_eq(through(at, 2, 0xffff), -1, "0x%x", at);
	for (unsigned at = 0x54; at < 0x5c; at += 4)
		cr_assert_eq(guest(at, 4), 0, "message: the host's is not shown");
	put(0x52, 1, 0x8c);
	build(4096);
	cr_assert_eq(guest(0x52, 2), 0x008a, "64 vectors are reserved: 32");
	facts.msi = 2;
	build(4096);
	cr_assert_eq(guest(0x52, 2), 0x0082, "VFIO has two");
	facts.msi = 0;
	build(4096);
	cr_assert_not(listed(0x05), "or none");
}

Test(config, interrupt_pin)
{
	nvme();
	put(0x3d, 1, 3);
	facts.intx = 1;
	build(4096);
	cr_assert_eq(guest(0x3d, 1), 1, "pin A, whatever the device's");
	facts.intx = 0;
	build(4096);
	cr_assert_eq(guest(0x3d, 1), 0);
	cr_assert_eq(through(0x3d, 1, 1), -1);
}

Test(config, capabilities_shown_and_not)
{
	nvme();
	build(4096);
	cr_assert(listed(0x11) && listed(0x01) && listed(0x10));
	cr_assert_not(listed(0x05), "MSI that reaches into the next capability");
	cr_assert_eq(guest(0x41, 1), 0x60, "MSI is skipped");
	for (unsigned at = 0x50; at < 0x60; at += 4) {
		cr_assert_eq(guest(at, 4), 0, "0x%x", at);
		cr_assert_eq(through(at, 4, 0xffffffff), -1, "0x%x", at);
	}
	cr_assert_eq(guest(0xf0, 4), 0xdeadbeef);
	cr_assert_eq(through(0xf0, 4, 0x12345678), 0x12345678);
	for (unsigned at = 0x41; at != 0; at = guest(at, 1) ? guest(at, 1) + 1 : 0)
		cr_assert_eq(through(at, 1, 0xff), -1, "next pointer at 0x%x", at);
}

Test(config, msix_describes_and_no_more)
{
	nvme();
	build(4096);
	cr_assert_eq(guest(0x42, 2), 0x0040, "not enabled, not masked");
	cr_assert_eq(map.msix.vectors, 65);
	cr_assert_eq(map.msix.cap, 0x40);
	cr_assert_eq(map.msix.table_offset, 0x2000);
	cr_assert_eq(map.msix.pba_offset, 0x3000);
	for (unsigned at = 0x40; at < 0x4c; at += 2)
		cr_assert_eq(through(at, 2, 0xffff), -1);
}

Test(config, power_management)
{
	nvme();
	build(4096);
	cr_assert_eq(guest(0x62, 2), 0xfe23 & 0x07ff, "no PME");
	cr_assert_eq(guest(0x64, 2), 0x0003);
	cr_assert_eq(through(0x64, 2, 0xfffc), 0x0100, "PME_En stays, PME_Status too");
	cr_assert_eq(through(0x64, 2, 0x0003), 0x0103);
	cr_assert(map.power_resets, "No_Soft_Reset is not set");
	put(0x64, 2, 0x3e0b);
	build(4096);
	cr_assert_eq(through(0x64, 2, 0x0000), 0x3e08, "what Data says is the host's to choose");
	cr_assert_not(map.power_resets);
}

Test(config, express_without_a_link)
{
	nvme();
	build(4096);
	cr_assert(map.has_flr);
	cr_assert_eq(guest(0x82, 2), 0x0092, "root complex integrated endpoint");
	cr_assert_eq(guest(0x84, 4), 0x00008fc0, "no function level reset that VFIO knows of");
	facts.can_reset = true;
	build(4096);
	cr_assert_eq(guest(0x84, 4), 0x10008fc0, "it can be reset");
	cr_assert_eq(through(0x88, 2, 0x8001), 0x0001, "the core resets");
	cr_assert_eq(through(0x88, 2, 0xffff), 0x78ff, "nor its bit");
	put(0x88, 2, 0x2f10);
	cr_assert_eq(through(0x88, 2, 0x0001), 0x0701, "the host's for its path");
	cr_assert_eq(guest(0x88, 2), 0x2910);
	cr_assert_eq(through(0x8a, 2, 0x000f), 0x000f, "status clears by one");
	cr_assert_eq(through(0x88, 4, 0x00002810), 0x00002f10);
	cr_assert_eq(guest(0x8c, 4), 0);
	cr_assert_eq(guest(0x90, 4), 0);
	cr_assert_eq(through(0x90, 4, 0xffffffff), -1);
	cr_assert_eq(guest(0xa4, 4), 0x1f);
	cr_assert_eq(guest(0xac, 4), 0);
}

/* A guest's completion time-out leaves the host's ARI, IDO, LTR and 10-bit tags alone. */
Test(config, device_control_2_is_the_hosts_but_for_time_outs)
{
	nvme();
	put(0xa8, 2, 0x1720);
	build(4096);
	cr_assert_eq(guest(0xa8, 2), 0, "the guest does not see them");
	cr_assert_eq(through(0xa8, 2, 0x0015), 0x1735);
	cr_assert_eq(through(0xa8, 2, 0xffff), 0x173f);
	cr_assert_eq(through(0xa8, 1, 0x05), 0x25);
	cr_assert_eq(through(0xa9, 1, 0xff), -1);
	put(0xa8, 2, 0x173f);
	cr_assert_eq(guest(0xa8, 2), 0x001f);
	cr_assert_eq(through(0xa8, 2, 0), 0x1720);
}

/* Linux enables AtomicOps of an integrated endpoint without a look at who completes them. */
Test(config, atomics_work_or_are_seen_not_to)
{
	nvme();
	build(4096);
	cr_assert_eq(through(0xa8, 2, 0x0040), 0, "there are none");
	put(0xa8, 2, 0x0040); /* the host's, for itself */
	cr_assert_eq(guest(0xa8, 2), 0);
	cr_assert_eq(through(0xa8, 2, 0x0005), 0x0045);
	facts.atomics = true;
	build(4096);
	cr_assert_eq(guest(0xa8, 2), 0x0040);
	cr_assert_eq(through(0xa8, 2, 0x0005), 0x0005);
	put(0xa8, 2, 0);
	cr_assert_eq(through(0xa8, 2, 0x0040), 0x0040);
}

/* The write itself: what the device has is read first where some of it stays, and only there. */
Test(config, a_write_through_the_descriptor)
{
	static struct vfio v;

	nvme();
	put(0xa8, 4, 0x00000420);
	put(0x04, 2, 0x0206);
	build(4096);
	cr_assert(device_make(raw, sizeof(raw)));
	v.config = map;
	v.device.n = device.fd;
	v.config_at = region_at(VFIO_PCI_CONFIG_REGION_INDEX);
	cr_assert_eq(access_config_write(&v, 0xa8, 4, 0x00000045, &err), 0);
	cr_expect_eq(device_config(0xa8, 4), 0x00000425);
	cr_assert_eq(access_config_write(&v, 0x04, 2, 0x0002, &err), 0);
	cr_expect_eq(device_config(0x04, 2), 0x0202, "fast back-to-back is the host's");
	cr_assert_eq(access_config_write(&v, 0x90, 4, 0xffffffff, &err), 0);
	cr_expect_eq(device_config(0x90, 4), 0x00110000, "no link");
	cr_assert_not(map_is_merged(&map, 0xf0, 4), "the device's own registers are not read");
	cr_assert_eq(access_config_write(&v, 0xf0, 4, 0x12345678, &err), 0);
	cr_expect_eq(device_config(0xf0, 4), 0x12345678);
}

/* No bit is both the guest's and kept, and none that clears by 1 is kept. */
Test(config, each_bit_is_one_of_guests_kept_or_nobodys)
{
	static const struct {
		unsigned at, clears;
	} status[] = {{0x06, 0xf900}, {0x64, 0x8000}, {0x88, 0x8000}, {0x8a, 0x004f}};

	nvme();
	facts.can_reset = facts.atomics = true;
	build(4096);
	for (unsigned at = 0; at < map.size; at++)
		cr_assert_eq(map.writable[at] & map.kept[at], 0, "0x%x", at);
	for (unsigned i = 0; i < sizeof(status) / sizeof(status[0]); i++)
		cr_assert_eq(get16(map.kept + status[i].at) & status[i].clears, 0, "0x%x",
			status[i].at);
}
