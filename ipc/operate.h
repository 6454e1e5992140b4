/* SPDX-License-Identifier: Apache-2.0
 *
 * The numbers in the messages of an operated VM: what api, opener and core tell each other of its
 * life (ipc/bulkhead.proto, ApiConfig and what follows).
 *
 * A receiver takes a number it does not know for the first of its kind: a peer that sends one has
 * said nothing.
 */
#pragma once

#include <stdint.h>

/* What there is of the VM, as the opener keeps it. */
enum vm_life {
	VM_LIFE_NOTHING,
	VM_LIFE_CREATED, /* a configuration */
	VM_LIFE_LIVE,    /* and processes */
	VM_LIFE_OVER,    /* all of it ends, the api as well */
};

/* Why a life came to its end. */
enum life_cause {
	LIFE_CAUSE_ASKED,    /* the API, a signal */
	LIFE_CAUSE_POWEROFF, /* the guest switched itself off */
	LIFE_CAUSE_FAILED,   /* it could not be started */
	LIFE_CAUSE_ENDED,    /* one of its processes ended */
};

enum run_state { RUN_STATE_SETUP, RUN_STATE_RUNNING, RUN_STATE_PAUSED };

enum device_kind { DEVICE_KIND_NULL, DEVICE_KIND_VFIO, DEVICE_KIND_VDPA };

/* As the API spells them: Off, Null, Tty, Pty, File. */
enum console_mode { CONSOLE_OFF, CONSOLE_NULL, CONSOLE_TTY, CONSOLE_PTY, CONSOLE_FILE };

enum plug_state { PLUG_STATE_HERE, PLUG_STATE_REMOVING, PLUG_STATE_FAILED };

enum bar_kind { BAR_KIND_IO, BAR_KIND_MMIO32, BAR_KIND_MMIO64 };

enum unplug_how {
	UNPLUG_EJECTED, /* by the guest, and its node was seen free */
	UNPLUG_TAKEN,   /* from the guest, and its node was seen free */
	UNPLUG_HELD,    /* something still holds it: its slot is lost until the VM ends */
};

#define OST_NONE 0xffffffffu /* LifeOst.status: no word from the guest */

/* Why a device is failed, which the guest sees as one that is not there. */
enum device_cause {
	DEVICE_CAUSE_HELPER,  /* its helper ended or was cut off */
	DEVICE_CAUSE_ERROR,   /* it reported an error that it does not come back from */
	DEVICE_CAUSE_WANTED,  /* the host wants it back */
	DEVICE_CAUSE_BACKEND, /* who stands behind it is gone */
};

enum { VM_SLOTS = 30 };
