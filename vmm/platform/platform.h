/* SPDX-License-Identifier: Apache-2.0
 *
 * The few ports a PC has beside UART and PCI: ACPI's fixed hardware (PM1a), the keyboard
 * controller's and port 92's reset. The reset register 0xcf9 lies inside CF8 and is pci.c's.
 *
 * Core process, vCPU threads and the main thread. Every other port belongs to nobody and reads all-ones.
 */
#pragma once

#include "vmm/kvm/vm.h"

struct platform {
	struct vm *vm;
	pthread_mutex_t lock; /* of the two, and of the SCI line; the irq's lock inside it */
	uint16_t pm1_status, pm1_enable;
};

/* 0 or -errno. */
int platform_init(struct platform *platform, struct vm *vm);
/* Main thread: the power button. False: the guest has it switched off, as one without ACPI has, and
 * before its driver is there; should that come, the event is waiting. */
bool platform_press_power(struct platform *platform);
/* vCPUs parked. */
void platform_reset(struct platform *platform);
