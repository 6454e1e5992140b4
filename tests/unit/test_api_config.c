/* SPDX-License-Identifier: Apache-2.0
 *
 * The configuration: whether it may be booted, and that what goes to the opener comes back from it.
 *
 * links: helpers/api/config.c helpers/api/config_check.c helpers/api/config_wire.c helpers/api/fields.c helpers/api/fields_vm.c helpers/api/fields_devices.c helpers/api/fields_calls.c helpers/api/json.c
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helpers/api/config.h"
#include "helpers/api/fields.h"
#include "helpers/api/json.h"

static struct err err;

static void begin(void)
{
	json_begin(1);
}

TestSuite(api_config, .init = begin);

#define KERNEL "\"payload\":{\"kernel\":\"/k\"}"

static json_t *tree_of(const char *text)
{
	json_t *tree;

	json_reset();
	err = (struct err){0};
	tree = fields_decode(&fields_vm, json_parse(text, strlen(text), &err), "", &err);
	cr_assert(tree, "%s", err.msg);
	cr_assert_eq(config_name_devices(tree, &err), 0, "%s", err.msg);
	return tree;
}

static void fine(const char *text)
{
	cr_assert_eq(config_check(tree_of(text), &err), 0, "%s: %s", text, err.msg);
}

/* words: what comes after "Failed to validate config". */
static void refused(const char *text, int code, const char *words)
{
	static const char outer[] = "Failed to validate config\n";

	cr_assert_eq(config_check(tree_of(text), &err), code, "%s: %d %s", text, err.code, err.msg);
	cr_assert(strncmp(err.msg, outer, strlen(outer)) == 0, "%s", err.msg);
	cr_assert_str_eq(err.msg + strlen(outer), words, "%s", text);
}

Test(api_config, what_can_be_booted)
{
	fine("{" KERNEL "}");
	fine("{\"payload\":{\"kernel\":\"/k\",\"initramfs\":\"/i\",\"cmdline\":\"a b\"}}");
	fine("{" KERNEL ",\"cpus\":{\"boot_vcpus\":1024,\"max_vcpus\":2000}}");
	fine("{" KERNEL ",\"cpus\":{\"boot_vcpus\":1,\"max_vcpus\":8,\"topology\":{"
		"\"threads_per_core\":2,\"cores_per_die\":2,\"dies_per_package\":2,\"packages\":1}}}");
	fine("{" KERNEL ",\"memory\":{\"size\":1,\"hugepages\":true,\"hugepage_size\":1073741824}}");
	fine("{" KERNEL ",\"serial\":{\"mode\":\"Pty\"},\"console\":{\"mode\":\"Pty\"}}");
	fine("{" KERNEL ",\"serial\":{\"mode\":\"File\",\"file\":\"/f\"},\"console\":{\"mode\":\"Null\"}}");
	fine("{" KERNEL ",\"devices\":[{\"path\":\"/a\",\"pci_device_id\":31,\"pci_function\":7},"
		"{\"path\":\"/b\",\"id\":\"NIC//x\",\"x_exclude_mmap_bars\":[0,5]}],"
		"\"vdpa\":[{\"path\":\"/a\"}]}");
}

