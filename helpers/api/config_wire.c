/* SPDX-License-Identifier: Apache-2.0
 *
 * The configuration and the opener's messages: one table says where in the tree each number and text
 * of ApiConfig stands, and serves both ways. bulkhead-api.
 */
#include <string.h>

#include "helpers/api/config.h"
#include "helpers/api/fields.h"
#include "helpers/api/json.h"

enum bind_type { BIND_TEXT, BIND_U32, BIND_U64, BIND_BOOL, BIND_MODE };

struct bind {
	const char *object, *inside, *name; /* cpus, topology, cores_per_die; inside may be NULL */
	enum bind_type type;
	size_t at;
};

#define AT(field) offsetof(Bulkhead__ApiConfig, field)

static const struct bind config_binds[] = {
	{"payload", NULL, "kernel", BIND_TEXT, AT(kernel)},
	{"payload", NULL, "initramfs", BIND_TEXT, AT(initramfs)},
	{"payload", NULL, "cmdline", BIND_TEXT, AT(cmdline)},
	{"cpus", NULL, "boot_vcpus", BIND_U32, AT(vcpus)},
	{"cpus", "topology", "threads_per_core", BIND_U32, AT(threads_per_core)},
	{"cpus", "topology", "cores_per_die", BIND_U32, AT(cores_per_die)},
	{"cpus", "topology", "dies_per_package", BIND_U32, AT(dies_per_package)},
	{"cpus", "topology", "packages", BIND_U32, AT(packages)},
	{"memory", NULL, "size", BIND_U64, AT(memory)},
	{"memory", NULL, "hugepages", BIND_BOOL, AT(hugepages)},
	{"memory", NULL, "hugepage_size", BIND_U64, AT(hugepage_size)},
	{"memory", NULL, "prefault", BIND_BOOL, AT(prefault)},
	{"serial", NULL, "mode", BIND_MODE, AT(serial)},
	{"serial", NULL, "file", BIND_TEXT, AT(serial_file)},
	{"console", NULL, "mode", BIND_MODE, AT(console)},
	{"platform", NULL, "iommufd", BIND_BOOL, AT(iommufd)},
};
enum { CONFIG_BINDS = sizeof(config_binds) / sizeof(config_binds[0]) };

#undef AT
#define AT(field) offsetof(Bulkhead__ApiDevice, field)

static const struct bind device_binds[] = {
	{NULL, NULL, "id", BIND_TEXT, AT(id)},
	{NULL, NULL, "path", BIND_TEXT, AT(path)},
	{NULL, NULL, "pci_device_id", BIND_U32, AT(pci_device_id)},
	{NULL, NULL, "pci_function", BIND_U32, AT(pci_function)},
	{NULL, NULL, "num_queues", BIND_U32, AT(num_queues)},
	{NULL, NULL, "rom", BIND_TEXT, AT(rom)},
};
enum { DEVICE_BINDS = sizeof(device_binds) / sizeof(device_binds[0]) };

/* Socket is never booted, and has no number. */
static const char *const modes[] = {[CONSOLE_OFF] = "Off", [CONSOLE_NULL] = "Null",
	[CONSOLE_TTY] = "Tty", [CONSOLE_PTY] = "Pty", [CONSOLE_FILE] = "File"};

