/* SPDX-License-Identifier: Apache-2.0
 *
 * bulkhead: the core process, from the operator's rights to those of a guest's monitor.
 *
 * This page is the order in which rights are used and given up; start() is the place to begin. Each
 * step says what it needs and what must not have happened yet. What can be refused is refused by
 * step 5, before anything on the host has changed; from step 6 on no path can be opened, and after
 * step 13 the main thread can do no more than reset and end the VM.
 */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "ipc/log.h"
#include "seccomp/confine.h"
#include "seccomp/layers.h"
#include "vmm/binary.h"
#include "vmm/boot/boot.h"
#include "vmm/broker.h"
#include "vmm/platform/console.h"
#include "vmm/platform/events.h"
#include "vmm/files.h"
#include "vmm/opts.h"
#include "vmm/pci/pci.h"
#include "vmm/platform/platform.h"
#include "vmm/kvm/mce.h"
#include "vmm/kvm/populate.h"
#include "vmm/kvm/posted.h"
#include "vmm/platform/serial.h"
#include "vmm/platform/signals.h"
#include "vmm/shutdown.h"
#include "vmm/tenant.h"
#include "vmm/kvm/vcpu.h"
#include "vmm/watcher.h"

enum { STATUS_OK = 0, STATUS_REFUSED = 1, STATUS_FAULT = 2, STATUS_CUT_OFF = 3 };

/* For devices to be closed when the guest boots anew: what the kernel takes to give one up. */
enum { RELEASE_MS = 70000 };

struct core {
	struct opts opts;
	struct files files;
	struct tenant tenant;
	struct boot_source source;
	struct vcpu_entry entry;
	struct phys_space phys;
	struct vm vm;
	struct pci pci;
	struct platform platform;
	struct serial serial;
	struct broker broker;
	struct console console;
	struct shutdown shutdown;
	struct signals signals;
	struct events events;
	struct log_budget resets;
	unsigned long n_resets;
	int64_t began_us, step_us;
};

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- 1 to 5: with the operator's rights ------------------------------------------------------ */

static int open_files(struct core *core, struct err *err)
{
	int r = files_open(&core->files, &core->opts, err);

	if (r < 0)
		return r;
	files_close_others(&core->files);
	if (core->files.log.n >= 0)
		log_init("bulkhead", (enum log_level)(LOG_WARN + core->opts.verbose),
			core->files.log.n);
	posted_say(cpus_max_apic_id(&core->opts.cpus));
	core->source = (struct boot_source){
		.kernel = core->files.kernel.n,
		.initramfs = core->files.initramfs.n,
		.kernel_name = core->opts.kernel,
		.initramfs_name = core->opts.initramfs,
		.cmdline = core->opts.cmdline,
		.cpus = &core->opts.cpus,
	};
	if (core->opts.seccomp == SECCOMP_MODE_LOG)
		return watcher_start(LOG_WARN + (int)core->opts.verbose, core->files.log.n, err);
	return 0;
}

static int check_input(struct core *core, struct err *err)
{
	struct layout layout;
	int r = vm_check_host(core->files.kvm.n, &core->opts.cpus, err);

	if (r == 0)
		r = vm_phys_space(core->files.kvm.n, &core->phys, err);
	if (r == 0)
		r = layout_plan(core->opts.ram.size, core->phys, &layout, err);
	if (r == 0)
		r = boot_check(&core->source, &layout, err);
	for (unsigned i = 0; i < core->opts.n_devices && r == 0; i++)
		r = rom_read_file(&core->opts.devices[i], err);
	return r;
}

/* vCPU threads, before them those that fault RAM in, and KVM's own that recovers huge pages. */
static unsigned max_tasks(const struct core *core)
{
	unsigned vcpus = core->opts.cpus.boot;

	return 1 + (vcpus > POPULATE_THREADS ? vcpus : POPULATE_THREADS);
}

static int make_ram(struct core *core, struct err *err)
{
	int r = ram_create(&core->vm.ram, &core->opts.ram, core->phys, err);

	return r < 0 ? r : ram_seal(&core->vm.ram, err);
}

/* ---- 6: confined ---------------------------------------------------------------------------- */

/* As many descriptors as the devices could ever come to need, an eventfd a vector and a doorbell,
 * two channels and a pin's pair, within what the operator's limit allows. */
static unsigned max_fds(const struct core *core)
{
	uint64_t wanted = 64 + core->opts.cpus.boot + core->opts.n_devices * (4ull + MSIX_MAX + DOORBELLS_MAX);
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max < wanted)
		wanted = limit.rlim_max;
	return (unsigned)wanted;
}

static int confine(struct core *core, struct err *err)
{
	const struct confine walls = {
		.unshare = true,
		.max_fds = max_fds(core),
		.max_procs = max_tasks(core),
		.file_size = files_grow(&core->files) ? RLIM_INFINITY : 0,
		/* Until the broker is sealed and sure to notice our end by itself. */
		.kills = true,
	};
	int r = 0;

	/* The broker, which has been started, is none of the kernel's business then. */
	mce_watch(&core->vm, console_restore);
	if (core->tenant.has_user)
		r = confine_user(core->tenant.uid, core->tenant.gid, err);
	if (r == 0)
		r = confine_process(&walls, err);
	if (r == 0)
		r = policy_enter(&policy_core_setup, core->opts.seccomp, false, err);
	return r;
}

