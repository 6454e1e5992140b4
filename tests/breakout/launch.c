/* SPDX-License-Identifier: Apache-2.0
 *
 * Scenario 25: hostile input of whoever starts a VM. Harness process.
 *
 * There is no API process yet, so what is left of the scenario is the command line and what the
 * starter leaves open. A refusal is status 1 with a word about it, and nothing left running.
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

/* Until a guest runs, and the opener, which has told everything by then, is gone. */
static void start_and_wait(void)
{
	char last[8];

	vm_start(&vm, (const char *const[]){"--null", NULL});
	for (int64_t end = clock_ms() + WAIT_MS; clock_ms() < end && !vm.ended &&
		(!vm_rounds(&vm, last) || vm_process(&vm, "bulkhead-open", 0));)
		vm_pump(&vm, 10);
}

/* As many descriptors as without what the starter left open, in every process. */
static bool descriptors(void)
{
	static const char *const names[] = {"bulkhead", "bulkhead-core", "bulkhead-broker",
		"bulkhead-null"};
	int stuffed[STUFFED], have[2][4];

	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; round == 1 && i < STUFFED; i++)
			stuffed[i] = open("/etc/passwd", O_RDONLY);
		start_and_wait();
		for (unsigned i = 0; round == 1 && i < STUFFED; i++)
			close(stuffed[i]);
		for (unsigned i = 0; i < 4; i++)
			have[round][i] = fds_of(vm_process(&vm, names[i], 0));
		vm_stop(&vm);
	}
	for (unsigned i = 0; i < 4; i++)
		if (have[0][i] <= 0 || have[0][i] != have[1][i])
			return false;
	return true;
}

/* Who knows names, and may open what the starter may, is there no more once a guest runs. */
static bool opener_gone(void)
{
	bool gone;

	start_and_wait();
	gone = !vm.ended && vm_process(&vm, "bulkhead-core", 0) &&
		!vm_process(&vm, "bulkhead-open", 0);
	vm_stop(&vm);
	return gone;
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
		{"the opener, once a guest runs", opener_gone, "no opener left"},
	};
	unsigned bad = 0;

	for (unsigned i = 0; i < sizeof(launches) / sizeof(launches[0]); i++) {
		bool ok = launches[i].holds();

		if (!ok)
			printf("# starter, %s: not so: %.300s\n", launches[i].what, vm.err_text);
		bad += !ok;
		fprintf(rows, "25|starter|%s|%s|stays\n", launches[i].what,
			ok ? launches[i].how : "NOT STOPPED");
	}
	return bad;
}
