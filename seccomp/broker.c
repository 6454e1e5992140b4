/* SPDX-License-Identifier: Apache-2.0
 *
 * What the broker may call once it is sealed, and before.
 *
 * The set-up policy is inherited by the helpers it starts, so it also holds what their start
 * (dynamic linker, confine_process) needs; each of them then narrows it down for itself.
 */
#include <fcntl.h>
#include <linux/vfio.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "seccomp/iommufd.h"
#include "seccomp/rows.h"
#include "seccomp/vdpa.h"

#define ROWS_RUN                                                                                   \
	ROWS_WIRE, ROW_LOG, ALLOW_IF(waitid, 0, P_PIDFD, "helper_reap: how a helper ended"),                \
		ALLOW_IF(pidfd_send_signal, 1, SIGKILL, "helper_kill"),                            \
		ALLOW(alarm, "close_store: a device that does not close"),                         \
		ALLOW_IF(read, 0, 3 /* BROKER_FD_NODES */, "nodes_changed"),                       \
		ALLOW(fstat, "nodes_changed: is a node gone?"),                                    \
		ALLOW_IOCTL(VFIO_IOMMU_UNMAP_DMA, "type1_release"),                                \
		ALLOW_IOCTL(VFIO_GROUP_UNSET_CONTAINER, "type1_release"),                          \
		ALLOW_IOCTL(VFIO_DEVICE_DETACH_IOMMUFD_PT, "iommufd_let_go")

/* What a new program's start takes: dynamic linker, C library. */
#define ROWS_EXEC                                                                                  \
	ALLOW(execve, "become_helper"), ALLOW(mmap, "dynamic linker"),                             \
		ALLOW(mprotect, "dynamic linker: relro"), ALLOW(munmap, "dynamic linker, free"),   \
		ALLOW(brk, "malloc"), ALLOW(mremap, "realloc"),                                    \
		ALLOW(openat, "libraries, sysfs, /proc, /dev/vfio"), ALLOW(read, "libraries, sysfs"), \
		ALLOW(pread64, "libraries, config space"), ALLOW(newfstatat, "libraries, stat"),   \
		ALLOW(access, "dynamic linker: ld.so.preload"),                                    \
		ALLOW(arch_prctl, "C library start: thread pointer"),                              \
		ALLOW(set_tid_address, "C library start"),                                         \
		ALLOW(set_robust_list, "C library start"), ALLOW(rseq, "C library start"),         \
		ALLOW(prlimit64, "C library start: stack limit; wall_limits, ram_allow_lock"),      \
		ALLOW(getrandom, "malloc's secret"), ALLOW(futex, "C library start: call_once")

/* seccomp/confine.c, ours and every helper's. */
#define ROWS_WALLS                                                                                 \
	ALLOW(unshare, "wall_namespaces"), ALLOW(mount, "wall_root"), ALLOW(chdir, "wall_root"),   \
		ALLOW(pivot_root, "wall_root"), ALLOW(umount2, "wall_root"),                       \
		ALLOW(capget, "wall_capabilities, ram_allow_lock"),                                 \
		ALLOW(capset, "wall_capabilities"), ALLOW(prctl, "most walls"),                    \
		ALLOW(getpid, "wall_capabilities"), ALLOW(gettid, "libcap-ng"),                    \
		ALLOW(getppid, "wall_parent"), ALLOW(geteuid, "confine_map_ids"),                  \
		ALLOW(getegid, "confine_map_ids"), ALLOW(seccomp, "policy_enter"),                 \
		ALLOW(landlock_create_ruleset, "wall_landlock"),                                   \
		ALLOW(landlock_restrict_self, "wall_landlock")

