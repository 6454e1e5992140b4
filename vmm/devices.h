/* SPDX-License-Identifier: Apache-2.0
 *
 * The VM's devices: a slot each, and how one is attached. The opener tells of it, the launcher deals the
 * channels to its helper, the broker claims it and has the helper open it, the helper describes it; then
 * it gets its place on bus 0.
 *
 * Core process, main thread only, but for devices_bar_fault. Nothing waits for broker or helper: they
 * are asked, and what comes back is an event.
 */
#pragma once

#include "ipc/chan.h"
#include "vmm/config.h"
#include "vmm/pci/pci.h"
#include "vmm/pci/remote.h"

enum slot_step {
	SLOT_FREE,
	SLOT_WAITS,    /* for the opener's word, the launcher's, or its turn */
	SLOT_ATTACHES, /* the broker is asked */
	SLOT_OPENS,    /* its helper's description is due */
	SLOT_HERE,
};

struct devices;

struct slot {
	struct devices *devices; /* it is one of */
	enum slot_step step;
	uint32_t generation; /* which of those that had the slot */
	bool told, dealt;
	bool wanted;         /* by the host, before it was here */
	bool over;           /* its helper's process has ended */
	struct fd ask, event; /* to its helper, until that is listened to */
	struct device_config config;
	int64_t due;         /* now_ms(), of its description */
	struct remote remote;
};

struct devices {
	struct vm *vm;
	struct pci *pci;
	struct chan ask, event;    /* the broker's */
	uint32_t broker_generation;
	bool told_all;             /* the opener has told of all there are at start */
	unsigned expected;         /* so many */
	bool started, starting;    /* the broker has guest RAM; was asked to take it */
	bool broker_over;          /* its process has ended */
	bool sealed;               /* set-up is over: what fails does so by itself */
	struct err failed;         /* code 0: nothing has */
	struct slot slots[VM_SLOTS];
};

void devices_init(struct devices *devices, struct vm *vm, struct pci *pci);

/* The opener's and the launcher's words. 0, or -EBADMSG: out of turn. */
int devices_told(struct devices *devices, struct msg *msg, struct err *err);
int devices_dealt(struct devices *devices, struct word_msg *msg, struct err *err);
void devices_ended(struct devices *devices, const struct word *word);

/* Before the first is attached: guest RAM faulted in, where it will be pinned. */
int devices_populate(struct devices *devices, struct err *err);
/* Asks for what can be asked for now. True: every device there was to be at start is here. */
bool devices_attach(struct devices *devices, struct err *err);
/* In so many ms something is late, -1: nothing. */
int devices_due_ms(const struct devices *devices);
/* For so many ms everything stood still: nobody is late by that. */
void devices_stood_still(struct devices *devices, int64_t ms);
/* All are here: places their ROMs, lets DMA reach BARs where it may, and tells the helpers. */
int devices_settle(struct devices *devices, struct err *err);
/* No descriptor from broker or helpers any more; the broker seals itself. */
int devices_seal(struct devices *devices, struct err *err);

/* The broker's channels are readable, a slot's event channel is. */
void devices_on_answer(struct devices *devices);
void devices_on_event(struct devices *devices);
void devices_on_helper(struct slot *slot);

/* devices_run.c. Helpers that were cut off are ended; a device that the host wants back is given back when
 * its time has come, in so many ms, -1: there is none. */
void devices_tend(struct devices *devices);
int devices_tend_in_ms(const struct devices *devices);
/* vCPUs parked, BARs of failed functions unmapped: their devices are to be closed, and so reset. */
void devices_release_failed(struct devices *devices);
/* The name of one that has not been closed yet, or NULL. */
const char *devices_unreleased(struct devices *devices);
/* The broker is gone or broke a rule. */
void devices_broker_gone(struct devices *devices, const char *why);
/* For vm.bar_fault; any vCPU thread. */
bool devices_bar_fault(void *devices, unsigned *suspect);
