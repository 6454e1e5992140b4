/* SPDX-License-Identifier: Apache-2.0
 *
 * The VM's life at API time: what there is of it, and what was asked and is not done.
 *
 * Opener process, one thread. One ask at a time, as the api has one open at most; its answer comes when
 * what it asked for is done, after the ApiLife that it leads to.
 */
#pragma once

#include <sys/types.h>

#include "helpers/open/open.h"
#include "ipc/operate.h"
#include "ipc/words.h"

/* What the open ask waits for. */
enum vm_step {
	VM_IDLE,
	VM_CHANNELS, /* the launcher has been asked to start core, broker, helpers */
	VM_OPENS,    /* a child of ours opens and tells */
	VM_ENDS,     /* the life's processes end */
};

struct vm {
	struct opening *opening;
	enum vm_life life;
	enum vm_step step;
	struct chan api;
	struct msg ask;           /* open, while step is not VM_IDLE; its rule NULL: nobody asked */
	enum vm_life towards;     /* VM_ENDS: what there is then */
	enum life_cause cause;
	int status;               /* of the process that ended the life */
	struct err failed;        /* why it did, or what is wrong with the device */
	bool quits;               /* everything is to end */
	uint32_t lives;           /* generation of core and broker */
	uint32_t generations[VM_SLOTS];
	unsigned alive;           /* processes of the life that have not been reaped */
	bool core_ended;
	pid_t child;              /* who opens; 0: nobody */
	struct fd report;         /* its end of the pipe */
	int64_t due;              /* now_ms(): it, or the launcher, is late */
	unsigned notes_len, notes_total;
	uint8_t notes[NOTES_MAX];
};

/* serve.c: until everything is to end. The exit status. */
int vm_serve(struct vm *vm);

/* asks.c: a message of the api's. 0, or -errno: it broke a rule. */
int vm_on_api(struct vm *vm, struct err *err);
/* The open ask is done, or failed by *err. */
void vm_answer(struct vm *vm, const struct err *err);
void vm_tell_life(struct vm *vm);
void vm_tell_placed(struct vm *vm, const struct wanted *device);

/* life.c */
/* Starts all processes of a life. argv's own VM is opened by us, there and then. */
int life_start(struct vm *vm, struct err *err);
int life_add(struct vm *vm, struct err *err);
/* Ends it; `towards` is what there is when its processes have been reaped. */
void life_end(struct vm *vm, enum vm_life towards, enum life_cause cause);
/* The launcher's words; the child's report; whatever is late. */
void life_word(struct vm *vm, struct word_msg *msg);
void life_report(struct vm *vm);
void life_tick(struct vm *vm);
int life_due_ms(const struct vm *vm);

/* config.c: from the api's messages. Strings are copies. */
int config_from_wire(struct opening *opening, const Bulkhead__ApiCreate *told, struct err *err);
int config_add(struct opening *opening, const Bulkhead__ApiDevice *told, struct fd given,
	struct err *err);
void config_remove(struct opening *opening, unsigned index);
int config_find(const struct opening *opening, const char *id); /* its index, or -1 */
void config_forget(struct opening *opening);
int config_resize(struct opening *opening, uint32_t vcpus, uint64_t memory, struct err *err);
