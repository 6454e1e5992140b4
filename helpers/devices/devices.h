/* SPDX-License-Identifier: Apache-2.0
 *
 * bulkhead-devices: what of this host can be passed through, and giving it away and taking it back
 * (`bulkhead devices`, `bulkhead bind`, `bulkhead unbind`).
 *
 * A program of its own, one thread, run by the operator beside any VM. What may be taken, and what
 * stands in the way, is helpers/host's to say; here it is shown, and acted on. Every path is taken
 * from a descriptor of the root directory, so that the tests can give a tree of their own.
 */
#pragma once

#include "helpers/host/host.h"
#include "ipc/fd.h"

/* write.c: writes value in one write. 0, or -errno with the file and the cause in *err. */
int attr_write(int root, const char *value, struct err *err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* claim.c: the kernel's word on who uses a disk, and disks held so that nobody comes to. */
bool claim_refused(const struct host *host, const char *node);
enum { CLAIMS_MAX = 1024 };
struct claims {
	unsigned n;
	struct fd fds[CLAIMS_MAX];
};
/* All disks of the function. 0, or -errno with the reason in *err. */
int claims_take(struct claims *claims, int root, const struct function *f, struct err *err);
void claims_drop(struct claims *claims);

/* record.c: what a function was like before the first bind, kept until unbind or the next boot. */
struct record {
	char driver[WORD], override[WORD]; /* empty: none */
};
/* Nobody else binds or unbinds while it is held; waits some seconds for who does. */
int record_lock(int root, struct fd *ret, struct err *err);
/* 1: there is one already, which stays. */
int record_write(int root, const char *bdf, const struct record *record, struct err *err);
/* -ENOENT: it was not bulkhead that bound it. */
int record_read(int root, const char *bdf, struct record *ret, struct err *err);
void record_remove(int root, const char *bdf);

/* driver.c: drivers on and off, by driver_override. */
/* What it is like now. */
void driver_state(int root, const char *bdf, struct record *ret);
/* Loads the module, unless it is there, and names its driver. */
int driver_load(int root, const char *module, char ret[static WORD], struct err *err);
/* To that driver, whatever has it now; blocks while a process has the device open by VFIO. */
int driver_give(int root, const char *bdf, const char *driver, struct err *err);
int driver_put_back(int root, const char *bdf, const struct record *record, struct err *err);
/* The kernel chooses. */
int driver_free(int root, const char *bdf, struct err *err);

/* bind.c. Everything is checked before anything is changed; what was changed before a failure is
 * undone. Prints a line a function. 0, or -errno with the reason in *err. */
int bind_functions(int root, char *const *names, int n, bool force, struct err *err);
int unbind_functions(int root, char *const *names, int n, struct err *err);

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
