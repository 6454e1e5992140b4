/* SPDX-License-Identifier: Apache-2.0
 *
 * A PCI function whose device is driven by a helper: what the core keeps of it.
 *
 * The core owns what the guest programs and the device need not know: BAR addresses, memslots, the
 * MSI-X table, which vector is masked. Everything else goes to the helper as a message. Made by
 * the main thread at start; then lock covers all of it but name and geometry.
 *
 * Order of memory against device (PCI 6.2.2; VFIO zaps and blocks BAR mappings): whatever makes
 * the device's memory go away (COMMAND.MEM off, D3hot, reset) removes the memslots first and tells
 * the helper after; whatever brings it back tells the helper first.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/kvm/vm.h"
#include "vmm/config.h"
#include "vmm/pci/msi.h"
#include "vmm/pci/pci.h"
#include "vmm/peer.h"

struct remote;

struct bar {
	struct remote *fn;
	unsigned index;
	uint64_t addr;   /* as the guest programmed it */
	uint64_t placed; /* where the core put it at start */
	bool decoding;   /* on the bus, at decoded_at */
	uint64_t decoded_at;
	bool slots_in;   /* the mappable ranges are memslots */
	int slots[REGION_RANGES];
	void *host[REGION_RANGES]; /* mappings of the device, held until the end */
};

/* The expansion ROM: a copy made at start, which the guest reads as memory. */
struct rom {
	void *host;
	uint64_t size;   /* of the register and of host, whole pages; 0: none */
	uint32_t value;  /* the register: an address and ROM_ENABLE */
	uint32_t placed; /* where the core put it at start */
	uint32_t at;     /* where it is, if slot >= 0 */
	int slot;
};

struct vector_irq {
	int eventfd; /* kept until the vector is cold: an irqfd dies with its last descriptor */
	uint32_t gsi;
};

struct doorbell {
	struct fd eventfd;
	bool on; /* in KVM, where the BAR decodes now */
};

struct remote {
	pthread_mutex_t lock, turn; /* taken by remote_lock; turn: held by who is next to have it */
	struct vm *vm;
	struct pci *pci;
	struct peer peer;
	enum peer_state locked_in; /* its state when the lock was taken */
	int64_t take_at;           /* now_ms() when the host gets it back, 0: it does not want it;
	                            * the main thread's alone */
	int vfio_file;             /* its place in KVM's list, -1: none */
	struct function_desc desc;
	unsigned pm_cap, exp_cap, af_cap; /* offsets in config space, 0: none */
	uint16_t command;                 /* as the guest last wrote it */
	bool d3;                          /* power state D3hot */
	bool p2p;                         /* its BARs are reached by DMA where they were placed */
	struct bar bars[PCI_BARS];
	struct rom rom;
	struct msix msix;
	struct msix_vector *vectors;
	struct vector_irq *irqs;
	struct msi msi;
	struct vector_irq msi_irqs[MSI_VECTORS_MAX];
	struct doorbell *doorbells;
	struct fd pin, pin_resample; /* INTx */
};

/* Places and maps the function that is described, and adds it to the root. fn->peer and fn->vfio_file are
 * there; device_fd is what its BARs are mapped from, -1: none; borrowed. */
int remote_create(struct remote *fn, const struct function_desc *desc, int device_fd, struct vm *vm,
	struct pci *pci, const struct device_config *config, struct err *err);

/* The VM's devices have come or gone: its helper is told. The device begins as the guest's shadow of
 * it. */
int remote_settle(struct remote *fn, struct err *err);

/* A vCPU's KVM_RUN failed with EFAULT: a BAR's memory is gone (device reset or D3 behind our
 * back), or, of doorbell pages, was read by the guest. Takes the memslots of the one or the other
 * kind out, so that accesses trap and are asked for. False: there was none. */
bool remote_bar_fault(struct remote *fn, bool doorbells);
/* It was not this one: they are put back. */
void remote_bar_back(struct remote *fn);

/* vCPUs parked: the device stops its queues, and goes on. A function that cannot, or is failed, is
 * left as it is: 0. */
int remote_suspend(struct remote *fn, struct err *err);
int remote_resume(struct remote *fn, struct err *err);

/* vCPUs stopped: memslots, irqfds and mappings go, and the channel with them. */
void remote_drop(struct remote *fn);
/* Main thread, the VM running: the host gets the device; what is left is a failed one. */
void remote_take(struct remote *fn);

/* remote_life.c. Every entry from a vCPU or the main thread. remote_unlock wakes the main thread when
 * the helper was cut off meanwhile. */
void remote_lock(struct remote *fn);
void remote_unlock(struct remote *fn);
/* Main thread. True: the launcher has to be told to end its helper, the broker to close its device. */
bool remote_to_be_ended(struct remote *fn);
bool remote_to_be_released(struct remote *fn);
/* The launcher says how the helper ended; the broker, that the device is closed. */
void remote_gone(struct remote *fn, const char *cause);
void remote_released(struct remote *fn);
enum peer_state remote_state(const struct remote *fn);
/* Its event channel is readable. */
void remote_on_event(struct remote *fn);
/* The host wants the device back: said, and in so many milliseconds it is time; -1: it does not. */
void remote_wanted(struct remote *fn);
int remote_take_in_ms(const struct remote *fn);

/* remote_bar.c. With the lock held. */
int bars_place(struct remote *fn, struct err *err);
/* Before they are mapped: every access to the BARs with a bit goes to the helper. -ENODEV: the
 * function has no such BAR. */
int bars_trap(struct remote *fn, unsigned bars, struct err *err);
int bars_map_device(struct remote *fn, int device_fd, struct err *err);
void bars_unmap_device(struct remote *fn);
uint32_t bar_register(const struct remote *fn, unsigned index);
void bar_register_write(struct remote *fn, unsigned index, uint32_t value);
/* Makes the buses and memslots agree with COMMAND, power state and BAR registers. */
void bars_update(struct remote *fn);
/* Takes memory BARs out before the device's memory goes. */
void bars_hide(struct remote *fn);

/* remote_rom.c. Reads the file of rom= into config. */
int rom_read_file(int fd, struct device_config *config, struct err *err);
/* With the lock held, but for make and place. device_fd is what the helper sent, or -1; the ROM is
 * the operator's file, the device's, or none. */
int rom_make(struct remote *fn, int device_fd, const struct device_config *config,
	struct err *err);
/* Once every function's BARs are placed. The device's own goes without, where there is no room. */
int rom_place(struct remote *fn, const struct device_config *config, struct err *err);
void rom_register_write(struct remote *fn, uint32_t value);
/* Makes the memslot agree with register, COMMAND and power state; show false: there is none. */
void rom_update(struct remote *fn, bool show);
void rom_drop(struct remote *fn);

/* remote_kick.c. With the lock held, but for make. */
int doorbells_make(struct remote *fn, struct err *err);
void doorbells_on(struct remote *fn, const struct bar *bar);
void doorbells_off(struct remote *fn, const struct bar *bar);
void doorbells_drop(struct remote *fn);
/* device: its number on bus 0. */
int intx_make(struct remote *fn, unsigned device, struct err *err);

/* remote_irq.c */
extern const struct msix_ops remote_msix_ops, remote_msi_ops;
