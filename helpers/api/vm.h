/* SPDX-License-Identifier: Apache-2.0
 *
 * What the api knows of the VM: its life, from the opener; whether it runs, and its devices, from the
 * core. bulkhead-api.
 *
 * Only messages change it, never an answer of ours: each ask is answered after the message that says
 * what came of it. A client's view is one of enum vm_state, derived and nowhere kept.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "helpers/api/calls.h"
#include "ipc/chan.h"
#include "ipc/config.h"

enum { BARS_MAX = 7 };

struct vm_bar {
	unsigned index;
	uint64_t address, size;
	unsigned kind; /* enum bar_kind */
	bool prefetchable;
};

/* A slot of the VM that lives. */
struct vm_device {
	bool used;
	uint32_t generation;
	char id[ID_MAX];
	bool here;           /* in the guest, at devfn */
	unsigned devfn;
	unsigned state;      /* enum plug_state */
	char failed[200];    /* why it does not come; "" */
	unsigned n_bars;
	struct vm_bar bars[BARS_MAX];
};

extern struct vm {
	bool known; /* the opener has said what there is */
	unsigned launcher; /* its pid, which a user knows */
	unsigned life; /* enum vm_life */
	bool started, paused;
	unsigned starts; /* so often has a guest come to run */
	bool unsure; /* it lived before we did: whether it runs only the core can say */
	bool told;   /* and what the core says of it first is no news: an api before us has told it */
	char why[400]; /* it does not come to run, or has ended */
	uint64_t memory_actual;
	unsigned n_tids;
	uint32_t tids[VCPUS_MAX];
	struct vm_device devices[VM_SLOTS];
} vm;

enum vm_state vm_state(void);

/* The live device of that id, or NULL. */
struct vm_device *vm_device(const char *id);
unsigned vm_slot(const struct vm_device *device);
/* Its place as the guest sees it: 0000:00:05.0. */
void vm_bdf(const struct vm_device *device, char to[static 16]);

/* A message that is no answer, and the two answers that say what there is: 0, or -errno when it makes
 * no sense. */
int vm_on_opener(const struct msg *msg, struct err *err);
int vm_on_core(const struct msg *msg, struct err *err);
