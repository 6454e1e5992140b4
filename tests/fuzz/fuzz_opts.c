/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line, its words separated by newlines.
 *
 * fuzzes: helpers/opts/opts.c helpers/opts/opts_api.c helpers/opts/opts_device.c helpers/opts/opts_machine.c helpers/opts/opts_value.c
 * links: helpers/opts/opts.c helpers/opts/opts_api.c helpers/opts/opts_device.c helpers/opts/opts_machine.c helpers/opts/opts_value.c
 * max_len: 256
 */
#include "tests/fuzz/fuzz.h"

#include "helpers/opts/opts.h"

enum { WORDS = 40, KEPT = VM_SLOTS + 1 };

static char *kept[KEPT];
static unsigned n_kept;
static bool parsing; /* others here copy strings too */

/* What the parser keeps until the process ends ends with the input. */
char *strdup(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = malloc(size);

	require(n_kept < KEPT && copy);
	memcpy(copy, text, size);
	if (parsing)
		kept[n_kept++] = copy;
	return copy;
}

static void check(const struct opts *opts)
{
	const struct cpus *cpus = &opts->cpus;

	require(opts->kernel || opts->help || opts->version);
	require(cpus->boot >= 1 && cpus->boot <= cpus->max && cpus->max <= VCPUS_MAX);
	require(cpus->threads * cpus->cores * cpus->dies * cpus->packages == cpus->max);
	require(opts->ram.size);
	require(opts->ram.hugepage_size == 2 * MiB || opts->ram.hugepage_size == GiB);
	require(opts->n_devices <= VM_SLOTS);
	for (unsigned i = 0; i < opts->n_devices; i++) {
		const struct device_opt *d = &opts->devices[i];

		require(d->id[0] && strlen(d->id) < ID_MAX && d->num_queues <= UINT16_MAX);
		require((d->path != NULL) == (d->kind != KIND_NULL));
		for (unsigned k = 0; k < i; k++)
			require(strcmp(opts->devices[k].id, d->id) != 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char program[] = "bulkhead";
	char *argv[WORDS + 1] = {program}, *line = malloc(size + 1), *at = line, *word;
	struct opts opts;
	struct err err = {0};
	int argc = 1, r;

	require(line);
	if (size)
		memcpy(line, data, size);
	line[size] = '\0';
	while (argc < WORDS && (word = strsep(&at, "\n")) != NULL)
		argv[argc++] = word;
	parsing = true;
	r = opts_parse(argc, argv, &opts, &err);
	parsing = false;
	if (r == 0)
		check(&opts);
	else
		require(err.code == r && strlen(err.msg) > 10 && strlen(err.msg) < sizeof(err.msg));
	while (n_kept)
		free(kept[--n_kept]);
	free(line);
	return 0;
}