Test(api_config, what_cannot)
{
	refused("{}", -EINVAL, "Payload configuration is not bootable\n"
		"No bootitem provided: neither firmware nor kernel");
	refused("{\"payload\":{\"kernel\":\"/k\",\"firmware\":\"/f\"}}", -EINVAL,
		"Payload configuration is not bootable\n"
		"Specifying a kernel is not supported when a firmware is provided");
	refused("{" KERNEL ",\"cpus\":{\"boot_vcpus\":0,\"max_vcpus\":1}}", -EINVAL,
		"cpus.boot_vcpus: 0 is not in 1 to 1024; give one that is");
	refused("{" KERNEL ",\"cpus\":{\"boot_vcpus\":1025,\"max_vcpus\":1025}}", -EINVAL,
		"cpus.boot_vcpus: 1025 is not in 1 to 1024; give one that is");
	refused("{" KERNEL ",\"cpus\":{\"boot_vcpus\":2,\"max_vcpus\":1}}", -EINVAL,
		"Max CPUs (1) lower than boot CPUs (2)");
	refused("{" KERNEL ",\"cpus\":{\"boot_vcpus\":1,\"max_vcpus\":8,\"topology\":{"
		"\"threads_per_core\":4,\"cores_per_die\":2,\"dies_per_package\":1,\"packages\":1}}}",
		-EINVAL, "CPU topology supports at most 2 threads per core");
	refused("{" KERNEL ",\"cpus\":{\"boot_vcpus\":1,\"max_vcpus\":8,\"topology\":{"
		"\"threads_per_core\":1,\"cores_per_die\":0,\"dies_per_package\":1,\"packages\":1}}}",
		-EINVAL, "No part of the CPU topology can be zero");
	refused("{" KERNEL ",\"cpus\":{\"boot_vcpus\":1,\"max_vcpus\":8,\"topology\":{"
		"\"threads_per_core\":1,\"cores_per_die\":4,\"dies_per_package\":1,\"packages\":1}}}",
		-EINVAL, "Product of CPU topology parts does not match maximum vCPU");
	refused("{" KERNEL ",\"memory\":{\"size\":0}}", -EINVAL,
		"memory.size: 0; give the bytes of guest RAM");
	refused("{" KERNEL ",\"memory\":{\"size\":1,\"hugepage_size\":2097152}}", -EINVAL,
		"Huge page size specified but huge pages not enabled");
	refused("{" KERNEL ",\"memory\":{\"size\":1,\"hugepages\":true,\"hugepage_size\":4096}}",
		-EINVAL, "memory.hugepage_size: 4096 is neither 2 MiB nor 1 GiB; give one of them");
	refused("{" KERNEL ",\"serial\":{\"mode\":\"File\"}}", -EINVAL,
		"Path missing when using file console mode");
	refused("{" KERNEL ",\"serial\":{\"mode\":\"Socket\"}}", -ENOTSUP,
		"serial.mode: Socket is not supported: no process of a VM listens; give Pty");
	refused("{" KERNEL ",\"console\":{\"mode\":\"File\",\"file\":\"/f\"}}", -ENOTSUP,
		"console.mode: File is not supported: there is no virtio console; use serial");
	refused("{\"payload\":{\"kernel\":\"/k\xc3\xa9\"}}", -EINVAL,
		"kernel: more than printable ASCII; give it another name");
}

#define DEVICES(text) "{" KERNEL ",\"devices\":[" text "]}"

Test(api_config, devices_that_cannot_be)
{
	refused(DEVICES("{}"), -EINVAL, "VFIO device config must specify `path=` or `fd=`");
	refused(DEVICES("{\"path\":\"/a\",\"id\":\"__x\"}"), -EINVAL, "Identifier __x is not valid");
	refused(DEVICES("{\"path\":\"/a\",\"id\":\"\"}"), -EINVAL, "Identifier  is not valid");
	refused(DEVICES("{\"path\":\"/a\",\"id\":\"x\\n\"}"), -EINVAL,
		"id: more than printable ASCII; give it another name");
	refused(DEVICES("{\"path\":\"/a\",\"id\":\"d\"},{\"path\":\"/b\",\"id\":\"d\"}"), -EEXIST,
		"Identifier d is not unique");
	refused("{" KERNEL ",\"devices\":[{\"path\":\"/a\",\"id\":\"d\"}],"
		"\"vdpa\":[{\"path\":\"/a\",\"id\":\"d\"}]}", -EEXIST, "Identifier d is not unique");
	refused("{" KERNEL ",\"devices\":[{\"path\":\"/a\",\"id\":\"d\"}],"
		"\"balloon\":{\"size\":0,\"id\":\"d\"}}", -EEXIST, "Identifier d is not unique");
	refused(DEVICES("{\"path\":\"/a\"},{\"path\":\"/a\"}"), -EEXIST, "Duplicated device path: /a");
	refused(DEVICES("{\"path\":\"/a\",\"pci_device_id\":0}"), -EINVAL,
		"Given PCI device ID (0) is reserved");
	refused(DEVICES("{\"path\":\"/a\",\"pci_device_id\":32}"), -EINVAL,
		"Given PCI device ID (32) is out of the supported range of 0..32");
	refused(DEVICES("{\"path\":\"/a\",\"pci_function\":1}"), -EINVAL,
		"pci_function: without pci_device_id it says nothing; give both");
	refused(DEVICES("{\"path\":\"/a\",\"pci_device_id\":1,\"pci_function\":8}"), -EINVAL,
		"pci_function: functions are 0 to 7; give one of them");
	refused(DEVICES("{\"path\":\"/a\",\"x_exclude_mmap_bars\":[6]}"), -EINVAL,
		"Invalid VFIO excluded-mmap BAR index: 6");
}

