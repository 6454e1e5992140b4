/* SPDX-License-Identifier: Apache-2.0
 *
 * What the API asks of a VM that lives, and what it is told of it: pause and resume, reboot, the power
 * button, NMI, and what there is to know.
 *
 * Core process, main thread, while the guest runs or stands still. The api is a client's nearest and may
 * ask at any time whatever it likes; nothing it can ask for is more than the guest's own keyboard could do.
 */
#pragma once

#include "ipc/chan.h"
#include "vmm/kvm/vcpu.h"
#include "vmm/devices.h"
#include "vmm/platform/platform.h"

struct operate {
	struct vm *vm;
	const struct cpus *cpus;
	struct devices *devices;
	struct platform *platform;
	struct chan api;
	bool ready;     /* the guest runs, or is paused: not in the midst of a reset */
	bool paused;    /* vCPUs parked and devices suspended, by us */
	bool rebooting; /* an ask for it is open */
	struct msg ask; /* the last one */
};

void operate_init(struct operate *operate, struct vm *vm, const struct cpus *cpus, struct devices *devices,
	struct platform *platform);
/* The launcher deals its channel, again when it was started anew. */
void operate_dealt(struct operate *operate, struct fd sock);
/* Its channel is readable. */
void operate_on_api(struct operate *operate);

/* The guest runs for the first time, or does not come to that; it is about to start anew; it has. */
void operate_started(struct operate *operate);
void operate_failed(struct operate *operate, const char *why);
void operate_rebooting(struct operate *operate);
void operate_rebooted(struct operate *operate);
