/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests in hand, from the first look at them to the last: whose turn it is, what opener and core
 * say, and what has taken too long. bulkhead-api.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "helpers/api/link.h"

/* A request has come: what is wrong with it in every state of the VM is answered here. */
void serve_request(struct conn *conn);

/* Takes all that opener and core have said. False: the opener is gone, and so are we. */
bool serve_links(void);
/* words: takes all that the launcher has said by now. */
void serve_begin(void (*words)(void));

/* Begins what can be begun, in the order in which it came; looks at what was waited for. */
void serve_turn(void);

/* Milliseconds until something is late, -1: never. What is already is ended. */
int64_t serve_late(void);

/* Everything ends: who still waits is told so. */
void serve_end(void);

/* Is what the core says listened to? Not before the opener has said that the VM lives. */
bool serve_hears_core(void);

/* A new core: of another life of the VM. */
void serve_core(struct fd sock);
