/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of layers, and what happens where one is missing. Every process, while it has one
 * thread.
 *
 * Required is what every kernel we run on can do, so that only the host's configuration takes it
 * away. What came with a later kernel than Debian's, or is the host's to give (a cgroup, a user),
 * is used where it is there.
 */
#include "seccomp/layers.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ipc/log.h"

const struct layer_row layers[LAYERS] = {
	[LAYER_USER] = {"user", false, "a uid and gid per VM, no supplementary groups",
		"start as root with --user NAME"},
	[LAYER_NAMESPACES] = {"namespaces", true,
		"own user, mount, pid, net, ipc, uts and cgroup namespaces",
		"user namespaces must be allowed: see sysctl user.max_user_namespaces, "
		"kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns"},
	[LAYER_ROOT] = {"root", true, "an empty read-only root, by pivot_root",
		"mounting must be allowed inside an own user namespace: where sysctl "
		"kernel.apparmor_restrict_unprivileged_userns is 1, by a profile (`make "
		"install-apparmor`); a container's seccomp or AppArmor profile may deny it"},
	[LAYER_CAPABILITIES] = {"capabilities", true,
		"none in any of the five sets, securebits locked",
		"it needs CAP_SETPCAP: give the container or service that"},
	[LAYER_NO_NEW_PRIVS] = {"no_new_privs", true, "exec gives nothing", "Linux 3.5"},
	[LAYER_LIMITS] = {"limits", true, "RLIMIT_NOFILE, NPROC, FSIZE, CORE as small as can be",
		"they only ever go down; a container's seccomp profile may deny prlimit64"},
	[LAYER_DUMPABLE] = {"dumpable", true, "no ptrace, no /proc/PID/mem, no core dump",
		"every Linux has it"},
	[LAYER_LANDLOCK] = {"Landlock", true,
		"every right on files, devices, sockets and network the kernel knows is denied",
		"build it in (CONFIG_SECURITY_LANDLOCK) and name it in lsm= at boot"},
	[LAYER_SCOPES] = {"Landlock scopes", false, "no abstract socket, no signal leaves",
		"Linux 6.12"},
	[LAYER_MDWE] = {"MDWE", false, "no memory becomes executable", "Linux 6.3"},
	[LAYER_PARENT] = {"parent", true, "it dies with its parent", "every Linux has it"},
	[LAYER_SECCOMP] = {"seccomp", true, "system calls by list, default KILL_PROCESS",
		"the kernel needs CONFIG_SECCOMP_FILTER"},
	[LAYER_CGROUP] = {"cgroup", false, 
		"a cgroup per VM, in it a leaf per process with pids.max, per helper memory.max",
		"start it as root in the root cgroup, or alone in a delegated one: `systemd-run "
		"--scope -p Delegate=yes bulkhead ...`"},
	[LAYER_CORE_SCHED] = {"core scheduling", false,
		"no other VM on the sibling hyper-thread: a cookie per VM",
		"Linux 5.14 with CONFIG_SCHED_CORE, on a processor with SMT"},
	[LAYER_NOEXEC_SEAL] = {"noexec seal", false, "guest RAM's memfd can never be executed",
		"Linux 6.3"},
	[LAYER_MSEAL] = {"mseal", false,
		"the core's mapping of guest RAM can neither go nor change",
		"Linux 6.10"},
	[LAYER_PASSRIGHTS] = {"SO_PASSRIGHTS", false,
		"the kernel keeps descriptors off sockets that carry none", "Linux 6.16"},
	[LAYER_REMAPPING] = {"interrupt remapping", true,
		"a device's interrupts reach its guest only",
		"enable it in the firmware (VT-d, AMD-Vi, x2APIC) and boot the host without "
		"`intremap=off`"},
};

static bool degraded;

void layers_allow_degraded(bool allow)
{
	degraded = allow;
}

bool layers_degraded(void)
{
	return degraded;
}

int layers_parse(const char *text)
{
	degraded = strcmp(text, "degraded") == 0;
	return degraded || strcmp(text, "strict") == 0 ? 0 : -EINVAL;
}

void layer_holds(enum layer layer, const char *fmt, ...)
{
	char text[200];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	log_info("confine: %s: %s", layers[layer].name, text);
}

int layer_missing(enum layer layer, int code, struct err *err, const char *fmt, ...)
{
	const struct layer_row *row = &layers[layer];
	char why[200];
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	if (!row->required) {
		log_info("confine: %s: not here (%s); it needs: %s", row->name, why, row->get);
		return 0;
	}
	if (!degraded)
		return err_set(err, code, BLAME_HOST,
			"confine: %s: missing (%s): %s; or go on without: --allow-degraded",
			row->name, why, row->get);
	log_warn("confine: %s: MISSING (%s); we go on without (%s)", row->name, why, row->what);
	return 0;
}
