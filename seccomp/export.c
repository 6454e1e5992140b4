/* SPDX-License-Identifier: Apache-2.0
 *
 * A policy as a file: what the kernel gets, and what people read. Linked into tools and tests, into
 * no process of a VM.
 */
#include <seccomp.h>

#include "seccomp/policy.h"

int policy_export(const struct policy *policy, enum policy_format format, int pid, int fd)
{
	scmp_filter_ctx ctx;
	int r = policy_build(policy, SCMP_ACT_ALLOW, SCMP_ACT_KILL_PROCESS, pid, &ctx);

	if (r < 0)
		return r;
	r = format == POLICY_BPF ? seccomp_export_bpf(ctx, fd) : seccomp_export_pfc(ctx, fd);
	seccomp_release(ctx);
	return r;
}