Test(api_config, more_devices_than_places)
{
	char text[4096] = "{\"devices\":[{}";

	for (unsigned i = 1; i < VM_SLOTS; i++)
		strcat(text, ",{}");
	strcat(text, "]}");
	tree_of(text);
	strcpy(text + strlen(text) - 2, "],\"vdpa\":[{}]}");
	json_reset();
	cr_assert_eq(config_name_devices(fields_decode(&fields_vm,
		json_loads(text, 0, NULL), "", &err), &err), -EINVAL);
	cr_assert_str_eq(err.msg, "31 devices, and a VM has 30 places; leave some out");
}

/* One count over all kinds; what is taken is skipped. */
Test(api_config, names_that_are_made_up)
{
	json_t *tree = tree_of("{\"devices\":[{},{\"id\":\"_vdpa1\"},{}],\"vdpa\":[{},{\"id\":\"mine\"}]}");
	char text[4096];

	text[json_write(tree, text, sizeof(text) - 1)] = '\0';
	cr_assert(strstr(text, "\"id\":\"_vfio0\""));
	cr_assert(strstr(text, "\"id\":\"_vfio2\""));
	cr_assert(strstr(text, "\"id\":\"_vdpa3\""), "%s", text);
}

/* ---- the opener's messages ---- */

#define FULL                                                                                       \
	"{\"cpus\":{\"boot_vcpus\":3,\"max_vcpus\":4,\"topology\":{\"threads_per_core\":2,"        \
	"\"cores_per_die\":2,\"dies_per_package\":1,\"packages\":1}},"                             \
	"\"memory\":{\"size\":123456,\"hugepages\":true,\"hugepage_size\":2097152,"                \
	"\"prefault\":true,\"hotplug_size\":77},"                                                  \
	"\"payload\":{\"kernel\":\"/k\",\"initramfs\":\"/i\",\"cmdline\":\"c\"},"                  \
	"\"serial\":{\"mode\":\"File\",\"file\":\"/f\"},\"console\":{\"mode\":\"Off\"},"           \
	"\"platform\":{\"iommufd\":true,\"uuid\":\"u\"},"                                          \
	"\"devices\":[{\"path\":\"/a\",\"id\":\"d\",\"pci_device_id\":5,\"pci_function\":1,"       \
	"\"rom\":\"off\",\"x_exclude_mmap_bars\":[0,2]}],"                                         \
	"\"vdpa\":[{\"path\":\"/v\",\"id\":\"v\",\"num_queues\":3}]}"

static struct config_wire wire;

static void to_wire(const char *text)
{
	config_to_wire(tree_of(text), &wire);
}

