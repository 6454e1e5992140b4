/* SPDX-License-Identifier: Apache-2.0
 *
 * Which walls this kernel and this host have. Harness process.
 */
#include <errno.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/breakout/trial.h"
#include "tests/breakout/vm.h"

enum { START_MS = 60000 };

/* A child of ours tries it on us; what the kernel lacks is ENOSYS, or a fault for an instruction. */
bool is_there(const struct attempt *attempt)
{
	int status;
	pid_t pid;

	if (!attempt->built_in)
		return !attempt->of_vfio || devices.vfio;
	vm_page->n_todo = 0;
	vm_page->core_pid = vm_page->other_pid = getpid();
	pid = fork();
	if (pid == 0) {
		page = vm_page;
		_exit(attempt->run() == -ENOSYS);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* A cgroup is the host's to give; only a VM finds out whether it does. */
static bool has_cgroup(void)
{
	static struct vm vm;
	int64_t end = clock_ms() + START_MS;
	char last[8];
	bool has;

	vm_start(&vm, (const char *const[]){"--null", NULL});
	while (!vm_rounds(&vm, last) && !vm.ended && clock_ms() < end)
		vm_pump(&vm, 5);
	has = vm_said(&vm, "confine: cgroup: /");
	vm_stop(&vm);
	return has;
}

static bool has_passrights(void)
{
	int pair[2], off = 0;
	bool has;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return false;
	has = setsockopt(pair[0], SOL_SOCKET, 83 /* SO_PASSRIGHTS */, &off, sizeof(off)) == 0;
	close(pair[0]);
	close(pair[1]);
	return has;
}

/* The kernel is asked, not the VM: one that forgets a wall must not pass for one that cannot. */
unsigned missing_walls(void)
{
	long abi = syscall(444 /* landlock_create_ruleset */, NULL, 0, 1 /* version */);
	unsigned missing = 0;

	missing |= (abi < 1) << WALL_LANDLOCK | (abi < 6) << WALL_SCOPES |
		(abi < 9) << WALL_LANDLOCK_UNIX;
	missing |= (prctl(66 /* PR_GET_MDWE */, 0, 0, 0, 0) < 0) << WALL_MDWE;
	missing |= (syscall(462 /* mseal */, NULL, 0, 0) < 0) << WALL_MSEAL;
	missing |= (unsigned)!has_passrights() << WALL_PASSRIGHTS;
	missing |= (unsigned)!has_cgroup() << WALL_CGROUP;
	return missing;
}
