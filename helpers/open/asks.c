/* SPDX-License-Identifier: Apache-2.0
 *
 * What the api asks of the opener.
 *
 * Opener process, one thread. The api has one ask open at most, which is answered when it is done, after
 * the ApiLife it leads to; ApiState alone is answered at any time, as an api that has just been started
 * asks it first.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "helpers/open/vm.h"
#include "ipc/log.h"

enum { NOTES_PART = 32 * 1024 };

/* One is kept while it waits for its answer, the other takes what comes meanwhile. */
static struct msg msgs[2];

/* ---- what there is --------------------------------------------------------------------------- */

static const char *text(const char *s)
{
	return s ? s : "";
}

/* What was not asked for is not told as if it had been: cores, as many as there are vCPUs. */
static void describe_topology(const struct cpus *cpus, Bulkhead__ApiConfig *ret)
{
	if (cpus->threads == 1 && cpus->dies == 1 && cpus->packages == 1 && cpus->cores == cpus->boot)
		return;
	ret->threads_per_core = cpus->threads;
	ret->cores_per_die = cpus->cores;
	ret->dies_per_package = cpus->dies;
	ret->packages = cpus->packages;
}

static void describe_machine(const struct opening *opening, Bulkhead__ApiConfig *ret)
{
	const struct opts *opts = &opening->opts;

	ret->kernel = (char *)(uintptr_t)text(opts->kernel);
	ret->initramfs = (char *)(uintptr_t)text(opts->initramfs);
	ret->cmdline = (char *)(uintptr_t)text(opts->cmdline);
	ret->vcpus = opts->cpus.boot;
	describe_topology(&opts->cpus, ret);
	ret->memory = opts->ram.size;
	ret->hugepages = opts->ram.hugepages;
	ret->hugepage_size = opts->ram.hugepages ? opts->ram.hugepage_size : 0;
	ret->prefault = opts->ram.prefault;
	ret->serial = opts->serial;
	ret->serial_file = (char *)(uintptr_t)text(opts->serial_path);
	ret->console = opening->console.master.n >= 0 ? CONSOLE_PTY : CONSOLE_OFF;
	ret->iommufd = opts->iommufd == IOMMUFD_ON;
}

static void describe_device(const struct wanted *device, Bulkhead__ApiDevice *ret)
{
	const struct device_opt *opt = device->opt;
	const Bulkhead__ApiDevice plain = BULKHEAD__API_DEVICE__INIT;

	*ret = plain;
	ret->kind = opt->kind == KIND_VFIO ? DEVICE_KIND_VFIO
		: opt->kind == KIND_VDPA ? DEVICE_KIND_VDPA : DEVICE_KIND_NULL;
	ret->id = (char *)(uintptr_t)opt->id;
	ret->path = (char *)(uintptr_t)text(opt->path);
	ret->pci_device_id = opt->devfn / PCI_FUNCTIONS;
	ret->pci_function = opt->devfn % PCI_FUNCTIONS;
	ret->num_queues = opt->num_queues;
	ret->trapped = opt->trapped;
	ret->rom = (char *)(uintptr_t)text(opt->rom);
	ret->slot = device->slot;
	ret->generation = device->generation;
	ret->removing = device->removing;
}

static void tell_notes(struct vm *vm)
{
	Bulkhead__ApiNotes body = BULKHEAD__API_NOTES__INIT;

	body.total = vm->notes_len;
	for (unsigned at = 0; at < vm->notes_len; at += NOTES_PART) {
		unsigned left = vm->notes_len - at;

		body.offset = at;
		body.part = (ProtobufCBinaryData){left < NOTES_PART ? left : NOTES_PART, vm->notes + at};
		answer_tell(vm, &PACKET(API_NOTES, api_notes, &body));
	}
}

