/* SPDX-License-Identifier: Apache-2.0
 *
 * What bulkhead-devices reads from sysfs, and what it says is in the way, on a made tree.
 *
 * links: helpers/devices/sysfs.c helpers/devices/pci.c helpers/devices/vdpa.c helpers/devices/ready.c helpers/devices/disk.c helpers/devices/users.c helpers/devices/json.c
 */
#include <criterion/criterion.h>
#include <criterion/redirect.h>

#include "helpers/devices/devices.h"
#include "tests/unit/tree.h"

#define NVME "0000:00:10.0"
#define NVME_DIR "sys/devices/pci0000:00/" NVME

TestSuite(devices, .init = tree_host, .fini = tree_remove);

static struct function read_function(const char *bdf)
{
	struct function f;
	struct err err = {0};

	cr_assert_eq(pci_read(tree, bdf, &f, &err), 0, "%s", err.msg);
	return f;
}

static struct verdict verdict_of(const char *bdf)
{
	struct function f = read_function(bdf);
	struct verdict verdict;

	ready_pci(tree, &f, &verdict);
	return verdict;
}

Test(devices, addresses)
{
	static const char *const bad[] = {"", "10.0", "0000:00:20.0", "0000:00:1f.8", "00:10.0 ",
		"../../etc", "0000:00:10.0/x", "0000:00:-1.0", "10000:00:10.0", "0000:100:10.0"};
	char name[16];

	cr_assert_eq(pci_name("00:1F.7", name), 0);
	cr_assert_str_eq(name, "0000:00:1f.7");
	cr_assert_eq(pci_name("12ab:cd:00.1", name), 0);
	cr_assert_str_eq(name, "12ab:cd:00.1");
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_lt(pci_name(bad[i], name), 0, "«%s»", bad[i]);
}

