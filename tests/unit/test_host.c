/* SPDX-License-Identifier: Apache-2.0
 *
 * What is read of a host's devices, and what is said to stand in their way: each kind by itself, on a
 * made tree. What they are in company: test_host_property.c; the
 * words for it: test_host_words.c.
 *
 * links: tests/unit/nodes.c
 * links: helpers/host/address.c helpers/host/alias.c helpers/host/console.c helpers/host/disk.c
 * links: helpers/host/files.c helpers/host/network.c helpers/host/obstacle.c helpers/host/open.c
 * links: helpers/host/pci.c helpers/host/place.c helpers/host/take.c helpers/host/vdpa.c
 * links: helpers/host/way.c
 */
#include <criterion/criterion.h>
#include <errno.h>

#include "tests/unit/tree.h"

#include "helpers/host/host.h"

#define NVME "0000:00:10.0"
#define OTHER "0000:00:10.1"
#define DIR(bdf) "sys/devices/pci0000:00/" bdf

TestSuite(host, .init = tree_host, .fini = tree_remove);

static char said[700];

static struct function read_function(const char *bdf)
{
	struct function f;
	struct err err = {0};

	cr_assert_eq(pci_read(tree, bdf, &f, &err), 0, "%s", err.msg);
	return f;
}

static struct verdict verdict_by(const char *bdf, unsigned how)
{
	struct function f = read_function(bdf);
	struct host host = host_at(tree);
	struct verdict verdict;
	struct err err;

	take_pci(&host, &f, how, &verdict);
	host_close(&host);
	strcpy(said, "ready");
	if (verdict.n) {
		obstacle_refuse(&verdict.obstacles[0], f.name, -1, &err);
		snprintf(said, sizeof(said), "%s", err.msg);
	}
	return verdict;
}

static struct verdict verdict_of(const char *bdf)
{
	return verdict_by(bdf, TAKE_ALL);
}

/* The only thing, and what the refusal says. */
static void expect_only(const char *bdf, enum obstacle_kind kind, enum advice advice, const char *text)
{
	struct verdict verdict = verdict_of(bdf);

	cr_assert_eq(verdict.n, 1, "%u: %s", verdict.n, said);
	cr_assert_eq(verdict.obstacles[0].kind, kind, "%s", said);
	cr_assert_eq(verdict.obstacles[0].advice, advice, "%s", said);
	cr_assert_str_eq(said, text);
}

static void expect_ready(const char *bdf, enum way way)
{
	struct verdict verdict = verdict_of(bdf);

	cr_assert_eq(verdict.n, 0, "%s", said);
	cr_assert_eq(verdict.way, way);
}

/* ---- what it is */

Test(host, addresses)
{
	static const char *const good[][2] = {{"00:1F.7", "0000:00:1f.7"}, {"12ab:cd:00.1", "12ab:cd:00.1"},
		{"10000:e1:00.0", "10000:e1:00.0"}, {"7fffffff:ff:1f.7", "7fffffff:ff:1f.7"},
		{"0:1:2.3", "0000:01:02.3"}};
	static const char *const bad[] = {"", "10.0", "0000:00:20.0", "0000:00:1f.8", "00:10.0 ",
		"../../etc", "0000:00:10.0/x", "0000:00:-1.0", "0000:100:10.0", "123456789:00:10.0",
		"0000:00:10.00", ":00:10.0", "0000::10.0", "0000:00:10.", "0000:00:+1.0", "0x0:00:10.0"};
	struct pci_address address;
	char name[PCI_ADDRESS];

	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		cr_assert_eq(pci_address_parse(good[i][0], &address), 0, "«%s»", good[i][0]);
		pci_address_write(&address, name);
		cr_assert_str_eq(name, good[i][1]);
	}
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_lt(pci_address_parse(bad[i], &address), 0, "«%s»", bad[i]);
}

