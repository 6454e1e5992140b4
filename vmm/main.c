/* SPDX-License-Identifier: Apache-2.0
 *
 * bulkhead-core: the process that runs the guest, from what it is told to a monitor that can do no more
 * than that.
 *
 * This page is the order in which things are learnt, used and given up; start() is the place to begin.
 * Each step says what it needs and what must not have happened yet. It is confined before it is told
 * anything: no path can be opened, ever. What can be refused is refused by step 4, before a device is
 * touched; after step 11 the main thread can do no more than reset the VM, give up devices and end.
 */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "seccomp/confine.h"
#include "vmm/core.h"
#include "vmm/kvm/mce.h"
#include "vmm/kvm/populate.h"

enum { STATUS_OK = 0, STATUS_REFUSED = 1, STATUS_FAULT = 2, STATUS_CUT_OFF = 3 };

/* For devices to be closed when the guest boots anew: what the kernel takes to give one up. */
enum { RELEASE_MS = 70000 };

/* For the launcher to set a terminal's modes; it may be stopped. */
enum { TERMINAL_MS = 1000 };

/* For the opener to open what may be on the far side of a network. */
enum { TOLD_MS = 600000 };

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- 1: confined ----------------------------------------------------------------------------- */

static int confine(struct core *core, int argc, char **argv, struct err *err)
{
	struct confine walls = {.limits_later = true};
	int r = birth_read(argc, argv, &core->birth, err);

	if (r < 0)
		return r;
	log_init("bulkhead-core", core->birth.level, BIRTH_FD_LOG);
	mce_watch(&core->vm);
	walls.bare = core->birth.bare;
	r = confine_process(&walls, err);
	return r < 0 ? r : policy_enter(&policy_core_setup, core->birth.mode, false, err);
}

/* ---- 2 to 4: what the VM is made of ---------------------------------------------------------- */

static void on_words(void *opaque)
{
	orders_launcher(opaque);
}

static void on_opener(void *opaque)
{
	orders_launcher(opaque); /* whatever the opener speaks of has been dealt before */
	orders_opener(opaque);
}

static void on_answer(void *opaque)
{
	devices_on_answer(opaque);
}

static void on_broker(void *opaque)
{
	devices_on_event(opaque);
}

static void on_helper(void *opaque)
{
	devices_on_helper(opaque);
}

static void on_api(void *opaque)
{
	operate_on_api(opaque);
}

static void listen(struct core *core)
{
	struct events *events = &core->events;

	core->words = BIRTH_FD_WORDS;
	chan_init(&core->opener, (struct fd){BIRTH_FD_ORDERS}, ACTOR_CORE, ACTOR_OPENER, "opener");
	config_init(&core->config);
	devices_init(&core->devices, &core->vm, &core->pci);
	operate_init(&core->operate, &core->vm, &core->config.cpus, &core->devices, &core->platform);
	events_add(events, &core->words, on_words, core);
	events_add(events, &core->operate.api.sock.n, on_api, &core->operate);
	events_add(events, &core->opener.sock.n, on_opener, core);
	events_add(events, &core->devices.ask.sock.n, on_answer, &core->devices);
	events_add(events, &core->devices.event.sock.n, on_broker, &core->devices);
	for (unsigned i = 0; i < VM_SLOTS; i++)
		events_add(events, &core->devices.slots[i].remote.peer.event.sock.n, on_helper,
			&core->devices.slots[i]);
}

/* vCPU threads, before them those that fault RAM in, and KVM's own that recovers huge pages. */
static unsigned max_tasks(const struct core *core)
{
	unsigned vcpus = core->config.cpus.boot;

	return 1 + (vcpus > POPULATE_THREADS ? vcpus : POPULATE_THREADS);
}

/* As many descriptors as the VM's devices could ever come to need, an eventfd a vector and a doorbell,
 * two channels and a pin's pair, within what the operator's limit allows. */
static unsigned max_fds(const struct core *core)
{
	uint64_t wanted = 64 + core->config.cpus.boot +
		core->devices.expected * (4ull + MSIX_MAX + DOORBELLS_MAX);
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max < wanted)
		wanted = limit.rlim_max;
	return (unsigned)wanted;
}

