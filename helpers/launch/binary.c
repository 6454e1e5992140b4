/* SPDX-License-Identifier: Apache-2.0
 *
 * Finding the project's other binaries, and becoming one for a verb.
 *
 * Launcher process, before anything else is held. A verb is a program of its own, in a
 * directory of its own under helpers/: what it links is not linked into the process that runs a
 * guest.
 */
#include "helpers/launch/binary.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct verb {
	const char *name, *binary, *args, *help;
};

static const struct verb verbs[] = {
	{"audit", "audit", "[--json] PID", "is a running VM confined as promised?"},
	{"seccomp", "policy", "show|export|run", "the system call policies; what a program does under one"},
	{"ctl", "ctl", "SOCKET CALL [JSON]", "the calls of --api-socket, for people"},
	{"devices", "devices", "[--json]", "this host's devices: ready, or what is in the way?"},
	{"bind", "devices", "[--force] BDF...", "take PCI functions from the host, for guests"},
	{"unbind", "devices", "BDF...", "give them back to the drivers they had"},
	{NULL, NULL, NULL, NULL},
};

/* Beside this binary, where they are built, or in the libexec of the bin/ it is in, wherever that was
 * installed to. */
static const char *const places[] = {".", "../libexec/bulkhead"};

int binary_find(const char *name, char ret[static PATH_MAX], struct err *err)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n <= 0)
		return err_set(err, -ENOENT, BLAME_HOST, "/proc/self/exe: %s; is /proc mounted?",
			strerror(errno));
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (snprintf(ret, PATH_MAX, "%s/%s/bulkhead-%s", self, places[i], name) < PATH_MAX &&
			access(ret, X_OK) == 0)
			return 0;
	}
	return err_set(err, -ENOENT, BLAME_HOST,
		"bulkhead-%s: neither in %.200s nor in its ../libexec/bulkhead; run `make`, or `make "
		"install`, again", name, self);
}

int binaries_pin(struct fd ret[static WORD_KINDS], struct err *err)
{
	static const enum word_kind kinds[] = {KIND_OPENER, KIND_API, KIND_CORE, KIND_BROKER, KIND_VFIO, KIND_VDPA,
		KIND_NULL};
	char path[PATH_MAX];
	int r = 0;

	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && r == 0; i++) {
		r = binary_find(word_kind_name(kinds[i]), path, err);
		if (r == 0)
			ret[kinds[i]].n = open(path, O_PATH | O_CLOEXEC);
		if (r == 0 && ret[kinds[i]].n < 0)
			r = err_set(err, -errno, BLAME_HOST, "%s: %s", path, strerror(errno));
	}
	return r;
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