/* VFIO tells 16 bits of a domain: a device behind a VMD is itself all the same. */
Test(host, addresses_with_half_a_domain)
{
	cr_assert(pci_address_is("0000:05:01.2", 0, 5, 1 << 3 | 2));
	cr_assert(pci_address_is("10000:e1:00.0", 0, 0xe1, 0));
	cr_assert_not(pci_address_is("10001:e1:00.0", 0, 0xe1, 0));
	cr_assert_not(pci_address_is("0000:05:01.2", 0, 5, 1 << 3));
	cr_assert_not(pci_address_is("vhost-vdpa-0", 0, 5, 1 << 3));
}

/* PCI 3.0 §6.7: a list that begins at 0x40 with a capability of another kind. */
Test(host, msix_and_bars)
{
	uint8_t config[256] = {[0x06] = 0x10, [0x34] = 0x40, [0x40] = 0x01, [0x41] = 0x50,
		[0x50] = 0x11, [0x52] = 0x40, [0x53] = 0x80};
	struct function f;

	tree_function(NVME, "nvme", 5);
	tree_bytes(DIR(NVME) "/config", config, sizeof(config));
	tree_file(DIR(NVME) "/reset_method", "flr bus\n");
	tree_file(DIR(NVME) "/resource",
		"0x00000000fe000000 0x00000000fe003fff 0x0000000000140204\n"
		"0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
		"0x000000000000c000 0x000000000000c01f 0x0000000000040101\n");
	f = read_function(NVME);
	cr_assert_eq(f.vectors, 65);
	cr_assert_eq(f.group, 5);
	cr_assert_str_eq(f.driver, "nvme");
	cr_assert_str_eq(f.reset, "flr bus");
	cr_assert(f.bars[0].size == 0x4000 && f.bars[0].wide && !f.bars[0].io);
	cr_assert_eq(f.bars[1].size, 0);
	cr_assert(f.bars[2].size == 0x20 && f.bars[2].io && !f.bars[2].wide);
	tree_bytes(DIR(NVME) "/config", config, 64);
	cr_assert_eq(read_function(NVME).vectors, MSIX_UNSEEN);
}

Test(host, capability_list_without_end, .timeout = 5)
{
	uint8_t config[256] = {[0x06] = 0x10, [0x34] = 0x40, [0x40] = 0x01, [0x41] = 0x40};

	tree_function(NVME, "nvme", 5);
	tree_bytes(DIR(NVME) "/config", config, sizeof(config));
	cr_assert_eq(read_function(NVME).vectors, 0);
}

/* ---- what stands in the way */

Test(host, bound_to_its_driver)
{
	tree_function(NVME, "nvme", 5);
	expect_only(NVME, OBSTACLE_DRIVER, ADVICE_COMMAND,
		NVME ": bound to nvme; `bulkhead bind " NVME "`");
	tree_function(OTHER, NULL, 6);
	expect_only(OTHER, OBSTACLE_DRIVER, ADVICE_COMMAND,
		OTHER ": bound to no driver; `bulkhead bind " OTHER "`");
}

Test(host, ready_and_used)
{
	tree_function(NVME, "vfio-pci", 5);
	tree_vfio(NVME, 5, NULL);
	expect_ready(NVME, WAY_TYPE1);
	tree_opener(77, "qemu", "dev/vfio/5");
	expect_only(NVME, OBSTACLE_USED, ADVICE_NONE,
		NVME ": in use by process 77 (qemu), by /dev/vfio/5; that has to end first");
}

/* By iommufd it is the device's own node that says so, and that has to be opened. */
Test(host, ready_and_used_by_iommufd)
{
	tree_function(NVME, "vfio-pci", 5);
	tree_vfio(NVME, 5, "vfio3");
	expect_ready(NVME, WAY_IOMMUFD);
	tree_opener(77, "qemu", "dev/vfio/devices/vfio3");
	expect_only(NVME, OBSTACLE_USED, ADVICE_NONE, NVME ": in use by process 77 (qemu), by "
		"/dev/vfio/devices/vfio3; that has to end first");
	tree_link("proc/77/fd/9", "/");
	nodes_as_root = false;
	tree_file("dev/iommu", "node c 10:125 0666");
	expect_only(NVME, OBSTACLE_NO_RIGHT, ADVICE_COMMAND, NVME ": you may not open "
		"/dev/vfio/devices/vfio3 (uid 0, mode 0600); `sudo chown $USER /dev/vfio/devices/vfio3`");
	cr_assert_eq(verdict_by(NVME, TAKE_TYPE1 | TAKE_NODES).n, 2);
	cr_assert(strstr(said, "/dev/vfio/vfio"), "%s", said);
	tree_file("dev/vfio/vfio", "node c 10:196 0666");
	tree_file("dev/vfio/5", "node c 243:5 0666");
	expect_ready(NVME, WAY_TYPE1);
}

