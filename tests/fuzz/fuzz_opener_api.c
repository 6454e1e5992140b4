/* SPDX-License-Identifier: Apache-2.0
 *
 * What the api may ask of the opener, in any order, with the launcher's words and the child's report
 * between. Who opens is a double. Whatever is asked for, the configuration is one that argv allows.
 *
 * fuzzes: helpers/open/asks.c helpers/open/config.c helpers/open/life.c helpers/open/answer.c
 * links: helpers/open/asks.c helpers/open/config.c helpers/open/life.c helpers/open/answer.c
 * links: helpers/opts/opts_api.c helpers/opts/opts_device.c helpers/opts/opts_value.c tests/fuzz/wire.c
 * max_len: 600
 */
#include "tests/fuzz/wire.h"

#include <errno.h>

#include "helpers/open/vm.h"
#include "helpers/opts/opts_device.h"
#include "ipc/log.h"
#include "ipc/units.h"

enum { API = 1000, CPUS = 8, DEVICES = 3 };

static struct input in;
static struct opening opening;
static struct vm vm;
static bool opens; /* there is a child */

/* ---- doubles ----------------------------------------------------------------------------------- */

int child_begin(struct vm *v, struct err *err)
{
	require(v->child == 0 && !opens);
	if (take(&in, 1) % 16 == 0)
		return err_set(err, -EAGAIN, BLAME_HOST, "no child");
	opens = true;
	v->child = 1;
	return 0;
}

int child_end(struct vm *v, struct err *err)
{
	require(v->child && opens);
	opens = false;
	v->child = 0;
	for (unsigned i = 0; i < opening.n_devices; i++)
		fd_close(&opening.devices[i].given);
	return take(&in, 1) % 4 ? 0 : err_set(err, -EIO, BLAME_HOST, "it does not open");
}

void opening_reset(struct opening *o)
{
	for (unsigned i = 0; i < VM_SLOTS; i++)
		o->devices[i].generation = 0;
}

int pty_open(struct pty *ret, struct err *err)
{
	if (take(&in, 1) % 16 == 0)
		return err_set(err, -ENOSPC, BLAME_HOST, "no terminal");
	ret->master.n = wire_fd(FD_KIND_CHARDEV);
	ret->slave.n = wire_fd(FD_KIND_CHARDEV);
	strcpy(ret->name, "/dev/pts/1");
	return 0;
}

void pty_close(struct pty *pty)
{
	fd_close(&pty->master);
	fd_close(&pty->slave);
	pty->name[0] = '\0';
}

/* ---- the launcher ------------------------------------------------------------------------------ */

static void word(enum word_op op, enum word_kind kind, unsigned slot, uint32_t generation, int value)
{
	struct word_msg msg = {.word = {.op = (uint8_t)op, .kind = (uint8_t)kind, .slot = (uint8_t)slot,
		.generation = generation, .value = value}};

	for (unsigned i = 0; i < WORD_FDS; i++)
		msg.fds[i] = FD_NONE_INIT;
	if (op == WORD_DEAL)
		msg.fds[msg.n_fds++].n = API + 1 + (int)kind;
	life_word(&vm, &msg);
	word_done(&msg);
}

/* All that the life has left; the broker last. */
static void all_end(void)
{
	for (unsigned n = vm.alive; n-- > 0;)
		word(WORD_ENDED, n ? KIND_VFIO : KIND_BROKER, n % VM_SLOTS, 0, 0);
}

static void launcher(unsigned op)
{
	const unsigned slot = op >> 3 & 3;

	switch (op % 8) {
	case 0: word(WORD_DEAL, KIND_CORE, 0, vm.lives, 0); break;
	case 1: word(WORD_DEAL, KIND_BROKER, 0, vm.lives, 0); break;
	case 2: word(WORD_DEAL, KIND_API, 0, 1, 0); break;
	case 3: word(WORD_ENDED, KIND_CORE, 0, vm.lives, (int)take(&in, 2)); break;
	case 4: word(WORD_ENDED, KIND_VFIO, slot, vm.generations[slot], 0); break;
	case 5: word(WORD_ENDED, KIND_API, 0, 1, 0); break;
	default: all_end(); break;
	}
}

