/* SPDX-License-Identifier: Apache-2.0
 *
 * The broker as the core sees it: started first, asked for every device, told when to stop.
 *
 * Core process, main thread only.
 */
#pragma once

#include <sys/types.h>

#include "ipc/chan.h"
#include "vmm/opts.h"
#include "vmm/pci/pci.h"
#include "vmm/kvm/ram.h"
#include "vmm/pci/remote.h"
#include "vmm/tenant.h"

struct broker {
	struct chan ask, event;
	struct fd pidfd;
	pid_t pid;
	const struct device_opt *wanted; /* of the command line, as long as we live */
	unsigned n_wanted;
	unsigned n;        /* of them attached, in that order */
	bool pins;         /* guest RAM will be pinned for DMA */
	struct remote remotes[DEVICES_MAX];
};

/* Forks and execs the broker, before the core holds anything a child must not have, and lets it
 * check every device. Nothing is changed on the host by then. log_fd: where the broker's and the
 * helpers' lines go, -1: standard error. */
int broker_start(struct broker *broker, const struct opts *opts, const struct tenant *tenant,
	const struct ram *ram, int log_fd, struct err *err);

/* Guest RAM faulted in, where it will be pinned; then every device attached: helper, DMA, KVM, BARs, a
 * place on bus 0. */
int broker_attach_all(struct broker *broker, struct vm *vm, struct pci *pci, struct err *err);

/* The helpers enter their run-time policies, then the broker seals itself. */
int broker_seal(struct broker *broker, struct err *err);

/* The event channel is readable. */
void broker_on_event(struct broker *broker);

/* Helpers that were cut off are ended; a device that the host wants back is given back when its time has
 * come, in so many ms, -1: there is none. */
void broker_tend(struct broker *broker);
int broker_tend_in_ms(const struct broker *broker);
/* vCPUs parked, BARs of failed functions unmapped: their devices are to be closed, and so reset. */
void broker_release_failed(struct broker *broker);
/* The name of one that has not been closed yet, or NULL. */
const char *broker_unreleased(struct broker *broker);

/* For vm.bar_fault; any vCPU thread. */
bool broker_bar_fault(void *broker, unsigned *suspect);

/* vCPUs stopped: gives every device back, waits for the broker to end. Works at any stage. */
void broker_stop(struct broker *broker);
