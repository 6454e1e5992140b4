/* SPDX-License-Identifier: Apache-2.0
 *
 * Config space filtering, register by register: what is shown, what a guest's write changes, and
 * what it leaves as it is in the device. Whole devices, and broken ones: test_config_spaces.c.
 *
 * links: helpers/vfio/config.c helpers/vfio/caps.c helpers/vfio/ext_caps.c helpers/vfio/msix.c
 * links: helpers/vfio/map.c helpers/vfio/access.c helpers/vfio/ranges.c helpers/vfio/known.c
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "helpers/vfio/config.h"
#include "helpers/vfio/ranges.h"
#include "helpers/vfio/vfio.h"
#include "ipc/log.h"
#include "tests/unit/vfio_device.h"

static uint8_t raw[4096];
static struct config_map map;
static struct region_desc bars[PCI_BARS] = {{.size = 0x4000, .is_64 = true}};
static struct facts facts = {.msi = 32, .msix = 2048};
static struct notes notes;
static struct err err;

static void put(unsigned at, unsigned size, uint32_t value)
{
	for (unsigned i = 0; i < size; i++)
		raw[at + i] = (uint8_t)(value >> 8 * i);
}

/* What the guest reads when the device answers with its raw bytes. */
static uint32_t guest(unsigned at, unsigned size)
{
	uint32_t value = 0;

	memcpy(&value, raw + at, size);
	return map_read(&map, at, size, value);
}

/* What is written to the device, which has its raw bytes, at a guest's write; -1: nothing. */
static int64_t through(unsigned at, unsigned size, uint32_t value)
{
	uint32_t now = 0;

	memcpy(&now, raw + at, size);
	return map_is_written(&map, at, size) ? (int64_t)map_write(&map, at, size, value, now) : -1;
}

static int try_build(unsigned size)
{
	const struct config_source in = {.raw = raw, .size = size, .bars = bars, .facts = &facts,
		.notes = &notes};

	notes.n = 0;
	return config_build(&in, &map, &err);
}

static void build(unsigned size)
{
	cr_assert_eq(try_build(size), 0, "%s", err.msg);
}

/* QEMU's NVMe: MSI-X at 0x40, PCI Express at 0x80, PM at 0x60; with MSI at 0x50 for good
 * measure. */
static void nvme(void)
{
	memset(raw, 0, sizeof(raw));
	put(0x00, 4, 0x00101b36);
	put(0x04, 4, 0x00100406);
	put(0x08, 4, 0x01080202);
	put(0x0e, 1, 0x80);
	put(0x10, 4, 0xfebd0004);
	put(0x14, 4, 0x00000001);
	put(0x2c, 4, 0x11001af4);
	put(0x34, 1, 0x40);
	put(0x3c, 4, 0x0000010b);
	put(0x40, 4, 0xc0405011); /* MSI-X: enabled, masked, 65 vectors, -> 0x50 */
	put(0x44, 4, 0x00002000);
	put(0x48, 4, 0x00003000);
	put(0x50, 4, 0x01806005); /* MSI: 64 bit, masks, -> 0x60 */
	memset(raw + 0x54, 0xaa, 0x14 - 8);
	put(0x60, 4, 0xfe238001); /* PM -> 0x80 */
	put(0x64, 4, 0x00008103);
	put(0x80, 4, 0x00020010); /* Express v2 endpoint, last */
	put(0x84, 4, 0x10008fc0);
	put(0x88, 4, 0x000f2810);
	put(0x8c, 4, 0x00400c11);
	put(0x90, 4, 0x00110000);
	put(0xa4, 4, 0x0018081f);
	put(0xac, 4, 0x0000000e);
	put(0xf0, 4, 0xdeadbeef); /* the device's own */
}

/* igb: AER, serial number, ARI, SR-IOV. */
static void ext(void)
{
	put(0x100, 4, 0x14020001);
	put(0x104, 4, 0x00000010);
	put(0x140, 4, 0x15010003);
	put(0x144, 4, 0x12345678);
	put(0x150, 4, 0x1601000e);
	put(0x160, 4, 0x17010010);
	put(0x170, 4, 0x1801000b); /* vendor specific, 0x10 bytes */
	put(0x174, 4, 0x01000001);
	put(0x180, 4, 0x0001001b); /* PASID, last */
}

static bool listed(unsigned id)
{
	unsigned at = guest(0x34, 1), n = 0;

	for (; at && n++ < 48; at = guest(at + 1, 1))
		if (guest(at, 1) == id)
			return true;
	return false;
}

static bool ext_listed(unsigned id)
{
	unsigned at = 0x100, n = 0;

	for (; at >= 0x100 && n++ < 960; at = guest(at, 4) >> 20)
		if (guest(at, 2) == id)
			return true;
	return false;
}

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

Test(config, extended_capabilities)
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

Test(config, first_extended_capability_hidden)
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

Test(config, without_express_there_is_no_extended_space)
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

Test(config, lists_that_loop)
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

Test(config, capabilities_that_do_not_fit)
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
Test(config, a_header_is_an_endpoints)
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

Test(config, advanced_features)
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
Test(config, random_devices, .timeout = 60)
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
Test(config, what_is_known_not_to_work_is_said)
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

Test(config, ranges_leave_out_the_table)
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

Test(config, ranges_never_leave_the_bar)
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
