/* SPDX-License-Identifier: Apache-2.0
 *
 * The options that name a device; each appends to opts->devices.
 */
#pragma once

#include "helpers/opts/opts.h"

int opts_device(struct opts *opts, const char *value, struct err *err);
/* Whoever lists this host's processes reads no vf_token. */
void opts_device_hide(char *value);
int opts_vdpa(struct opts *opts, const char *value, struct err *err);
int opts_null(struct opts *opts, const char *value, struct err *err);
/* Once all are there: no two in one place, and a function 0 where there are others. */
int opts_check_places(const struct opts *opts, struct err *err);