static const struct policy_row setup[] = {
	ROWS_RUN,
	ROWS_EXEC,
	ROWS_WALLS,
	ROW_REFUSE_FDS,
	ALLOW(setgroups, "confine_user"), ALLOW(setresgid, "confine_user"),
	ALLOW(setresuid, "confine_user"),
	ROW_KIND_RAM,
	ROW_KIND_ANON,
	ALLOW(readlink, "find_binary, realpath"),
	ALLOW(readlinkat, "link_read, link_name: sysfs from the host's root directory"),
	ALLOW(faccessat2, "node_may_open; realpath of a name with a slash at its end"),
	ALLOW_IF(statx, 2, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, "node_stat: who has a device open"),
	ALLOW(getdents64, "folder_of: members of a group, who has a device open"),
	ALLOW(inotify_add_watch, "nodes_watch"),
	ALLOW(socketpair, "frame_pair"),
	ALLOW(pipe2, "start: the error pipe"),
	ALLOW(clone, "start: a helper in namespaces of its own"),
	ALLOW(close_range, "place_fds"),
	ALLOW(dup2, "place_fds"),
	ALLOW(dup3, "place_fds"),
	ALLOW_IF(fcntl, 1, F_DUPFD_CLOEXEC, "place_fds; helpers: duplicates of the device"),
	ALLOW_IOCTL(VFIO_GET_API_VERSION, "type1_open"),
	ALLOW_IOCTL(VFIO_CHECK_EXTENSION, "type1_open"),
	ALLOW_IOCTL(VFIO_GROUP_GET_STATUS, "type1_attach"),
	ALLOW_IOCTL(VFIO_GROUP_SET_CONTAINER, "type1_attach"),
	ALLOW_IOCTL(VFIO_SET_IOMMU, "type1_attach"),
	ALLOW_IOCTL(VFIO_IOMMU_GET_INFO, "type1_check_ranges; helpers: VFIO_DEVICE_GET_PCI_HOT_RESET_INFO"),
	ALLOW_IF(madvise, 2, MADV_POPULATE_READ, "ram_map_here"),
	ALLOW_IOCTL(VFIO_IOMMU_MAP_DMA, "type1_map; helpers: VFIO_DEVICE_PCI_HOT_RESET"),
	ALLOW_IOCTL(IOMMU_IOAS_ALLOC, "iommufd_open"),
	ALLOW_IOCTL(VFIO_DEVICE_BIND_IOMMUFD, "iommufd_attach"),
	ALLOW_IOCTL(VFIO_DEVICE_ATTACH_IOMMUFD_PT, "iommufd_attach"),
	ALLOW_IOCTL(IOMMU_IOAS_IOVA_RANGES, "iommufd_check_ranges"),
	ALLOW_IOCTL(IOMMU_IOAS_MAP_FILE, "iommufd_map"),
	ALLOW_IOCTL(IOMMU_IOAS_MAP, "map_by_address, before Linux 6.13"),
	/* Inherited by the VFIO helper, which is sure to narrow it down. */
	ALLOW_IOCTL(VFIO_GROUP_GET_DEVICE_FD, "helper: open_device"),
	ALLOW_IOCTL(VFIO_DEVICE_GET_INFO, "helper: vfio_open"),
	ALLOW_IOCTL(VFIO_DEVICE_GET_REGION_INFO, "helper: regions_read"),
	ALLOW_IOCTL(VFIO_DEVICE_GET_IRQ_INFO, "helper: irq_setup"),
	ALLOW_IOCTL(VFIO_DEVICE_SET_IRQS, "helper: irq.c"),
	ALLOW_IOCTL(VFIO_DEVICE_RESET, "helper: reset.c by_itself"),
	ALLOW(pwrite64, "helper: config space, trapped BAR writes"),
	ALLOW_IF(eventfd2, 0, 0, "helpers: irq_setup, virtio_irq_init"),
	/* And by the vDPA helper. */
	ROWS_VDPA_RUN,
	ROWS_VDPA_SETUP,
};

static const struct policy_row run[] = {
	ROWS_RUN,
};

const struct policy policy_broker_setup = POLICY("broker", "setup", setup);
const struct policy policy_broker_run = POLICY("broker", "run", run);