static int answer_state(struct vm *vm, const struct msg *ask)
{
	Bulkhead__ApiStateIs body = BULKHEAD__API_STATE_IS__INIT;
	Bulkhead__ApiConfig config = BULKHEAD__API_CONFIG__INIT;
	Bulkhead__ApiDevice devices[VM_SLOTS], *list[VM_SLOTS];
	const struct opening *opening = vm->opening;

	tell_notes(vm);
	describe_machine(opening, &config);
	for (unsigned i = 0; i < opening->n_devices; i++) {
		describe_device(&opening->devices[i], &devices[i]);
		list[i] = &devices[i];
	}
	body.launcher = (uint32_t)getppid();
	body.began_us = (uint64_t)vm->began_ms * 1000;
	body.first = !vm->api_knows;
	vm->api_knows = true;
	body.life = vm->life;
	body.config = vm->life == VM_LIFE_NOTHING ? NULL : &config;
	body.n_devices = opening->n_devices;
	body.devices = list;
	body.serial_pty = (char *)(uintptr_t)opening->serial.name;
	body.console_pty = (char *)(uintptr_t)opening->console.name;
	return chan_answer(&vm->api, ask, &PACKET(API_STATE_IS, api_state_is, &body), NULL, 0);
}

/* Piece by piece, in order; anything else is the api's fault and no VM's. */
static int take_notes(struct vm *vm, const Bulkhead__ApiNotes *told)
{
	if (told->offset == 0)
		vm->notes_len = 0;
	if (told->total > NOTES_MAX || told->offset != vm->notes_len || told->offset > told->total ||
		told->part.len > told->total - told->offset)
		return -EBADMSG;
	memcpy(vm->notes + told->offset, told->part.data, told->part.len);
	vm->notes_len += (unsigned)told->part.len;
	return 0;
}

/* ---- asks. 0: it is done; 1: it will be, and vm->step says by what; or -errno ----------------- */

enum { LATER = 1 };

static int needs(const struct vm *vm, enum vm_life life, struct err *err)
{
	static const char *const names[] = {
		[VM_LIFE_NOTHING] = "there is a VM already", [VM_LIFE_CREATED] = "the VM is not one that is "
			"created and does not run", [VM_LIFE_LIVE] = "the VM does not run",
	};

	return vm->life == life ? 0 : err_set(err, vm->life == VM_LIFE_NOTHING ? -ENOENT : -EEXIST,
		BLAME_HOST, "%s", vm->life == VM_LIFE_NOTHING ? "there is no VM" : names[life]);
}

static int create(struct vm *vm, const struct msg *ask, struct err *err)
{
	int r = needs(vm, VM_LIFE_NOTHING, err);

	if (r == 0)
		r = config_from_wire(vm->opening, ask->packet->api_create, err);
	if (r < 0)
		return r;
	vm->life = VM_LIFE_CREATED;
	vm->cause = LIFE_CAUSE_ASKED;
	answer_life(vm);
	return 0;
}

static int boot(struct vm *vm, struct err *err)
{
	int r = needs(vm, VM_LIFE_CREATED, err);

	if (r == 0 && !vm->opening->opts.kernel)
		return err_set(err, -EINVAL, BLAME_HOST, "payload.kernel: it is missing; name a bzImage or a "
			"PVH vmlinux");
	if (r == 0)
		r = life_start(vm, err);
	return r < 0 ? r : LATER;
}

/* What has not come to live and ends is as good. */
static int shut_down(struct vm *vm, struct err *err)
{
	int r = vm->step == VM_ENDS ? 0 : needs(vm, VM_LIFE_LIVE, err);

	if (r == 0)
		life_end(vm, VM_LIFE_CREATED, LIFE_CAUSE_ASKED);
	return r < 0 ? r : LATER;
}

/* Of nothing, too: there is none then. */
static int delete(struct vm *vm)
{
	if (vm->life == VM_LIFE_NOTHING)
		return 0;
	vm->notes_len = 0;
	life_end(vm, VM_LIFE_NOTHING, LIFE_CAUSE_ASKED);
	return LATER;
}

static int quit(struct vm *vm)
{
	vm->api_quits = true;
	life_end(vm, VM_LIFE_OVER, LIFE_CAUSE_ASKED);
	return LATER;
}

