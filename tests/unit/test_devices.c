/* SPDX-License-Identifier: Apache-2.0
 *
 * The list of `bulkhead devices`, for people and for machines.
 *
 * links: helpers/devices/json.c helpers/devices/text.c helpers/host/obstacle.c
 */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <string.h>

#include "helpers/devices/devices.h"

#define NVME "0000:00:10.0"

static const struct function nvme = {.name = NVME, .group = 5, .vectors = 65, .vendor = 0x1b36,
	.device = 0x10, .class = 0x010802, .reset = "flr bus", .driver = "vfio-pci",
	.bars = {[6] = {.size = 2048}}};

static struct verdict two_obstacles(void)
{
	struct verdict verdict = {.n = 2, .way = WAY_TYPE1, .obstacles = {
		{.kind = OBSTACLE_NETWORK, .of = NVME, .thing = "a \"b\"", .how = "it is \\ \n",
			.advice = ADVICE_NONE, .next = "no way"},
		{.kind = OBSTACLE_DRIVER, .of = "0000:00:10.1", .thing = "nvme",
			.advice = ADVICE_COMMAND, .next = "bulkhead bind X"}}};

	return verdict;
}

Test(devices, json)
{
	struct verdict verdict = two_obstacles();

	cr_redirect_stdout();
	json_begin();
	json_pci(&nvme, "Maker Thing", "", &verdict);
	json_vdpa_begin();
	json_end();
	fflush(stdout);
	cr_assert_stdout_eq_str("{\"pci\": [\n  {\"address\": \"0000:00:10.0\", "
		"\"name\": \"Maker Thing\", \"vendor\": \"1b36\", \"device\": \"0010\", "
		"\"class\": \"010802\", \"driver\": \"vfio-pci\", \"iommu\": null, \"group\": 5, "
		"\"group_with\": [], \"reset\": [\"flr\", \"bus\"], \"msix\": 65, "
		"\"bars\": [{\"bar\": \"rom\", \"size\": 2048, \"io\": false, \"64bit\": false, "
		"\"prefetchable\": false}], \"way\": \"type1\", \"ready\": false, \"obstacles\": ["
		"{\"kind\": \"network\", \"device\": \"0000:00:10.0\", \"thing\": \"a \\\"b\\\"\", "
		"\"how\": \"it is \\\\ \\u000a\", \"what\": \"the host uses its network interface "
		"a \\\"b\\\": it is \\\\ \\u000a\", \"advice\": \"none\", \"next\": \"no way\", "
		"\"command\": null}, "
		"{\"kind\": \"driver\", \"device\": \"0000:00:10.1\", \"thing\": \"nvme\", "
		"\"how\": null, \"what\": \"0000:00:10.1 of its IOMMU group: bound to nvme\", "
		"\"advice\": \"command\", \"next\": \"bulkhead bind X\", "
		"\"command\": \"bulkhead bind X\"}]}], \"vdpa\": []}\n");
}

Test(devices, text)
{
	struct verdict verdict = two_obstacles(), ready = {.way = WAY_IOMMUFD};

	strcpy(verdict.obstacles[0].how, "it is up");
	cr_redirect_stdout();
	text_pci(&nvme, "Maker Thing", "0000:00:10.1", &verdict);
	text_pci(&nvme, "Maker Thing", "", &ready);
	fflush(stdout);
	cr_assert_stdout_eq_str("0000:00:10.0  Maker Thing [1b36:0010]\n"
		"    driver vfio-pci, by type1; IOMMU group 5 with 0000:00:10.1 of an unnamed IOMMU; "
		"reset flr bus; MSI-X 65\n    BARs ROM: 2K\n"
		"    not ready: the host uses its network interface a \"b\": it is up; no way\n"
		"    not ready: 0000:00:10.1 of its IOMMU group: bound to nvme\n"
		"        $ bulkhead bind X\n"
		"0000:00:10.0  Maker Thing [1b36:0010]\n"
		"    driver vfio-pci, by iommufd; IOMMU group 5 of an unnamed IOMMU; reset flr bus; "
		"MSI-X 65\n    BARs ROM: 2K\n    ready\n");
}
