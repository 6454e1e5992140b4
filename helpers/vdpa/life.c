/* SPDX-License-Identifier: Apache-2.0
 *
 * The device's life, written down (life.h). vDPA helper; pure.
 *
 * Only a reset heals. What a reset could not stop has queues which the driver takes back all the
 * same, so nothing is done in them from then on, also where the device was dead.
 */
#include "helpers/vdpa/life.h"

enum life life_after(enum life life, enum life_event event)
{
	switch (event) {
	case LIFE_DID_RESET: return LIFE_RESET;
	case LIFE_RESET_FAILED: return LIFE_BROKEN;
	case LIFE_STARTED: return life == LIFE_RESET ? LIFE_RUNNING : life;
	case LIFE_START_FAILED: return LIFE_BROKEN;
	/* A broken device is suspended if it can be, as it may run, and stays one. */
	case LIFE_DID_SUSPEND: return life == LIFE_RUNNING ? LIFE_SUSPENDED : life;
	case LIFE_DID_RESUME: return life == LIFE_SUSPENDED ? LIFE_RUNNING : life;
	case LIFE_DIED: return life == LIFE_RUNNING ? LIFE_DEAD : life;
	}
	return LIFE_BROKEN;
}
