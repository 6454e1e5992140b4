/* SPDX-License-Identifier: Apache-2.0
 *
 * The VM's configuration: its text, every default filled in, which vm.info shows and the opener keeps
 * as notes for the api's next life; and what of it goes to the opener in messages. bulkhead-api.
 *
 * The text is the only state. What changes it reads it, changes the tree and writes it again; trees
 * live in the arena (json.h) and no longer than that.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "ipc/bulkhead.pb-c.h"
#include "ipc/config.h"
#include "ipc/err.h"

enum { CONFIG_MAX = 64 << 10, PATH_LONGEST = 255 };

/* Where passed-through devices stand. One that came as a descriptor has "fd": -1 and no path there, as
 * Cloud Hypervisor writes one whose number says nothing; from a client's JSON no fd is ever taken. */
struct device_list {
	const char *name, *prefix; /* of ids that are made up */
	enum device_kind kind;
};
enum { DEVICE_LISTS = 2 };
extern const struct device_list device_lists[DEVICE_LISTS];

/* A configuration as messages. Its strings are the tree's it was made from. */
struct config_wire {
	Bulkhead__ApiConfig config;
	Bulkhead__ApiDevice devices[VM_SLOTS], *pointers[VM_SLOTS];
	size_t n_devices;
};

/* "" when there is no VM. */
const char *config_text(void);
void config_clear(void);

/* -E2BIG when it is longer than is kept. */
int config_fits(const json_t *config, struct err *err);
/* Keeps the text of a tree that fields_decode made; -E2BIG. */
int config_keep(const json_t *config, struct err *err);

/* The configuration as a tree; NULL: there is none. */
json_t *config_tree(void);

/* Gives every device of the tree that has none an id. -EINVAL: more than a VM has slots. */
int config_name_devices(json_t *config, struct err *err);

/* May it be booted? -EINVAL, -EEXIST, or -ENOTSUP for what is not built. */
int config_check(json_t *config, struct err *err);

/* Of a tree whose devices have names. */
void config_to_wire(const json_t *config, struct config_wire *ret);
void config_device_to_wire(const json_t *device, enum device_kind kind, Bulkhead__ApiDevice *ret);

/* What the opener says there is, over the notes of an earlier life of the api; notes may be "". */
int config_from_wire(const char *notes, size_t len, const Bulkhead__ApiStateIs *state,
	struct err *err);

/* Changes of what is kept. 0: as it is. */
int config_add(const char *list, const json_t *device, struct err *err);
void config_drop(const char *id);
void config_resize(uint64_t vcpus, uint64_t memory);
/* Paths of the terminals that were made; "": none. */
void config_set_terminals(const char *serial, const char *console);

/* The list a device is in; NULL: there is none of that id. */
const char *config_list_of(const json_t *config, const char *id);

/* "" or 0 where there is none. */
const char *config_word(const json_t *object, const char *name);
uint64_t config_number(const json_t *config, const char *object, const char *name);
