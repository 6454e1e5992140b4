/* SPDX-License-Identifier: Apache-2.0
 *
 * What the guest's machine is made of: processors, memory, serial port.
 *
 * Launcher and opener, first thing. Nothing is opened or looked up here.
 */
#include "helpers/opts/opts_machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "helpers/opts/opts_value.h"

/* "2:8:1:2" */
static int set_topology(struct cpus *cpus, const char *value, struct err *err)
{
	unsigned *const counts[] = {&cpus->threads, &cpus->cores, &cpus->dies, &cpus->packages};
	unsigned long long product = 1;
	char part[16];

	for (unsigned i = 0; i < 4; i++, value += strcspn(value, ":")) {
		size_t len;

		value += i > 0 && value[0] == ':';
		len = strcspn(value, ":");
		len = len < sizeof(part) ? len : sizeof(part) - 1;
		memcpy(part, value, len);
		part[len] = '\0';
		if (parse_count("--cpus topology", part, VCPUS_MAX, counts[i], err) < 0)
			return refuse(err, "--cpus topology: it takes four numbers from 1 to %d, "
				"threads a core:cores a die:dies a package:packages, like 2:8:1:1",
				VCPUS_MAX);
		product *= *counts[i];
	}
	if (*value)
		return refuse(err, "--cpus topology: it takes four numbers, not more: «%s»", value);
	if (product != cpus->max)
		return refuse(err, "--cpus topology: %u threads * %u cores * %u dies * %u packages are "
			"%llu vCPUs, max= (by default boot=) is %u; they must be the same",
			cpus->threads, cpus->cores, cpus->dies, cpus->packages, product, cpus->max);
	return 0;
}

int opts_cpus(struct opts *opts, const char *value, struct err *err)
{
	struct key keys[] = {{"boot", true, ""}, {"max", false, ""}, {"topology", false, ""},
		{NULL, false, ""}};
	struct cpus cpus = {.threads = 1, .dies = 1, .packages = 1};
	int r = parse_keys("--cpus", value, keys, err);

	if (r == 0)
		r = parse_count("--cpus boot", keys[0].value, VCPUS_MAX, &cpus.boot, err);
	cpus.max = cpus.boot;
	if (r == 0 && keys[1].value[0])
		r = parse_count("--cpus max", keys[1].value, VCPUS_MAX, &cpus.max, err);
	if (r == 0 && cpus.max < cpus.boot)
		return refuse(err, "--cpus: max=%u is less than boot=%u; give max=%u or leave it out",
			cpus.max, cpus.boot, cpus.boot);
	cpus.cores = cpus.max;
	if (r == 0 && keys[2].value[0])
		r = set_topology(&cpus, keys[2].value, err);
	if (r == 0)
		opts->cpus = cpus;
	return r;
}

int opts_memory(struct opts *opts, const char *value, struct err *err)
{
	struct key keys[] = {{"size", true, ""}, {"hugepages", false, ""},
		{"hugepage_size", false, ""}, {"prefault", false, ""},
		{"host_numa_node", false, ""}, {NULL, false, ""}};
	struct ram_options *ram = &opts->ram;
	int r = parse_keys("--memory", value, keys, err);

	if (r == 0)
		r = parse_size("--memory size", keys[0].value, &ram->size, err);
	if (r == 0 && keys[1].value[0])
		r = parse_switch("--memory hugepages", keys[1].value, &ram->hugepages, err);
	if (r == 0 && keys[2].value[0])
		r = parse_size("--memory hugepage_size", keys[2].value, &ram->hugepage_size, err);
	if (r == 0 && keys[3].value[0])
		r = parse_switch("--memory prefault", keys[3].value, &ram->prefault, err);
	ram->on_node = keys[4].value[0];
	if (r == 0 && ram->on_node)
		r = parse_number("--memory host_numa_node", keys[4].value, 0, NUMA_NODES_MAX - 1,
			&ram->node, err);
	if (r < 0)
		return r;
	if (ram->hugepage_size != 2 * MiB && ram->hugepage_size != GiB)
		return refuse(err, "--memory hugepage_size: «%s» is not a huge page's size; give 2M "
			"or 1G", keys[2].value);
	if (keys[2].value[0] && !ram->hugepages)
		return refuse(err, "--memory: hugepage_size= without hugepages=on; add it");
	return 0;
}

/* "PATH" or "PATH,size=N"; a path may have commas of its own. */
static int set_serial_file(struct opts *opts, const char *value, struct err *err)
{
	static const char size[] = ",size=";
	const char *comma = strrchr(value, ',');
	int r;

	opts->serial = CONSOLE_FILE;
	opts->serial_path = value;
	if (!comma || strncmp(comma, size, strlen(size)) != 0)
		return 0;
	r = parse_size("--serial size", comma + strlen(size), &opts->serial_limit, err);
	if (r == 0 && opts->serial_limit < SERIAL_LIMIT_MIN)
		return refuse(err, "--serial size: %llu bytes are too few; give %lluK or more",
			(unsigned long long)opts->serial_limit, SERIAL_LIMIT_MIN / KiB);
	opts->serial_path = strndup(value, (size_t)(comma - value)); /* until the process ends */
	if (r == 0 && (!opts->serial_path || !opts->serial_path[0]))
		return refuse(err, "--serial file=: its path is missing");
	return r;
}

int opts_serial(struct opts *opts, const char *value, struct err *err)
{
	static const char file[] = "file=";

	if (strncmp(value, file, strlen(file)) == 0 && value[strlen(file)])
		return set_serial_file(opts, value + strlen(file), err);
	if (strcmp(value, "tty") == 0) {
		opts->serial = CONSOLE_TTY;
	} else if (strcmp(value, "null") == 0) {
		opts->serial = CONSOLE_NULL;
	} else if (strcmp(value, "off") == 0) {
		opts->serial = CONSOLE_OFF;
	} else {
		return refuse(err, "--serial: «%s» is not one of tty, file=PATH[,size=N], null, "
			"off", value);
	}
	return 0;
}