/* ---- 7 to 10: the machine -------------------------------------------------------------------- */

static int make_machine(struct core *core, struct err *err)
{
	struct vm *vm = &core->vm;
	int r = vm_create(vm, fd_take(&core->files.kvm), err);

	vm->bar_fault = broker_bar_fault;
	vm->bar_fault_opaque = &core->broker;
	if (r == 0)
		r = vm_map_ram(vm, err);
	if (r == 0)
		r = pci_init(&core->pci, vm, err);
	if (r < 0)
		return r;
	r = signals_open(&core->signals, err);
	if (r < 0)
		return r;
	shutdown_init(&core->shutdown, vm, &core->platform, core->opts.shutdown_timeout_s);
	r = platform_init(&core->platform, vm);
	if (r == 0 && core->opts.serial != SERIAL_OFF)
		r = serial_init(&core->serial, &vm->pio, &vm->irq, core->files.serial_out.n);
	if (core->opts.serial_limit)
		serial_out_limit(&core->serial.out, core->opts.serial_limit);
	if (r < 0)
		return err_set(err, r, BLAME_BUG, "platform: %s", strerror(-r));
	return 0;
}

static int make_vcpus(struct core *core, struct err *err)
{
	int r = vcpus_create(&core->vm, &core->opts.cpus, err);

	/* All are as a reset leaves them, and only the first has somewhere to go. (Setting a local
	 * APIC costs KVM a walk of all of them: lapic.c, kvm_recalculate_apic_map.) */
	if (r == 0)
		r = vcpu_state_restore(&core->vm.vcpus[0], &core->entry, err);
	return r;
}

/* ---- 11 to 13: sealed ----------------------------------------------------------------------- */

static int seal_helpers(struct core *core, struct err *err)
{
	int r = broker_seal(&core->broker, err);

	fd_close(&core->vm.kvm);
	fd_close(&core->vm.ram.memfd);
	return r;
}

static int start_vcpus(struct core *core, struct err *err)
{
	int r = confine_signals(err);

	/* Up to here SIGTERM and Ctrl-C simply end us, however long a step takes. */
	if (r == 0)
		r = signals_init(&core->signals, &core->vm, &core->console, &core->shutdown, err);
	return r < 0 ? r : vcpus_start(&core->vm, core->opts.seccomp, err);
}

/* That it woke us is all; the main loop looks at vm->request. */
static void on_request(void *opaque)
{
	event_clear(((struct vm *)opaque)->request_fd.n);
}

static void on_broker(void *opaque)
{
	broker_on_event(opaque);
}

static void on_remote(void *opaque)
{
	remote_on_event(opaque);
}

