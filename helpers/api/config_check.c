/* SPDX-License-Identifier: Apache-2.0
 *
 * May a configuration be booted? bulkhead-api. Where Cloud Hypervisor refuses the same
 * (vmm/src/config.rs ValidationError), in its words.
 */
#include <errno.h>
#include <string.h>

#include "helpers/api/config.h"
#include "helpers/api/fields.h"

enum { COMMAND_LINE_MAX = 2047 };

#define bad(err, code, ...) err_set(err, code, BLAME_HOST, __VA_ARGS__)

/* What goes to other processes as text. */
static int check_text(const json_t *object, const char *name, size_t most, struct err *err)
{
	const char *text = config_word(object, name);

	for (const char *at = text; *at; at++)
		if (*at < ' ' || *at > '~')
			return bad(err, -EINVAL, "%s: more than printable ASCII; give it another name",
				name);
	if (strlen(text) > most)
		return bad(err, -EINVAL, "%s: longer than %zu characters; shorten it", name, most);
	return 0;
}

static int check_payload(const json_t *config, struct err *err)
{
	const json_t *payload = json_object_get(config, "payload");
	int r = 0;

	if (!json_object_get(payload, "firmware") && !config_word(payload, "kernel")[0])
		return bad(err, -EINVAL, "Payload configuration is not bootable\nNo bootitem provided: "
			"neither firmware nor kernel");
	if (json_object_get(payload, "firmware") && json_object_get(payload, "kernel"))
		return bad(err, -EINVAL, "Payload configuration is not bootable\nSpecifying a kernel is "
			"not supported when a firmware is provided");
	r = check_text(payload, "kernel", PATH_LONGEST, err);
	if (r == 0)
		r = check_text(payload, "initramfs", PATH_LONGEST, err);
	return r == 0 ? check_text(payload, "cmdline", COMMAND_LINE_MAX, err) : r;
}

static int check_cpus(const json_t *config, struct err *err)
{
	static const char *const parts[] = {"threads_per_core", "cores_per_die", "dies_per_package",
		"packages"};
	const json_t *topology = json_object_get(json_object_get(config, "cpus"), "topology");
	uint64_t boot = config_number(config, "cpus", "boot_vcpus");
	uint64_t max = config_number(config, "cpus", "max_vcpus"), product = 1;

	if (boot == 0 || boot > VCPUS_MAX)
		return bad(err, -EINVAL, "cpus.boot_vcpus: %llu is not in 1 to %d; give one that is",
			(unsigned long long)boot, VCPUS_MAX);
	if (max < boot)
		return bad(err, -EINVAL, "Max CPUs (%llu) lower than boot CPUs (%llu)",
			(unsigned long long)max, (unsigned long long)boot);
	if (!topology)
		return 0;
	for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		product *= (uint64_t)json_integer_value(json_object_get(topology, parts[i]));
	if (product == 0)
		return bad(err, -EINVAL, "No part of the CPU topology can be zero");
	if (json_integer_value(json_object_get(topology, parts[0])) > 2)
		return bad(err, -EINVAL, "CPU topology supports at most 2 threads per core");
	if (product != max)
		return bad(err, -EINVAL, "Product of CPU topology parts does not match maximum vCPU");
	return 0;
}

static int check_memory(const json_t *config, struct err *err)
{
	const json_t *memory = json_object_get(config, "memory");
	bool huge = json_is_true(json_object_get(memory, "hugepages"));
	uint64_t size = config_number(config, "memory", "size");
	uint64_t page = config_number(config, "memory", "hugepage_size");

	if (size == 0)
		return bad(err, -EINVAL, "memory.size: 0; give the bytes of guest RAM");
	if (page && !huge)
		return bad(err, -EINVAL, "Huge page size specified but huge pages not enabled");
	if (page && page != 2 << 20 && page != 1 << 30)
		return bad(err, -EINVAL, "memory.hugepage_size: %llu is neither 2 MiB nor 1 GiB; give "
			"one of them", (unsigned long long)page);
	return 0;
}

static int check_console(const json_t *config, const char *which, bool files, struct err *err)
{
	const json_t *console = json_object_get(config, which);
	const char *mode = config_word(console, "mode");
	int r = check_text(console, "file", PATH_LONGEST, err);

	if (r < 0)
		return r;
	if (strcmp(mode, "Socket") == 0 || (strcmp(mode, "File") == 0 && !files))
		return bad(err, -ENOTSUP, "%s.mode: %s is not supported: %s", which, mode, files
			? "no process of a VM listens; give Pty"
			: "there is no virtio console; use serial");
	if (strcmp(mode, "File") == 0 && !config_word(console, "file")[0])
		return bad(err, -EINVAL, "Path missing when using file console mode");
	return 0;
}