static uint32_t mode_of(const char *name)
{
	for (uint32_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (name && strcmp(name, modes[i]) == 0)
			return i;
	return CONSOLE_OFF;
}

static void to_wire(const struct bind *bind, const json_t *tree, void *message)
{
	const json_t *value;
	void *to = (char *)message + bind->at;

	tree = bind->object ? json_object_get(tree, bind->object) : tree;
	tree = bind->inside ? json_object_get(tree, bind->inside) : tree;
	value = json_object_get(tree, bind->name);
	if (!value)
		return;
	switch (bind->type) {
	case BIND_TEXT: *(char **)to = (char *)(uintptr_t)json_string_value(value); break;
	case BIND_U32: *(uint32_t *)to = (uint32_t)json_integer_value(value); break;
	case BIND_U64: *(uint64_t *)to = (uint64_t)json_integer_value(value); break;
	case BIND_BOOL: *(protobuf_c_boolean *)to = json_is_true(value); break;
	case BIND_MODE: *(uint32_t *)to = mode_of(json_string_value(value)); break;
	}
}

void config_device_to_wire(const json_t *device, enum device_kind kind, Bulkhead__ApiDevice *ret)
{
	const json_t *bars = json_object_get(device, "x_exclude_mmap_bars");

	bulkhead__api_device__init(ret);
	ret->kind = kind;
	for (unsigned i = 0; i < DEVICE_BINDS; i++)
		to_wire(&device_binds[i], device, ret);
	for (size_t i = 0; i < json_array_size(bars); i++)
		ret->trapped |= 1u << (json_integer_value(json_array_get(bars, i)) & 31);
}

/* A terminal's path is ours to show, not to open again. */
static void forget_terminals(Bulkhead__ApiConfig *config)
{
	if (config->serial != CONSOLE_FILE)
		config->serial_file = (char *)(uintptr_t)protobuf_c_empty_string;
}

void config_to_wire(const json_t *config, struct config_wire *ret)
{
	ret->n_devices = 0;
	bulkhead__api_config__init(&ret->config);
	for (unsigned i = 0; i < CONFIG_BINDS; i++)
		to_wire(&config_binds[i], config, &ret->config);
	forget_terminals(&ret->config);
	for (unsigned i = 0; i < DEVICE_LISTS; i++) {
		const json_t *list = json_object_get(config, device_lists[i].name);

		for (size_t k = 0; k < json_array_size(list) && ret->n_devices < VM_SLOTS; k++) {
			ret->pointers[ret->n_devices] = &ret->devices[ret->n_devices];
			config_device_to_wire(json_array_get(list, k), device_lists[i].kind,
				&ret->devices[ret->n_devices++]);
		}
	}
}

/* ---- and back ---- */

/* The object `name` of tree, made where it is not there. */
static json_t *inside(json_t *tree, const char *name)
{
	if (name && !json_object_get(tree, name))
		json_object_set_new(tree, name, json_object());
	return name ? json_object_get(tree, name) : tree;
}

/* 0, false and "" say nothing, but a mode does. */
static json_t *value_of(const struct bind *bind, const void *message)
{
	const void *from = (const char *)message + bind->at;
	const char *text;

	switch (bind->type) {
	case BIND_TEXT:
		text = *(char *const *)from;
		return text[0] ? json_string(text) : NULL;
	case BIND_U32: return *(const uint32_t *)from ? json_integer(*(const uint32_t *)from) : NULL;
	case BIND_U64:
		return *(const uint64_t *)from
			? json_integer((json_int_t)(*(const uint64_t *)from & INT64_MAX)) : NULL;
	case BIND_BOOL: return *(const protobuf_c_boolean *)from ? json_true() : NULL;
	case BIND_MODE:
		return json_string(modes[*(const uint32_t *)from <= CONSOLE_FILE
			? *(const uint32_t *)from : CONSOLE_OFF]);
	}
	return NULL;
}

static void from_wire(const struct bind *bind, json_t *tree, const void *message)
{
	json_t *value = value_of(bind, message);

	if (value)
		json_object_set_new(inside(inside(tree, bind->object), bind->inside), bind->name,
			value);
}

/* Of a VM of the command line: as many vCPUs as its topology has, or as there are. */
static void fill_cpus(json_t *config, const Bulkhead__ApiConfig *from)
{
	json_t *cpus = json_object_get(config, "cpus");
	uint64_t least = (uint64_t)from->threads_per_core * from->cores_per_die *
		from->dies_per_package * from->packages;

	least = least > from->vcpus ? least : from->vcpus;
	if (cpus && config_number(config, "cpus", "max_vcpus") < least)
		json_object_set_new(cpus, "max_vcpus", json_integer((json_int_t)(least & INT32_MAX)));
}

static json_t *device_from_wire(const Bulkhead__ApiDevice *device)
{
	json_t *tree = json_object(), *bars = json_array();

	for (unsigned i = 0; i < DEVICE_BINDS; i++)
		from_wire(&device_binds[i], tree, device);
	for (unsigned bar = 0; bar < 6; bar++)
		if (device->trapped & 1u << bar)
			json_array_append_new(bars, json_integer(bar));
	json_object_set_new(tree, "x_exclude_mmap_bars", bars);
	return tree;
}

/* The rows fill in what the message does not carry, and drop what the kind does not have. */
static int add_device(json_t *config, const Bulkhead__ApiDevice *device, struct err *err)
{
	const struct device_list *list = &device_lists[device->kind == DEVICE_KIND_VDPA];
	json_t *tree = fields_decode(device->kind == DEVICE_KIND_VDPA ? &fields_vdpa
		: &fields_device, device_from_wire(device), "", err);

	if (!tree)
		return err->code;
	if (!device->path[0]) /* it came by a descriptor, or is one that does nothing */
		json_object_set_new(tree, "fd", json_integer(-1));
	if (!json_object_get(config, list->name))
		json_object_set_new(config, list->name, json_array());
	json_array_append_new(json_object_get(config, list->name), tree);
	return 0;
}

int config_from_wire(const char *notes, size_t len, const Bulkhead__ApiStateIs *state,
	struct err *err)
{
	json_t *config = len ? json_parse(notes, len, err) : json_object();
	int r = 0;

	if (!config)
		return err->code;
	for (unsigned i = 0; i < DEVICE_LISTS; i++)
		json_object_del(config, device_lists[i].name);
	for (unsigned i = 0; state->config && i < CONFIG_BINDS; i++)
		from_wire(&config_binds[i], config, state->config);
	if (state->config)
		fill_cpus(config, state->config);
	config = fields_decode(&fields_vm, config, "", err);
	if (!config)
		return err->code;
	for (size_t i = 0; i < state->n_devices && r == 0; i++)
		r = add_device(config, state->devices[i], err);
	return r == 0 ? config_keep(config, err) : r;
}
