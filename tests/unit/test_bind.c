/* SPDX-License-Identifier: Apache-2.0
 *
 * What `bulkhead bind` and `unbind` refuse, and that a failure leaves things as they were. A made
 * tree has no kernel behind it that would bind anything; with a made kernel it is in
 * test_host_property.c, and with a real one in the rig's case `devices`.
 *
 * links: tests/unit/nodes.c
 * links: helpers/host/address.c helpers/host/alias.c helpers/host/console.c helpers/host/disk.c
 * links: helpers/host/files.c helpers/host/network.c helpers/host/obstacle.c helpers/host/open.c
 * links: helpers/host/pci.c helpers/host/place.c helpers/host/take.c helpers/host/vdpa.c
 * links: helpers/host/way.c
 * links: helpers/devices/bind.c helpers/devices/driver.c helpers/devices/claim.c
 * links: helpers/devices/record.c helpers/devices/write.c
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

/* The folder of the records is there, and not locked any more. */
static void locked(void)
{
	struct fd lock = FD_NONE_INIT;

	cr_assert_eq(record_lock(tree, &lock, &err), 0, "%s", err.msg);
	fd_close(&lock);
}

static int bind_one(const char *bdf, bool force)
{
	char name[32];

	snprintf(name, sizeof(name), "%s", bdf);
	return bind_functions(tree, (char *const[]){name}, 1, force, &err);
}

static void refused(int code, const char *why)
{
	tree_file(NVME_DIR "/driver_override", "(null)\n");
	tree_file("sys/bus/pci/drivers/nvme/unbind", "");
	cr_assert_eq(bind_one(NVME, false), code, "%s", err.msg);
	cr_assert(strstr(err.msg, why) && strstr(err.msg, NVME), "%s", err.msg);
	cr_assert_str_eq(tree_text(NVME_DIR "/driver_override"), "(null)\n");
	cr_assert_str_eq(tree_text("sys/bus/pci/drivers/nvme/unbind"), "");
}

/* --force takes it (and gets as far as a kernel that is not there). */
static void forced(void)
{
	cr_assert(strstr(err.msg, "`bulkhead bind --force " NVME "`"), "%s", err.msg);
	cr_assert_eq(bind_one(NVME, true), -ENODEV, "%s", err.msg);
	cr_assert(strstr(err.msg, "did not take it"), "%s", err.msg);
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
	tree_node("dev/dm-3", 'b', "253:3", "virtual/block/dm-3");
	tree_link("sys/devices/virtual/block/dm-3/slaves/nvme0n1p1",
		"../../../../pci0000:00/" NVME "/nvme/nvme0/nvme0n1p1");
	tree_file("sys/devices/virtual/block/dm-3/dm/name", "vg-root\n");
	refused(-EBUSY, "nvme0n1p1 is part of dm-3; `dmsetup remove vg-root`");
	tree_file("proc/self/mountinfo", "30 1 253:3 / / rw - xfs /dev/mapper/root rw\n");
	refused(-EBUSY, "nvme0n1p1 is mounted on /; the host runs from it");
	tree_file("proc/self/mountinfo", "30 1 253:3 / /srv rw - xfs /dev/mapper/root rw\n");
	refused(-EBUSY, "nvme0n1p1 is mounted on /srv; `umount /srv`");
}

/* A mount that the root's namespace does not show, or a file system that has no number of its own:
 * the kernel knows. */
Test(bind, claimed_disk)
{
	tree_file("dev/nvme0n1", "node b 259:0 0660 claimed");
	refused(-EBUSY, "nvme0n1 is claimed");
}

/* Without O_EXCL: the kernel would take it away from under whoever it is. */
Test(bind, opened_disk)
{
	tree_opener(88, "qemu", "dev/nvme0n1p1");
	refused(-EBUSY, "nvme0n1p1 is open in process 88 (qemu)");
	tree_node("dev/ng0n1", 'c', "240:0", "pci0000:00/" NVME "/nvme/nvme0/ng0n1");
	tree_opener(88, "nvme-cli", "dev/ng0n1");
	refused(-EBUSY, "process 88 (nvme-cli) has its /dev/ng0n1 open");
	forced();
	tree_opener(88, "qemu", "dev/nvme0n1p1");
	cr_assert_eq(bind_one(NVME, true), -EBUSY); /* not even then */
}

