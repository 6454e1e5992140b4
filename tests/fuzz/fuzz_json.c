/* SPDX-License-Identifier: Apache-2.0
 *
 * A client's bodies: from JSON to the normal form, to a configuration, to the opener's messages and
 * back. The normal form is its own normal form and ASCII; what may be booted goes to the opener whole,
 * and what comes back from it makes the same.
 *
 * fuzzes: helpers/api/json.c helpers/api/fields.c helpers/api/config.c helpers/api/config_check.c helpers/api/config_wire.c
 * links: helpers/api/json.c helpers/api/fields.c helpers/api/fields_vm.c helpers/api/fields_devices.c helpers/api/fields_calls.c helpers/api/calls.c helpers/api/config.c helpers/api/config_check.c helpers/api/config_wire.c
 * max_len: 600
 */
#include "tests/fuzz/fuzz.h"

#include "helpers/api/calls.h"
#include "helpers/api/config.h"
#include "helpers/api/fields.h"
#include "helpers/api/json.h"

static char once[CONFIG_MAX], twice[CONFIG_MAX];
static struct err err;

static int write_to(const json_t *value, char to[CONFIG_MAX])
{
	int len = json_write(value, to, CONFIG_MAX - 1);

	if (len < 0)
		return len;
	to[len] = '\0';
	for (int i = 0; i < len; i++)
		require(to[i] >= ' ' && to[i] <= 0x7f);
	return len;
}

static json_t *decode(const struct fields *fields, const char *text, size_t len)
{
	json_t *in = json_parse(text, len, &err);

	return in ? fields_decode(fields, in, "", &err) : NULL;
}

static void to_the_opener_and_back(json_t *config)
{
	static struct config_wire wire;
	Bulkhead__ApiStateIs state = BULKHEAD__API_STATE_IS__INIT;
	Bulkhead__ApiCreate create = BULKHEAD__API_CREATE__INIT;

	config_to_wire(config, &wire);
	create.config = state.config = &wire.config;
	create.devices = state.devices = wire.pointers;
	create.n_devices = state.n_devices = wire.n_devices;
	require(bulkhead__api_create__get_packed_size(&create) > 0);
	strcpy(once, config_text());
	require(config_from_wire(once, strlen(once), &state, &err) == 0);
	config_to_wire(config_tree(), &wire);
	require(wire.n_devices == create.n_devices);
	for (size_t i = 0; i < wire.n_devices; i++)
		config_drop(wire.devices[i].id);
	config_to_wire(config_tree(), &wire);
	require(wire.n_devices == 0);
}

static void configure(json_t *config)
{
	if (config_name_devices(config, &err) < 0 || config_keep(config, &err) < 0)
		return;
	if (config_check(config, &err) == 0)
		to_the_opener_and_back(config_tree());
	else
		require(err.code < 0 && err.msg[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool begun;
	struct input in = input_of(data, size);
	const struct fields *fields = calls[take(&in, 1) % CALLS].fields;
	json_t *value;
	int len;

	if (!begun)
		json_begin(1);
	begun = true;
	if (!fields)
		fields = &fields_vm;
	err = (struct err){0};
	value = decode(fields, (const char *)in.at, (size_t)(in.end - in.at));
	require(value || err.msg[0]);
	len = value ? write_to(value, once) : -1;
	if (len >= 0) {
		fields_refuse(fields, value, &err);
		value = decode(fields, once, (size_t)len);
		require(value && write_to(value, twice) == len && strcmp(once, twice) == 0);
		if (fields == &fields_vm)
			configure(value);
	}
	json_reset();
	return 0;
}
