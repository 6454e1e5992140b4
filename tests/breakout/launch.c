/* SPDX-License-Identifier: Apache-2.0
 *
 * Scenario 25: hostile input of a launcher. Harness process.
 *
 * There is no API process yet, so what is left of the scenario is the command line and what a
 * launcher leaves open. A refusal is status 1 with a word about it, and nothing left running.
 */
#include "tests/breakout/launch.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/breakout/trial.h"
#include "tests/breakout/vm.h"

enum { LONG = 100000, STUFFED = 40, WAIT_MS = 20000 };

static struct vm vm;

static bool refused(const char *const *options, const char *word)
{
	bool ok;

	vm_start(&vm, options);
	ok = vm_wait_end(&vm, WAIT_MS) && WIFEXITED(vm.status) && WEXITSTATUS(vm.status) == 1 &&
		vm_said(&vm, word);
	vm_pump(&vm, 50);
	vm_stop(&vm);
	return ok && vm_left(&vm) == 0;
}

/* Out of the devices' directory, to one that is no PCI device. */
static bool traversal(void)
{
	return refused((const char *[]){"--device", "path=/sys/bus/pci/devices/../../../../etc", NULL},
		"etc");
}

static bool not_a_device(void)
{
	static char option[PATH_BYTES + 8];

	snprintf(option, sizeof(option), "path=%s", vm_page->file);
	return refused((const char *[]){"--vdpa", option, NULL}, "not a vhost-vdpa device");
}

/* A name with a place in it, where the name goes into messages and the log. */
static bool name_with_a_path(void)
{
	return refused((const char *[]){"--null", "id=../../../../tmp/x", NULL}, "id");
}

static bool long_option(void)
{
	static char option[LONG + 8];

	memcpy(option, "path=/", 6);
	memset(option + 6, 'a', LONG);
	return refused((const char *[]){"--device", option, NULL}, "path");
}

/* As many descriptors as without what the launcher left open. */
static bool descriptors(void)
{
	const char *const options[] = {"--null", NULL};
	int stuffed[STUFFED], with, without;
	char last[8];

	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; round == 1 && i < STUFFED; i++)
			stuffed[i] = open("/etc/passwd", O_RDONLY);
		vm_start(&vm, options);
		for (unsigned i = 0; round == 1 && i < STUFFED; i++)
			close(stuffed[i]);
		for (int64_t end = clock_ms() + WAIT_MS; clock_ms() < end && !vm.ended &&
			!vm_rounds(&vm, last);)
			vm_pump(&vm, 10);
		*(round ? &with : &without) = fds_of(vm.pid);
		vm_stop(&vm);
	}
	return with > 0 && with == without;
}

unsigned launch_all(FILE *rows)
{
	static const struct {
		const char *what;
		bool (*holds)(void);
		const char *how;
	} launches[] = {
		{"a device path with ..", traversal, "input check refused"},
		{"a file as a vDPA device", not_a_device, "input check refused"},
		{"a name with a path in it", name_with_a_path, "input check refused"},
		{"an option of 100,000 bytes", long_option, "input check refused"},
		{"40 descriptors left open", descriptors, "close_range closed"},
	};
	unsigned bad = 0;

	for (unsigned i = 0; i < sizeof(launches) / sizeof(launches[0]); i++) {
		bool ok = launches[i].holds();

		if (!ok)
			printf("# launcher, %s: not so: %.300s\n", launches[i].what, vm.err_text);
		bad += !ok;
		fprintf(rows, "25|launcher|%s|%s|stays\n", launches[i].what,
			ok ? launches[i].how : "NOT STOPPED");
	}
	return bad;
}
