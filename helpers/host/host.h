/* SPDX-License-Identifier: Apache-2.0
 *
 * «May this device be taken?»: what a device of the host is, and what stands between it and a
 * guest, each with what to do about it. For whoever starts a VM with it, lists it, or takes it from
 * its driver (the opener; bulkhead-devices).
 *
 * It looks at sysfs, procfs and nodes below a root that the caller gives. It opens no device and
 * changes nothing, so the answer is of the moment it was given in.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "helpers/host/address.h"
#include "helpers/host/files.h"
#include "ipc/err.h"

#define SYS_PCI "sys/bus/pci/devices"
#define SYS_VDPA "sys/bus/vdpa/devices"
#define SYS_GROUPS "sys/kernel/iommu_groups"

enum {
	BARS = 7, /* six, and the expansion ROM */
	OBSTACLES = 16,
	MSIX_UNSEEN = -1,
	HEADER_NO_ANSWER = 0x7f, /* all ones, as who is not there reads (PCIe 2.3.2) */
};

/* open.c: a device node that a process has open. */
struct opener {
	pid_t pid;
	bool block;
	char number[24]; /* MAJOR:MINOR */
	char *at;        /* where /sys/dev/char or /sys/dev/block leads to; "": nowhere */
};

struct host {
	int root;
	/* Does the kernel refuse the block device at this path to who wants it for himself? Only
	 * opening it tells, which is the caller's to do; NULL: nobody asks. */
	bool (*claimed)(const struct host *host, const char *node);
	/* Processes that stand in nobody's way, as they work for the caller. */
	const pid_t *ours;
	unsigned n_ours;
	bool looked; /* at who has what open: once for all questions */
	unsigned n_openers;
	struct opener *openers;
};

struct host host_at(int root);
void host_close(struct host *host);

/* ---- what it is */

struct bar {
	uint64_t size; /* bytes, 0: not there */
	bool io, wide, prefetch;
};

struct function {
	char name[PCI_ADDRESS];
	char driver[WORD], iommu[WORD], reset[128]; /* empty: none */
	char cdev[WORD];                /* its node below /dev/vfio/devices, or empty */
	bool vfio;                      /* a driver of VFIO's has it, by whatever name */
	unsigned vendor, device, class; /* class: 0xBBSSPP */
	uint8_t header;                 /* header type, without the multi-function bit */
	int group;                      /* -1: behind no IOMMU */
	int vectors;                    /* MSI-X table size, 0: no MSI-X, or MSIX_UNSEEN */
	struct bar bars[BARS];
};

/* pci.c. name: as pci_address_parse takes it. 0, or -errno with the reason in *err. */
int pci_read(int root, const char *name, struct function *ret, struct err *err);
/* Bridges, by their header, and host and ISA bridges, which have none of their own. */
bool pci_stays(const struct function *f);
/* The group's other members, with blanks between them. */
void pci_group_with(int root, const struct function *f, char *ret, size_t size);

/* disk.c. Every whole disk of the function, by its name and MAJOR:MINOR, until `each` says true.
 * That. */
bool pci_each_disk(int root, const struct function *f,
	bool (*each)(void *arg, const char *disk, const char *number), void *arg);

struct vdpa_device {
	char name[WORD], driver[WORD], node[WORD], parent[WORD]; /* node: vhost-vdpa-0, or empty */
};

/* vdpa.c. 0 or -errno. By a node's numbers: -EINVAL, it is no vhost-vdpa device. */
int vdpa_read(int root, const char *name, struct vdpa_device *ret);
int vdpa_of_node(int root, const struct stat *node, struct vdpa_device *ret);

/* alias.c: the module of the VFIO driver that fits the function best, by the modules of the kernel
 * that runs. */
void vfio_module_for(int root, const struct function *f, char ret[static WORD]);

/* ---- what stands in the way */

enum obstacle_kind {
	OBSTACLE_STAYS,       /* a bridge: no guest gets it */
	OBSTACLE_NO_ANSWER,   /* its config space reads as ones */
	OBSTACLE_NO_IOMMU,
	OBSTACLE_NO_REMAPPING,
	OBSTACLE_RESERVED,    /* firmware wants its memory mapped for the device */
	OBSTACLE_FUNCTIONS,   /* virtual functions, which would go with its driver */
	OBSTACLE_DISK,        /* the host uses a disk of it */
	OBSTACLE_NETWORK,     /* or a network interface */
	OBSTACLE_CONSOLE,     /* or its console is on it */
	OBSTACLE_OPEN,        /* or a process has a node of it open */
	OBSTACLE_DRIVER,      /* a driver of the host's has it, or none, and nobody uses it */
	OBSTACLE_GROUP,       /* the same of others of its IOMMU group */
	OBSTACLE_FRAMEBUFFER, /* the boot framebuffer holds one of its BARs */
	OBSTACLE_USED,        /* a VM has it */
	OBSTACLE_NO_NODE,
	OBSTACLE_NO_RIGHT,    /* to open its node */
};

enum advice {
	ADVICE_COMMAND, /* next: what to run as root, then look again */
	ADVICE_SETTING, /* next: what to change in the host's firmware or boot */
	ADVICE_NONE,    /* next: why there is no way, or who has to let go first */
};

struct obstacle {
	enum obstacle_kind kind;
	char of[WORD];               /* the device it is about; of its group perhaps */
	char thing[192], how[200];   /* what stands there, and in what manner */
	enum advice advice;
	char next[400];
};

enum way { WAY_NONE, WAY_IOMMUFD, WAY_TYPE1, WAY_VDPA };

struct verdict {
	enum way way; /* how a start would get at it, as far as nodes were looked at */
	unsigned n;   /* 0: ready */
	struct obstacle obstacles[OBSTACLES];
};

/* What is asked: by which ways, and whether nodes are there, may be opened and are free. */
enum { TAKE_IOMMUFD = 1, TAKE_TYPE1 = 2, TAKE_NODES = 4, TAKE_ALL = 7 };

/* take.c. In the order in which things are to be removed. */
void take_pci(struct host *host, const struct function *f, unsigned how, struct verdict *ret);
void take_vdpa(struct host *host, const struct vdpa_device *device, struct verdict *ret);
/* Less: what taking it from its driver would do to the host. */
void take_from_host(struct host *host, const struct function *f, struct verdict *ret);
/* And of that, added to *ret: its virtual functions, which go with its driver, whoever has them. */
void take_functions(struct host *host, const struct function *f, struct verdict *ret);
/* way.c: the process that has the function, or another of its group, by VFIO? */
bool take_used(struct host *host, const struct function *f, struct obstacle *ret);

/* obstacle.c: the words for people. */
/* What stands in the way, as part of a sentence about `name`. */
void obstacle_what(const struct obstacle *o, const char *name, char *ret, size_t size);
/* A refused start: «NAME: what; what to do»; and a refused bind: «NAME stays with the host: …», with
 * the way past it where there is one. Return code. */
int obstacle_refuse(const struct obstacle *o, const char *name, int code, struct err *err);
int obstacle_keep(const struct obstacle *o, const char *name, bool force, int code, struct err *err);
/* open.c: the path of a block or character device, below /dev. */
void node_name(int root, bool block, const char *number, char *ret, size_t size);

const char *obstacle_word(enum obstacle_kind kind);
const char *advice_word(enum advice advice);
const char *way_word(enum way way);
