/* SPDX-License-Identifier: Apache-2.0
 *
 * Every field of every body a client sends, one row each: name, type, what stands for one that is
 * missing, what becomes of it, and a line for people. bulkhead-api, and the tool that writes
 * docs/api.md and docs/openapi.json from the same rows.
 *
 * A value that was decoded is normal: known fields only, each of its type, every default filled in,
 * those that are absent left out. vm.info is that, written.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "ipc/err.h"

enum field_type {
	FIELD_BOOL, FIELD_U8, FIELD_U16, FIELD_U32, FIELD_U64, FIELD_TEXT,
	FIELD_CHOICE,  /* one of `choices` */
	FIELD_OBJECT,  /* of `of` */
	FIELD_OBJECTS, /* a list of those */
	FIELD_TEXTS, FIELD_NUMBERS,
};

/* Where a field is not there. */
enum field_need {
	FIELD_REQUIRED, /* an error */
	FIELD_OPTIONAL, /* absent; so is null */
	FIELD_DEFAULT,  /* the value in `standard` */
};

enum field_use {
	FIELD_USED,
	FIELD_ECHOED,  /* accepted and shown again; it changes nothing */
	FIELD_REFUSED, /* when the VM is to boot or the device to be added, unless it is absent, empty or
	                * its default; `doc` says why */
	FIELD_DROPPED, /* accepted, and as if it had not been there */
};

struct field {
	const char *name, *alias; /* an older name that is read as well */
	enum field_type type;
	enum field_need need;
	enum field_use use;
	bool quiet;           /* left out where it is the default */
	const char *standard; /* JSON: its default; of one that must be given: what is not refused */
	const char *choices;  /* "Off|Pty|Tty" */
	const struct fields *of;
	const char *doc;
};

/* Rows end with one that has no name. */
struct fields {
	const char *name; /* as Cloud Hypervisor calls it */
	const struct field *rows;
};

extern const struct fields fields_vm, fields_device, fields_vdpa, fields_user_device, fields_disk,
	fields_net, fields_fs, fields_pmem, fields_vsock, fields_generic_vhost_user,
	fields_rate_limiter;
extern const struct fields fields_resize, fields_resize_disk, fields_resize_zone, fields_remove,
	fields_snapshot, fields_restore, fields_send_migration, fields_receive_migration;

/* The normal form of `in`, or NULL with *err (-EINVAL) in the words of serde. end: of the text, as
 * " at line 1 column 9", for what its outermost object lacks. */
json_t *fields_decode(const struct fields *fields, const json_t *in, const char *end,
	struct err *err);

/* 0, or -ENOTSUP naming the first field that is to be refused. */
int fields_refuse(const struct fields *fields, const json_t *normal, struct err *err);

/* What a type is called, for messages and docs: "u32". */
const char *fields_type_name(enum field_type type);

/* Of "Off|Pty|Tty" what comes after the one that text begins with; NULL: none. */
const char *fields_next_choice(const char *choice);
