/* SPDX-License-Identifier: Apache-2.0
 *
 * Scenario 25: what whoever starts bulkhead can give it. Harness process.
 */
#pragma once

#include <stdio.h>

/* Writes its rows; returns how many are not as expected, each printed. */
unsigned launch_all(FILE *rows);
