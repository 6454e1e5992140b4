/* SPDX-License-Identifier: Apache-2.0
 *
 * What `bulkhead bind` and `unbind` refuse, and that a failure leaves things as they were. A made
 * tree has no kernel behind it that would bind anything; that it does is the rig's case `devices`.
 *
 * links: helpers/devices/sysfs.c helpers/devices/pci.c helpers/devices/ready.c helpers/devices/disk.c helpers/devices/users.c helpers/devices/bind.c helpers/devices/record.c
 */
#include <errno.h>

#include "helpers/devices/devices.h"
#include "tests/unit/tree.h"

#define NVME "0000:00:10.0"
#define NVME_DIR "sys/devices/pci0000:00/" NVME

static struct err err;

static void set_up(void)
{
	tree_host();
	tree_function(NVME, "nvme", 5);
	tree_block(NVME, "nvme0n1", "259:0");
	tree_block(NVME, "nvme0n1p1", "259:1");
}
TestSuite(bind, .init = set_up, .fini = tree_remove);

static int bind_one(const char *bdf, bool force)
{
	char name[32];

	snprintf(name, sizeof(name), "%s", bdf);
	return bind_functions(tree, (char *const[]){name}, 1, force, &err);
}

static void refused(int code, const char *why)
{
	cr_assert_eq(bind_one(NVME, false), code, "%s", err.msg);
	cr_assert(strstr(err.msg, why) && strstr(err.msg, NVME), "%s", err.msg);
	cr_assert_str_eq(tree_text(NVME_DIR "/driver_override"), "(null)\n");
	cr_assert_str_eq(tree_text("sys/bus/pci/drivers/nvme/unbind"), "");
}

Test(bind, mounted_disk)
{
	tree_file("proc/self/mountinfo",
		"30 1 259:1 / /home rw,relatime shared:1 - ext4 /dev/x rw\n");
	refused(-EBUSY, "nvme0n1p1 is mounted on /home");
}

Test(bind, swap)
{
	tree_file("proc/swaps", "Filename\tType\n/dev/nvme0n1p1  partition 1 0 -2\n");
	refused(-EBUSY, "nvme0n1p1 is swap");
}

Test(bind, disk_under_a_mapping)
{
	tree_file(NVME_DIR "/nvme/nvme0/nvme0n1p1/holders/dm-3/dev", "253:3\n");
	refused(-EBUSY, "nvme0n1p1 is part of dm-3;");
	tree_file("proc/self/mountinfo", "30 1 253:3 / / rw - xfs /dev/mapper/root rw\n");
	refused(-EBUSY, "nvme0n1p1 is part of dm-3, mounted on /");
}

Test(bind, multipath_disk)
{
	tree_file("sys/devices/virtual/nvme-subsystem/nvme-subsys2/nvme2n1/dev", "259:9\n");
	tree_link("sys/dev/block/259:9",
		"../../devices/virtual/nvme-subsystem/nvme-subsys2/nvme2n1");
	tree_link("sys/class/nvme-subsystem/nvme-subsys2/nvme0",
		"../../../pci0000:00/" NVME "/nvme/nvme0");
	tree_file("proc/self/mountinfo", "30 1 259:9 / / rw - ext4 /dev/nvme2n1 rw\n");
	refused(-EBUSY, "nvme2n1 is mounted on /");
}

Test(bind, unreadable_mounts_are_mounts)
{
	cr_assert_eq(unlinkat(tree, "proc/self/mountinfo", 0), 0);
	refused(-EBUSY, "mountinfo");
}

Test(bind, another_disk_is_mounted)
{
	tree_file("proc/self/mountinfo", "30 1 259:7 / / rw - ext4 /dev/nvme7n1 rw\n");
	cr_assert_eq(bind_one(NVME, false), -ENODEV, "%s", err.msg);
	cr_assert(strstr(err.msg, "vfio-pci did not take it"), "%s", err.msg);
}

Test(bind, default_route)
{
	tree_link("sys/class/net/br0", "../../devices/virtual/net/br0");
	tree_link("sys/devices/virtual/net/br0/lower_eth0", "../eth0");
	tree_link("sys/class/net/eth0", "../../devices/pci0000:00/" NVME "/net/eth0");
	tree_file("proc/net/route",
		"Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n"
		"br0\t00000000\t0102000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n");
	refused(-EBUSY, "default route goes by it (br0)");
	tree_file("proc/net/route", "");
	tree_file("proc/net/ipv6_route", "00000000000000000000000000000000 00 "
		"00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 "
		"00000001 00000000 00000003     eth0\n");
	refused(-EBUSY, "default route goes by it (eth0)");
	cr_assert_eq(bind_one(NVME, true), -ENODEV, "%s", err.msg);
	cr_assert(strstr(err.msg, "did not take it"), "%s", err.msg);
}

