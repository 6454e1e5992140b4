/* SPDX-License-Identifier: Apache-2.0
 *
 * The broker: one a VM that has a device. It claims devices, maps guest RAM for them, keeps the VM's
 * DMA authority and a duplicate of every device descriptor, and gives them back.
 *
 * Broker process, one thread. It can open nothing and start nothing: what is open comes from the
 * opener, helpers' channel ends from the launcher. It never sees a byte a guest or a device wrote: the
 * core tells it numbers, a helper's log lines are filtered and passed on.
 */
#pragma once

#include <linux/vfio.h>
#include <stdbool.h>
#include <stdint.h>

#include "ipc/chan.h"
#include "ipc/config.h"
#include "ipc/describe.h"
#include "ipc/log.h"
#include "ipc/token.h"
#include "ipc/words.h"
#include "seccomp/birth.h"

/* Descriptors from the launcher, besides birth.h's. */
enum { BROKER_FD_ASK = 3, BROKER_FD_EVENT = 4 };

/* Where inotify descriptors are, above all others of thirty devices: the only ones the sealed policy lets be
 * read, as there are fewer than 32. */
enum { NODES_FLOOR = 160 };

enum { RAM_REGIONS_MAX = 8, NAME_MAX_BYTES = 64, BAR_MAPS_MAX = PCI_BARS * REGION_RANGES };

/* A piece of a BAR that the VM's devices reach by DMA. */
struct bar_map {
	uint64_t gpa, size;
};

/* A slot of the VM's. Told of by the opener, dealt the helper's channels by the launcher, attached when
 * the core asks. */
struct device {
	uint32_t generation;           /* which of those that had the slot; 0: none yet */
	bool told, attached;
	bool lives;                    /* its helper */
	enum word_kind kind;
	char name[NAME_MAX_BYTES];     /* 0000:00:03.0, vhost-vdpa-0, or its id */
	unsigned num_queues, silence_s; /* vdpa; as in Open */
	struct vf_token token;         /* vfio; until it is open */
	int group;                     /* index in broker.groups, -1: none */
	bool bound;                    /* node is its cdev */
	struct fd node;                /* vDPA node or VFIO cdev: open, until the helper has it;
	                                * then it is in store */
	struct fd watch;               /* inotify: its node goes */
	struct fd log, store;          /* store: the device descriptor, so it outlives the helper */
	int64_t release_until;         /* now_ms() by which its helper has to be gone; 0: it is not
	                                * being given back */
	bool held;                     /* by then it was not; the core has been told */
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

struct broker {
	enum seccomp_mode mode;
	struct chan orders, core, events; /* the opener's, the core's */
	unsigned n_groups, n_ram;
	struct device devices[VM_SLOTS];
	struct group groups[VM_SLOTS];
	struct ram_region ram[RAM_REGIONS_MAX];
	struct fd memfd;
	struct fd container;       /* type1, or */
	struct fd iommufd;         /* devices by their cdevs, in the address space `ioas` */
	uint32_t ioas;
	bool by_address;           /* iommufd: this kernel maps no memory by file */
	bool started, mapped;
};

/* tell.c: what opener and launcher say. */
int on_opener(struct broker *broker, struct err *err);
int on_launcher(struct broker *broker, struct err *err);

/* ask.c: what the core asks and says. 0 or -errno: it broke a rule, or is gone (-EPIPE). */
int on_core(struct broker *broker, struct err *err);

/* device.c. Is it the slot's device now? NULL: no. */
struct device *device_at(struct broker *broker, uint32_t slot, uint32_t generation);
/* It is not to be had: `what` was refused with code. Always negative. */
int device_refused(const struct device *device, int code, const char *what, struct err *err);

/* dma.c: the VM's DMA authority, by iommufd or a type1 container. Takes the device into the VM's address
 * space; maps guest RAM at the first one. */
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
int type1_attach(struct broker *broker, const struct device *device, struct err *err);
int type1_check_ranges(struct broker *broker, struct err *err);
int type1_map(struct broker *broker, const struct ram_region *ram);
/* What is mapped here at `at`, and a mapping of either kind taken away. */
int type1_map_at(const struct broker *broker, void *at, uint64_t gpa, uint64_t size);
void type1_unmap(const struct broker *broker, uint64_t gpa, uint64_t size);
void type1_release(struct broker *broker);
int iommufd_attach(struct broker *broker, const struct device *device, struct err *err);
int iommufd_check_ranges(struct broker *broker, struct err *err);
int iommufd_map(struct broker *broker, const struct ram_region *ram);
void iommufd_let_go(const struct device *device);

/* bar_dma.c: a piece of a device's BAR put where the VM's devices find it, and, before the device's
 * stored descriptor is closed, taken away again. */
int bar_dma_map(struct broker *broker, struct device *device, const Bulkhead__MapBar *ask,
	struct err *err);
void bar_dma_unmap(const struct broker *broker, struct device *device);

/* release.c: devices go back to the host. One, while the VM runs: it is closed when its helper has
 * ended, and the core is told; in so many ms, -1 never, release_tick has something to do. */
void release_device(struct broker *broker, struct device *device);
void release_helper_ended(struct broker *broker, struct device *device);
int release_left_ms(const struct broker *broker);
void release_tick(struct broker *broker);
/* All of them, and the DMA authority: the end. */
void release_all(struct broker *broker);

/* nodes.c: is a vDPA node still there? When its watch is readable. */
void node_changed(struct broker *broker, struct device *device);

/* relay.c: passes on every log line that is there. */
void relay_lines(struct device *device);
