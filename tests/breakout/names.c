/* SPDX-License-Identifier: Apache-2.0
 *
 * What actors, walls and results are called: in the rows, and so in SECURITY.md. Harness process.
 */
#include <stdio.h>
#include <string.h>

#include "tests/breakout/trial.h"

const char *who_name(enum who who)
{
	switch (who) {
	case WHO_VCPU: return "vCPU thread";
	case WHO_CORE: return "core main thread";
	case WHO_BROKER: return "broker";
	case WHO_NULL: return "null helper";
	case WHO_VFIO: return "vfio helper";
	case WHO_VDPA: return "vdpa helper";
	case WHO_LAUNCHER: return "launcher";
	case WHO_API: return "api";
	case WHO_OPENER: return "opener";
	case WHO_STARTER: return "starter";
	default: return "?";
	}
}

const char *wall_name(enum wall wall)
{
	static const char *const names[WALLS] = {
		[WALL_SECCOMP] = "seccomp", [WALL_USERNS] = "user namespace",
		[WALL_PIDNS] = "pid namespace", [WALL_NETNS] = "net namespace",
		[WALL_ROOT] = "empty root", [WALL_CAPS] = "no capabilities",
		[WALL_NOFILE] = "RLIMIT_NOFILE", [WALL_FSIZE] = "RLIMIT_FSIZE",
		[WALL_DUMPABLE] = "not dumpable", [WALL_LANDLOCK] = "Landlock",
		[WALL_SCOPES] = "Landlock scopes", [WALL_MDWE] = "MDWE",
		[WALL_RULES] = "rules", [WALL_DESCRIBE] = "description check",
		[WALL_BUDGET] = "log budget", [WALL_MSEAL] = "mseal",
		[WALL_PASSRIGHTS] = "SO_PASSRIGHTS", [WALL_CGROUP] = "cgroup",
		[WALL_LANDLOCK_UNIX] = "Landlock on Unix paths", [WALL_FDS] = "no such descriptor",
		[WALL_FRAME] = "packet size and kind", [WALL_DECODE] = "decoder",
		[WALL_NUMBER] = "ask's number", [WALL_DEADLINE] = "deadline",
		[WALL_MAP] = "mmap", [WALL_KERNEL] = "kernel", [WALL_INPUT] = "input check",
		[WALL_WORDS] = "words",
	};

	return names[wall] ? names[wall] : "?";
}

const char *result_name(int result)
{
	static char text[32];

	if (result >= 0)
		return "through";
	if (result <= UNTRIED)
		return "no result";
	if (result <= DROPPED)
		return "dropped";
	if (result <= REFUSED)
		return "refused";
	if (result <= CUT_OFF)
		return "cut off";
	if (result <= KILLED)
		snprintf(text, sizeof(text), "SIG%s", sigabbrev_np(KILLED - result));
	else
		snprintf(text, sizeof(text), "%s", strerrorname_np(-result));
	return text;
}

const char *result_by(int result)
{
	static char text[64];
	int from = result > CUT_OFF || result <= DROPPED ? 0 : result <= REFUSED ? REFUSED : CUT_OFF;

	if (!from || from == result)
		return result_name(result);
	snprintf(text, sizeof(text), "%s (%s)", result_name(result),
		wall_name((enum wall)(from - result)));
	return text;
}
