/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers for people. bulkhead-ctl. What comes from the other side is made printable: a terminal may
 * act on it otherwise.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "helpers/ctl/ctl.h"
#include "ipc/log.h"

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "-";
}

static long long number_of(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static void line(const char *name, const char *value)
{
	char clean[512];

	snprintf(clean, sizeof(clean), "%s", value);
	text_clean(clean);
	printf("%-10s %s\n", name, clean);
}

static void show_size(const char *name, long long bytes)
{
	static const char units[] = "\0KMGT";
	char text[40];
	unsigned unit = 0;

	while (bytes && bytes % 1024 == 0 && units[unit + 1]) {
		bytes /= 1024;
		unit++;
	}
	snprintf(text, sizeof(text), "%lld%.1s", bytes, unit ? &units[unit] : "");
	line(name, text);
}

/* One row a device: where the guest sees it, its name, its path, how it is. */
static void show_devices(const json_t *config, const json_t *tree, const char *list)
{
	const json_t *devices = json_object_get(config, list), *device;
	char row[512];
	size_t i;

	json_array_foreach(devices, i, device) {
		const char *id = text_of(device, "id");
		const json_t *node = json_object_get(tree, id);

		snprintf(row, sizeof(row), "%-12s  %-16s  %-9s  %s", text_of(node, "pci_bdf"), id,
			text_of(node, "state"), text_of(device, "path"));
		line(strcmp(list, "vdpa") == 0 ? "vdpa" : "device", row);
	}
}

static void show_info(const json_t *info)
{
	const json_t *config = json_object_get(info, "config");
	const json_t *tree = json_object_get(info, "device_tree");
	const json_t *tids = json_object_get(info, "vcpu_tids"), *tid;
	char text[512] = "";
	size_t i, len = 0;

	line("state", text_of(info, "state"));
	snprintf(text, sizeof(text), "%lld",
		number_of(json_object_get(config, "cpus"), "boot_vcpus"));
	line("vcpus", text);
	text[0] = '\0';
	json_array_foreach(tids, i, tid)
		if (len + 24 < sizeof(text))
			len += (size_t)sprintf(text + len, "%s%lld", i ? " " : "",
				json_integer_value(tid));
	if (len)
		line("threads", text);
	show_size("memory", number_of(info, "memory_actual_size"));
	line("kernel", text_of(json_object_get(config, "payload"), "kernel"));
	line("cmdline", text_of(json_object_get(config, "payload"), "cmdline"));
	snprintf(text, sizeof(text), "%s %s", text_of(json_object_get(config, "serial"), "mode"),
		text_of(json_object_get(config, "serial"), "file"));
	line("serial", text);
	show_devices(config, tree, "devices");
	show_devices(config, tree, "vdpa");
}

/* Members a line; those of a member with its name before them. */
static void show_members(const json_t *object, const char *before)
{
	json_t *value;
	const char *key;

	json_object_foreach((json_t *)(uintptr_t)object, key, value) {
		char name[128], *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

		snprintf(name, sizeof(name), "%s%s%s", before, before[0] ? "." : "", key);
		text_clean(name);
		if (json_is_object(value))
			show_members(value, name);
		else
			line(name, json_is_string(value) ? json_string_value(value) : text ? text : "");
		free(text);
	}
}

void show(const char *call, const struct reply *reply)
{
	json_t *answer = json_loads(reply->body, 0, NULL);

	if (answer && strcmp(call, "vm.info") == 0)
		show_info(answer);
	else if (json_is_object(answer))
		show_members(answer, "");
	json_decref(answer);
}

void words_of(const struct reply *reply, char *to, size_t size)
{
	json_t *chain = json_loads(reply->body, 0, NULL), *word;
	size_t i, len = 0;

	snprintf(to, size, "answered with status %d", reply->status);
	json_array_foreach(chain, i, word) {
		const char *text = json_string_value(word);

		if (text && len < size)
			len += (size_t)snprintf(to + len, size - len, "%s%s", i ? ": " : "", text);
	}
	text_clean(to);
	json_decref(chain);
}
