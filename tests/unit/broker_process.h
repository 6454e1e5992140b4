/* SPDX-License-Identifier: Apache-2.0
 *
 * The real broker and its helpers, started and dealt their channels by the real launcher's code, with the
 * test as launcher, opener and core.
 */
#pragma once

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helpers/launch/launch.h"
#include "ipc/chan.h"
#include "ipc/describe.h"
#include "tests/census.h"
#include "tests/needs.h"

enum { RAM = 16 << 20, DEVICES = 2, LIFE = 1 };

struct vm {
	struct launch launch;
	struct fd opener_words, core_words; /* our ends */
	struct chan orders;                 /* the opener's, to the broker */
	struct chan ask, events;            /* the core's */
	struct chan device[DEVICES], device_events[DEVICES];
	struct function_desc desc[DEVICES];
};

static struct err err;
static struct msg msg;

/* The binaries lie one directory above the tests', or where BULKHEAD_BUILD says. */
static inline int pin(enum word_kind kind)
{
	const char *build = getenv("BULKHEAD_BUILD");
	char self[PATH_MAX], path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	int fd;

	cr_assert_gt(n, 0);
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	*strrchr(self, '/') = '\0';
	cr_assert_lt(snprintf(path, PATH_MAX, "%s/bulkhead-%s", build ? build : self,
		word_kind_name(kind)), PATH_MAX);
	fd = open(path, O_PATH | O_CLOEXEC);
	cr_assert_geq(fd, 0, "%s: %s", path, strerror(errno));
	return fd;
}

/* We are that one of its children. */
static inline void be(struct vm *vm, enum word_kind kind, struct fd *ret_ours)
{
	struct child *child = child_at(&vm->launch, kind, 0);

	*child = (struct child){.kind = kind, .generation = LIFE, .pid = getpid()};
	cr_assert_eq(frame_pair(&child->words, ret_ours), 0);
}

static inline void be_no_more(struct vm *vm)
{
	child_at(&vm->launch, KIND_OPENER, 0)->pid = 0;
	child_at(&vm->launch, KIND_CORE, 0)->pid = 0;
}

/* One word that has come, its descriptors taken as channels. */
static inline struct word take_word(struct fd words, enum word_actor to, struct chan *const *chans,
	unsigned n, enum actor self, enum actor peer)
{
	struct word_msg in;

	cr_assert_eq(word_recv(words.n, WORDS_LAUNCHER, to, &in), 0);
	cr_assert_eq(in.n_fds, n);
	for (unsigned i = 0; i < n; i++)
		chan_init(chans[i], fd_take(&in.fds[i]), self, peer, "broker");
	word_done(&in);
	return in.word;
}

static inline void start_one(struct vm *vm, enum word_kind kind, unsigned slot)
{
	int r = child_start(&vm->launch, kind, slot, LIFE, RAM, &err);

	cr_assert_eq(r, 0, "%s", err.msg);
}

static inline void start_broker(struct vm *vm)
{
	*vm = (struct vm){.opener_words = FD_NONE_INIT};
	launch_init(&vm->launch);
	vm->launch.opts.seccomp = SECCOMP_MODE_KILL;
	vm->launch.opts.verbose = getenv("BULKHEAD_VERBOSE") ? 2 : 0;
	vm->launch.binaries[KIND_BROKER].n = pin(KIND_BROKER);
	vm->launch.binaries[KIND_NULL].n = pin(KIND_NULL);
	be(vm, KIND_OPENER, &vm->opener_words);
	be(vm, KIND_CORE, &vm->core_words);
	start_one(vm, KIND_BROKER, 0);
	take_word(vm->opener_words, WORDS_OPENER, (struct chan *const[]){&vm->orders}, 1, ACTOR_OPENER,
		ACTOR_BROKER);
	take_word(vm->core_words, WORDS_CORE, (struct chan *const[]){&vm->ask, &vm->events}, 2,
		ACTOR_CORE, ACTOR_BROKER);
}

static inline void start_helper(struct vm *vm, unsigned i)
{
	struct word word;

	start_one(vm, KIND_NULL, i);
	word = take_word(vm->core_words, WORDS_CORE,
		(struct chan *const[]){&vm->device[i], &vm->device_events[i]}, 2, ACTOR_CORE, ACTOR_HELPER);
	cr_assert(word.op == WORD_DEAL && word.kind == KIND_NULL && word.slot == i &&
		word.generation == LIFE);
}

static inline void tell_device(struct vm *vm, unsigned i)
{
	Bulkhead__BrokerDevice body = BULKHEAD__BROKER_DEVICE__INIT;
	char name[16];

	snprintf(name, sizeof(name), "dev%u", i);
	body.slot = i;
	body.generation = LIFE;
	body.kind = KIND_NULL;
	body.name = name;
	cr_assert_eq(chan_tell(&vm->orders, &PACKET(BROKER_DEVICE, broker_device, &body)), 0);
}