static const struct err *failure(const struct core *core)
{
	return core->failed.code ? &core->failed : &core->devices.failed;
}

/* Listens until `told` is, or a process we need has ended. */
static int hear(struct core *core, const bool *told, struct err *err)
{
	int64_t until = now_ms() + TOLD_MS;

	while (!*told && !failure(core)->code) {
		const int64_t left = until - now_ms();

		if (left <= 0)
			return err_set(err, -ETIMEDOUT, BLAME_HOST, "what the VM is to be made of has not "
				"been opened within %d s", TOLD_MS / 1000);
		until += events_wait(&core->events, (int)left);
	}
	*err = *failure(core);
	return err->code;
}

static int learn(struct core *core, struct err *err)
{
	int r = hear(core, &core->config.told, err);

	if (r < 0)
		return r;
	core->source = (struct boot_source){
		.kernel = core->config.kernel.n,
		.initramfs = core->config.initramfs.n,
		.cmdline = core->config.has_cmdline ? core->config.cmdline : NULL,
		.cpus = &core->config.cpus,
	};
	return 0;
}

static int check_input(struct core *core, struct err *err)
{
	struct layout layout;
	int r = vm_check_host(core->config.kvm.n, &core->config.cpus, err);

	if (r == 0)
		r = vm_phys_space(core->config.kvm.n, &core->phys, err);
	if (r == 0)
		r = layout_plan(core->config.ram.size, core->phys, &layout, err);
	return r < 0 ? r : boot_check(&core->source, &layout, err);
}

static int make_ram(struct core *core, struct err *err)
{
	int r = ram_create(&core->vm.ram, &core->config.ram, &core->config.node_cpus, core->phys, err);

	return r < 0 ? r : ram_seal(&core->vm.ram, err);
}

/* ---- 5 to 8: the machine --------------------------------------------------------------------- */

static int make_machine(struct core *core, struct err *err)
{
	struct vm *vm = &core->vm;
	int r = vm_create(vm, fd_take(&core->config.kvm), err);

	vm->bar_fault = devices_bar_fault;
	vm->bar_fault_opaque = &core->devices;
	if (r == 0)
		r = vm_map_ram(vm, err);
	if (r == 0)
		r = pci_init(&core->pci, vm, err);
	if (r < 0)
		return r;
	shutdown_init(&core->shutdown, vm, &core->platform, core->config.shutdown_timeout_s);
	r = platform_init(&core->platform, vm);
	if (r == 0 && core->config.serial != CONSOLE_OFF)
		r = serial_init(&core->serial, &vm->pio, &vm->irq, core->config.serial_out.n);
	if (core->config.serial_limit)
		serial_out_limit(&core->serial.out, core->config.serial_limit);
	if (r < 0)
		return err_set(err, r, BLAME_BUG, "platform: %s", strerror(-r));
	return 0;
}

/* Once it is known how many devices there are, and before one of them is heard. No file of ours grows
 * after that, but the operator's. */
static int limit(const struct core *core, struct err *err)
{
	const struct confine limits = {.max_fds = max_fds(core), .max_procs = max_tasks(core),
		.file_size = config_grows(&core->config) ? RLIM_INFINITY : 0};

	return confine_limits(&limits, err);
}

/* How far the broker is with guest RAM, it says itself. */
static int attach_devices(struct core *core, struct err *err)
{
	struct devices *devices = &core->devices;
	int r = hear(core, &devices->told_all, err);

	if (r == 0)
		r = limit(core, err);
	if (r == 0)
		r = devices_populate(devices, err);
	while (r == 0 && !devices_attach(devices, err)) {
		if (err->code == 0)
			devices_stood_still(devices, events_wait(&core->events, devices_due_ms(devices)));
		if (err->code == 0)
			*err = core->failed;
		r = err->code;
	}
	return r < 0 ? r : devices_settle(devices, err);
}

