/* SPDX-License-Identifier: Apache-2.0
 *
 * Faulting guest RAM in by threads: all of it is there afterwards, an odd end included, or it is said
 * why not; no thread is left behind.
 *
 * links: vmm/kvm/populate.c vmm/kvm/ram.c vmm/pci/layout.c seccomp/core.c
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "seccomp/policy.h"
#include "vmm/kvm/populate.h"

static struct err err;
static _Atomic int most_cpus; /* that a thread may run on which faults RAM in */

int madvise(void *addr, size_t len, int advice)
{
	cpu_set_t cpus;

	sched_getaffinity(0, sizeof(cpus), &cpus);
	if (advice == MADV_POPULATE_WRITE && CPU_COUNT(&cpus) > most_cpus)
		most_cpus = CPU_COUNT(&cpus);
	return (int)syscall(SYS_madvise, addr, len, advice);
}

static struct ram make(uint64_t size)
{
	struct ram_options options = {.size = size, .hugepage_size = 2 * MiB};
	struct ram ram = {.memfd = FD_NONE_INIT};

	cr_assert_eq(ram_create(&ram, &options, &(cpu_set_t){0}, (struct phys_space){.bits = 40}, &err), 0,
		"%s", err.msg);
	return ram;
}

static uint64_t resident(const struct ram *ram)
{
	struct stat st;

	cr_assert_eq(fstat(ram->memfd.n, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

static unsigned threads(void)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *entry;
	unsigned n = 0;

	cr_assert_not_null(tasks);
	while ((entry = readdir(tasks)))
		n += entry->d_name[0] != '.';
	closedir(tasks);
	return n;
}

Test(populate, all)
{
	struct ram ram = make(130 * MiB);
	unsigned before = threads();

	cr_assert_eq(resident(&ram), 0);
	cr_assert_eq(populate(&ram, &err), 0, "%s", err.msg);
	cr_expect_eq(resident(&ram), 130 * MiB);
	cr_expect_eq(threads(), before);
	ram_done(&ram);
}

/* The file ends before its mapping does. */
Test(populate, cannot)
{
	struct ram ram = make(64 * MiB);
	unsigned before = threads();

	ram.layout.ram_size += 32 * MiB;
	cr_expect_lt(populate(&ram, &err), 0);
	cr_expect_not_null(strstr(err.msg, "allocating 96 MiB"), "%s", err.msg);
	cr_expect_eq(threads(), before);
	ram.layout.ram_size -= 32 * MiB;
	ram_done(&ram);
}

Test(populate, on_the_nodes_processors)
{
	struct ram ram = make(130 * MiB);
	cpu_set_t ours;

	sched_getaffinity(0, sizeof(ours), &ours);
	for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&ram.node_cpus) == 0; i++) {
		if (CPU_ISSET(i, &ours))
			CPU_SET(i, &ram.node_cpus);
	}
	cr_assert_eq(populate(&ram, &err), 0, "%s", err.msg);
	cr_expect_eq(resident(&ram), 130 * MiB);
	cr_expect_eq(most_cpus, 1);
	ram_done(&ram);
}

/* Which the operator has taken from us, or which are none. */
Test(populate, a_node_without_processors_for_us)
{
	struct ram ram = make(130 * MiB);

	CPU_SET(CPU_SETSIZE - 1, &ram.node_cpus);
	cr_assert_eq(populate(&ram, &err), 0, "%s", err.msg);
	cr_expect_eq(resident(&ram), 130 * MiB);
	ram_done(&ram);
}

/* No child inherits guest RAM: it makes its own. */
static void __attribute__((noreturn)) populate_confined(void)
{
	struct ram ram = make(1024 * MiB);

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		policy_enter(&policy_core_setup, SECCOMP_MODE_KILL, false, &err) < 0)
		_exit(2);
	_exit(populate(&ram, &err) == 0 ? 0 : 1);
}

/* The main thread waits with a time-out; once it was stopped, the kernel has it go on by another call
 * (restart_syscall), which the policy must know. */
Test(populate, goes_on_after_a_stop, .timeout = 60)
{
	pid_t child = fork();
	unsigned stops = 0;
	int status = 0;

	if (child == 0)
		populate_confined();
	while (waitpid(child, &status, WNOHANG) == 0) {
		usleep(10000);
		kill(child, SIGSTOP);
		usleep(1000);
		kill(child, SIGCONT);
		stops++;
	}
	cr_expect_gt(stops, 3u, "it was over too soon to be stopped");
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status 0x%x", status);
}
