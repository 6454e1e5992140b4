/* SPDX-License-Identifier: Apache-2.0
 *
 * All of the core: one struct for the life of the process.
 *
 * Core process. Main thread, but for what vm, pci, platform and serial say of themselves.
 */
#pragma once

#include "ipc/log.h"
#include "seccomp/birth.h"
#include "vmm/boot/boot.h"
#include "vmm/config.h"
#include "vmm/devices.h"
#include "vmm/kvm/vcpu.h"
#include "vmm/operate.h"
#include "vmm/pci/pci.h"
#include "vmm/platform/console.h"
#include "vmm/platform/events.h"
#include "vmm/platform/platform.h"
#include "vmm/platform/serial.h"
#include "vmm/shutdown.h"

struct core {
	struct birth birth;
	struct chan opener;
	int words;               /* the launcher's; -1: it is gone */
	struct config config;
	struct boot_source source;
	struct vcpu_entry entry;
	struct phys_space phys;
	struct vm vm;
	struct pci pci;
	struct platform platform;
	struct serial serial;
	struct devices devices;
	struct console console;
	struct shutdown shutdown;
	struct operate operate;
	struct events events;
	struct log_budget resets;
	unsigned long n_resets;
	int64_t began_us, step_us;
	struct err failed;       /* what a word led to; code 0: nothing has */
	bool runs;               /* the guest */
};

/* orders.c: what launcher and opener say, all that is there. They have hung up: closed. Anything else that
 * is wrong: core->failed. */
void orders_launcher(struct core *core);
void orders_opener(struct core *core);