static int make_vcpus(struct core *core, struct err *err)
{
	int r = vcpus_create(&core->vm, &core->config.cpus, err);

	/* All are as a reset leaves them, and only the first has somewhere to go. (Setting a local
	 * APIC costs KVM a walk of all of them: lapic.c, kvm_recalculate_apic_map.) */
	if (r == 0)
		r = vcpu_state_restore(&core->vm.vcpus[0], &core->entry, err);
	return r;
}

/* ---- 9 to 11: sealed ------------------------------------------------------------------------- */

static int seal_devices(struct core *core, struct err *err)
{
	int r = devices_seal(&core->devices, err);

	fd_close(&core->vm.kvm);
	fd_close(&core->vm.ram.memfd);
	return r;
}

static int start_vcpus(struct core *core, struct err *err)
{
	return vcpus_start(&core->vm, core->birth.mode, err);
}

/* That it woke us is all; the main loop looks at vm->request. */
static void on_request(void *opaque)
{
	event_clear(((struct vm *)opaque)->request_fd.n);
}

static int seal(struct core *core, struct err *err)
{
	struct events *events = &core->events;

	events_add(events, &core->vm.request_fd.n, on_request, &core->vm);
	if (core->config.serial == CONSOLE_TTY) {
		console_init(&core->console, &core->serial, &core->shutdown,
			core->config.serial_in.n, core->config.terminal);
		events_add(events, &core->console.fd, console_ready, &core->console);
		events_add(events, &core->serial.room_fd, console_has_room, &core->console);
	}
	core->opener.phase = PHASE_RUN;
	return policy_enter(&policy_core_run, core->birth.mode, false, err);
}

/* ---- the steps ------------------------------------------------------------------------------ */

static bool step(struct core *core, int r, const char *done)
{
	int64_t now = now_us();

	if (r < 0)
		return false;
	log_info("start: %s, %.2f ms (at %.2f ms)", done, (double)(now - core->step_us) / 1000,
		(double)(now - core->began_us) / 1000);
	core->step_us = now;
	return true;
}

static bool start(struct core *core, int argc, char **argv, struct err *err)
{
	struct vm *vm = &core->vm;

	return /* 1. Must not yet: a byte read of anybody's. One thread. */
		step(core, confine(core, argc, argv, err), "confined") &&
		/* 2. */
		step(core, (listen(core), learn(core, err)), "configuration there") &&
		/* 3. Must not yet: anything a refusal would have to undo. A kernel is read here, as
		 * far as its headers. */
		step(core, check_input(core, err), "kernel, initramfs and KVM checked") &&
		/* 4. Must not yet: the broker asked, which maps it for devices. */
		step(core, make_ram(core, err), "guest RAM made") &&
		/* 5. */
		step(core, make_machine(core, err), "machine made") &&
		/* 6. Needs: the VM. The first step that changes the host: devices are claimed. */
		step(core, attach_devices(core, err), "devices attached") &&
		/* 7. */
		step(core, boot_load(&vm->ram, &core->source, &core->entry, err),
			"kernel loaded") &&
		/* 8. */
		step(core, make_vcpus(core, err), "vCPUs made") &&
		/* 9. Needs: all devices attached. No set-up work outside the core after this. */
		step(core, seal_devices(core, err), "devices sealed") &&
		/* 10. Must not yet: the run policy, which makes no thread. They enter theirs. */
		step(core, start_vcpus(core, err), "vCPU threads sealed") &&
		/* 11. Must not yet: a guest instruction. */
		step(core, seal(core, err), "core sealed");
}

