/* SPDX-License-Identifier: Apache-2.0
 *
 * The broker: one a VM. It checks and opens what the operator named, starts a helper for each
 * device, keeps the VM's DMA authority and a duplicate of every device descriptor, and cleans up.
 *
 * Broker process, one thread. It never sees a byte a guest or a device wrote: the core tells it
 * numbers, a helper's log lines are filtered and passed on.
 */
#pragma once

#include <linux/vfio.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "helpers/host/host.h"
#include "ipc/chan.h"
#include "ipc/describe.h"
#include "ipc/log.h"
#include "ipc/token.h"
#include "seccomp/policy.h"

/* Its number, should there be a vDPA device (nodes.c). */
enum { BROKER_FD_NODES = 3 };

enum { DEVICES_MAX = 30, RAM_REGIONS_MAX = 8, NAME_MAX_BYTES = 64,
	BAR_MAPS_MAX = PCI_BARS * REGION_RANGES };

/* A piece of a BAR that the VM's devices reach by DMA. */
struct bar_map {
	uint64_t gpa, size;
};

struct device {
	const char *kind, *path, *id;  /* from the command line; path is NULL for null */
	unsigned num_queues;           /* vdpa; 0: the device's own number */
	unsigned silence_s;            /* vdpa; as in Open */
	struct vf_token token;         /* vfio; of Attach, until it is open */
	char name[NAME_MAX_BYTES];     /* 0000:00:03.0, vhost-vdpa-0, or the id */
	int group;                     /* index in broker.groups, -1: none */
	char cdev[WORD];               /* its node below /dev/vfio/devices, or empty */
	struct fd node;                /* vdpa node or VFIO cdev: open, until the helper has it;
	                                * then it is in store */
	uint64_t memlock;              /* what its helper may lock, bytes */
	struct fd cgroup;              /* cgroup.procs of its helper's leaf, until Seal */
	pid_t pid;                     /* its helper, 0: none */
	struct fd pidfd, log, store;   /* store: the device descriptor, so it outlives the helper */
	int64_t release_until;         /* now_ms() by which its helper has to be gone; 0: it is not
	                                * being given back */
	int watch;                     /* of its node, 0 or less: none */
	unsigned n_bar_maps;           /* while the store is open */
	struct bar_map bar_maps[BAR_MAPS_MAX];
	struct chan chan;
	struct log_budget lines;
};

/* An IOMMU group. */
struct group {
	int number;
	struct fd fd; /* type1 only */
	bool claimed; /* in the container */
};

struct ram_region {
	uint64_t gpa, size, offset;
};

/* --platform iommufd= */
enum iommufd_mode { IOMMUFD_AUTO, IOMMUFD_ON, IOMMUFD_OFF };

struct broker {
	pid_t parent;                  /* the core */
	const char *cgroup;            /* the VM's; NULL: none */
	bool has_user;
	unsigned uid, gid;             /* whom we become once the devices are open */
	enum log_level level;
	enum seccomp_mode mode;
	enum iommufd_mode want_iommufd;
	struct fd root;                /* the host's, to look at it; until Seal */
	struct chan core, events;
	unsigned n_devices, n_groups, n_ram;
	struct device devices[DEVICES_MAX];
	struct group groups[DEVICES_MAX];
	struct ram_region ram[RAM_REGIONS_MAX];
	struct fd memfd;
	struct fd container;       /* type1, or */
	struct fd iommufd;         /* devices by their cdevs, in the address space `ioas` */
	struct fd nodes;           /* inotify: vDPA nodes that go */
	uint32_t ioas;
	bool by_address;           /* iommufd: this kernel maps no memory by file */
	bool started, mapped, sealed;
};

/* args.c: the command line. 0 or -EINVAL. */
int args_parse(int argc, char **argv, struct broker *broker);

/* check.c: is every device there, ours to take, and free? Fills name, group and cdev, opens vDPA
 * nodes, changes nothing on the host. */
int check_devices(struct broker *broker, struct err *err);

/* explain.c: the device is not to be had: what stands in the way, by the ways in `how` (TAKE_), or
 * else what the kernel said (code, of the call or node `what`). Always negative. */
int explain(const struct broker *broker, const struct device *device, unsigned how, int code,
	const char *what, struct err *err);
/* The ways that --platform iommufd= leaves. */
unsigned take_ways(const struct broker *broker);

