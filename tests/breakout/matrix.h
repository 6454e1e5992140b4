/* SPDX-License-Identifier: Apache-2.0
 *
 * The matrix of one actor. Harness process.
 */
#pragma once

#include <stdio.h>

#include "tests/breakout/trial.h"

/* Makes every attempt of `who` (of scenario `only`, 0: of all) in every configuration it wants, and
 * writes a row an attempt: scenario|who|attempt|wall result, wall result...|end. missing: walls this
 * kernel lacks, 1 << enum wall. Returns how many results are not the expected ones, each of which
 * has been printed. */
unsigned matrix_of(enum who who, unsigned missing, unsigned only, FILE *rows);