static int sooner(int a, int b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* One wait, at most ms (-1: for as long as it takes), and what came of it. As events_wait. */
static int64_t tend(struct core *core, int ms)
{
	int64_t lost;

	ms = sooner(ms, shutdown_left_ms(&core->shutdown));
	ms = sooner(ms, devices_tend_in_ms(&core->devices));
	lost = events_wait(&core->events, ms);
	shutdown_tick(&core->shutdown);
	devices_tend(&core->devices);
	return lost;
}

/* No device that failed may write to memory once another kernel is there. */
static int release_failed(struct core *core, struct err *err)
{
	int64_t until = now_ms() + RELEASE_MS;
	const char *name;

	devices_release_failed(&core->devices);
	while ((name = devices_unreleased(&core->devices)) != NULL) {
		const int64_t left = until - now_ms();

		/* The guest that heard its power button is not there any more. */
		if (core->vm.request == VM_CUT_OFF || core->shutdown.asked)
			return err_set(err, -EINTR, BLAME_HOST, "the VM is to end");
		if (left <= 0)
			return err_set(err, -EBUSY, BLAME_HOST, "%s: the device does not close, so its "
				"DMA may go on; reset it, or the host", name);
		until += tend(core, (int)left);
	}
	return 0;
}

/* Everything as after power-on; helpers are kept, their devices reset. */
static int reset(struct core *core, struct err *err)
{
	int r;

	pci_reset(&core->pci);
	r = release_failed(core, err);
	platform_reset(&core->platform);
	if (core->config.serial != CONSOLE_OFF)
		serial_reset(&core->serial);
	if (r == 0)
		r = vm_reset(&core->vm, err);
	if (r == 0)
		r = boot_load(&core->vm.ram, &core->source, &core->entry, err);
	if (r == 0)
		r = vcpus_reset(&core->vm, &core->entry, err);
	return r;
}

/* Until a vCPU, a port or the operator wants something of the VM; its vCPUs are parked then. False: not
 * all of them are, and nothing may be touched that they might be at. */
static bool run_until_asked(struct core *core)
{
	vcpus_resume(&core->vm);
	while (core->vm.request == VM_RUN)
		tend(core, -1);
	return vcpus_park(&core->vm);
}

/* A guest that is to end and starts anew has ended. */
static bool restart(struct core *core)
{
	struct err err = {0};
	int r;

	if (core->shutdown.asked) {
		log_info("reset: the VM was to end, and is not started anew");
		return false;
	}
	operate_rebooting(&core->operate);
	core->n_resets++;
	if (log_allowed(&core->resets)) /* a guest may do nothing else */
		log_info("reset %lu: the guest boots again", core->n_resets);
	r = reset(core, &err);
	if (r == 0) {
		operate_rebooted(&core->operate);
	} else if (r != -EINTR) {
		log_error("reset: %s", err.msg);
		core->vm.request = VM_FATAL;
	}
	return r == 0;
}

/* The launcher sets its modes: before the guest prints, or somebody answers. */
static void await_terminal(struct core *core)
{
	int64_t until = now_ms() + TERMINAL_MS;

	while (core->config.serial == CONSOLE_TTY && !core->console.told && now_ms() < until)
		until += events_wait(&core->events, (int)(until - now_ms()));
}

/* Returns the exit status. */
static int run_guest(struct core *core)
{
	const struct word word = {.op = WORD_RUNS};
	struct vm *vm = &core->vm;
	bool parked;

	core->runs = true;
	operate_started(&core->operate);
	(void)word_send(core->words, &word, NULL, 0);
	await_terminal(core);
	do
		parked = run_until_asked(core);
	while (parked && vm->request == VM_RESET && restart(core));
	if (vm->request == VM_FATAL)
		vcpus_log_faults(vm);
	return !parked || vm->request == VM_FATAL ? STATUS_FAULT
		: vm->request == VM_CUT_OFF	       ? STATUS_CUT_OFF
						       : STATUS_OK;
}

/* With a vCPU that does not stop, the kernel takes everything from us; the launcher sees it. */
int main(int argc, char **argv)
{
	static struct core core; /* half a megabyte; zeroed is a state every part can end from */
	struct err err = {0};
	int status = STATUS_REFUSED;

	core.began_us = core.step_us = now_us();
	log_init("bulkhead-core", LOG_WARN, BIRTH_FD_LOG);
	mallopt(M_ARENA_MAX, 1); /* vCPU threads need no heap of their own */
	if (!start(&core, argc, argv, &err)) {
		if (err.msg[0])
			log_error("%s", err.msg);
		operate_failed(&core.operate, err.msg);
		return status;
	}
	log_info("start: the guest runs at %.2f ms", (double)(core.step_us - core.began_us) / 1000);
	status = run_guest(&core);
	vcpus_log_counts(&core.vm, LOG_INFO);
	return status;
}
