/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of everything that is tried (scenarios.c), and what its functions stand on.
 *
 * The functions run in the actor, a real process of a VM, behind all of its walls. They use no C
 * library call that could make another system call than theirs.
 */
#pragma once

#include "tests/breakout/page.h"

/* A wall, and what an attempt gets from it. */
struct stop {
	enum wall wall;
	int result;
};

enum { STOPS_MAX = 6 };

/* When an attempt is made. */
enum stage {
	STAGE_RUN,      /* by itself, once the guest runs: run() is the attempt */
	STAGE_ANSWER,   /* run() forges the next packet the actor sends */
	STAGE_DESCRIBE, /* run() forges the Description a helper gives at start */
};

struct attempt {
	unsigned scenario; /* of those in SECURITY.md */
	unsigned who;      /* enum who bits */
	const char *what;
	long (*run)(void);
	enum stage stage;
	struct stop stops[STOPS_MAX]; /* in the order they are met */
	int end;         /* when every wall is gone: THROUGH or ANY; not looked at behind one that
	                  * stays */
	bool built_in;   /* not in every kernel: the harness tries it first, unconfined */
	bool of_vfio;    /* on what the core keeps of a VFIO device: only where there is one */
	const char *why; /* why there is no wall, or only the kernel's; NULL: there are */
};

/* The end depends on how the kernel was built: it is reported, not expected. */
enum { ANY = -40000 };

extern const struct attempt attempts[];
extern const unsigned n_attempts;

/* A system call as it is, noted in the page first. -errno or what it returned. */
long raw(long nr, long a, long b, long c, long d, long e, long f);
#define RAW(nr, ...) RAW_(nr, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define RAW_(nr, a, b, c, d, e, f, ...)                                                            \
	raw(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

/* files.c */
long try_open(void);
long try_openat2(void);
long try_open_handle(void);
long try_open_fd_name(void);
long try_open_kvm(void);
long try_exec(void);
long try_exec_memfd(void);
long try_unix_path(void);
long try_write_allowed(void);
long try_mount(void);
/* process.c */
long try_fork(void);
long try_clone3(void);
long try_read_core(void);
long try_read_other(void);
long try_trace_core(void);
long try_trace_other(void);
long try_pidfd(void);
long try_kcmp(void);
long try_memory_by_proc(void);
long try_set_user(void);
long try_kill(void);
long try_kill_other(void);
long try_kill_host(void);
long try_tgkill(void);
long try_sigqueue(void);
long try_setown(void);
long try_unshare(void);
long try_clone_user(void);
long try_io_uring(void);
long try_userfaultfd(void);
long try_bpf(void);
long try_perf(void);
long try_keyctl(void);
long try_x32(void);
long try_int80(void);
long try_tcp(void);
long try_unix_abstract(void);
long try_netlink(void);
long try_alg(void);
/* memory.c */
long try_mmap_exec(void);
long try_mprotect_exec(void);
long try_pkey_exec(void);
long try_read_implies_exec(void);
long try_shm_exec(void);
long try_unmap_ram(void);
long try_move_ram(void);
long try_dups(void);
long try_memfd_fill(void);
long try_eat_memory(void);
long try_map_huge(void);
long try_log_flood(void);
/* device.c */
long try_vfio_irqs(void);
long try_vfio_reset(void);
long try_group_device(void);
long try_kept_read(void);
long try_kept_pread(void);
long try_kept_write(void);
long try_kept_lowered(void);
long try_map_dma(void);
long try_ioas_map(void);
long try_vhost_owner(void);
long try_create_vm(void);
long try_create_device(void);
long try_slot_of_kernel(void);
long try_device_feature(void);
long try_ioeventfd(void);
long try_interrupt_storm(void);
long try_iotlb_own(void);
long try_iotlb_kernel(void);
long try_vhost_reset_owner(void);
long try_vhost_mem_table(void);
long try_vhost_device_id(void);
/* lies.c */
long lie_not_ours(void);
long lie_open(void);
long lie_other_answer(void);
long lie_descriptor(void);
long lie_descriptors_253(void);
long lie_event_descriptor(void);
long lie_truncated(void);
long lie_length(void);
long lie_nested(void);
long lie_unknown(void);
long lie_empty(void);
long lie_too_long(void);
long lie_number(void);
long lie_twice(void);
long lie_silence(void);
long lie_released_index(void);
/* words.c */
long word_start(void);
long word_quit(void);
long word_launchers(void);
long word_unknown(void);
long word_half(void);
long word_slot(void);
long word_descriptor(void);
long word_cut_broker(void);
long word_cut_other(void);
/* describe.c */
long lie_range_outside(void);
long lie_range_wraps(void);
long lie_range_unaligned(void);
long lie_bar_size(void);
long lie_bar_number(void);
long lie_table_mappable(void);
long lie_doorbells(void);
long lie_kind(void);