/* dma.c: the VM's DMA authority, by iommufd or a type1 container. */
/* Chooses the way and opens what it takes, nodes of the devices included; changes nothing. */
int dma_open(struct broker *broker, struct err *err);
/* Takes the device into the VM's address space; maps guest RAM at the first one. */
int dma_attach(struct broker *broker, const struct device *device, struct err *err);
/* Ends the DMA of a device whose stored descriptor is about to be closed and whose helper is gone. */
void dma_let_go(const struct broker *broker, const struct device *device);
/* The devices are closed: everything goes. */
void dma_release(struct broker *broker);

/* ram.c: guest RAM. */
uint64_t ram_total(const struct broker *broker);
/* All of it inside the ranges (start, end inclusive) the IOMMU can translate? */
int ram_check_ranges(const struct broker *broker, const struct vfio_iova_range *ranges,
	unsigned n_ranges, struct err *err);
/* A piece of it mapped here, for the moment of a request that takes an address; its pages are
 * faulted in. NULL and errno when it cannot be; unmapped by munmap. */
void *ram_map_here(const struct broker *broker, const struct ram_region *ram);
/* May as much be locked as DMA needs? Raises the soft limit. */
int ram_allow_lock(const struct broker *broker, struct err *err);
/* Why a piece could not be mapped for DMA. Always negative. */
int ram_cannot_map(const struct broker *broker, const struct ram_region *ram, int code,
	struct err *err);

/* type1.c and iommufd.c: the two ways. _attach: the device, or its group, claimed; _map: a piece
 * of guest RAM at iova = gpa, 0 or -errno. */
int type1_open(struct broker *broker, struct err *err);
int type1_attach(struct broker *broker, const struct device *device, struct err *err);
int type1_check_ranges(struct broker *broker, struct err *err);
int type1_map(struct broker *broker, const struct ram_region *ram);
/* What is mapped here at `at`, and a mapping of either kind taken away. */
int type1_map_at(const struct broker *broker, void *at, uint64_t gpa, uint64_t size);
void type1_unmap(const struct broker *broker, uint64_t gpa, uint64_t size);
void type1_release(struct broker *broker);
int iommufd_open(struct broker *broker, struct err *err);
int iommufd_attach(struct broker *broker, const struct device *device, struct err *err);
int iommufd_check_ranges(struct broker *broker, struct err *err);
int iommufd_map(struct broker *broker, const struct ram_region *ram);
void iommufd_let_go(const struct device *device);

/* bar_dma.c: a piece of a device's BAR put where the VM's devices find it, and, before the device's
 * stored descriptor is closed, taken away again. */
int bar_dma_map(struct broker *broker, struct device *device, const Bulkhead__MapBar *ask,
	struct err *err);
void bar_dma_unmap(const struct broker *broker, struct device *device);

/* vdpa.c: a vhost-vdpa node. Is it there, and one? Fills name. And: is it free? Opens it. */
int vdpa_check(const struct broker *broker, struct device *device, struct err *err);
int vdpa_open(const struct broker *broker, struct device *device, struct err *err);

/* spawn.c: joins our own leaf of the VM's cgroup and opens the helpers', for as long as there are
 * rights to. */
int cgroup_init(struct broker *broker, struct err *err);
/* Starts the helper of a device; the core's ends of its channels in ret_ask, ret_event. */
int spawn_helper(const struct broker *broker, struct device *device, struct fd *ret_ask,
	struct fd *ret_event, struct err *err);
/* The pidfd is readable within timeout_ms: reaps the helper and says how it ended. 0, -ETIMEDOUT. */
int helper_reap(struct device *device, int timeout_ms, char *ret_cause, size_t size);
/* The helper, should it still run, ends. */
void helper_kill(const struct device *device);

/* release.c: devices go back to the host. One, while the VM runs: it is closed when its helper has
 * ended, and the core is told; in so many ms, -1 never, release_tick has something to do. */
void release_device(struct broker *broker, unsigned index);
void release_helper_ended(struct broker *broker, unsigned index);
int release_left_ms(const struct broker *broker);
void release_tick(struct broker *broker);
/* All of them, and the DMA authority: the end. */
void release_all(struct broker *broker);

/* nodes.c: is a vDPA node still there? Before any other descriptor; at set-up; when it is readable. */
void nodes_open(struct broker *broker);
void nodes_watch(const struct broker *broker, struct device *device);
void nodes_changed(struct broker *broker);

/* relay.c: passes on every log line that is there. */
void relay_lines(struct device *device);
