/* SPDX-License-Identifier: Apache-2.0
 *
 * The opener: whoever knows paths opens them, and hands what is open to core and broker with numbers, and
 * what to call it in the log.
 *
 * Opener process, one thread. It parses argv in full and opens what it names with the operator's
 * rights. It never hears core or broker, has no RAM, starts nothing (the launcher does), and keeps no
 * descriptor longer than it takes to hand it over.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "helpers/host/host.h"
#include "helpers/opts/opts.h"
#include "ipc/chan.h"

enum { NAME_MAX_BYTES = 64, GROUPS_MAX = VM_SLOTS };

/* Descriptors from the launcher, besides birth.h's: what the user gave it. */
enum { OPEN_FD_STDIN = 3, OPEN_FD_STDOUT = 4 };

/* A device of the configuration, looked at and opened. */
struct wanted {
	struct device_opt *opt;
	char name[NAME_MAX_BYTES]; /* 0000:00:03.0, vhost-vdpa-0, or the id */
	int group;                 /* its IOMMU group's index, -1: none */
	char cdev[WORD];           /* its node below /dev/vfio/devices, or empty */
	struct fd node;            /* vDPA node or VFIO cdev */
	struct fd watch;           /* inotify: the vDPA node goes */
	struct fd rom;             /* the file in place of its ROM */
	unsigned silence_s;        /* vDPA: as in Open */
};

struct iommu_group {
	int number;
	struct fd fd; /* by type1 only, until the broker has it */
};

struct files {
	struct fd kvm, kernel, initramfs;
	struct fd serial_out; /* a file, or a non-blocking view of standard output */
	struct fd serial_in;
};

struct opening {
	struct opts opts;
	struct fd root;   /* the host's, to look at it */
	struct files files;
	unsigned n_devices, n_groups;
	struct wanted devices[VM_SLOTS];
	struct iommu_group groups[GROUPS_MAX];
	struct fd iommufd, container; /* one of them, if a device is VFIO's */
	struct chan core, broker;
	uint32_t generation; /* of the VM's life */
};

/* files.c: everything but devices. A failure says what was to be opened, why that failed and what to
 * do. */
int files_open(struct opening *opening, struct err *err);

/* devices.c: is every device there, ours to take, and free? Fills the rest of `wanted`, opens vDPA
 * nodes and ROMs; changes nothing on the host but what opening a node does. */
int check_devices(struct opening *opening, struct err *err);

/* ways.c: chooses iommufd or type1 for the VFIO devices and opens what that takes. */
int ways_open(struct opening *opening, struct err *err);
/* The ways that --platform iommufd= leaves (TAKE_). */
unsigned take_ways(const struct opening *opening);

/* explain.c: the device is not to be had: what stands in the way, by the ways in `how` (TAKE_), or
 * else what the kernel said (code, of the call or node `what`). Always negative. */
int explain(const struct opening *opening, const struct wanted *device, unsigned how, int code,
	const char *what, struct err *err);

/* vdpa.c: a vhost-vdpa node. Is it there, and one? Fills name. And: is it free? Opens it. */
int vdpa_check(const struct opening *opening, struct wanted *device, struct err *err);
int vdpa_open(const struct opening *opening, struct wanted *device, struct err *err);

/* tell.c: to core and broker. What is handed over is closed here. */
int tell_config(struct opening *opening, struct err *err);
int tell_devices(struct opening *opening, struct err *err);
int tell_go(struct opening *opening, struct err *err);
