/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the ACPI tables: acpi.c has the tables, dsdt.c what the DSDT says.
 */
#pragma once

#include "vmm/boot/aml.h"
#include "vmm/pci/layout.h"

/* The DSDT behind its header. */
void dsdt_write(struct aml *aml, const struct layout *layout, unsigned n_vcpus);
