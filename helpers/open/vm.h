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
	struct msg *ask;          /* open; NULL: nobody waits */
	bool api_quits;           /* everything ends once the api has hung up */
	enum vm_life towards;     /* VM_ENDS: what there is then */
	enum life_cause cause;
	int status;               /* how the core ended, of waitpid */
	struct err failed;        /* why what was asked was not done */
	bool over;                /* QUIT was said */
	bool argv_time;           /* we open by ourselves, with the operator's rights */
	int64_t began_ms;         /* now_ms() of our beginning, a moment after the launcher's */
	bool api_knows;           /* an api has been told what there is; a later one comes after it */
	uint32_t lives;           /* generation of core and broker */
	uint32_t generations[VM_SLOTS];
	unsigned alive;           /* processes of the life that have not been reaped */
	pid_t child;              /* who opens; 0: nobody */
	struct fd pidfd;          /* of it */
	struct fd report;         /* its end of the pipe */
	int64_t due;              /* now_ms(): it, the launcher or the life is late; 0: nothing is due */
	unsigned notes_len;
	uint8_t notes[NOTES_MAX];
};

/* serve.c. argv's own VM, started and opened. */
int serve_argv(struct vm *vm, struct err *err);
/* Until everything is to end. */
void serve_api(struct vm *vm);

/* asks.c: what the api has said. -errno: it broke a rule. */
int asks_take(struct vm *vm, struct err *err);

/* answer.c. The open ask is done; or failed, by err->code. */
void answer_ask(struct vm *vm, const struct err *err);
/* Who asked is gone. */
void answer_none(struct vm *vm);
/* What the api is told; one that takes it not is the worse off. */
void answer_tell(struct vm *vm, Bulkhead__Packet *packet);
void answer_life(struct vm *vm);
void answer_placed(struct vm *vm, const struct wanted *device);

/* life.c */
int life_start(struct vm *vm, struct err *err);
bool life_has_channels(const struct vm *vm);
/* Ends it; `towards` is what there is when its processes have been reaped. */
void life_end(struct vm *vm, enum vm_life towards, enum life_cause cause);
void life_word(struct vm *vm, struct word_msg *msg);
/* The child has said how it went, or ended without a word. */
void life_report(struct vm *vm);
void life_tick(struct vm *vm);
int life_due_ms(const struct vm *vm);
void life_quit(struct vm *vm, int status);

/* child.c: opens all of a VM in a process of its own that ends within OPEN_MS. */
int child_begin(struct vm *vm, struct err *err);
/* Its report, taken into *opening. 0, or its failure. */
int child_end(struct vm *vm, struct err *err);

/* config.c: argv's, or from the api's messages. Strings are copies. */
int config_from_argv(struct opening *opening, struct err *err);
int config_from_wire(struct opening *opening, const Bulkhead__ApiCreate *told, struct err *err);
int config_add(struct opening *opening, const Bulkhead__ApiDevice *told, struct fd given,
	struct err *err);
void config_remove(struct opening *opening, unsigned index);
int config_find(const struct opening *opening, const char *id); /* its index, or -1 */
void config_forget(struct opening *opening);
int config_resize(struct opening *opening, uint32_t vcpus, uint64_t memory, struct err *err);