static int add(struct vm *vm, struct msg *ask, struct err *err)
{
	struct opening *opening = vm->opening;
	int r;

	if (vm->life == VM_LIFE_NOTHING)
		return needs(vm, VM_LIFE_CREATED, err);
	if (!ask->packet->api_add->device)
		return err_set(err, -EINVAL, BLAME_HOST, "there is no device in what the API's process sent");
	r = config_add(opening, ask->packet->api_add->device, msg_fd(ask, 0), err);
	if (r < 0 || vm->life != VM_LIFE_LIVE)
		return r;
	err_set(err, -EOPNOTSUPP, BLAME_HOST, "%s: no device comes to a VM that runs; vm.shutdown ends it, and "
		"what is added then is there at its next vm.boot", opening->devices[opening->n_devices - 1].opt->id);
	config_remove(opening, opening->n_devices - 1);
	return err->code;
}

static int take_away(struct vm *vm, const char *id, struct err *err)
{
	struct opening *opening = vm->opening;
	int index = config_find(opening, id);

	if (index < 0)
		return err_set(err, -ENOENT, BLAME_HOST, "%.63s: there is no device of that id; vm.info "
			"lists them", id);
	if (opening->devices[index].generation)
		opening->devices[index].removing = true;
	else
		config_remove(opening, (unsigned)index);
	return 0;
}

static int resize(struct vm *vm, const Bulkhead__ApiResize *told, struct err *err)
{
	int r = needs(vm, VM_LIFE_CREATED, err);

	return r < 0 ? r : config_resize(vm->opening, told->vcpus, told->memory, err);
}

/* One may join another. */
static bool is_end(const Bulkhead__Packet *packet)
{
	return packet->body_case == BULKHEAD__PACKET__BODY_API_SHUTDOWN ||
		packet->body_case == BULKHEAD__PACKET__BODY_API_DELETE ||
		packet->body_case == BULKHEAD__PACKET__BODY_API_QUIT;
}

static int carry_out(struct vm *vm, struct msg *ask, struct err *err)
{
	const Bulkhead__Packet *packet = ask->packet;

	if (vm->step != VM_IDLE && !(vm->step == VM_ENDS && is_end(packet)))
		return err_set(err, -EBUSY, BLAME_HOST, "the VM is being started or ended; ask again when it "
			"was");
	switch (packet->body_case) {
	case BULKHEAD__PACKET__BODY_API_CREATE: return create(vm, ask, err);
	case BULKHEAD__PACKET__BODY_API_BOOT: return boot(vm, err);
	case BULKHEAD__PACKET__BODY_API_SHUTDOWN: return shut_down(vm, err);
	case BULKHEAD__PACKET__BODY_API_DELETE: return delete(vm);
	case BULKHEAD__PACKET__BODY_API_QUIT: return quit(vm);
	case BULKHEAD__PACKET__BODY_API_ADD: return add(vm, ask, err);
	case BULKHEAD__PACKET__BODY_API_REMOVE: return take_away(vm, packet->api_remove->id, err);
	default: return resize(vm, packet->api_resize, err);
	}
}

/* The answer is owed before it is carried out, as an end can come at once. */
static void take_ask(struct vm *vm, struct msg *ask)
{
	struct err err = {0};
	int r;

	vm->ask = ask;
	r = carry_out(vm, ask, &err);
	if (r != LATER)
		answer_ask(vm, r < 0 ? &err : NULL);
}

int asks_take(struct vm *vm, struct err *err)
{
	struct msg *msg = vm->ask == &msgs[0] ? &msgs[1] : &msgs[0];
	int r = chan_recv(&vm->api, msg, 0, err);

	if (r < 0)
		return r == -ETIMEDOUT ? 0 : r;
	if (msg->packet->body_case == BULKHEAD__PACKET__BODY_API_NOTES) {
		r = take_notes(vm, msg->packet->api_notes);
		msg_done(msg);
		return r < 0 ? err_set(err, r, BLAME_PEER, "bulkhead-api: its notes are not in order") : 0;
	}
	if (msg->packet->body_case == BULKHEAD__PACKET__BODY_API_STATE) {
		r = answer_state(vm, msg);
		msg_done(msg);
		return r < 0 ? err_set(err, r, BLAME_PEER, "bulkhead-api: %s", strerror(-r)) : 0;
	}
	if (vm->ask) {
		msg_done(msg);
		return err_set(err, -EBADMSG, BLAME_PEER, "bulkhead-api: it asked before it was answered");
	}
	take_ask(vm, msg);
	return 0;
}
