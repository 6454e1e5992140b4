/* SPDX-License-Identifier: Apache-2.0
 *
 * What has become of the device: the one state of its life. What the driver wrote to the status
 * register is another matter (virtio_regs.c): a driver may say DRIVER_OK to a device that could not
 * be started, and 0 to one that cannot be stopped.
 *
 *                   the device      its queues are                the driver is told
 *   LIFE_RESET      does not run    nobody's                      nothing
 *   LIFE_RUNNING    runs            watched                       what the device says
 *   LIFE_SUSPENDED  stands still    left alone: a paused VM       nothing
 *   LIFE_BROKEN     may run         left alone                    it needs a reset
 *   LIFE_DEAD       runs no more    ended here, if it is a disk   it needs a reset
 *
 * vDPA helper; pure.
 */
#pragma once

enum life { LIFE_RESET, LIFE_RUNNING, LIFE_SUSPENDED, LIFE_BROKEN, LIFE_DEAD };

enum life_event {
	LIFE_DID_RESET,
	LIFE_RESET_FAILED,
	LIFE_STARTED,
	LIFE_START_FAILED, /* at whatever step: it may run all the same */
	LIFE_DID_SUSPEND,
	LIFE_DID_RESUME,
	LIFE_DIED, /* its back end did not answer */
};

enum life life_after(enum life life, enum life_event event);