/* A VM that has another device of the group has the group. */
Test(host, used_by_its_group)
{
	tree_function(NVME, "vfio-pci", 5);
	tree_function(OTHER, "vfio-pci", 5);
	tree_vfio(NVME, 5, "vfio0");
	tree_vfio(OTHER, 5, "vfio1");
	expect_ready(NVME, WAY_IOMMUFD);
	tree_opener(78, "bulkhead-broker", "dev/vfio/devices/vfio1");
	verdict_of(NVME);
	cr_assert(strstr(said, "in use by process 78 (bulkhead-broker)"), "%s", said);
}

/* The driver's name says nothing: what it made of the device does. */
Test(host, variant_drivers)
{
	tree_function(NVME, "mlx5_vfio_pci", 5);
	tree_vfio(NVME, 5, "vfio0");
	expect_ready(NVME, WAY_IOMMUFD);
	tree_function(OTHER, "nvgrace_gpu_vfio_pci", 5);
	tree_vfio(OTHER, 5, NULL);
	expect_ready(NVME, WAY_IOMMUFD);
	tree_function("0000:00:10.2", "vfio-like", 5);
	verdict_of(NVME);
	cr_assert(strstr(said, "0000:00:10.2 (vfio-like)"), "%s", said);
}

Test(host, variant_module)
{
	char module[WORD];
	struct function f;

	tree_function(NVME, "mlx5_core", 5);
	f = read_function(NVME);
	tree_file("proc/sys/kernel/osrelease", "6.12.0-x\n");
	tree_file(DIR(NVME) "/modalias", "pci:v000015B3d0000101Esv000015B3sd00000023bc02sc00i00\n");
	tree_file("lib/modules/6.12.0-x/modules.alias",
		"alias vfio_pci:v*d*sv*sd*bc*sc*i* vfio_pci\n"
		"alias pci:v000015B3d0000101Esv*sd*bc*sc*i* mlx5_core\n"
		"alias vfio_pci:v00001AF4d00001041sv*sd*bc*sc*i* virtio_vfio_pci\n"
		"alias vfio_pci:v000015B3d0000101Esv*sd*bc*sc*i* mlx5_vfio_pci\n");
	vfio_module_for(tree, &f, module);
	cr_assert_str_eq(module, "mlx5_vfio_pci");
	tree_file(DIR(NVME) "/modalias", "pci:v000015B3d00001019sv000015B3sd00000023bc02sc00i00\n");
	vfio_module_for(tree, &f, module);
	cr_assert_str_eq(module, "vfio_pci");
	cr_assert_eq(unlinkat(tree, "lib/modules/6.12.0-x/modules.alias", 0), 0);
	vfio_module_for(tree, &f, module);
	cr_assert_str_eq(module, "vfio_pci");
}

Test(host, no_iommu)
{
	struct verdict verdict;

	tree_function(NVME, "nvme", -1);
	verdict = verdict_of(NVME);
	cr_assert(verdict.n == 1 && verdict.obstacles[0].advice == ADVICE_SETTING, "%s", said);
	cr_assert(strstr(said, "the host has no IOMMU") && strstr(said, "intel_iommu=on"), "%s", said);
	tree_link("sys/class/iommu/dmar0", "../../devices/virtual/iommu/dmar0");
	expect_only(NVME, OBSTACLE_NO_IOMMU, ADVICE_NONE,
		NVME ": behind none of the host's IOMMUs; another slot may be behind one");
	tree_function("0000:00:11.0", "nvme", 3);
	tree_file("sys/kernel/iommu_groups/3/name", "vfio-noiommu\n");
	cr_assert_eq(read_function("0000:00:11.0").group, -1);
}

