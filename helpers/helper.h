/* SPDX-License-Identifier: Apache-2.0
 *
 * The skeleton every helper stands on: inherit descriptors, confine, open, serve.
 *
 * Runs in a helper process, one thread. A helper is its struct helper_ops; helper_run does the
 * rest. The process begins with exactly the descriptors of enum helper_fd.
 */
#pragma once

#include "ipc/chan.h"
#include "ipc/describe.h"
#include "ipc/err.h"
#include "ipc/fd.h"
#include "seccomp/policy.h"

/* What the broker leaves open across exec, by number. */
enum helper_fd {
	HELPER_FD_BROKER = 0, /* asks from the broker */
	HELPER_FD_OUT = 1,    /* the log socket again, should a library print */
	HELPER_FD_LOG = 2,    /* log lines, one a packet, to the broker */
	HELPER_FD_ASK = 3,    /* asks from the core */
	HELPER_FD_EVENT = 4,  /* events to the core */
};

struct helper; /* the helper's own state */

/* All return 0 or -errno with *err filled. Arguments were checked against the description:
 * offsets, sizes and alignment lie inside config space or the BAR, vectors are below
 * msix.vectors. */
struct helper_ops {
	const char *kind; /* "vfio": binary bulkhead-vfio, policy rows and log prefix */
	const struct policy *setup, *run;

	/* Opens the device. group may hold nothing (null helper). ret_store: a duplicate for the
	 * broker, or nothing. */
	int (*open)(const char *name, struct fd group, struct fd *ret_store, struct err *err);
	/* ret_device: a duplicate for the core to map BARs from, or nothing. */
	int (*describe)(struct function_desc *ret, struct fd *ret_device, struct err *err);
	int (*config_read)(unsigned offset, unsigned size, uint32_t *ret, struct err *err);
	int (*config_write)(unsigned offset, unsigned size, uint32_t value, struct err *err);
	int (*region_read)(unsigned index, uint64_t offset, unsigned size, uint64_t *ret,
		struct err *err);
	int (*region_write)(unsigned index, uint64_t offset, unsigned size, uint64_t value,
		struct err *err);
	int (*msix_enable)(struct err *err);
	int (*msix_disable)(struct err *err);
	int (*msix_arm)(unsigned vector, struct fd eventfd, struct err *err);
	int (*msix_disarm)(unsigned vector, struct err *err);
	int (*reset)(struct err *err);
	/* Descriptors the loop should watch for events (VFIO ERR and REQ eventfds), -1 for none,
	 * asked for after open; and what to do when one is readable. */
	int (*event_fds)(int ret_fds[2]);
	void (*on_event)(unsigned which, struct chan *events);
};

/* The whole life of a helper process. Returns its exit status. */
int helper_run(const struct helper_ops *ops, int argc, char **argv);
