/* SPDX-License-Identifier: Apache-2.0
 *
 * Addresses of PCI functions, as wide as the kernel's. Every helper and tool; pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct pci_address {
	uint32_t domain; /* a VMD's or a virtual machine's has more than 16 bits */
	uint8_t bus, slot, function;
};

enum { PCI_ADDRESS = 20 }; /* bytes of one as text, with the final 0 */

/* DDDD:BB:DD.F or BB:DD.F. 0 or -EINVAL. */
int pci_address_parse(const char *text, struct pci_address *ret);
/* As the kernel names it in sysfs. */
void pci_address_write(const struct pci_address *address, char ret[static PCI_ADDRESS]);
/* Is that the function a text names, as far as 16 bits of its domain tell? VFIO has no more of it
 * for the functions that a hot reset reaches (struct vfio_pci_dependent_device). */
bool pci_address_is(const char *text, uint16_t segment, uint8_t bus, uint8_t devfn);
