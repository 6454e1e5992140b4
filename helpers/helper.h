/* SPDX-License-Identifier: Apache-2.0
 *
 * The skeleton every helper stands on: inherit descriptors, confine, open, serve.
 *
 * Runs in a helper process, one thread. A helper is its struct helper_ops; helper_run does the
 * rest.
 */
#pragma once

#include "ipc/chan.h"
#include "ipc/describe.h"
#include "ipc/err.h"
#include "ipc/fd.h"
#include "ipc/token.h"
#include "seccomp/policy.h"

/* Descriptors from the launcher, besides birth.h's: the orders are the broker's, and the log is a
 * socket to it, one line a packet. */
enum helper_fd {
	HELPER_FD_ASK = 3,   /* asks from the core */
	HELPER_FD_EVENT = 4, /* events to the core */
};

enum { GUEST_RAM_MAX = 8, HELPER_EVENTS = 3 };

/* A piece of guest RAM: [gpa, gpa + size) is the memfd's [offset, offset + size). */
struct guest_ram {
	uint64_t gpa, size, offset;
};

/* What the broker hands over. The descriptors are taken by the helper that wants them; the
 * skeleton closes what is left. */
struct helper_open {
	const char *name;
	struct fd device; /* VFIO group or cdev, vhost-vdpa node, or nothing */
	bool bound;       /* device is the VFIO device's own, open and in its address space */
	struct vf_token token; /* VFIO, by group */
	struct fd memfd;  /* guest RAM, or nothing */
	unsigned n_ram, num_queues, silence_s; /* as in Open */
	struct guest_ram ram[GUEST_RAM_MAX]; /* page granular, no wrap; the memfd may be shorter */
};

/* All return 0 or -errno with *err filled. Arguments were checked against the description:
 * offsets, sizes and alignment lie inside config space or the BAR, vectors are below
 * msix.vectors. */
struct helper_ops {
	const char *kind; /* "vfio": binary bulkhead-vfio, policy rows and log prefix */
	const struct policy *setup, *run;
	unsigned max_fds; /* RLIMIT_NOFILE; 0: 16 */

	/* Opens the device. ret_store: a duplicate for the broker, or nothing. */
	int (*open)(struct helper_open *open, struct fd *ret_store, struct err *err);
	/* ret_device: a duplicate for the core to map BARs from, or nothing. */
	int (*describe)(struct function_desc *ret, struct fd *ret_device, struct err *err);
	/* Under the run policy: all of the VM's devices that there are for now are attached. May be
	 * NULL. */
	void (*settled)(void);
	int (*config_read)(unsigned offset, unsigned size, uint32_t *ret, struct err *err);
	int (*config_write)(unsigned offset, unsigned size, uint32_t value, struct err *err);
	int (*region_read)(unsigned index, uint64_t offset, unsigned size, uint64_t *ret,
		struct err *err);
	int (*region_write)(unsigned index, uint64_t offset, unsigned size, uint64_t value,
		struct err *err);
	/* May be NULL when the description has no msi_cap. count is a power of two that the
	 * capability has, vector below it. */
	int (*msi_enable)(unsigned count, struct err *err);
	int (*msi_disable)(struct err *err);
	int (*msi_arm)(unsigned vector, struct fd eventfd, struct err *err);
	int (*msix_enable)(struct err *err);
	int (*msix_disable)(struct err *err);
	int (*msix_arm)(unsigned vector, struct fd eventfd, struct err *err);
	int (*reset)(bool whole, struct err *err); /* whole: as in Reset */
	/* May be NULL when the description has no doorbells, no intx, no can_suspend. queue is
	 * below doorbells.count. */
	int (*kick_arm)(unsigned queue, struct fd eventfd, struct err *err);
	int (*intx_arm)(struct fd trigger, struct fd resample, struct err *err);
	int (*suspend)(struct err *err);
	int (*resume)(struct err *err);
	/* Descriptors the loop should watch for events, -1 for none, asked for before each wait
	 * once the device is open; and what to do when one is readable. */
	void (*event_fds)(int ret_fds[HELPER_EVENTS]);
	void (*on_event)(unsigned which, struct chan *events);
	/* May be NULL. Called before each wait once the device is open; returns after how many ms
	 * it wants to be called again, -1 for never. */
	int (*tick)(void);
};

/* The whole life of a helper process. Returns its exit status. */
int helper_run(const struct helper_ops *ops, int argc, char **argv);