/* Whatever the kernel was told to allow, by which way. */
Test(host, no_remapping)
{
	tree_function(NVME, "vfio-pci", 5);
	tree_vfio(NVME, 5, "vfio0");
	tree_file("proc/interrupts", "  24:  0  0  PCI-MSI 1-edge  nvme0q0\n");
	for (int i = 0; i < 3; i++) {
		struct verdict verdict = verdict_of(NVME);

		cr_assert_eq(verdict.n, 1);
		cr_assert_eq(verdict.obstacles[0].kind, OBSTACLE_NO_REMAPPING);
		cr_assert_eq(verdict.obstacles[0].advice, ADVICE_SETTING);
		cr_assert(strstr(said, "no interrupt remapping") && !strstr(said, "unsafe"), "%s", said);
		tree_file(i ? "sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts"
			    : "sys/module/iommufd/parameters/allow_unsafe_interrupts", "Y\n");
	}
}

/* A line of a host with many processors is longer than what is read at a time. */
Test(host, remapping_on_a_large_host)
{
	static char text[20000];

	for (unsigned at = 4000; at < 4200; at++) {
		memset(text, '0', sizeof(text) - 1);
		memcpy(text + at, " IR-PCI-MSI", 11);
		tree_file("proc/interrupts", text);
		cr_assert_eq(file_has(tree, "proc/interrupts", " IR-"), 1, "at %u", at);
	}
}

Test(host, memory_reserved_by_firmware)
{
	tree_function(NVME, "vfio-pci", 5);
	tree_vfio(NVME, 5, "vfio0");
	tree_file("sys/kernel/iommu_groups/5/reserved_regions",
		"0x000000007b800000 0x000000007f7fffff direct-relaxable\n"
		"0x00000000fee00000 0x00000000feefffff msi\n");
	expect_ready(NVME, WAY_IOMMUFD);
	tree_file("sys/kernel/iommu_groups/5/reserved_regions",
		"0x000000007b800000 0x000000007f7fffff direct\n"
		"0x00000000fee00000 0x00000000feefffff msi\n");
	cr_assert_eq(verdict_of(NVME).n, 1);
	cr_assert_eq(verdict_of(NVME).obstacles[0].kind, OBSTACLE_RESERVED);
	cr_assert(strstr(said, "0x7b800000-0x7f7fffff") && strstr(said, "firmware's settings"), "%s", said);
	/* By an older kernel AMD's driver does not mind. */
	tree_link(DIR(NVME) "/iommu", "../../ivhd0");
	tree_file("proc/sys/kernel/osrelease", "6.1.0-41-amd64\n");
	expect_ready(NVME, WAY_IOMMUFD);
	tree_file("proc/sys/kernel/osrelease", "6.12.1\n");
	cr_assert_eq(verdict_of(NVME).n, 1);
	tree_file("proc/sys/kernel/osrelease", "6.1.0-41-amd64\n");
	tree_link(DIR(NVME) "/iommu", "../../dmar0");
	cr_assert_eq(verdict_of(NVME).n, 1);
}

/* Class 06 is not it: bridges have a header of their own, host and ISA bridges are the host's. One that
 * is dead is none. */
