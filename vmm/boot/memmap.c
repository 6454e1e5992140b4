/* SPDX-License-Identifier: Apache-2.0
 *
 * The memory map a kernel gets at boot, for both boot protocols.
 *
 * Core process, main thread. Sorted, disjoint, and what is not listed is no RAM: the kernel may
 * put PCI resources into the windows the DSDT names and nowhere else. The ECAM is listed as
 * reserved (PCI Firmware 3.3, 4.1.2) so that Linux accepts the MCFG table, and KVM's own pages so
 * that nothing is ever placed over them.
 */
#include "vmm/boot/boot.h"

enum { TYPE_RAM = 1, TYPE_RESERVED = 2 };

unsigned boot_memmap(const struct layout *layout, struct memmap_entry ret[MEMMAP_MAX])
{
	unsigned n = 0;

	ret[n++] = (struct memmap_entry){0, LOW_RAM_TOP, TYPE_RAM};
	ret[n++] = (struct memmap_entry){LOW_RAM_TOP, HIMEM_START - LOW_RAM_TOP, TYPE_RESERVED};
	ret[n++] = (struct memmap_entry){
		HIMEM_START, layout->ram[0].size - HIMEM_START, TYPE_RAM};
	ret[n++] = (struct memmap_entry){ECAM_BASE, ECAM_SIZE, TYPE_RESERVED};
	ret[n++] = (struct memmap_entry){
		KVM_IDENTITY_MAP, KVM_TSS + 3 * PAGE_SIZE - KVM_IDENTITY_MAP, TYPE_RESERVED};
	for (unsigned i = 1; i < layout->n_ram; i++)
		ret[n++] = (struct memmap_entry){
			layout->ram[i].gpa, layout->ram[i].size, TYPE_RAM};
	return n;
}
