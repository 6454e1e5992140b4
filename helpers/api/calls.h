/* SPDX-License-Identifier: Apache-2.0
 *
 * Every call of the API, one row each: its name and method, what its body is, what it says when it
 * fails, and what becomes of it in each state of the VM. bulkhead-api, bulkhead-ctl (for the names),
 * and the tool that writes docs/.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "helpers/api/http.h"

#define CALL_ROOT "/api/v1/"

struct fields;

/* What there is of the VM, as a client sees it. */
enum vm_state {
	VM_NOTHING, VM_CREATED,
	VM_BOOTING, /* processes, and no guest yet: Created to clients */
	VM_RUNNING, VM_PAUSED,
	VM_STATES,
};

enum call {
	CALL_PING, CALL_QUIT, CALL_CREATE, CALL_BOOT, CALL_DELETE, CALL_SHUTDOWN, CALL_REBOOT,
	CALL_PAUSE, CALL_RESUME, CALL_POWER_BUTTON, CALL_NMI, CALL_INFO, CALL_COUNTERS, CALL_RESIZE,
	CALL_RESIZE_DISK, CALL_RESIZE_ZONE, CALL_ADD_DEVICE, CALL_ADD_VDPA, CALL_ADD_DISK,
	CALL_ADD_NET, CALL_ADD_FS, CALL_ADD_PMEM, CALL_ADD_VSOCK, CALL_ADD_USER_DEVICE,
	CALL_ADD_GENERIC_VHOST_USER, CALL_REMOVE_DEVICE, CALL_SNAPSHOT, CALL_RESTORE,
	CALL_SEND_MIGRATION, CALL_RECEIVE_MIGRATION,
	CALLS,
};

/* What becomes of a call in a state. */
enum verdict {
	DO,
	WAIT,           /* until the state is another */
	NOT_CREATED,    /* 404 VM is not created */
	NO_CONFIG,      /* 404 VM config is missing */
	ALREADY,        /* 500 VM is already created */
	NOT_RUNNING,    /* 500 VM is not running */
	PAUSED_ALREADY, /* 500 */
	RUNS_ALREADY,   /* 500 */
};

enum body { BODY_NONE, BODY_IGNORED, BODY_WANTED };

struct call_row {
	const char *name; /* after CALL_ROOT */
	enum http_method method;
	enum body body;
	const struct fields *fields; /* of the body */
	const char *failed;          /* in an error, after "Error from API" */
	const char *missing;         /* not built: every use of it is refused, and why; or NULL */
	bool by_monitors;            /* answered on the status socket, too */
	bool takes_fd;               /* a descriptor beside the request */
	enum verdict in[VM_STATES];
	const char *doc;
};

extern const struct call_row calls[CALLS];

/* The call of that path, or -1. */
int call_find(const char *path);
