/* SPDX-License-Identifier: Apache-2.0
 *
 * The opener: whoever knows paths opens them, and hands what is open to core and broker with numbers, and
 * what to call it in the log. It keeps the VM's configuration and its life.
 *
 * Opener process, one thread; and a child of it for each request of the API's that opens something.
 * What argv names is opened with the operator's rights; then it becomes the VM's user behind walls of
 * its own (walls.c). It never hears core or broker, has no RAM, starts nothing (the launcher does), and
 * keeps no descriptor longer than it takes to hand it over.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "helpers/host/host.h"
#include "helpers/opts/opts.h"
#include "ipc/chan.h"
#include "seccomp/birth.h"

enum { NAME_MAX_BYTES = 64, GROUPS_MAX = VM_SLOTS, NOTES_MAX = 256 * 1024 };

/* Descriptors from the launcher, besides birth.h's: what the user gave it. */
enum { OPEN_FD_STDIN = 3, OPEN_FD_STDOUT = 4 };

/* A device of the configuration: its slot while the VM lives, and, while it is opened, what comes of
 * that. */
struct wanted {
	struct device_opt *opt;
	unsigned slot;
	uint32_t generation;       /* of the slot; 0: it has none */
	bool removing;             /* it leaves, and is not there at the next boot */
	struct fd given;           /* its descriptor, from a client; -1: it has a path */
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
	bool handed;  /* the broker has it */
};

/* A terminal of its own for the guest: its master is the core's. */
struct pty {
	struct fd master, slave;
	char name[32]; /* /dev/pts/3, or empty: there is none */
};

struct files {
	struct fd kvm, kernel, initramfs;
	struct fd serial_out; /* a file, a terminal, or a non-blocking view of standard output */
	struct fd serial_in;
};

/* What may be named at API time: a folder, or a file in one; both pinned when we started. */
struct allowed {
	enum allow_kind kind;
	char path[PATH_MAX]; /* without a slash at its end */
	struct fd dir;       /* O_PATH: it, or what it is in */
	const char *file;    /* its name there; NULL: the folder's files are allowed */
};

enum { ALLOWED_MAX = ALLOW_MAX + 8 + 2 * VM_SLOTS };

struct opening {
	struct opts argv;    /* as the operator said; its limits hold for the API */
	struct opts opts;    /* the VM's configuration now; its strings are copies */
	bool walled;         /* API time: names are looked up among what is allowed */
	struct fd root;      /* the host's, to look at it */
	struct fd kvm;       /* /dev/kvm, for every life: the VM's user may not open it */
	unsigned n_allowed;
	struct allowed allowed[ALLOWED_MAX];

	struct files files;
	struct fd out;       /* standard output, for every life: OPEN_FD_STDOUT, or none */
	unsigned n_devices, n_groups;
	struct wanted devices[VM_SLOTS]; /* of opts.devices, in its order */
	struct iommu_group groups[GROUPS_MAX];
	enum way way;        /* of the life's VFIO devices */
	struct fd iommufd, container; /* one of them, until the broker has it */
	struct chan core, broker;
	struct pty serial, console;
};

/* allow.c. Pins what argv allows, and what it names itself. */
int allow_pin(struct opening *opening, struct err *err);
/* Opens what a configuration names: at API time only what is allowed by that kind, a regular file, and
 * nothing on the way that leads elsewhere. The descriptor, or -errno. flags: of open(2). */
int name_open(const struct opening *opening, enum allow_kind kind, const char *path, int flags,
	struct err *err);
/* May this device be named? */
int name_allows(const struct opening *opening, const char *path, struct err *err);

/* files.c: everything but devices. A failure says what was to be opened, why that failed and what to
 * do. */
int files_open(struct opening *opening, struct err *err);
int kvm_open(struct fd *ret, struct err *err);
/* Standard output as the core gets it, once, before there are walls. */
int out_open(struct opening *opening, struct err *err);

/* pty.c: raw, as the guest's end is. */
int pty_open(struct pty *ret, struct err *err);
void pty_close(struct pty *pty);

/* devices.c: are the devices from `first` on there, ours to take, and free? Fills the rest of `wanted`,
 * opens vDPA nodes and ROMs; changes nothing on the host but what opening a node does. */
int check_devices(struct opening *opening, unsigned first, struct err *err);

/* ways.c: chooses iommufd or type1 for the VFIO devices, if that was not done, and opens what the
 * devices from `first` on take. */
int ways_open(struct opening *opening, unsigned first, struct err *err);
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
int tell_devices(struct opening *opening, unsigned first, struct err *err);
int tell_go(struct opening *opening, struct err *err);

/* machine.c: all there is to open for a life: what is no device, which core and broker need not be there
 * for; then devices, and both are told of everything. */
int open_machine(struct opening *opening, struct err *err);
int open_devices(struct opening *opening, struct err *err);
/* Forgets what a life has left behind. */
void opening_reset(struct opening *opening);

/* walls.c: the VM's user, no capability, Landlock, a policy. For good, before the API is listened to. */
int walls_up(struct opening *opening, const struct birth *birth, struct err *err);
