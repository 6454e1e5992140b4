/* SPDX-License-Identifier: Apache-2.0
 *
 * What is kept of the configuration, and its changes. bulkhead-api.
 */
#include "helpers/api/config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "helpers/api/json.h"

static char kept[CONFIG_MAX]; /* ends with 0 */

const char *config_text(void)
{
	return kept;
}

void config_clear(void)
{
	kept[0] = '\0';
}

static int write_text(const json_t *config, char text[static CONFIG_MAX], struct err *err)
{
	int len = json_write(config, text, CONFIG_MAX - 1);

	if (len < 0)
		return err_set(err, -E2BIG, BLAME_HOST, "the configuration with all its defaults is "
			"longer than %d bytes; shorten it", CONFIG_MAX - 1);
	text[len] = '\0';
	return 0;
}

int config_fits(const json_t *config, struct err *err)
{
	static char text[CONFIG_MAX];

	return write_text(config, text, err);
}

/* What does not fit leaves what is kept alone. */
int config_keep(const json_t *config, struct err *err)
{
	int r = config_fits(config, err);

	return r == 0 ? write_text(config, kept, err) : r;
}

json_t *config_tree(void)
{
	return kept[0] ? json_known(kept) : NULL;
}

/* ---- lists of devices ---- */

const struct device_list device_lists[DEVICE_LISTS] = {
	{"devices", "_vfio", DEVICE_KIND_VFIO},
	{"vdpa", "_vdpa", DEVICE_KIND_VDPA},
};

const char *config_word(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

uint64_t config_number(const json_t *config, const char *object, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(json_object_get(config, object), name));
}

/* Where the device of that id is: its list, and its index in it. */
static const char *find(const json_t *config, const char *id, size_t *ret_at)
{
	for (unsigned i = 0; i < DEVICE_LISTS; i++) {
		const json_t *list = json_object_get(config, device_lists[i].name);

		for (size_t k = 0; k < json_array_size(list); k++) {
			*ret_at = k;
			if (strcmp(config_word(json_array_get(list, k), "id"), id) == 0)
				return device_lists[i].name;
		}
	}
	return NULL;
}

const char *config_list_of(const json_t *config, const char *id)
{
	size_t at;

	return id[0] ? find(config, id, &at) : NULL;
}

static bool is_taken(const json_t *config, unsigned count)
{
	char id[ID_MAX];

	for (unsigned i = 0; i < DEVICE_LISTS; i++) {
		snprintf(id, sizeof(id), "%s%u", device_lists[i].prefix, count);
		if (config_list_of(config, id))
			return true;
	}
	return false;
}

/* One count over all kinds, which skips what is taken. */
int config_name_devices(json_t *config, struct err *err)
{
	unsigned count = 0;
	size_t n = 0;
	char id[ID_MAX];

	for (unsigned i = 0; i < DEVICE_LISTS; i++)
		n += json_array_size(json_object_get(config, device_lists[i].name));
	if (n > VM_SLOTS)
		return err_set(err, -EINVAL, BLAME_HOST, "%zu devices, and a VM has %d places; leave "
			"some out", n, VM_SLOTS);

	for (unsigned i = 0; i < DEVICE_LISTS; i++) {
		json_t *list = json_object_get(config, device_lists[i].name);

		for (size_t k = 0; k < json_array_size(list); k++) {
			json_t *device = json_array_get(list, k);

			if (json_object_get(device, "id"))
				continue;
			while (is_taken(config, count))
				count++;
			snprintf(id, sizeof(id), "%s%u", device_lists[i].prefix, count);
			json_object_set_new(device, "id", json_string(id));
		}
	}
	return 0;
}

/* ---- changes ---- */

/* A tree that was changed a little still fits, or is left as it was. */
static void put_back(const json_t *config)
{
	struct err err;

	config_keep(config, &err);
}

int config_add(const char *list, const json_t *device, struct err *err)
{
	json_t *config = config_tree();

	if (!json_object_get(config, list))
		json_object_set_new(config, list, json_array());
	json_array_append(json_object_get(config, list), (json_t *)(uintptr_t)device);
	return config_keep(config, err);
}

void config_drop(const char *id)
{
	json_t *config = config_tree();
	const char *list;
	size_t at;

	list = id[0] ? find(config, id, &at) : NULL;
	if (!list)
		return;
	json_array_remove(json_object_get(config, list), at);
	put_back(config);
}

void config_resize(uint64_t vcpus, uint64_t memory)
{
	json_t *config = config_tree();

	if (vcpus)
		json_object_set_new(json_object_get(config, "cpus"), "boot_vcpus",
			json_integer((json_int_t)vcpus));
	if (memory)
		json_object_set_new(json_object_get(config, "memory"), "size",
			json_integer((json_int_t)memory));
	put_back(config);
}

static void set_terminal(json_t *console, const char *path)
{
	if (strcmp(config_word(console, "mode"), "Pty") != 0)
		return;
	if (path[0])
		json_object_set_new(console, "file", json_string(path));
	else
		json_object_del(console, "file");
}

void config_set_terminals(const char *serial, const char *console)
{
	json_t *config = config_tree();

	set_terminal(json_object_get(config, "serial"), serial);
	set_terminal(json_object_get(config, "console"), console);
	put_back(config);
}
