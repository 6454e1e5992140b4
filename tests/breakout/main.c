/* SPDX-License-Identifier: Apache-2.0
 *
 * breakout: what happens when our own processes turn evil.
 *
 *   breakout [--vfio DEVICE] [--vdpa NODE] [--only SCENARIO] [--who NAME] ROWS
 *
 * Starts test VMs from the binaries beside it and writes the matrix's rows to ROWS. Prints a line
 * an actor, everything that is not as expected, and "N passed, N failed, N skipped". Root only: it
 * looks into processes that nobody else may.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "tests/breakout/launch.h"
#include "tests/breakout/matrix.h"
#include "tests/breakout/vm.h"

static unsigned passed, failed, skipped;

/* "# Linux 6.1, without MDWE": what the rows hold for. */
static void write_head(FILE *rows, unsigned missing)
{
	struct utsname name;
	unsigned major = 0, minor = 0;

	uname(&name);
	sscanf(name.release, "%u.%u", &major, &minor);
	fprintf(rows, "# Linux %u.%u", major, minor);
	for (unsigned wall = 1; wall < WALLS_REMOVABLE; wall++)
		if (missing >> wall & 1)
			fprintf(rows, ", without %s", wall_name((enum wall)wall));
	fprintf(rows, "\n");
}

static void one_actor(enum who who, unsigned missing, unsigned only, FILE *rows)
{
	unsigned vms = n_vms, recorded = n_recorded, bad;
	int64_t began = clock_ms();

	if (!who_is_there(who)) {
		printf("ok - %s # SKIP no device of that kind was named\n", who_name(who));
		skipped++;
		return;
	}
	n_faults = 0;
	bad = matrix_of(who, missing, only, rows);
	for (unsigned i = 0; i < n_faults; i++)
		printf("# %s\n", faults[i]);
	printf("%s - %s: %u VMs, %.1f s; %u kills in the kernel's log\n",
		bad || n_faults ? "not ok" : "ok", who_name(who), n_vms - vms,
		(double)(clock_ms() - began) / 1000, n_recorded - recorded);
	fflush(stdout);
	if (bad || n_faults)
		failed++;
	else
		passed++;
}

static void starter(FILE *rows)
{
	unsigned bad = launch_all(rows);

	printf("%s - starter\n", bad ? "not ok" : "ok");
	if (bad)
		failed++;
	else
		passed++;
}

/* Without RLIMIT_NOFILE there is still whoever started us. */
static void limit_descriptors(void)
{
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){1 << 15, 1 << 15});
}

/* A VM of its own for as long as it runs. The first VM of a host and the end of the last have KVM
 * change the scheduler's code (preempt_notifier_inc), which an emulated host does not always
 * survive; and there are hundreds here. */
static void hold_kvm(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (kvm < 0 || ioctl(kvm, KVM_CREATE_VM, 0) < 0)
		vm_die("/dev/kvm");
}

static int usage(void)
{
	fprintf(stderr, "usage: breakout [--vfio DEVICE] [--vdpa NODE] [--only SCENARIO] "
		"[--who NAME] ROWS\n");
	return 2;
}

static bool is_wanted(const char *name, const char *wanted)
{
	return !wanted || strstr(name, wanted);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"vfio", 1, NULL, 'f'}, {"vdpa", 1, NULL, 'd'},
		{"only", 1, NULL, 'o'}, {"who", 1, NULL, 'w'}, {NULL, 0, NULL, 0}};
	const char *who = NULL;
	char self[PATH_MAX] = "";
	unsigned only = 0, missing;
	FILE *rows;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'f': devices.vfio = optarg; break;
		case 'd': devices.vdpa = optarg; break;
		case 'o': only = (unsigned)atoi(optarg); break;
		case 'w': who = optarg; break;
		default: return usage();
		}
	}
	if (optind + 1 != argc || readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return usage();
	if (geteuid() != 0 || access("/dev/kvm", R_OK | W_OK) < 0) {
		printf("ok - breakout # SKIP it needs root and /dev/kvm\n0 passed, 0 failed, "
			"1 skipped\n");
		return 0;
	}
	rows = fopen(argv[optind], "we");
	if (!rows) {
		perror(argv[optind]);
		return 2;
	}
	*strrchr(self, '/') = '\0';
	limit_descriptors();
	hold_kvm();
	vm_place(self);
	missing = missing_walls();
	write_head(rows, missing);
	for (unsigned bit = 0; bit + 1 < WHO_BITS; bit++)
		if (is_wanted(who_name((enum who)(1 << bit)), who))
			one_actor((enum who)(1 << bit), missing, only, rows);
	if (is_wanted(who_name(WHO_STARTER), who) && (!only || only == 25))
		starter(rows);
	vm_place_remove();
	fclose(rows);
	printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
	return failed != 0;
}
