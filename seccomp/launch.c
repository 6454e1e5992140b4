/* SPDX-License-Identifier: Apache-2.0
 *
 * What the launcher may never call, and so no process that it starts from then on: all but the opener.
 *
 * Filters add up: what is refused here no child could have for itself, so this is no list of what it
 * uses but of what nobody of a VM has a use for. (clone3 is the launcher's own; the filters of its
 * children have no row for it.)
 */
#include "seccomp/rows.h"

#define NEVER(call) DENY(call, 1 /* EPERM */, "nobody of a VM's")

static const struct policy_row run[] = {
	NEVER(ptrace), NEVER(process_vm_readv), NEVER(process_vm_writev), NEVER(kcmp), NEVER(pidfd_getfd),
	NEVER(process_madvise),
	NEVER(bpf), NEVER(perf_event_open), NEVER(userfaultfd),
	NEVER(io_uring_setup), NEVER(io_uring_enter), NEVER(io_uring_register),
	NEVER(add_key), NEVER(request_key), NEVER(keyctl),
	NEVER(init_module), NEVER(finit_module), NEVER(delete_module),
	NEVER(kexec_load), NEVER(kexec_file_load), NEVER(reboot),
	NEVER(open_by_handle_at), NEVER(name_to_handle_at),
	NEVER(iopl), NEVER(ioperm), NEVER(modify_ldt), NEVER(personality),
	NEVER(acct), NEVER(swapon), NEVER(swapoff), NEVER(quotactl), NEVER(syslog),
	NEVER(settimeofday), NEVER(clock_settime), NEVER(adjtimex), NEVER(clock_adjtime),
	NEVER(vmsplice), NEVER(move_pages), NEVER(lookup_dcookie), NEVER(uselib), NEVER(fanotify_init),
};

const struct policy policy_launch_run = {.process = "launch", .stage = "run", .rows = run,
	.n_rows = sizeof(run) / sizeof(run[0]), .open = true};