/* btrfs names one of its disks as what is mounted. */
Test(bind, second_disk_of_a_file_system)
{
	tree_node("dev/sda", 'b', "8:0", "pci0000:00/0000:00:17.0/ata1/sda");
	tree_file("proc/self/mountinfo", "30 1 0:45 / /srv rw - btrfs /dev/sda rw\n");
	tree_link("sys/fs/btrfs/1234/devices/sda", "../../../../devices/pci0000:00/0000:00:17.0/ata1/sda");
	tree_link("sys/fs/btrfs/1234/devices/nvme0n1",
		"../../../../devices/pci0000:00/" NVME "/nvme/nvme0/nvme0n1");
	refused(-EBUSY, "nvme0n1 is mounted on /srv");
}

Test(bind, multipath_disk)
{
	tree_node("dev/nvme2n1", 'b', "259:9", "virtual/nvme-subsystem/nvme-subsys2/nvme2n1");
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

/* ---- networks */

static void interface(const char *name, const char *flags)
{
	char path[128], target[128];

	snprintf(path, sizeof(path), NVME_DIR "/net/%s/flags", name);
	tree_file(path, flags);
	snprintf(path, sizeof(path), "sys/class/net/%s", name);
	snprintf(target, sizeof(target), "../../devices/pci0000:00/" NVME "/net/%s", name);
	tree_link(path, target);
}

Test(bind, default_route)
{
	interface("eth0", "0x1003\n");
	tree_file("sys/devices/virtual/net/br0/flags", "0x1003\n");
	tree_link("sys/class/net/br0", "../../devices/virtual/net/br0");
	tree_link("sys/devices/virtual/net/br0/lower_eth0", "../eth0");
	tree_file("proc/net/route",
		"Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n"
		"br0\t00000000\t0102000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n");
	refused(-EBUSY, "eth0: the default route goes by it (br0)");
	tree_file("proc/net/route", "");
	tree_file("proc/net/ipv6_route", "00000000000000000000000000000000 00 "
		"00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 "
		"00000001 00000000 00000003     eth0\n");
	refused(-EBUSY, "eth0: the default route goes by it (eth0)");
	forced();
}

/* NFS or iSCSI over a network of its own; a tunnel has the default route. */
Test(bind, interface_that_is_up)
{
	interface("eth0", "0x1003\n");
	refused(-EBUSY, "eth0: it is up; `ip link set dev eth0 down`");
	tree_file("proc/net/route", "wg0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n");
	tree_link("sys/class/net/wg0", "../../devices/virtual/net/wg0");
	refused(-EBUSY, "eth0: it is up");
	tree_file("proc/net/route", "eth0\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0\n");
	refused(-EBUSY, "eth0: a route goes by it (eth0)");
	forced();
	tree_file("proc/net/route", "");
	interface("eth0", "0x1002\n");
	/* The rejecting route that stands for none. */
	tree_file("proc/net/ipv6_route", "00000000000000000000000000000000 00 "
		"00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff "
		"00000001 00000000 00200201     eth0\n");
	cr_assert_eq(bind_one(NVME, false), -ENODEV, "%s", err.msg);
	cr_assert(strstr(err.msg, "did not take it"), "%s", err.msg);
}

/* A bond's second, a bridge of VMs, Open vSwitch: down as it may be. */
Test(bind, part_of_another)
{
	interface("eth0", "0x1002\n");
	tree_link(NVME_DIR "/net/eth0/master", "../../../../virtual/net/ovs-system");
	refused(-EBUSY, "eth0: it is part of ovs-system");
	forced();
	cr_assert_eq(unlinkat(tree, NVME_DIR "/net/eth0/master", 0), 0);
	tree_link(NVME_DIR "/net/eth0/upper_macvtap3", "../macvtap3");
	refused(-EBUSY, "eth0: it is part of macvtap3");
}

Test(bind, interface_of_a_container)
{
	interface("eth0", "0x1002\n");
	cr_assert_eq(bind_one(NVME, false), -ENODEV, "%s", err.msg);
	cr_assert_eq(unlinkat(tree, "sys/class/net/eth0", 0), 0);
	cr_assert_eq(unlinkat(tree, NVME_DIR "/net/eth0/flags", 0), 0);
	cr_assert_eq(unlinkat(tree, NVME_DIR "/net/eth0", AT_REMOVEDIR), 0);
	refused(-EBUSY, "network interface: it is in another network namespace");
	forced();
}

/* ---- displays */

Test(bind, console)
{
	tree_file(NVME_DIR "/boot_vga", "1\n");
	refused(-EBUSY, "the host's console is on it (boot_vga)");
	forced();
	tree_file(NVME_DIR "/boot_vga", "0\n");
	tree_file("proc/iomem", "80000000-8fffffff : " NVME "\n  80000000-80ffffff : BOOTFB\n");
	refused(-EBUSY, "the host's console is on it (BOOTFB)");
	tree_file("proc/iomem", "80000000-8fffffff : " NVME "\n");
	tree_link("sys/class/graphics/fb0", "../../devices/pci0000:00/" NVME "/graphics/fb0");
	tree_file("sys/class/vtconsole/vtcon1/name", "(M) frame buffer device\n");
	tree_file("sys/class/vtconsole/vtcon1/bind", "1\n");
	refused(-EBUSY, "the host's console is on it (fb0)");
	tree_file("sys/class/vtconsole/vtcon1/bind", "0\n");
	tree_link("sys/class/tty/ttyS4", "../../devices/pci0000:00/" NVME "/tty/ttyS4");
	tree_file("sys/class/tty/console/active", "tty0 ttyS4\n");
	refused(-EBUSY, "the host's console is on it (ttyS4)");
}

/* A driver's remove waits for who has such a node open, and cannot be killed. */
Test(bind, opened_nodes)
{
	tree_node("dev/dri/card1", 'c', "226:1", "pci0000:00/" NVME "/drm/card1");
	tree_opener(99, "Xorg", "dev/dri/card1");
	refused(-EBUSY, "process 99 (Xorg) has its /dev/dri/card1 open");
	forced();
	tree_file("dev/nvidia2", "node c 195:2 0666");
	tree_opener(99, "python3", "dev/nvidia2");
	cr_assert_eq(bind_one(NVME, false), -ENODEV, "%s", err.msg);
	tree_file("proc/driver/nvidia/gpus/" NVME "/information", "Model: \t X\nDevice Minor: \t 2\n");
	refused(-EBUSY, "process 99 (python3) has its /dev/nvidia2 open");
}

Test(bind, others_that_stay)
{
	uint8_t bridge[256] = {[0x0e] = 0x01};

	tree_file(NVME_DIR "/sriov_numvfs", "3\n");
	refused(-EBUSY, "3 virtual functions would go with its driver; `echo 0 >/sys/bus/pci/devices/"
		NVME "/sriov_numvfs`");
	tree_function("0000:00:10.1", "vfio-pci", 6);
	tree_vfio("0000:00:10.1", 6, NULL);
	tree_link(NVME_DIR "/virtfn0", "../0000:00:10.1");
	tree_opener(88, "qemu", "dev/vfio/6");
	refused(-EBUSY, "among them 0000:00:10.1: in use by process 88 (qemu), by /dev/vfio/6; that has to "
		"end first");
	tree_bytes(NVME_DIR "/config", bridge, sizeof(bridge));
	refused(-EBUSY, "bridge");
	tree_function("0000:00:11.0", "nvme", -1);
	cr_assert_eq(bind_one("0000:00:11.0", false), -EBUSY);
	cr_assert(strstr(err.msg, "IOMMU"), "%s", err.msg);
	cr_assert_eq(bind_one("0000:00:12.0", false), -ENODEV);
	cr_assert_eq(bind_one("nvme0", false), -EINVAL);
}

/* More than there is room for: nothing is looked at, or undone. */
Test(bind, too_many_at_once)
{
	static char *names[100000];

	cr_assert_eq(bind_functions(tree, names, 100000, false, &err), -E2BIG, "%s", err.msg);
	cr_assert(strstr(err.msg, "name at most 64"), "%s", err.msg);
	cr_assert_eq(unbind_functions(tree, names, 65, &err), -E2BIG, "%s", err.msg);
}

/* A later one is refused: the earlier one has not been touched. */
Test(bind, all_checked_before_any)
{
	char first[] = NVME, second[] = "0000:00:11.0";

	tree_function(second, "e1000e", -1);
	cr_assert_eq(bind_functions(tree, (char *const[]){first, second}, 2, false, &err), -EBUSY);
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
	tree_vfio(NVME, 5, "vfio0");
	tree_opener(77, "bulkhead-broker", "dev/vfio/devices/vfio0");
	cr_assert_eq(unbind_functions(tree, (char *const[]){name}, 1, &err), -EBUSY, "%s", err.msg);
	cr_assert(strstr(err.msg, "process 77 (bulkhead-broker)"), "%s", err.msg);
	cr_assert_str_eq(tree_text("sys/bus/pci/drivers/vfio-pci/unbind"), "");
}

static void unbind_refused(const char *why)
{
	char name[] = NVME;

	cr_assert_eq(unbind_functions(tree, (char *const[]){name}, 1, &err), -EBUSY, "%s", err.msg);
	cr_assert(strstr(err.msg, why), "%s", err.msg);
	cr_assert_str_eq(tree_text("sys/bus/pci/drivers/vfio-pci/unbind"), "");
}

/* vfio-pci takes its virtual functions along when it goes, and waits for who has one. */
Test(bind, unbind_of_a_physical_function)
{
	tree_function(NVME, "vfio-pci", 5);
	tree_file(NVME_DIR "/sriov_numvfs", "1\n");
	tree_function("0000:00:10.1", "vfio-pci", 6);
	tree_vfio("0000:00:10.1", 6, "vfio1");
	tree_link(NVME_DIR "/virtfn0", "../0000:00:10.1");
	tree_opener(88, "qemu", "dev/vfio/devices/vfio1");
	unbind_refused("among them 0000:00:10.1: in use by process 88 (qemu)");
	cr_assert_eq(unlinkat(tree, "proc/88/fd/9", 0), 0);
	unbind_refused("`echo 0 >/sys/bus/pci/devices/" NVME "/sriov_numvfs`");
}

/* VFIO without an IOMMU (enable_unsafe_noiommu_mode): no group, and somebody has it all the same. */
Test(bind, unbind_without_an_iommu)
{
	tree_function(NVME, "vfio-pci", 5);
	tree_file("sys/kernel/iommu_groups/5/name", "vfio-noiommu\n");
	tree_node("dev/vfio/noiommu-5", 'c', "243:0", "virtual/vfio/noiommu-5");
	tree_opener(77, "dpdk-testpmd", "dev/vfio/noiommu-5");
	unbind_refused("in use by process 77 (dpdk-testpmd)");
}

/* The host's driver is gone: vfio-pci keeps the function, and the record stays for the next try. */
Test(bind, unbind_without_the_former_driver)
{
	struct record record = {.driver = "e1000e"};
	char name[] = NVME;

	tree_function(NVME, "vfio-pci", 5);
	locked();
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

	locked();
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

/* What had it before the first bind is what it goes back to, whatever was done since; a bind that
 * fails takes away its own record only. */
Test(bind, first_record_stays)
{
	struct record first = {.driver = "nvme", .override = "x"}, second = {.driver = ""}, back;

	locked();
	cr_assert_eq(record_write(tree, NVME, &first, &err), 0, "%s", err.msg);
	cr_assert_eq(record_write(tree, NVME, &second, &err), 1);
	cr_assert_eq(record_read(tree, NVME, &back, &err), 0, "%s", err.msg);
	cr_assert_str_eq(back.driver, "nvme");
	cr_assert_eq(bind_one(NVME, false), -ENODEV, "%s", err.msg);
	cr_assert_eq(record_read(tree, NVME, &back, &err), 0, "%s", err.msg);
	cr_assert_str_eq(back.override, "x");
}

/* Two at once: the second waits, to a bound. */
Test(bind, one_at_a_time, .timeout = 30)
{
	struct fd lock = FD_NONE_INIT;

	cr_assert_eq(record_lock(tree, &lock, &err), 0, "%s", err.msg);
	cr_assert_eq(bind_one(NVME, false), -EBUSY);
	cr_assert(strstr(err.msg, "another `bulkhead bind`"), "%s", err.msg);
	fd_close(&lock);
	cr_assert_eq(bind_one(NVME, false), -ENODEV, "%s", err.msg);
}

static int counted;

static bool count(void *arg, const char *disk, const char *number)
{
	(void)arg;
	counted++;
	cr_assert_str_eq(disk, "nvme0n1");
	cr_assert_str_eq(number, "259:0");
	return false;
}

/* Held while they change hands: the whole disk, which stands for its partitions. */
Test(bind, disks_are_held)
{
	static struct claims claims;
	struct function f;

	cr_assert_eq(pci_read(tree, NVME, &f, &err), 0);
	cr_assert_not(pci_each_disk(tree, &f, count, NULL));
	cr_assert_eq(counted, 1);
	cr_assert_eq(claims_take(&claims, tree, &f, &err), 0, "%s", err.msg);
	cr_assert_eq(claims.n, 1);
	claims_drop(&claims);
	/* Mounted since it was looked at. */
	tree_file("dev/nvme0n1", "node b 259:0 0660 claimed");
	cr_assert_eq(claims_take(&claims, tree, &f, &err), -EBUSY);
	cr_assert(strstr(err.msg, "nvme0n1 has just been put to use"), "%s", err.msg);
	cr_assert_eq(claims.n, 0);
}
