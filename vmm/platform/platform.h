/* SPDX-License-Identifier: Apache-2.0
 *
 * The few ports a PC has beside UART and PCI: ACPI's fixed hardware (PM1a), the keyboard
 * controller's and port 92's reset. The reset register 0xcf9 lies inside CF8 and is pci.c's.
 *
 * Core process, vCPU threads. Every other port belongs to nobody and reads all-ones.
 */
#pragma once

#include "vmm/kvm/vm.h"

struct platform {
	struct vm *vm;
	_Atomic uint16_t pm1_enable;
};

/* 0 or -errno. */
int platform_init(struct platform *platform, struct vm *vm);
/* vCPUs parked. */
void platform_reset(struct platform *platform);
