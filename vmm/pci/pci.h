/* SPDX-License-Identifier: Apache-2.0
 *
 * The PCI root: bus 0 with a host bridge at device 0, reached by ECAM and by ports CF8/CFC.
 *
 * Core process. Functions are added by the main thread at start; config accesses come from vCPU
 * threads and go to the function with nothing held but CF8's own lock.
 */
#pragma once

#include <pthread.h>
#include <stdint.h>

#include "ipc/err.h"
#include "vmm/pci/layout.h"
#include "vmm/kvm/vm.h"

struct pci_function_ops {
	/* size 1, 2 or 4, naturally aligned, offset + size <= 4096. */
	uint32_t (*config_read)(void *opaque, unsigned offset, unsigned size);
	void (*config_write)(void *opaque, unsigned offset, unsigned size, uint32_t value);
	/* vCPUs parked: everything as after power-on; BARs where the core first placed them. */
	void (*reset)(void *opaque);
};

struct pci_function {
	const struct pci_function_ops *ops;
	void *opaque;
};

/* Where BARs go at start: [base, end), and what is taken of it, ascending. */
struct pci_window {
	uint64_t base, end, used;
	unsigned n;
	struct { uint64_t at, end; } taken[PCI_DEVICES * 7]; /* six BARs and a ROM */
};

struct pci {
	struct vm *vm;
	pthread_mutex_t cf8_lock;
	uint32_t cf8;
	struct pci_function functions[PCI_DEVICES * PCI_FUNCTIONS]; /* by devfn */
	uint32_t reserved; /* devices that were asked for by number */
	struct pci_window mmio32, mmio64, io;
};

int pci_init(struct pci *pci, struct vm *vm, struct err *err);
/* devfn is device << 3 | function. Nobody who does not name the device gets it from here on. */
void pci_reserve(struct pci *pci, unsigned devfn);
/* At devfn, or for 0 at function 0 of the first free device that is not reserved. Returns where, or
 * -ENOSPC when the bus is full, -EEXIST when that function is there. */
int pci_add(struct pci *pci, unsigned devfn, const struct pci_function_ops *ops, void *opaque);
/* All functions, with the vCPUs parked. */
void pci_reset(struct pci *pci);
/* Finds room for a BAR: 64-bit ones in the 64-bit window or, when that is full, where the others
 * are, in the 32-bit window; ports from 0x1000. Naturally aligned; memory BARs at least page sized.
 * -ENOSPC says what is full, and of what size. */
int pci_place_bar(struct pci *pci, uint64_t size, bool io, bool is_64, uint64_t *ret,
	struct err *err);
