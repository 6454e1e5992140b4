/* SPDX-License-Identifier: Apache-2.0
 *
 * A test VM from outside: the real program with a tiny guest, its words, its processes, its end.
 *
 * Harness process, one thread, one VM at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "tests/breakout/page.h"

enum { TEXT_MAX = 1 << 18, OPTIONS_MAX = 16 };

struct vm {
	pid_t pid; /* the launcher, and its session */
	int out, err;
	char out_text[TEXT_MAX], err_text[TEXT_MAX]; /* what the guest said; the log */
	size_t out_len, err_len;
	bool ended;
	int status; /* as waitpid gives it, once it ended */
};

/* Where the test binaries, the page and what is to be found there lie: made once. Exits with a word
 * where that cannot be. */
void vm_place(const char *binaries);
void vm_place_remove(void);
extern struct page *vm_page;
extern char vm_folder[64], vm_socket[80]; /* of an API */

/* What failed and errno's word on it; ends the harness. */
void __attribute__((noreturn)) vm_die(const char *what);

/* Starts bulkhead with the guest, `options` (ends with NULL) behind its own. */
void vm_start(struct vm *vm, const char *const *options);
/* Takes in what comes within ms; notes its end. */
void vm_pump(struct vm *vm, int ms);
/* Rounds of the guest so far, and the last whole one ("12"; "" when there is none). */
unsigned vm_rounds(const struct vm *vm, char ret_last[static 8]);
bool vm_said(const struct vm *vm, const char *words);
/* Waits for it up to ms. */
bool vm_wait_end(struct vm *vm, int ms);
/* Ends it, whatever state it is in. */
void vm_stop(struct vm *vm);

/* The session's nth process of that name (as /proc has it), or 0. */
pid_t vm_process(const struct vm *vm, const char *name, unsigned nth);
/* Its processes that still run. */
unsigned vm_left(const struct vm *vm);
/* Descriptors a process has; -1 when it is gone. */
int fds_of(pid_t pid);
/* The system call seccomp killed a process of the last VM for, by the kernel's log; -1: it does not
 * say (it keeps a few of many). */
int vm_recorded_call(void);
int64_t clock_ms(void);
