/* SPDX-License-Identifier: Apache-2.0
 *
 * bulkhead-devices: what of this host can be passed through, and giving it away and taking it back
 * (`bulkhead devices`, `bulkhead bind`, `bulkhead unbind`).
 *
 * A program of its own, one thread, run by the operator beside any VM. Every path below is taken
 * from a descriptor of the root directory, so that the tests can give a tree of their own.
 */
#pragma once

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ipc/err.h"

#define SYS_PCI "sys/bus/pci/devices"

enum {
	WORD = 64,      /* a driver, a device, an IOMMU: bytes with the final 0 */
	BARS = 7,       /* six, and the expansion ROM */
	OBSTACLES = 8,
	MSIX_UNSEEN = -1,
};

/* sysfs.c. Paths are printf formats, relative to root. */
/* An attribute's text without its newline. Its length or -errno. */
int attr_read(int root, char *ret, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Writes value in one write. 0, or -errno with the file and the cause in *err. */
int attr_write(int root, const char *value, struct err *err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Where a symbolic link points. 0 or -errno. */
int link_read(int root, char *ret, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* The last component of that. 0, or -errno with ret empty. */
int link_name(int root, char *ret, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
bool is_there(int root, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A folder's names in order, without the dotted ones; names_free gives them back. None: 0. */
int names_of(int root, struct dirent ***ret, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void names_free(struct dirent **names, int n);

struct bar {
	uint64_t size; /* bytes, 0: not there */
	bool io, wide, prefetch;
};

struct function {
	char name[16]; /* 0000:00:03.0 */
	char driver[WORD], iommu[WORD], reset[128]; /* empty: none */
	unsigned vendor, device, class; /* class: 0xBBSSPP */
	uint8_t header;                 /* header type, without the multi-function bit */
	int group;                      /* -1: behind no IOMMU */
	int vectors;                    /* MSI-X table size, 0: no MSI-X, or MSIX_UNSEEN */
	struct bar bars[BARS];
};

/* pci.c */
/* Writes DDDD:BB:DD.F for that or BB:DD.F. 0 or -EINVAL. */
int pci_name(const char *text, char ret[static 16]);
/* 0, or -errno with the reason in *err. */
int pci_read(int root, const char *name, struct function *ret, struct err *err);
/* Bridges of any kind stay with the host (PCI class 06). */
bool pci_is_bridge(const struct function *f);

struct vdpa_device {
	char name[WORD], driver[WORD], node[WORD], parent[WORD]; /* node: vhost-vdpa-0, or empty */
};

/* vdpa.c */
int vdpa_read(int root, const char *name, struct vdpa_device *ret);

/* What stands in the way of passing a device through, and the command that removes it. */
struct obstacle {
	char what[400], command[512]; /* command: empty when there is none to give */
};
struct verdict {
	unsigned n; /* 0: ready */
	struct obstacle obstacles[OBSTACLES];
};

/* ready.c */
void ready_pci(int root, const struct function *f, struct verdict *ret);
void ready_vdpa(int root, const struct vdpa_device *device, struct verdict *ret);
/* The group's other endpoints whose driver is the host's, as «A B» and as «A (driver), …», each of
 * size bytes. How many. */
unsigned group_in_the_way(int root, const struct function *f, char *ret_names, char *ret_drivers,
	size_t size);

/* disk.c: does the host use a block device of this function? Says how in ret. */
bool disk_in_use(int root, const char *bdf, char *ret, size_t size);
/* users.c: does the default route leave by a network interface of this function? */
bool route_in_use(int root, const char *bdf, char *ret, size_t size);
/* The process that has the device node open, 0 when none that may be seen does. */
pid_t node_user(int root, const char *node, char *ret_comm, size_t size);
/* The same for the group's and the function's own node under /dev/vfio. */
pid_t vfio_user(int root, const struct function *f, char *ret_comm, size_t size);

/* bind.c. Everything is checked before anything is changed; what was changed before a failure is
 * undone. Prints a line a function. 0, or -errno with the reason in *err. */
int bind_functions(int root, char *const *names, int n, bool force, struct err *err);
int unbind_functions(int root, char *const *names, int n, struct err *err);

/* record.c: what a function was like before bind, kept until unbind or the next boot. */
struct record {
	char driver[WORD], override[WORD]; /* empty: none */
};
int record_write(int root, const char *bdf, const struct record *record, struct err *err);
/* -ENOENT: it was not bulkhead that bound it. */
int record_read(int root, const char *bdf, struct record *ret, struct err *err);
void record_remove(int root, const char *bdf);

/* names.c: «Vendor Device» by pci.ids, read at the first call; else the two numbers. */
const char *pci_names(unsigned vendor, unsigned device);

/* text.c, json.c */
void text_pci(const struct function *f, const char *name, const char *members,
	const struct verdict *verdict);
void text_vdpa(const struct vdpa_device *device, const struct verdict *verdict);
void json_begin(void);
void json_pci(const struct function *f, const char *name, const char *members,
	const struct verdict *verdict);
void json_vdpa_begin(void);
void json_vdpa(const struct vdpa_device *device, const struct verdict *verdict);
void json_end(void);