/* Every id there is, wherever it stands: is this one the only one? */
static unsigned count_id(json_t *config, const char *id)
{
	unsigned n = 0;

	for (void *at = json_object_iter(config); at; at = json_object_iter_next(config, at)) {
		const json_t *value = json_object_iter_value(at);

		n += strcmp(config_word(value, "id"), id) == 0;
		for (size_t i = 0; i < json_array_size(value); i++)
			n += strcmp(config_word(json_array_get(value, i), "id"), id) == 0;
	}
	return n;
}

static int check_place(const json_t *device, struct err *err)
{
	const json_t *place = json_object_get(device, "pci_device_id");
	json_int_t slot = json_integer_value(place);
	json_int_t function = json_integer_value(json_object_get(device, "pci_function"));

	if (place && slot == 0)
		return bad(err, -EINVAL, "Given PCI device ID (0) is reserved");
	if (slot >= PCI_DEVICES)
		return bad(err, -EINVAL, "Given PCI device ID (%lld) is out of the supported range of "
			"0..32", slot);
	if (function >= PCI_FUNCTIONS || (function && !place))
		return bad(err, -EINVAL, "pci_function: %s", function >= PCI_FUNCTIONS
			? "functions are 0 to 7; give one of them"
			: "without pci_device_id it says nothing; give both");
	return 0;
}

static int check_bars(const json_t *device, struct err *err)
{
	const json_t *bars = json_object_get(device, "x_exclude_mmap_bars");

	for (size_t i = 0; i < json_array_size(bars); i++) {
		json_int_t bar = json_integer_value(json_array_get(bars, i));

		if (bar > 5)
			return bad(err, -EINVAL, "Invalid VFIO excluded-mmap BAR index: %lld", bar);
	}
	return 0;
}

static int check_device(json_t *config, const json_t *device, struct err *err)
{
	const char *id = config_word(device, "id"), *path = config_word(device, "path");
	bool with_fd = json_object_get(device, "fd");
	int r = check_text(device, "id", ID_MAX - 1, err);

	if (r == 0)
		r = check_text(device, "path", PATH_LONGEST, err);
	if (r == 0)
		r = check_text(device, "rom", PATH_LONGEST, err);
	if (r < 0)
		return r;
	if (!id[0] || strncmp(id, "__", 2) == 0)
		return bad(err, -EINVAL, "Identifier %s is not valid", id);
	if (count_id(config, id) > 1)
		return bad(err, -EEXIST, "Identifier %s is not unique", id);
	if (!path[0] == !with_fd)
		return bad(err, -EINVAL, "VFIO device config must specify %s`path=` or `fd=`",
			with_fd ? "at most one of " : "");
	r = check_place(device, err);
	return r == 0 ? check_bars(device, err) : r;
}

static bool same_path(const json_t *list, size_t at)
{
	const char *path = config_word(json_array_get(list, at), "path");

	for (size_t i = 0; path[0] && i < at; i++)
		if (strcmp(config_word(json_array_get(list, i), "path"), path) == 0)
			return true;
	return false;
}

static int check_devices(json_t *config, struct err *err)
{
	int r = 0;

	for (unsigned i = 0; i < DEVICE_LISTS && r == 0; i++) {
		const json_t *list = json_object_get(config, device_lists[i].name);
		size_t n = json_array_size(list);

		for (size_t k = 0; k < n && r == 0; k++) {
			const json_t *device = json_array_get(list, k);

			if (same_path(list, k))
				r = bad(err, -EEXIST, "Duplicated device path: %s",
					config_word(device, "path"));
			else
				r = check_device(config, device, err);
		}
	}
	return r;
}

int config_check(json_t *config, struct err *err)
{
	struct err inner = {0};
	int r = check_payload(config, &inner);

	if (r == 0)
		r = fields_refuse(&fields_vm, config, &inner);
	if (r == 0)
		r = check_cpus(config, &inner);
	if (r == 0)
		r = check_memory(config, &inner);
	if (r == 0)
		r = check_console(config, "serial", true, &inner);
	if (r == 0)
		r = check_console(config, "console", false, &inner);
	if (r == 0)
		r = check_devices(config, &inner);
	return r < 0 ? err_set(err, r, inner.blame, "Failed to validate config\n%s", inner.msg) : 0;
}
