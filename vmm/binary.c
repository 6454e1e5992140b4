/* SPDX-License-Identifier: Apache-2.0
 *
 * Finding the project's other binaries, and becoming one for a verb.
 *
 * Core process, main thread, before anything else is held. A verb is a program of its own, in a
 * directory of its own under helpers/: what it links is not linked into the process that runs a
 * guest.
 */
#include "vmm/binary.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct verb {
	const char *name, *binary, *args, *help;
};

static const struct verb verbs[] = {
	{"audit", "audit", "[--json] PID", "is a running VM confined as promised?"},
	{NULL, NULL, NULL, NULL},
};

int binary_find(const char *name, char ret[static PATH_MAX], struct err *err)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n > 0) {
		self[n] = '\0';
		*strrchr(self, '/') = '\0';
		if (snprintf(ret, PATH_MAX, "%s/bulkhead-%s", self, name) < PATH_MAX &&
			access(ret, X_OK) == 0)
			return 0;
	}
	snprintf(ret, PATH_MAX, "%s/bulkhead-%s", BULKHEAD_LIBEXEC, name);
	if (access(ret, X_OK) == 0)
		return 0;
	return err_set(err, -ENOENT, BLAME_HOST,
		"bulkhead-%s: neither beside the bulkhead binary nor in %s; run `make`, or `make "
		"install`, again", name, BULKHEAD_LIBEXEC);
}

int verb_run(char **argv, struct err *err)
{
	char path[PATH_MAX];

	for (const struct verb *v = verbs; v->name; v++) {
		if (!argv[0] || !argv[1] || strcmp(argv[1], v->name) != 0)
			continue;
		if (binary_find(v->binary, path, err) < 0)
			return -ENOENT;
		execv(path, argv + 1);
		return err_set(err, -errno, BLAME_HOST, "%s: %s", path, strerror(errno));
	}
	return 0;
}

void verbs_help(void)
{
	for (const struct verb *v = verbs; v->name; v++)
		printf("  bulkhead %s %-*s %s\n", v->name, 22 - (int)strlen(v->name), v->args,
			v->help);
}