/* PCI 3.0 §6.7: a list that begins at 0x40 with a capability of another kind. */
Test(devices, msix_and_bars)
{
	uint8_t config[256] = {[0x06] = 0x10, [0x34] = 0x40, [0x40] = 0x01, [0x41] = 0x50,
		[0x50] = 0x11, [0x52] = 0x40, [0x53] = 0x80};
	struct function f;

	tree_function(NVME, "nvme", 5);
	tree_bytes(NVME_DIR "/config", config, sizeof(config));
	tree_file(NVME_DIR "/reset_method", "flr bus\n");
	tree_file(NVME_DIR "/resource",
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
	tree_bytes(NVME_DIR "/config", config, 64);
	cr_assert_eq(read_function(NVME).vectors, MSIX_UNSEEN);
}

Test(devices, capability_list_without_end, .timeout = 5)
{
	uint8_t config[256] = {[0x06] = 0x10, [0x34] = 0x40, [0x40] = 0x01, [0x41] = 0x40};

	tree_function(NVME, "nvme", 5);
	tree_bytes(NVME_DIR "/config", config, sizeof(config));
	cr_assert_eq(read_function(NVME).vectors, 0);
}

Test(devices, on_its_host_driver)
{
	struct verdict verdict;

	tree_function(NVME, "nvme", 5);
	verdict = verdict_of(NVME);
	cr_assert_eq(verdict.n, 1);
	cr_assert_str_eq(verdict.obstacles[0].what, "bound to nvme");
	cr_assert_str_eq(verdict.obstacles[0].command, "bulkhead bind " NVME);
}

Test(devices, ready)
{
	tree_function(NVME, "vfio-pci", 5);
	tree_file("dev/vfio/5", "");
	cr_assert_eq(verdict_of(NVME).n, 0);
	tree_file("proc/77/comm", "qemu\n");
	tree_link("proc/77/fd/9", "../../../dev/vfio/5");
	cr_assert_eq(verdict_of(NVME).n, 1);
	cr_assert_str_eq(verdict_of(NVME).obstacles[0].what, "in use by process 77 (qemu)");
}

Test(devices, no_iommu)
{
	struct verdict verdict;

	tree_function(NVME, "nvme", -1);
	verdict = verdict_of(NVME);
	cr_assert(strstr(verdict.obstacles[0].what, "intel_iommu=on"));
	tree_link("sys/class/iommu/dmar0", "../../devices/virtual/iommu/dmar0");
	verdict = verdict_of(NVME);
	cr_assert(strstr(verdict.obstacles[0].what, "behind none of"));
	tree_function("0000:00:11.0", "nvme", 3);
	tree_file("sys/kernel/iommu_groups/3/name", "vfio-noiommu\n");
	cr_assert_eq(read_function("0000:00:11.0").group, -1);
}

Test(devices, no_remapping)
{
	tree_function(NVME, "vfio-pci", 5);
	tree_file("dev/vfio/5", "");
	tree_file("proc/interrupts", "  24:  0  0  PCI-MSI 1-edge  nvme0q0\n");
	cr_assert_eq(verdict_of(NVME).n, 1);
	cr_assert(strstr(verdict_of(NVME).obstacles[0].what, "allow_unsafe_interrupts"));
	tree_file("sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts", "Y\n");
	cr_assert_eq(verdict_of(NVME).n, 0);
}

Test(devices, others_of_the_group)
{
	uint8_t bridge[256] = {[0x0e] = 0x01};
	struct verdict verdict;

	tree_function(NVME, "vfio-pci", 5);
	tree_file("dev/vfio/5", "");
	tree_function("0000:00:10.1", "e1000e", 5);
	tree_function("0000:00:10.2", NULL, 5);
	tree_function("0000:00:10.3", "pci-stub", 5);
	tree_function("0000:00:10.4", "pcieport", 5);
	tree_bytes("sys/devices/pci0000:00/0000:00:10.4/config", bridge, sizeof(bridge));
	verdict = verdict_of(NVME);
	cr_assert_eq(verdict.n, 1);
	cr_assert(strstr(verdict.obstacles[0].what, "0000:00:10.1 (e1000e)"));
	cr_assert_str_eq(verdict.obstacles[0].command, "bulkhead bind 0000:00:10.1");
	verdict = verdict_of("0000:00:10.4");
	cr_assert(verdict.n == 1 && strstr(verdict.obstacles[0].what, "bridge"));
}

Test(devices, vdpa)
{
	struct vdpa_device device;
	struct verdict verdict;

	tree_link("sys/bus/vdpa/devices/n0", "../../../devices/vdpasim_net/n0");
	tree_link("sys/devices/vdpasim_net/n0/driver", "../../../bus/vdpa/drivers/virtio_vdpa");
	cr_assert_eq(vdpa_read(tree, "n0", &device), 0);
	cr_assert_str_eq(device.parent, "vdpasim_net");
	ready_vdpa(tree, &device, &verdict);
	cr_assert_eq(verdict.n, 1);
	cr_assert_str_eq(verdict.obstacles[0].what, "bound to virtio_vdpa");
	cr_assert(strstr(verdict.obstacles[0].command, "echo n0 >devices/n0/driver/unbind"));
	tree_link("sys/devices/vdpasim_net/n0/driver", "../../../bus/vdpa/drivers/vhost_vdpa");
	tree_file("sys/devices/vdpasim_net/n0/vhost-vdpa-4/dev", "511:0\n");
	tree_file("dev/vhost-vdpa-4", "");
	cr_assert_eq(vdpa_read(tree, "n0", &device), 0);
	cr_assert_str_eq(device.node, "vhost-vdpa-4");
	ready_vdpa(tree, &device, &verdict);
	cr_assert_eq(verdict.n, 0);
}

Test(devices, json)
{
	struct function f = {.name = NVME, .group = 5, .vectors = 65, .vendor = 0x1b36,
		.device = 0x10, .class = 0x010802, .reset = "flr bus",
		.bars = {[6] = {.size = 2048}}};
	struct verdict verdict = {.n = 1, .obstacles = {{.what = "a \"b\" \\ \n"}}};

	cr_redirect_stdout();
	json_begin();
	json_pci(&f, "Maker Thing", "", &verdict);
	json_vdpa_begin();
	json_end();
	fflush(stdout);
	cr_assert_stdout_eq_str("{\"pci\": [\n  {\"address\": \"0000:00:10.0\", "
		"\"name\": \"Maker Thing\", \"vendor\": \"1b36\", \"device\": \"0010\", "
		"\"class\": \"010802\", \"driver\": null, \"iommu\": null, \"group\": 5, "
		"\"group_with\": [], \"reset\": [\"flr\", \"bus\"], \"msix\": 65, "
		"\"bars\": [{\"bar\": \"rom\", \"size\": 2048, \"io\": false, \"64bit\": false, "
		"\"prefetchable\": false}], \"ready\": false, \"obstacles\": ["
		"{\"what\": \"a \\\"b\\\" \\\\ \\u000a\", \"command\": null}]}], \"vdpa\": []}\n");
}
