/* SPDX-License-Identifier: Apache-2.0
 *
 * How a VM is operated: its sockets, and what whoever has those may ask for.
 *
 * Launcher and opener, first thing. Nothing is opened here. All of it is argv's alone: no client lowers a
 * wall or raises a limit.
 */
#include "helpers/opts/opts_api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "helpers/opts/opts_value.h"

enum { FD_MAX = 1 << 20 };

/* "path=P", "fd=N", or P. */
static int parse_place(const char *option, const char *value, struct place_opt *ret, struct err *err)
{
	unsigned fd = 0;

	ret->path = NULL;
	ret->fd = -1;
	if (strncmp(value, "fd=", 3) == 0) {
		if (parse_number(option, value + 3, 3, FD_MAX, &fd, err) < 0)
			return refuse(err, "%s: «%s» is no descriptor that we inherit; give fd=N, N from 3",
				option, value);
		ret->fd = (int)fd;
		return 0;
	}
	ret->path = strncmp(value, "path=", 5) == 0 ? value + 5 : value;
	if (!ret->path[0])
		return refuse(err, "%s: its path is missing", option);
	return 0;
}

int opts_api_socket(struct opts *opts, const char *value, struct err *err)
{
	return parse_place("--api-socket", value, &opts->api, err);
}

int opts_status_socket(struct opts *opts, const char *value, struct err *err)
{
	return parse_place("--status-socket", value, &opts->status, err);
}

int opts_event_monitor(struct opts *opts, const char *value, struct err *err)
{
	return parse_place("--event-monitor", value, &opts->events, err);
}

static const char *const allow_names[ALLOW_KINDS] = {
	[ALLOW_RO] = "ro", [ALLOW_DEVICE] = "device", [ALLOW_SERIAL] = "serial",
};

const char *allow_name(enum allow_kind kind)
{
	return allow_names[kind];
}

/* "KIND=PATH", absolute: what a relative one would mean is another's to choose. */
int opts_allow(struct opts *opts, const char *value, struct err *err)
{
	const char *equals = strchr(value, '=');
	size_t len = equals ? (size_t)(equals - value) : strlen(value);

	if (opts->n_allow == ALLOW_MAX)
		return refuse(err, "--allow: more than %d; give a folder in place of its files", ALLOW_MAX);
	for (unsigned i = 0; i < ALLOW_KINDS; i++) {
		if (strlen(allow_names[i]) != len || strncmp(value, allow_names[i], len) != 0)
			continue;
		if (!equals || equals[1] != '/')
			return refuse(err, "--allow %s=: it takes an absolute path, of a file or a folder",
				allow_names[i]);
		opts->allow[opts->n_allow++] = (struct allow_opt){(enum allow_kind)i, equals + 1};
		return 0;
	}
	return refuse(err, "--allow: «%.*s» is not one of ro=PATH (kernels, initramfs, ROMs), "
		"device=PATH (PCI and vDPA devices), serial=PATH (files to write)",
		(int)(len < 40 ? len : 40), value);
}

int opts_no_shutdown(struct opts *opts, const char *value, struct err *err)
{
	(void)value, (void)err;
	opts->no_shutdown = true;
	return 0;
}

int opts_max_cpus(struct opts *opts, const char *value, struct err *err)
{
	return parse_count("--max-cpus", value, VCPUS_MAX, &opts->max_cpus, err);
}

int opts_max_memory(struct opts *opts, const char *value, struct err *err)
{
	return parse_size("--max-memory", value, &opts->max_memory, err);
}

int opts_max_devices(struct opts *opts, const char *value, struct err *err)
{
	return parse_number("--max-devices", value, 0, VM_SLOTS, &opts->max_devices, err);
}

bool opts_has_api(const struct opts *opts)
{
	return opts->api.path || opts->api.fd >= 0;
}

/* The clients of an API expect an end at once. */
int opts_check_api(struct opts *opts, struct err *err)
{
	const bool api = opts_has_api(opts);

	if (!api && (opts->status.path || opts->status.fd >= 0 || opts->events.path ||
			opts->events.fd >= 0 || opts->n_allow || opts->no_shutdown))
		return refuse(err, "--status-socket, --event-monitor, --allow and --no-shutdown are of a VM "
			"with an API; add --api-socket path=P");
	if (!opts->shutdown_given)
		opts->shutdown_timeout_s = api ? 0 : SHUTDOWN_TIMEOUT_S;
	return 0;
}