Test(host, bridges)
{
	uint8_t header[256] = {[0x0e] = 0x81};

	tree_function(NVME, "nvidia-nvswitch", 5);
	tree_file(DIR(NVME) "/class", "0x068000\n");
	expect_only(NVME, OBSTACLE_DRIVER, ADVICE_COMMAND,
		NVME ": bound to nvidia-nvswitch; `bulkhead bind " NVME "`");
	tree_function(OTHER, "pcieport", 6);
	tree_bytes(DIR(OTHER) "/config", header, sizeof(header));
	cr_assert_eq(verdict_of(OTHER).obstacles[0].kind, OBSTACLE_STAYS);
	memset(header, 0xff, sizeof(header));
	tree_bytes(DIR(OTHER) "/config", header, sizeof(header));
	cr_assert_eq(verdict_of(OTHER).obstacles[0].kind, OBSTACLE_NO_ANSWER);
	tree_function("0000:00:10.2", "lpc_ich", 7);
	tree_file(DIR("0000:00:10.2") "/class", "0x060100\n");
	cr_assert_eq(verdict_of("0000:00:10.2").obstacles[0].kind, OBSTACLE_STAYS);
}

Test(host, others_of_the_group)
{
	uint8_t bridge[256] = {[0x0e] = 0x01};

	tree_function(NVME, "vfio-pci", 5);
	tree_vfio(NVME, 5, NULL);
	tree_function(OTHER, "e1000e", 5);
	tree_function("0000:00:10.2", NULL, 5);
	tree_function("0000:00:10.3", "pci-stub", 5);
	tree_function("0000:00:10.4", "pcieport", 5);
	tree_bytes(DIR("0000:00:10.4") "/config", bridge, sizeof(bridge));
	expect_only(NVME, OBSTACLE_GROUP, ADVICE_COMMAND, NVME ": IOMMU group 5 has devices of the "
		"host's too: " OTHER " (e1000e); `bulkhead bind " OTHER "`");
}

/* Of the others, too, nothing is advised that would be refused. */
Test(host, others_that_stay)
{
	tree_function(NVME, "vfio-pci", 5);
	tree_vfio(NVME, 5, NULL);
	tree_function(OTHER, "lpc_ich", 5);
	tree_file(DIR(OTHER) "/class", "0x060100\n");
	expect_only(NVME, OBSTACLE_GROUP, ADVICE_NONE, NVME ": IOMMU group 5 has devices of the host's "
		"too: " OTHER " (lpc_ich); that one stays with the host; another slot may be in another "
		"group");
	tree_file(DIR(OTHER) "/class", "0x010802\n");
	tree_block(OTHER, "nvme0n1", "259:0");
	tree_file("proc/self/mountinfo", "30 1 259:0 / /home rw - ext4 /dev/nvme0n1 rw\n");
	expect_only(NVME, OBSTACLE_DISK, ADVICE_COMMAND, NVME ": " OTHER " of its IOMMU group: the host "
		"uses its disk: nvme0n1 is mounted on /home; `umount /home`");
}

/* A domain of five digits; a disk behind a VMD is there through that only. */
Test(host, behind_a_vmd)
{
	tree_function("10000:e1:00.0", "vfio-pci", 5);
	tree_vfio("10000:e1:00.0", 5, "vfio0");
	expect_ready("10000:e1:00.0", WAY_IOMMUFD);
	tree_function(NVME, "vmd", 5);
	tree_link("sys/bus/pci/devices/10000:e1:00.0",
		"../../../devices/pci0000:00/" NVME "/pci10000:e0/10000:e1:00.0");
	tree_link(DIR(NVME) "/pci10000:e0/10000:e1:00.0/driver", "../../bus/pci/drivers/nvme");
	tree_link(DIR(NVME) "/pci10000:e0/10000:e1:00.0/iommu_group", "../../kernel/iommu_groups/5");
	verdict_of("10000:e1:00.0");
	cr_assert_eq(verdict_of("10000:e1:00.0").obstacles[1].advice, ADVICE_SETTING);
	tree_node("dev/nvme0n1", 'b', "259:0", "pci0000:00/" NVME
		"/pci10000:e0/10000:e1:00.0/nvme/nvme0/nvme0n1");
	tree_file("proc/self/mountinfo", "30 1 259:0 / / rw - ext4 /dev/nvme0n1 rw\n");
	expect_only(NVME, OBSTACLE_DISK, ADVICE_NONE, NVME ": the host uses its disk: nvme0n1 is mounted "
		"on /; the host runs from it");
}

