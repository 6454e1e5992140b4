/* SPDX-License-Identifier: Apache-2.0
 *
 * The scenarios but one (25: launch.c): who attempts what, and every wall that stands in the way, in
 * the order they are met. The harness takes them away one after another and each by itself, and
 * expects of each what its row says; with all of them gone the attempt gets through, or the row says
 * why not.
 *
 * Const data, in the actor and in the harness.
 */
#include <errno.h>
#include <signal.h>

#include "tests/breakout/attempts.h"

#define STOPS(...) .stops = {__VA_ARGS__}
#define SIGSYS_SECCOMP {WALL_SECCOMP, KILLED - SIGSYS}

/* A path of the host. */
#define WALLS_OF_A_PATH                                                                            \
	STOPS(SIGSYS_SECCOMP, {WALL_ROOT, -ENOENT}, {WALL_LANDLOCK, -EACCES})
#define ONLY_SECCOMP STOPS(SIGSYS_SECCOMP)
/* A request to a descriptor the process has not got. */
#define NO_SUCH_FD STOPS(SIGSYS_SECCOMP, {WALL_FDS, -ENOTTY})
/* Memory that can be executed. */
#define WALLS_OF_CODE STOPS(SIGSYS_SECCOMP, {WALL_MDWE, -EACCES})
/* Another process, from a pid namespace of its own. */
#define WALLS_OF_A_TRACE                                                                           \
	STOPS(SIGSYS_SECCOMP, {WALL_PIDNS, -ESRCH}, {WALL_DUMPABLE, -EPERM},                       \
		{WALL_USERNS, -EPERM}, {WALL_LANDLOCK, -EPERM})
#define WALLS_OF_A_SIGNAL                                                                          \
	STOPS(SIGSYS_SECCOMP, {WALL_PIDNS, -ESRCH}, {WALL_SCOPES, -EPERM})
/* What the launcher may not call, and so nobody it has started since. */
#define REFUSED_CALL STOPS({WALL_SECCOMP, -EPERM})
/* Said on the birth socket. */
#define CUT_BY_LAUNCHER STOPS({WALL_WORDS, KILLED - SIGKILL})
/* A file of its own making; SIGXFSZ is ignored from birth (vm.c). */
#define WALLS_OF_A_FILE STOPS(SIGSYS_SECCOMP, {WALL_FSIZE, -EFBIG})
#define WALLS_OF_A_CHILD STOPS(SIGSYS_SECCOMP, {WALL_CGROUP, -EAGAIN})
#define WALLS_OF_RAM STOPS(SIGSYS_SECCOMP, {WALL_MSEAL, -EPERM})
/* A descriptor where none belongs: the sender is told, or the receiver notices. */
#define DESCRIPTOR(wall) STOPS({WALL_PASSRIGHTS, -EPERM}, {wall, CUT_OFF - wall})
#define CUT(wall) .stage = STAGE_ANSWER, STOPS({wall, CUT_OFF - wall})
#define CUT_EVENT(wall) .stage = STAGE_RUN, STOPS({wall, CUT_OFF - wall})
/* Whose packets the other side waits for. */
#define WHO_LIAR (WHO_HELPER | WHO_VCPU)
#define DESCRIBED .stage = STAGE_DESCRIBE, STOPS({WALL_DESCRIBE, REFUSED - WALL_DESCRIBE}), \
	.end = ANY /* what the core trips over next */