/* ---- what holds --------------------------------------------------------------------------------- */

static bool is_path(const char *path)
{
	return !path || (path[0] == '/' && strlen(path) < PATH_MAX);
}

static void check_device(unsigned index)
{
	const struct wanted *device = &opening.devices[index];
	const struct device_opt *opt = &opening.opts.devices[index];

	require(device->opt == opt && (opt->kind == KIND_VFIO || opt->kind == KIND_VDPA));
	require(config_find(&opening, opt->id) == (int)index && opt->id[0]);
	require(is_path(opt->path) && (!opt->rom || strcmp(opt->rom, "off") == 0 || is_path(opt->rom)));
	require(opt->devfn < PCI_DEVICES * PCI_FUNCTIONS && !opt->p2p);
	require(!device->generation || (device->slot < VM_SLOTS && vm.life != VM_LIFE_NOTHING));
	for (unsigned i = 0; i < index && device->generation; i++)
		require(!opening.devices[i].generation || opening.devices[i].slot != device->slot);
}

static void check(void)
{
	const struct opts *opts = &opening.opts, *argv = &opening.argv;

	require(opening.n_devices == opts->n_devices && opts->n_devices <= argv->max_devices);
	for (unsigned i = 0; i < opening.n_devices; i++)
		check_device(i);
	require(opts->cpus.boot <= CPUS && opts->ram.size <= argv->max_memory && opts->ram.size % 4096 == 0);
	require(vm.life != VM_LIFE_NOTHING || (!opts->kernel && !opts->n_devices && opening.serial.master.n < 0));
	require(is_path(opts->kernel) && is_path(opts->initramfs) && is_path(opts->serial_path));
	/* What is argv's alone. */
	require(opts->seccomp == argv->seccomp && !opts->user &&
		!opts->allow_degraded && !opts->n_allow);
	require(vm.notes_len <= NOTES_MAX && (vm.step == VM_OPENS) == opens);
	require(vm.step != VM_IDLE || !vm.ask);
}

static bool next(void)
{
	if (!input_left(&in))
		return false;
	wire_put(&in, vm.api.sock.n, vm.api.seq + 1);
	return true;
}

static void begin(void)
{
	struct fd none = FD_NONE_INIT;

	opening = (struct opening){.walled = true, .argv = {.max_cpus = CPUS, .max_memory = GiB,
			.max_devices = DEVICES, .shutdown_timeout_s = 1},
		.kvm = none, .out = none, .core.sock = none, .broker.sock = none, .serial = {none, none, ""},
		.console = {none, none, ""}};
	vm = (struct vm){.opening = &opening, .report = none, .pidfd = none};
	chan_init(&vm.api, (struct fd){API}, ACTOR_OPENER, ACTOR_API, "api");
	config_forget(&opening);
	opens = false;
}

static void one(unsigned op)
{
	struct err err = {0};

	if (op & 0x80) {
		launcher(op);
	} else if (op & 0x40) {
		if (vm.step == VM_OPENS)
			life_report(&vm);
	} else {
		if (op & 0x20)
			wire.send_error = EPIPE;
		if (chan_is_open(&vm.api) && next() && asks_take(&vm, &err) < 0) {
			answer_none(&vm); /* as serve.c */
			chan_close(&vm.api);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	log_init("", LOG_SAY, -1);
	in = input_of(data, size);
	wire_begin(next);
	begin();
	while (input_left(&in) && !vm.over) {
		one((unsigned)take(&in, 1));
		check();
	}
	answer_none(&vm);
	config_forget(&opening);
	wire_end();
	return 0;
}