Test(api_config, what_the_opener_is_told)
{
	to_wire(FULL);
	cr_assert_str_eq(wire.config.kernel, "/k");
	cr_assert_str_eq(wire.config.initramfs, "/i");
	cr_assert_str_eq(wire.config.cmdline, "c");
	cr_assert(wire.config.vcpus == 3 && wire.config.threads_per_core == 2 &&
		wire.config.cores_per_die == 2 && wire.config.dies_per_package == 1 &&
		wire.config.packages == 1);
	cr_assert(wire.config.memory == 123456 && wire.config.hugepages && wire.config.prefault &&
		wire.config.hugepage_size == 2097152);
	cr_assert(wire.config.serial == CONSOLE_FILE && wire.config.console == CONSOLE_OFF);
	cr_assert_str_eq(wire.config.serial_file, "/f");
	cr_assert(wire.config.iommufd);
	cr_assert_eq(wire.n_devices, 2);
	cr_assert(wire.devices[0].kind == DEVICE_KIND_VFIO && wire.devices[0].trapped == 5 &&
		wire.devices[0].pci_device_id == 5 && wire.devices[0].pci_function == 1);
	cr_assert_str_eq(wire.devices[0].rom, "off");
	cr_assert(wire.devices[1].kind == DEVICE_KIND_VDPA && wire.devices[1].num_queues == 3);
	cr_assert_str_eq(wire.devices[1].path, "/v");
}

static void from_wire(const char *notes)
{
	Bulkhead__ApiStateIs state = BULKHEAD__API_STATE_IS__INIT;

	state.config = &wire.config;
	state.devices = wire.pointers;
	state.n_devices = wire.n_devices;
	cr_assert_eq(config_from_wire(notes, strlen(notes), &state, &err), 0, "%s", err.msg);
}

/* Notes and messages make the same text again; without notes, what the messages do not carry is as if
 * it had not been given. */
Test(api_config, an_api_of_another_life)
{
	char before[CONFIG_MAX];

	cr_assert_eq(config_keep(tree_of(FULL), &err), 0);
	strcpy(before, config_text());
	config_to_wire(config_tree(), &wire);
	config_clear();
	from_wire(before);
	cr_assert_eq(strlen(config_text()), strlen(before));
	cr_assert(strstr(config_text(), "\"hotplug_size\":77"));
	cr_assert(strstr(config_text(), "\"system_uuid\":\"u\""));
	from_wire("");
	cr_assert(!strstr(config_text(), "hotplug_size") && !strstr(config_text(), "system_uuid"));
	cr_assert(strstr(config_text(), "\"boot_vcpus\":3,\"max_vcpus\":4,"), "%s", config_text());
	cr_assert(strstr(config_text(), "\"devices\":[{\"id\":\"d\",\"pci_segment\":0,"
		"\"pci_device_id\":5,\"path\":\"/a\",\"x_exclude_mmap_bars\":[0,2],"
		"\"pci_function\":1,\"rom\":\"off\"}]"), "%s", config_text());
}

/* A terminal's path is shown to clients and never sent to be opened. */
Test(api_config, terminals)
{
	cr_assert_eq(config_keep(tree_of("{\"serial\":{\"mode\":\"Pty\"}}"), &err), 0);
	config_set_terminals("/dev/pts/1", "/dev/pts/2");
	cr_assert(strstr(config_text(), "\"serial\":{\"mode\":\"Pty\",\"file\":\"/dev/pts/1\"}"), "%s",
		config_text());
	cr_assert(!strstr(config_text(), "/dev/pts/2"), "its mode is Tty");
	config_to_wire(config_tree(), &wire);
	cr_assert_str_eq(wire.config.serial_file, "");
	config_set_terminals("", "");
	cr_assert(!strstr(config_text(), "\"file\""));
}

Test(api_config, what_does_not_fit_is_not_kept)
{
	char *text = malloc(2 * CONFIG_MAX);

	cr_assert_eq(config_keep(tree_of("{" KERNEL "}"), &err), 0);
	sprintf(text, "{\"platform\":{\"uuid\":\"%0*d\"}}", CONFIG_MAX, 0);
	cr_assert_eq(config_keep(tree_of(text), &err), -E2BIG);
	cr_assert(strstr(config_text(), "\"kernel\":\"/k\""), "what was kept stays");
	free(text);
}