const struct attempt attempts[] = {
	/* 1. A file of the host, by the core; by anybody. */
	{1, WHO_ALL, "openat of a file", try_open, WALLS_OF_A_PATH},
	{1, WHO_ALL, "openat2 of a file", try_openat2, WALLS_OF_A_PATH},
	{1, WHO_VMM, "reopening by /proc/self", try_open_fd_name, WALLS_OF_A_PATH},
	{1, WHO_VMM, "open_by_handle_at", try_open_handle,
		STOPS(SIGSYS_SECCOMP, {WALL_USERNS, -EPERM}, {WALL_CAPS, -EPERM},
			{WALL_ROOT, -ESTALE}, {WALL_LANDLOCK, -EACCES})},
	/* 2. Requests of the helpers and the broker, on whatever descriptor there is. */
	{2, WHO_VMM, "VFIO_DEVICE_SET_IRQS on every descriptor", try_vfio_irqs, ONLY_SECCOMP,
		.end = ANY},
	{2, WHO_VMM, "VFIO_IOMMU_MAP_DMA on every descriptor", try_map_dma, NO_SUCH_FD},
	{2, WHO_VMM, "VHOST_SET_OWNER on every descriptor", try_vhost_owner, NO_SUCH_FD},
	/* And on what it keeps for KVM's list (vmm/kvm/kvm_vfio.h): the device itself by iommufd, its
	 * group by type1. What each takes is in the last column. */
	{2, WHO_VMM, "VFIO_DEVICE_RESET of the kept device", try_vfio_reset, ONLY_SECCOMP, .end = ANY,
		.of_vfio = true},
	{2, WHO_VMM, "VFIO_GROUP_GET_DEVICE_FD of the kept group", try_group_device, ONLY_SECCOMP,
		.end = ANY, .of_vfio = true},
	{2, WHO_VMM, "read of what is kept", try_kept_read, ONLY_SECCOMP, .end = ANY,
		.of_vfio = true},
	{2, WHO_VMM, "pread64 of what is kept", try_kept_pread, ONLY_SECCOMP, .end = ANY,
		.of_vfio = true},
	{2, WHO_VMM, "write to what is kept", try_kept_write, ONLY_SECCOMP, .end = ANY,
		.of_vfio = true},
	{2, WHO_VMM, "dup2 of what is kept to where it may be read", try_kept_lowered, ONLY_SECCOMP,
		.of_vfio = true},
	/* 3. Code. */
	{3, WHO_ALL, "mmap writable and executable", try_mmap_exec, WALLS_OF_CODE},
	{3, WHO_ALL, "mprotect of data to executable", try_mprotect_exec, WALLS_OF_CODE},
	{3, WHO_VMM, "pkey_mprotect of data to executable", try_pkey_exec, WALLS_OF_CODE},
	{3, WHO_VMM, "READ_IMPLIES_EXEC, then mmap", try_read_implies_exec, WALLS_OF_CODE},
	{3, WHO_VMM, "shmat executable", try_shm_exec, WALLS_OF_CODE},
	/* 4. Another program, another process. */
	{4, WHO_ALL, "execve of a file", try_exec, WALLS_OF_A_PATH},
	{4, WHO_VMM | WHO_HELPER, "execveat of a memfd", try_exec_memfd, WALLS_OF_A_FILE},
	{4, WHO_ALL, "100 forks", try_fork, WALLS_OF_A_CHILD},
	{4, WHO_VMM, "100 times clone3", try_clone3, WALLS_OF_A_CHILD},
	/* 5. The guest's memory, to be something else. */
	{5, WHO_VCPU, "munmap of guest RAM", try_unmap_ram, WALLS_OF_RAM},
	{5, WHO_CORE, "munmap of guest RAM", try_unmap_ram, STOPS({WALL_MSEAL, -EPERM})},
	{5, WHO_VMM, "mremap of guest RAM", try_move_ram, WALLS_OF_RAM},
	/* 6. More of KVM. */
	{6, WHO_VMM, "KVM_CREATE_VM on every descriptor", try_create_vm, NO_SUCH_FD},
	{6, WHO_VMM, "KVM_CREATE_DEVICE", try_create_device, ONLY_SECCOMP},
	{6, WHO_VMM, "a memslot over the kernel's memory", try_slot_of_kernel,
		STOPS({WALL_KERNEL, -EINVAL}),
		.why = "KVM takes addresses of the process only, and those are the guest's already"},
	/* 7. Another device. */
	{7, WHO_HELPER, "openat of /dev/kvm", try_open_kvm, WALLS_OF_A_PATH},
	/* 8. DMA mappings. */
	{8, WHO_NULL | WHO_VDPA, "VFIO_IOMMU_MAP_DMA on every descriptor", try_map_dma, NO_SUCH_FD},
	/* To seccomp it is VFIO_DEVICE_PCI_HOT_RESET, which has the same number. */
	{8, WHO_VFIO, "VFIO_IOMMU_MAP_DMA on every descriptor", try_map_dma,
		STOPS({WALL_FDS, -ENOTTY})},
	{8, WHO_HELPER, "IOMMU_IOAS_MAP on every descriptor", try_ioas_map, NO_SUCH_FD},
	/* 9. Requests of its own device that are not on its list. VFIO_DEVICE_RESET is. */
	{9, WHO_VFIO, "VFIO_DEVICE_FEATURE", try_device_feature, ONLY_SECCOMP, .end = ANY},
	{9, WHO_VFIO, "VFIO_DEVICE_IOEVENTFD", try_ioeventfd, ONLY_SECCOMP,
		.end = ANY},
	/* 10. There is no message about a GSI; the nearest are the core's own. */
	{10, WHO_HELPER, "answering with an ask of the core's", lie_not_ours, CUT(WALL_RULES)},
	{10, WHO_HELPER, "answering with another answer", lie_other_answer, CUT(WALL_RULES)},
	/* And the other way: a helper does what it is asked, when it may be asked. Behind the rules
	 * there is nothing that would be done for either. */
	{10, WHO_VCPU, "asking a helper to open a device, as the broker", lie_open, CUT(WALL_RULES),
		.end = ANY},
	{10, WHO_VCPU, "asking a helper with an answer", lie_other_answer, CUT(WALL_RULES),
		.end = ANY},
	/* 11. There is no message with a guest address; a BAR can be described wrongly. */
	{11, WHO_NULL | WHO_VFIO, "a mappable range behind the BAR", lie_range_outside, DESCRIBED},
	{11, WHO_NULL | WHO_VFIO, "a mappable range that wraps around", lie_range_wraps, DESCRIBED},
	{11, WHO_NULL | WHO_VFIO, "a mappable range of half a page", lie_range_unaligned, DESCRIBED},
	{11, WHO_NULL | WHO_VFIO, "a BAR larger than a power of two", lie_bar_size, DESCRIBED},
	{11, WHO_HELPER, "a seventh BAR", lie_bar_number, DESCRIBED},
	{11, WHO_NULL | WHO_VFIO, "the MSI-X table's page mappable", lie_table_mappable, DESCRIBED},
	/* 12. A descriptor that is something else. */
	{12, WHO_NULL | WHO_VFIO, "a socket as the device", lie_kind, .stage = STAGE_DESCRIBE,
		STOPS({WALL_RULES, REFUSED - WALL_RULES}, {WALL_MAP, REFUSED - WALL_MAP})},
	{12, WHO_HELPER, "a descriptor with an answer that has none", lie_descriptor,
		.stage = STAGE_ANSWER, DESCRIPTOR(WALL_RULES)},
	{12, WHO_VCPU, "a descriptor with an ask that has none", lie_descriptor, CUT(WALL_RULES)},
	/* 13. Doorbells on another's ground. */
	{13, WHO_HELPER, "doorbells behind the BAR", lie_doorbells, DESCRIBED},
	/* 14. */
	{14, WHO_NULL, "100,000 interrupts and a full counter", try_interrupt_storm,
		.why = "its own vector only, and KVM delivers no more than the guest takes"},
	/* 15. */
	{15, WHO_VDPA, "an IOTLB entry for its own memory", try_iotlb_own, .end = ANY,
		.why = "its own memory, to its own device"},
	{15, WHO_VDPA, "an IOTLB entry for the kernel's memory", try_iotlb_kernel,
		STOPS({WALL_KERNEL, -EFAULT}),
		.why = "vhost pins memory of the process only"},
	/* 16. */
	{16, WHO_VDPA, "VHOST_RESET_OWNER", try_vhost_reset_owner, ONLY_SECCOMP, .end = ANY},
	{16, WHO_VDPA, "VHOST_SET_MEM_TABLE", try_vhost_mem_table, ONLY_SECCOMP, .end = ANY},
	{16, WHO_VDPA, "VHOST_VDPA_GET_DEVICE_ID", try_vhost_device_id, ONLY_SECCOMP},
	/* 17. Another process's memory and descriptors. */
	{17, WHO_HELPER, "ptrace of the core", try_trace_core, WALLS_OF_A_TRACE},
	{17, WHO_HELPER, "ptrace of a helper", try_trace_other, WALLS_OF_A_TRACE},
	{17, WHO_HELPER, "process_vm_readv of the core", try_read_core, WALLS_OF_A_TRACE,
		.built_in = true},
	{17, WHO_HELPER, "process_vm_readv of a helper", try_read_other, WALLS_OF_A_TRACE,
		.built_in = true},
	{17, WHO_HELPER, "kcmp of a helper", try_kcmp, WALLS_OF_A_TRACE},
	{17, WHO_HELPER, "pidfd_getfd of a helper", try_pidfd, WALLS_OF_A_TRACE},
	{17, WHO_VMM, "ptrace of a helper", try_trace_other, WALLS_OF_A_TRACE},
	{17, WHO_BROKER | WHO_API, "ptrace of the core", try_trace_core, WALLS_OF_A_TRACE},
	/* 18. Signals. */
	{18, WHO_HELPER, "kill of the core", try_kill, WALLS_OF_A_SIGNAL},
	{18, WHO_HELPER, "kill of a helper", try_kill_other, WALLS_OF_A_SIGNAL},
	{18, WHO_HELPER, "tgkill of a helper", try_tgkill, WALLS_OF_A_SIGNAL},
	{18, WHO_HELPER, "rt_sigqueueinfo of a helper", try_sigqueue, WALLS_OF_A_SIGNAL},
	{18, WHO_HELPER, "F_SETOWN of a helper", try_setown,
		STOPS(SIGSYS_SECCOMP, {WALL_PIDNS, -ESRCH})},
	{18, WHO_VMM, "tgkill of a helper", try_tgkill, WALLS_OF_A_SIGNAL},
	{18, WHO_BROKER | WHO_API, "kill of the core", try_kill, WALLS_OF_A_SIGNAL},
	/* 19. Sockets. */
	{19, WHO_ALL, "TCP to the host", try_tcp,
		STOPS(SIGSYS_SECCOMP, {WALL_LANDLOCK, -EACCES}, {WALL_NETNS, -ENETUNREACH})},
	{19, WHO_ALL, "an abstract Unix socket", try_unix_abstract,
		STOPS(SIGSYS_SECCOMP, {WALL_NETNS, -ECONNREFUSED}, {WALL_SCOPES, -EPERM})},
	{19, WHO_ALL, "a Unix socket by its path", try_unix_path,
		STOPS(SIGSYS_SECCOMP, {WALL_ROOT, -ENOENT}, {WALL_LANDLOCK_UNIX, -EACCES})},
	{19, WHO_HELPER, "a netlink socket", try_netlink, ONLY_SECCOMP},
	{19, WHO_HELPER, "an AF_ALG socket", try_alg, ONLY_SECCOMP, .end = ANY},
	/* 20. The kernel's larger doors. */
	{20, WHO_HELPER, "io_uring_setup", try_io_uring, ONLY_SECCOMP, .end = ANY},
	{20, WHO_HELPER, "userfaultfd", try_userfaultfd, ONLY_SECCOMP, .end = ANY},
	{20, WHO_HELPER, "bpf: load a program", try_bpf, ONLY_SECCOMP, .end = ANY},
	{20, WHO_HELPER, "perf_event_open", try_perf, ONLY_SECCOMP, .end = ANY},
	{20, WHO_HELPER, "keyctl", try_keyctl, ONLY_SECCOMP, .end = ANY},
	{20, WHO_HELPER, "unshare: a user namespace", try_unshare, ONLY_SECCOMP, .end = ANY},
	{20, WHO_HELPER, "an x32 system call", try_x32, ONLY_SECCOMP, .end = ANY},
	{20, WHO_HELPER, "an i386 system call", try_int80, ONLY_SECCOMP, .end = ANY,
		.built_in = true},
	/* 21. Descriptors nobody asked for. */
	{21, WHO_HELPER, "253 descriptors with an answer", lie_descriptors_253,
		.stage = STAGE_ANSWER, DESCRIPTOR(WALL_FRAME)},
	{21, WHO_VCPU, "253 descriptors with an ask", lie_descriptors_253, CUT(WALL_FRAME)},
	{21, WHO_HELPER | WHO_BROKER, "a descriptor with an event", lie_event_descriptor,
		DESCRIPTOR(WALL_RULES)},
	/* 22. Bytes that are no message. */
	{22, WHO_HELPER | WHO_BROKER, "a number that does not end", lie_truncated,
		CUT_EVENT(WALL_DECODE)},
	{22, WHO_VCPU, "a number that does not end", lie_truncated, CUT(WALL_DECODE)},
	{22, WHO_LIAR, "a length of 2^31 - 1", lie_length, CUT(WALL_DECODE)},
	{22, WHO_LIAR, "16,384 groups in each other", lie_nested, CUT(WALL_DECODE)},
	{22, WHO_LIAR, "a field nobody knows", lie_unknown, CUT(WALL_DECODE)},
	{22, WHO_LIAR, "an empty packet", lie_empty, CUT(WALL_FRAME)},
	{22, WHO_LIAR, "a packet longer than there is", lie_too_long, CUT(WALL_FRAME)},
	{22, WHO_BROKER, "the release of a device that is not there", lie_released_index,
		.why = "it names no device, and is ignored"},
	/* 23. Time and order. */
	{23, WHO_HELPER, "no answer", lie_silence, CUT(WALL_DEADLINE)},
	{23, WHO_HELPER, "two answers", lie_twice, CUT(WALL_NUMBER)},
	{23, WHO_HELPER, "an answer with another number", lie_number, CUT(WALL_NUMBER)},
	/* 24. Using things up. */
	{24, WHO_VMM | WHO_HELPER, "8,192 descriptors", try_dups,
		STOPS(SIGSYS_SECCOMP, {WALL_NOFILE, -EMFILE})},
	{24, WHO_VMM | WHO_HELPER, "a memfd of 1 MiB", try_memfd_fill, WALLS_OF_A_FILE},
	{24, WHO_VMM | WHO_HELPER, "a mapping of 1 TiB", try_map_huge, ONLY_SECCOMP, .end = ANY},
	{24, WHO_HELPER, "80 MiB of memory", try_eat_memory,
		STOPS(SIGSYS_SECCOMP, {WALL_CGROUP, KILLED - SIGKILL})},
	{24, WHO_HELPER, "a flood of log lines", try_log_flood, STOPS({WALL_BUDGET, DROPPED})},
	/* 26. Words to the launcher. */
	{26, WHO_ALL, "the opener's word: start a process", word_start, CUT_BY_LAUNCHER},
	{26, WHO_ALL, "the opener's word: end everything", word_quit, CUT_BY_LAUNCHER},
	{26, WHO_ALL, "the launcher's own word", word_launchers, CUT_BY_LAUNCHER},
	{26, WHO_ALL, "a word nobody knows", word_unknown, CUT_BY_LAUNCHER},
	{26, WHO_ALL, "half a word", word_half, CUT_BY_LAUNCHER},
	{26, WHO_VMM, "the end of a slot that is not there", word_slot, CUT_BY_LAUNCHER},
	{26, WHO_ALL, "a descriptor with a word", word_descriptor,
		STOPS({WALL_PASSRIGHTS, -EPERM}, {WALL_WORDS, KILLED - SIGKILL})},
	{26, WHO_VMM, "the end of the broker", word_cut_broker,
		.why = "it may have helpers ended, and nobody else: ignored"},
	{26, WHO_VMM, "the end of a slot's next helper", word_cut_other,
		.why = "it is of another generation: ignored"},
	/* 27. The launcher itself: what it could do is what whoever started it may; what keeps it is that it
	 * hears nothing but such words. */
	{27, WHO_LAUNCHER, "openat of a file", try_open,
		.why = "it is the operator's own process, and writes id maps"},
	{27, WHO_LAUNCHER, "reading the core's memory by /proc", try_memory_by_proc,
		.why = "a file to it: Landlock for files would keep its children from their roots"},
	{27, WHO_LAUNCHER, "becoming another user", try_set_user,
		.why = "its children are to be the VM's user's"},
	{27, WHO_LAUNCHER, "execve of a file", try_exec,
		.why = "it starts programs; no more rights come with one"},
	{27, WHO_LAUNCHER, "kill of a helper", try_kill_other, .why = "it ends them"},
	{27, WHO_LAUNCHER, "TCP to the host", try_tcp,
		.why = "it is in the host's namespaces, to write id maps"},
	{27, WHO_LAUNCHER, "an abstract Unix socket", try_unix_abstract,
		STOPS({WALL_SCOPES, -EPERM})},
	{27, WHO_LAUNCHER, "kill of a process of the host", try_kill_host,
		STOPS({WALL_SCOPES, -EPERM})},
	{27, WHO_LAUNCHER, "ptrace of the core", try_trace_core, REFUSED_CALL},
	{27, WHO_LAUNCHER, "process_vm_readv of the core", try_read_core, REFUSED_CALL,
		.built_in = true},
	{27, WHO_LAUNCHER, "kcmp of a helper", try_kcmp, REFUSED_CALL},
	{27, WHO_LAUNCHER, "pidfd_getfd of a helper", try_pidfd, REFUSED_CALL},
	{27, WHO_LAUNCHER, "open_by_handle_at", try_open_handle,
		STOPS({WALL_SECCOMP, -EPERM}, {WALL_CAPS, -EPERM})},
	{27, WHO_LAUNCHER, "io_uring_setup", try_io_uring, REFUSED_CALL, .end = ANY},
	{27, WHO_LAUNCHER, "userfaultfd", try_userfaultfd, REFUSED_CALL, .end = ANY},
	{27, WHO_LAUNCHER, "bpf: load a program", try_bpf, REFUSED_CALL, .end = ANY},
	{27, WHO_LAUNCHER, "perf_event_open", try_perf, REFUSED_CALL, .end = ANY},
	{27, WHO_LAUNCHER, "keyctl", try_keyctl, REFUSED_CALL, .end = ANY},
	{27, WHO_LAUNCHER, "an x32 system call", try_x32, ONLY_SECCOMP, .end = ANY},
	{27, WHO_LAUNCHER, "an i386 system call", try_int80, ONLY_SECCOMP, .end = ANY,
		.built_in = true},
	/* 28. The opener at API time: it is where names mean something, and Landlock says which. */
	{28, WHO_OPENER, "openat of a file", try_open, STOPS({WALL_LANDLOCK, -EACCES})},
	{28, WHO_OPENER, "writing where --allow says ro", try_write_allowed, STOPS({WALL_LANDLOCK, -EACCES})},
	{28, WHO_OPENER, "execve of a file", try_exec, STOPS(SIGSYS_SECCOMP, {WALL_LANDLOCK, -EACCES})},
	{28, WHO_OPENER, "open_by_handle_at", try_open_handle, STOPS(SIGSYS_SECCOMP, {WALL_CAPS, -EPERM},
			{WALL_LANDLOCK, -EACCES})},
	{28, WHO_OPENER, "mount", try_mount,
		STOPS(SIGSYS_SECCOMP, {WALL_LANDLOCK, -EPERM}, {WALL_CAPS, -EPERM})},
	{28, WHO_OPENER, "becoming another user", try_set_user, STOPS(SIGSYS_SECCOMP, {WALL_CAPS, -EPERM})},
	{28, WHO_OPENER, "a child with a user namespace", try_clone_user, ONLY_SECCOMP, .end = ANY},
	{28, WHO_OPENER, "unshare: a user namespace", try_unshare, ONLY_SECCOMP, .end = ANY},
	{28, WHO_OPENER, "mmap writable and executable", try_mmap_exec, WALLS_OF_CODE},
	{28, WHO_OPENER, "mprotect of data to executable", try_mprotect_exec, WALLS_OF_CODE},
	{28, WHO_OPENER, "KVM_CREATE_VM on every descriptor", try_create_vm, NO_SUCH_FD},
	{28, WHO_OPENER, "VFIO_IOMMU_MAP_DMA on every descriptor", try_map_dma, NO_SUCH_FD},
	{28, WHO_OPENER, "IOMMU_IOAS_MAP on every descriptor", try_ioas_map, NO_SUCH_FD},
	{28, WHO_OPENER, "TCP to the host", try_tcp, STOPS(SIGSYS_SECCOMP, {WALL_LANDLOCK, -EACCES})},
	{28, WHO_OPENER, "an abstract Unix socket", try_unix_abstract, STOPS(SIGSYS_SECCOMP, {WALL_SCOPES, -EPERM})},
	{28, WHO_OPENER, "a Unix socket by its path", try_unix_path,
		STOPS(SIGSYS_SECCOMP, {WALL_LANDLOCK_UNIX, -EACCES})},
	{28, WHO_OPENER, "kill of the core", try_kill, STOPS(SIGSYS_SECCOMP, {WALL_SCOPES, -EPERM})},
	{28, WHO_OPENER, "kill of a process of the host", try_kill_host,
		STOPS(SIGSYS_SECCOMP, {WALL_SCOPES, -EPERM})},
	{28, WHO_OPENER, "ptrace of the core", try_trace_core, STOPS(SIGSYS_SECCOMP, {WALL_LANDLOCK, -EPERM})},
	{28, WHO_OPENER, "process_vm_readv of the core", try_read_core,
		STOPS(SIGSYS_SECCOMP, {WALL_LANDLOCK, -EPERM}), .built_in = true},
	{28, WHO_OPENER, "io_uring_setup", try_io_uring, ONLY_SECCOMP, .end = ANY},
	{28, WHO_OPENER, "userfaultfd", try_userfaultfd, ONLY_SECCOMP, .end = ANY},
	{28, WHO_OPENER, "bpf: load a program", try_bpf, ONLY_SECCOMP, .end = ANY},
	{28, WHO_OPENER, "keyctl", try_keyctl, ONLY_SECCOMP, .end = ANY},
	{28, WHO_OPENER, "the launcher's own word", word_launchers, CUT_BY_LAUNCHER},
};
const unsigned n_attempts = sizeof(attempts) / sizeof(attempts[0]);