/* A route to one network, and the rejecting one that stands for none. */
Test(bind, other_routes)
{
	char why[64];

	tree_link("sys/class/net/eth0", "../../devices/pci0000:00/" NVME "/net/eth0");
	tree_file("proc/net/route", "eth0\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0\n");
	tree_file("proc/net/ipv6_route", "00000000000000000000000000000000 00 "
		"00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff "
		"00000001 00000000 00200201     eth0\n");
	cr_assert_not(route_in_use(tree, NVME, why, sizeof(why)));
}

Test(bind, others_that_stay)
{
	uint8_t bridge[256] = {[0x0e] = 0x01};

	tree_file(NVME_DIR "/sriov_numvfs", "3\n");
	refused(-EBUSY, "3 virtual functions");
	tree_bytes(NVME_DIR "/config", bridge, sizeof(bridge));
	refused(-EINVAL, "bridge");
	tree_function("0000:00:11.0", "nvme", -1);
	cr_assert_eq(bind_one("0000:00:11.0", false), -ENODEV);
	cr_assert(strstr(err.msg, "IOMMU"), "%s", err.msg);
	cr_assert_eq(bind_one("0000:00:12.0", false), -ENODEV);
	cr_assert_eq(bind_one("nvme0", false), -EINVAL);
}

/* A later one is refused: the earlier one has not been touched. */
Test(bind, all_checked_before_any)
{
	char first[] = NVME, second[] = "0000:00:11.0";

	tree_function(second, "e1000e", -1);
	cr_assert_eq(bind_functions(tree, (char *const[]){first, second}, 2, false, &err), -ENODEV);
	cr_assert_str_eq(tree_text("sys/bus/pci/drivers/nvme/unbind"), "");
	cr_assert_eq(bind_functions(tree, (char *const[]){first, first}, 2, false, &err), -EINVAL);
}

/* vfio-pci does not take it (nothing here does): the override is what it was, the record gone. */
Test(bind, failure_is_undone)
{
	tree_file(NVME_DIR "/driver_override", "nvme\n");
	cr_assert_eq(bind_one(NVME, false), -ENODEV, "%s", err.msg);
	cr_assert_str_eq(tree_text(NVME_DIR "/driver_override"), "nvme");
	cr_assert_lt(faccessat(tree, "run/bulkhead/bind/" NVME, F_OK, 0), 0);
}

Test(bind, unbind_of_one_in_use)
{
	char name[] = NVME;

	tree_function(NVME, "vfio-pci", 5);
	tree_file("dev/vfio/devices/vfio0", "");
	tree_file(NVME_DIR "/vfio-dev/vfio0/dev", "510:0\n");
	tree_file("proc/77/comm", "bulkhead-broker\n");
	tree_link("proc/77/fd/9", "../../../dev/vfio/devices/vfio0");
	cr_assert_eq(unbind_functions(tree, (char *const[]){name}, 1, &err), -EBUSY, "%s", err.msg);
	cr_assert(strstr(err.msg, "process 77 (bulkhead-broker)"), "%s", err.msg);
	cr_assert_str_eq(tree_text("sys/bus/pci/drivers/vfio-pci/unbind"), "");
}

/* The host's driver is gone: vfio-pci keeps the function, and the record stays for the next try. */
Test(bind, unbind_without_the_former_driver)
{
	struct record record = {.driver = "e1000e"};
	char name[] = NVME;

	tree_function(NVME, "vfio-pci", 5);
	cr_assert_eq(record_write(tree, NVME, &record, &err), 0, "%s", err.msg);
	cr_assert_eq(unbind_functions(tree, (char *const[]){name}, 1, &err), -ENODEV);
	cr_assert(strstr(err.msg, "e1000e") && strstr(err.msg, NVME), "%s", err.msg);
	cr_assert_str_eq(tree_text(NVME_DIR "/driver_override"), "vfio-pci");
	cr_assert_eq(record_read(tree, NVME, &record, &err), 0, "%s", err.msg);
}

/* A record someone else wrote leads to no path outside the drivers' folder. */
Test(bind, record_is_checked)
{
	struct record record = {.driver = "nvme", .override = "x"}, back;

	cr_assert_eq(record_read(tree, NVME, &back, &err), -ENOENT);
	cr_assert_eq(record_write(tree, NVME, &record, &err), 0, "%s", err.msg);
	cr_assert_eq(record_read(tree, NVME, &back, &err), 0, "%s", err.msg);
	cr_assert_str_eq(back.driver, "nvme");
	cr_assert_str_eq(back.override, "x");
	tree_file("run/bulkhead/bind/" NVME, "driver=a/../../x\noverride=\n");
	cr_assert_eq(record_read(tree, NVME, &back, &err), -EINVAL);
	tree_file("run/bulkhead/bind/" NVME, "driver=..\noverride=\n");
	cr_assert_eq(record_read(tree, NVME, &back, &err), -EINVAL);
	tree_file("run/bulkhead/bind/" NVME, "nonsense");
	cr_assert_eq(record_read(tree, NVME, &back, &err), -EINVAL);
}
