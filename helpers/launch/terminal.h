/* SPDX-License-Identifier: Apache-2.0
 *
 * The terminal, should the guest's serial port be on it: its modes, and whose it is.
 *
 * Launcher process. The core reads keys and writes what the guest prints; only we set modes, and tell it
 * whether the terminal is ours.
 */
#pragma once

#include <stdbool.h>

/* The guest runs. tell: whether what is standard input may be read from now on; once now, and whenever
 * it changes. Restored when the process ends, by a fault of its own too. */
void terminal_begin(void (*tell)(void *opaque, bool ours), void *opaque);
/* After SIGCONT: whatever the core was told, it may have found otherwise. */
void terminal_continued(void);
/* Looks whose it is, in so many ms, -1: need not. */
void terminal_look(void);
int terminal_look_in_ms(void);
void terminal_restore(void);