static inline int ask_start(struct vm *vm)
{
	Bulkhead__RamRegion region = BULKHEAD__RAM_REGION__INIT, *list[] = {&region};
	Bulkhead__Start start = BULKHEAD__START__INIT;
	int memfd = memfd_create("ram", MFD_CLOEXEC | MFD_ALLOW_SEALING), r;

	cr_assert_eq(ftruncate(memfd, RAM), 0);
	cr_assert_eq(fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
	region.size = RAM;
	start.ram = list;
	start.n_ram = 1;
	r = chan_ask(&vm->ask, &PACKET(START, start, &start), &memfd, 1, &msg, &err);
	close(memfd);
	if (r == 0)
		msg_done(&msg);
	return r;
}

static inline int ask_attach(struct vm *vm, unsigned i, uint32_t generation)
{
	Bulkhead__Attach body = BULKHEAD__ATTACH__INIT;
	int r;

	body.slot = i;
	body.generation = generation;
	r = chan_ask(&vm->ask, &PACKET(ATTACH, attach, &body), NULL, 0, &msg, &err);
	if (r == 0)
		msg_done(&msg);
	return r;
}

/* The broker has it opened, and it describes itself to the core, unasked. */
static inline void attach(struct vm *vm, unsigned i)
{
	int r = ask_attach(vm, i, LIFE);

	cr_assert_eq(r, 0, "attach: %s", err.msg);
	r = chan_recv(&vm->device_events[i], &msg, 5000, &err);
	cr_assert_eq(r, 0, "describe: %s", err.msg);
	cr_assert_eq(msg.packet->body_case, BULKHEAD__PACKET__BODY_DESCRIPTION);
	r = describe_from_wire(msg.packet->description, &vm->desc[i], &err);
	cr_assert_eq(r, 0, "%s", err.msg);
	msg_done(&msg);
	vm->device[i].phase = vm->device_events[i].phase = PHASE_RUN;
}

static inline void seal(struct vm *vm)
{
	Bulkhead__Seal body = BULKHEAD__SEAL__INIT;
	int r = chan_ask(&vm->ask, &PACKET(SEAL, seal, &body), NULL, 0, NULL, &err);

	cr_assert_eq(r, 0, "seal: %s", err.msg);
}

static inline void bring_up(struct vm *vm)
{
	int r;

	start_broker(vm);
	for (unsigned i = 0; i < DEVICES; i++) {
		tell_device(vm, i);
		start_helper(vm, i);
	}
	r = ask_start(vm);
	cr_assert_eq(r, 0, "start: %s", err.msg);
	for (unsigned i = 0; i < DEVICES; i++)
		attach(vm, i);
	seal(vm);
}

static inline int config_read(struct vm *vm, unsigned i, unsigned offset, unsigned size,
	uint64_t *ret)
{
	Bulkhead__ConfigRead body = BULKHEAD__CONFIG_READ__INIT;
	int r;

	body.offset = offset;
	body.size = size;
	r = chan_ask(&vm->device[i], &PACKET(CONFIG_READ, config_read, &body), NULL, 0, &msg,
		&err);
	if (r == 0) {
		*ret = msg.packet->value->value;
		msg_done(&msg);
	}
	return r;
}

static inline int region_write(struct vm *vm, unsigned i, uint64_t offset, unsigned size,
	uint64_t value)
{
	Bulkhead__RegionWrite body = BULKHEAD__REGION_WRITE__INIT;

	body.offset = offset;
	body.size = size;
	body.value = value;
	return chan_ask(&vm->device[i], &PACKET(REGION_WRITE, region_write, &body), NULL, 0,
		NULL, &err);
}

static inline uint64_t region_read(struct vm *vm, unsigned i, uint64_t offset, unsigned size)
{
	Bulkhead__RegionRead body = BULKHEAD__REGION_READ__INIT;
	uint64_t value;
	int r;

	body.offset = offset;
	body.size = size;
	r = chan_ask(&vm->device[i], &PACKET(REGION_READ, region_read, &body), NULL, 0, &msg,
		&err);
	cr_assert_eq(r, 0, "%s", err.msg);
	value = msg.packet->value->value;
	msg_done(&msg);
	return value;
}

static inline struct child *helper(struct vm *vm, unsigned i)
{
	return child_at(&vm->launch, KIND_NULL, i);
}

static inline struct child *broker(struct vm *vm)
{
	return child_at(&vm->launch, KIND_BROKER, 0);
}

/* What the launcher does when the process has ended, which it has to within two seconds. Its wait
 * status. */
static inline int reap(struct vm *vm, struct child *child)
{
	int status = -1;
	pid_t n = 0;

	for (int i = 0; i < 200 && n == 0; i++) {
		n = waitpid(child->pid, &status, WNOHANG);
		if (n == 0)
			usleep(10000);
	}
	cr_assert_eq(n, child->pid, "bulkhead-%s is still there after 2 s", word_kind_name(child->kind));
	life_ended(&vm->launch, child, status);
	return status;
}

/* The core has ended: the launcher ends the rest. */
static inline void stop(struct vm *vm)
{
	int status;

	be_no_more(vm);
	chan_close(&vm->ask);
	vm->launch.stage = STAGE_RUNNING;
	life_end(&vm->launch, 0);
	for (unsigned i = 0; i < DEVICES; i++) {
		if (helper(vm, i)->pid)
			reap(vm, helper(vm, i));
	}
	status = reap(vm, broker(vm));
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status 0x%x", status);
	cr_assert(life_over(&vm->launch));
}