static int seal(struct core *core, struct err *err)
{
	struct events *events = &core->events;
	struct remote *remotes = core->broker.remotes;

	events_add(events, &core->vm.request_fd.n, on_request, &core->vm);
	events_add(events, &core->signals.fd, signals_ready, &core->signals);
	events_add(events, &core->broker.event.sock.n, on_broker, &core->broker);
	for (unsigned i = 0; i < core->broker.n; i++)
		events_add(events, &remotes[i].peer.event.sock.n, on_remote, &remotes[i]);
	if (core->opts.serial == SERIAL_TTY) {
		console_init(&core->console, &core->serial, &core->shutdown);
		events_add(events, &core->console.fd, console_ready, &core->console);
		events_add(events, &core->serial.room_fd, console_has_room, &core->console);
	}
	return policy_enter(&policy_core_run, core->opts.seccomp, false, err);
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

static bool start(struct core *core, struct err *err)
{
	struct opts *opts = &core->opts;
	struct vm *vm = &core->vm;

	return /* 1. Needs: the operator's right to read and write what was named. */
		step(core, open_files(core, err), "files open") &&
		/* 2. Must not yet: anything a refusal would have to undo. A kernel is read here
		 * with the operator's rights, as far as its headers. */
		step(core, check_input(core, err), "kernel, initramfs and KVM checked") &&
		/* 3. Must not yet: RAM, which is charged to the cgroup, nor a second process, which
		 * inherits cookie and cgroup. Leaves an empty cgroup behind at worst. */
		step(core, tenant_init(&core->tenant, opts, 1 + max_tasks(core), err),
			"tenancy set up") &&
		/* 4. Must not yet: the broker, which maps it for devices. */
		step(core, make_ram(core, err), "guest RAM made") &&
		/* 5. Needs: fork and exec. Must not yet: threads, a VM (KVM is bound to one address
		 * space). The broker opens and checks the devices, and changes nothing. */
		step(core,
			broker_start(&core->broker, opts, &core->tenant, &vm->ram,
				core->files.log.n, err),
			"broker started, devices checked") &&
		/* 6. Needs: one thread (unshare); no further path. Must not yet: a byte read of a
		 * helper's, a device's, or of the kernel's inside. */
		step(core, confine(core, err), "confined") &&
		/* 7. */
		step(core, make_machine(core, err), "machine made") &&
		/* 8. Needs: the VM. The first step that changes the host: helpers start. */
		step(core, broker_attach_all(&core->broker, vm, &core->pci, err),
			"devices attached") &&
		/* 9. */
		step(core, boot_load(&vm->ram, &core->source, &core->entry, err),
			"kernel loaded") &&
		/* 10. */
		step(core, make_vcpus(core, err), "vCPUs made") &&
		/* 11. Needs: all devices attached. No set-up work outside the core after this. */
		step(core, seal_helpers(core, err), "helpers sealed") &&
		/* 12. Must not yet: the run policy, which makes no thread. They enter theirs. */
		step(core, start_vcpus(core, err), "vCPU threads sealed") &&
		/* 13. Must not yet: a guest instruction. */
		step(core, seal(core, err), "core sealed");
}

static int sooner(int a, int b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* One wait, at most ms (-1: for as long as it takes), and what came of it. */
static void tend(struct core *core, int ms)
{
	ms = sooner(ms, shutdown_left_ms(&core->shutdown));
	ms = sooner(ms, broker_tend_in_ms(&core->broker));
	ms = sooner(ms, console_look_in_ms(&core->console));
	events_wait(&core->events, ms);
	shutdown_tick(&core->shutdown);
	broker_tend(&core->broker);
	if (console_look_in_ms(&core->console) >= 0)
		console_look(&core->console);
}

/* No device that failed may write to memory once another kernel is there. */
static int release_failed(struct core *core, struct err *err)
{
	const int64_t until = now_ms() + RELEASE_MS;
	const char *name;

	broker_release_failed(&core->broker);
	while ((name = broker_unreleased(&core->broker)) != NULL) {
		const int64_t left = until - now_ms();

		/* The guest that heard its power button is not there any more. */
		if (core->vm.request == VM_CUT_OFF || core->shutdown.asked)
			return err_set(err, -EINTR, BLAME_HOST, "the VM is to end");
		if (left <= 0)
			return err_set(err, -EBUSY, BLAME_HOST, "%s: the device does not close, so its "
				"DMA may go on; reset it, or the host", name);
		tend(core, (int)left);
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
	if (core->opts.serial != SERIAL_OFF)
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
	core->n_resets++;
	if (log_allowed(&core->resets)) /* a guest may do nothing else */
		log_info("reset %lu: the guest boots again", core->n_resets);
	r = reset(core, &err);
	if (r < 0 && r != -EINTR) {
		log_error("reset: %s", err.msg);
		core->vm.request = VM_FATAL;
	}
	return r == 0;
}

/* Returns the exit status. */
static int run_guest(struct core *core, bool *ret_parked)
{
	struct vm *vm = &core->vm;

	do
		*ret_parked = run_until_asked(core);
	while (*ret_parked && vm->request == VM_RESET && restart(core));
	if (vm->request == VM_FATAL)
		vcpus_log_faults(vm);
	return !*ret_parked || vm->request == VM_FATAL ? STATUS_FAULT
		: vm->request == VM_CUT_OFF	       ? STATUS_CUT_OFF
						       : STATUS_OK;
}

int main(int argc, char **argv)
{
	static struct core core; /* half a megabyte; zeroed is a state every part can end from */
	struct err err = {0};
	bool parked = true;
	int status = STATUS_REFUSED;

	core.began_us = core.step_us = now_us();
	if (files_fill_standard() < 0)
		return STATUS_REFUSED; /* and nowhere to say so */
	log_init("bulkhead", LOG_WARN, STDERR_FILENO);
	mallopt(M_ARENA_MAX, 1); /* vCPU threads need no heap of their own */
	if (verb_run(argv, &err) < 0 || opts_parse(argc, argv, &core.opts, &err) < 0) {
		log_error("%s", err.msg);
		return STATUS_REFUSED;
	}
	if (core.opts.help || core.opts.version) {
		if (core.opts.help)
			opts_help();
		else
			printf("bulkhead v" BULKHEAD_VERSION "\n");
		return STATUS_OK;
	}
	log_init("bulkhead", (enum log_level)(LOG_WARN + core.opts.verbose), STDERR_FILENO);
	layers_allow_degraded(core.opts.allow_degraded);
	if (!start(&core, &err)) {
		console_restore();
		log_error("%s", err.msg);
	} else {
		log_info("start: the guest runs at %.2f ms",
			(double)(core.step_us - core.began_us) / 1000);
		status = run_guest(&core, &parked);
		vcpus_log_counts(&core.vm, LOG_INFO);
	}
	/* With a vCPU that does not stop, the kernel takes everything from us; the broker sees it. */
	if (parked)
		broker_stop(&core.broker);
	return status;
}
