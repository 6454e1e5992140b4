/* SPDX-License-Identifier: Apache-2.0
 *
 * --cpus, --memory and --serial: setters for rows of opts.c's table.
 */
#pragma once

#include "helpers/opts/opts.h"

int opts_cpus(struct opts *opts, const char *value, struct err *err);
int opts_memory(struct opts *opts, const char *value, struct err *err);
int opts_serial(struct opts *opts, const char *value, struct err *err);
