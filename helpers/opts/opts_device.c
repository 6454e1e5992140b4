/* SPDX-License-Identifier: Apache-2.0
 *
 * --device, --vdpa, --null: what is passed through, and where on the guest's bus it goes.
 *
 * Launcher and opener, first thing. Nothing is opened here.
 */
#include "helpers/opts/opts_device.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ipc/describe.h"
#include "helpers/opts/opts_value.h"

/* The keys every kind knows; they come first in a list of keys. */
enum { KEY_ID, KEY_DEVICE, KEY_FUNCTION, KEY_OWN };
#define COMMON_KEYS {"id", false, ""}, {"pci_device_id", false, ""}, {"pci_function", false, ""}

static int set_id(struct opts *opts, struct device_opt *d, const char *given, struct err *err)
{
	int r = 0;

	if (given[0])
		r = parse_id("id", given, d->id, err);
	else
		snprintf(d->id, sizeof(d->id), "%s%u", word_kind_name(d->kind), opts->n_devices);
	for (unsigned i = 0; i < opts->n_devices && r == 0; i++) {
		if (strcmp(opts->devices[i].id, d->id) == 0)
			return refuse(err, "id=%s: two devices have it; give one of them another",
				d->id);
	}
	return r;
}

static int set_place(struct device_opt *d, const struct key *keys, struct err *err)
{
	unsigned device = 0, function = 0;
	int r = 0;

	if (keys[KEY_DEVICE].value[0])
		r = parse_count("pci_device_id", keys[KEY_DEVICE].value, PCI_DEVICES - 1, &device, err);
	if (r == 0 && strcmp(keys[KEY_FUNCTION].value, "0") != 0 && keys[KEY_FUNCTION].value[0])
		r = parse_count("pci_function", keys[KEY_FUNCTION].value, PCI_FUNCTIONS - 1, &function,
			err);
	if (r == 0 && keys[KEY_FUNCTION].value[0] && !device)
		return refuse(err, "pci_function=%u without pci_device_id=; say of which device",
			function);
	d->devfn = device * PCI_FUNCTIONS + function;
	return r;
}

/* With a fresh row in *ret on success. */
static int add_device(struct opts *opts, enum word_kind kind, const struct key *keys,
	struct device_opt **ret, struct err *err)
{
	struct device_opt *d = &opts->devices[opts->n_devices];
	int r;

	if (opts->n_devices == VM_SLOTS)
		return refuse(err, "more than %d devices; there is no room on the guest's bus",
			VM_SLOTS);
	*d = (struct device_opt){.kind = kind};
	r = set_id(opts, d, keys[KEY_ID].value, err);
	if (r == 0)
		r = set_place(d, keys, err);
	if (r < 0)
		return r;
	opts->n_devices++;
	*ret = d;
	return 0;
}

static int keep(const char **ret, const char *value, struct err *err)
{
	*ret = strdup(value);
	return *ret ? 0 : err_set(err, -ENOMEM, BLAME_HOST, "out of memory");
}

int opts_device(struct opts *opts, const char *value, struct err *err)
{
	struct key keys[] = {COMMON_KEYS, {"path", true, ""}, {"x_exclude_mmap_bars", false, ""},
		{"x_p2p", false, ""}, {"rom", false, ""}, {"vf_token", false, ""},
		{NULL, false, ""}};
	const char *trapped = keys[KEY_OWN + 1].value, *p2p = keys[KEY_OWN + 2].value,
		*rom = keys[KEY_OWN + 3].value, *token = keys[KEY_OWN + 4].value;
	struct device_opt *d;
	int r = parse_keys("--device", value, keys, err);

	if (r == 0)
		r = add_device(opts, KIND_VFIO, keys, &d, err);
	if (r == 0 && p2p[0])
		r = parse_switch("--device x_p2p", p2p, &d->p2p, err);
	if (r == 0)
		r = keep(&d->path, keys[KEY_OWN].value, err);
	if (r == 0 && rom[0])
		r = keep(&d->rom, rom, err);
	if (r == 0 && trapped[0])
		r = parse_set("--device x_exclude_mmap_bars", trapped, PCI_BARS - 1, &d->trapped, err);
	if (r == 0 && token[0])
		r = parse_uuid("--device vf_token", token, d->token.uuid, err);
	if (r == 0)
		d->token.given = token[0];
	return r;
}

void opts_device_hide(char *value)
{
	static const char key[] = "vf_token=";
	char *at = strstr(value, key);

	if (at)
		memset(at + strlen(key), 'x', strcspn(at + strlen(key), ","));
}

int opts_vdpa(struct opts *opts, const char *value, struct err *err)
{
	struct key keys[] = {COMMON_KEYS, {"path", true, ""}, {"num_queues", false, ""},
		{NULL, false, ""}};
	const char *num_queues = keys[KEY_OWN + 1].value;
	struct device_opt *d;
	int r = parse_keys("--vdpa", value, keys, err);

	if (r == 0)
		r = add_device(opts, KIND_VDPA, keys, &d, err);
	if (r == 0)
		r = keep(&d->path, keys[KEY_OWN].value, err);
	if (r == 0 && num_queues[0])
		r = parse_count("--vdpa num_queues", num_queues, UINT16_MAX, &d->num_queues, err);
	return r;
}

int opts_null(struct opts *opts, const char *value, struct err *err)
{
	struct key keys[] = {COMMON_KEYS, {NULL, false, ""}};
	struct device_opt *d;
	int r = value ? parse_keys("--null", value, keys, err) : 0;

	return r < 0 ? r : add_device(opts, KIND_NULL, keys, &d, err);
}

static const struct device_opt *placed_at(const struct opts *opts, unsigned devfn, unsigned before)
{
	for (unsigned i = 0; i < before; i++) {
		if (opts->devices[i].devfn == devfn)
			return &opts->devices[i];
	}
	return NULL;
}

int opts_check_places(const struct opts *opts, struct err *err)
{
	for (unsigned i = 0; i < opts->n_devices; i++) {
		const struct device_opt *d = &opts->devices[i], *other;
		unsigned function = d->devfn % PCI_FUNCTIONS;

		if (d->devfn == 0)
			continue;
		other = placed_at(opts, d->devfn, i);
		if (other)
			return refuse(err, "pci_device_id=%u,pci_function=%u: %s and %s have it; give "
				"one of them another", d->devfn / PCI_FUNCTIONS, function, other->id,
				d->id);
		if (function && !placed_at(opts, d->devfn - function, opts->n_devices))
			return refuse(err, "%s: pci_function=%u of device %u, which has no function 0; no "
				"guest finds it; give one of its devices pci_function=0", d->id, function,
				d->devfn / PCI_FUNCTIONS);
	}
	return 0;
}
