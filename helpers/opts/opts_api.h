/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "helpers/opts/opts.h"

int opts_api_socket(struct opts *opts, const char *value, struct err *err);
int opts_status_socket(struct opts *opts, const char *value, struct err *err);
int opts_event_monitor(struct opts *opts, const char *value, struct err *err);
int opts_allow(struct opts *opts, const char *value, struct err *err);
int opts_no_shutdown(struct opts *opts, const char *value, struct err *err);
int opts_max_cpus(struct opts *opts, const char *value, struct err *err);
int opts_max_memory(struct opts *opts, const char *value, struct err *err);
int opts_max_devices(struct opts *opts, const char *value, struct err *err);
/* Once all is parsed. */
int opts_check_api(struct opts *opts, struct err *err);