/* The boot framebuffer in a BAR of a GPU that VFIO has. */
Test(host, boot_framebuffer)
{
	tree_function(NVME, "vfio-pci", 5);
	tree_vfio(NVME, 5, "vfio0");
	tree_file("proc/iomem", "80000000-9fffffff : PCI Bus 0000:00\n  80000000-8fffffff : " NVME "\n"
		"    80000000-80ffffff : vfio-pci\n  90000000-9fffffff : " OTHER "\n"
		"    90000000-90ffffff : BOOTFB\n");
	expect_ready(NVME, WAY_IOMMUFD);
	tree_file("proc/iomem", "00000000-00000000 : PCI Bus 0000:00\n  00000000-00000000 : " NVME "\n"
		"    00000000-00000000 : BOOTFB\n");
	expect_only(NVME, OBSTACLE_FRAMEBUFFER, ADVICE_SETTING, NVME ": BOOTFB, the framebuffer of the "
		"boot, holds a BAR of it; boot the host with `initcall_blacklist=sysfb_init` in the "
		"kernel's command line");
	tree_file("proc/iomem", "80000000-8fffffff : " NVME "\n  80000000-80ffffff : efifb\n");
	tree_file("sys/bus/platform/drivers/efi-framebuffer/efi-framebuffer.0/uevent", "");
	expect_only(NVME, OBSTACLE_FRAMEBUFFER, ADVICE_COMMAND, NVME ": efifb, the framebuffer of the "
		"boot, holds a BAR of it; `echo efi-framebuffer.0 >/sys/bus/platform/drivers/"
		"efi-framebuffer/unbind`");
}

Test(host, vdpa)
{
	struct host host = host_at(tree);
	struct vdpa_device device;
	struct verdict verdict;

	tree_link("sys/bus/vdpa/devices/n0", "../../../devices/vdpasim_net/n0");
	tree_link("sys/devices/vdpasim_net/n0/driver", "../../../bus/vdpa/drivers/virtio_vdpa");
	cr_assert_eq(vdpa_read(tree, "n0", &device), 0);
	cr_assert_str_eq(device.parent, "vdpasim_net");
	take_vdpa(&host, &device, &verdict);
	cr_assert_eq(verdict.n, 1);
	cr_assert_str_eq(verdict.obstacles[0].thing, "virtio_vdpa");
	cr_assert(strstr(verdict.obstacles[0].next, "echo n0 >devices/n0/driver/unbind"));
	/* What the host has made of it is the host's. */
	tree_file("sys/devices/vdpasim_net/n0/virtio4/net/eth9/flags", "0x1003\n");
	tree_link("sys/class/net/eth9", "../../devices/vdpasim_net/n0/virtio4/net/eth9");
	take_vdpa(&host, &device, &verdict);
	cr_assert_eq(verdict.obstacles[0].kind, OBSTACLE_NETWORK);
	unlinkat(tree, "sys/class/net/eth9", 0);
	tree_link("sys/devices/vdpasim_net/n0/driver", "../../../bus/vdpa/drivers/vhost_vdpa");
	tree_node("dev/vhost-vdpa-4", 'c', "509:4", "vdpasim_net/n0/vhost-vdpa-4");
	cr_assert_eq(vdpa_read(tree, "n0", &device), 0);
	cr_assert_str_eq(device.node, "vhost-vdpa-4");
	take_vdpa(&host, &device, &verdict);
	cr_assert_eq(verdict.n, 0);
	/* Another's name may begin as this one's does. */
	tree_node("dev/vhost-vdpa-5", 'c', "509:5", "vdpasim_net/n01/vhost-vdpa-5");
	tree_opener(8, "qemu", "dev/vhost-vdpa-5");
	host_close(&host);
	take_vdpa(&host, &device, &verdict);
	cr_assert_eq(verdict.n, 0);
	tree_opener(9, "qemu", "dev/vhost-vdpa-4");
	host_close(&host);
	take_vdpa(&host, &device, &verdict);
	cr_assert_eq(verdict.obstacles[0].kind, OBSTACLE_USED);
	host_close(&host);
}
