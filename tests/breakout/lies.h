/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets an actor forges: where payload.c, lies.c and describe.c meet.
 */
#pragma once

#include <stdbool.h>

#include "ipc/describe.h"
#include "tests/breakout/attempts.h"

/* Is this the thread that turns evil? */
bool is_actor(void);
/* The actor is about to send what it may, and the page wants another thing sent. */
bool lie_due(enum stage stage);
/* Makes the attempt: its run() sends, or fills in, what takes the place. */
void lie_now(void);

/* The Description about to be sent, and a descriptor to send with it in the device's place. */
extern struct describe_wire *forged_wire;
void forge_descriptor(int fd);
