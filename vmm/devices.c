/* SPDX-License-Identifier: Apache-2.0
 *
 * Attaching devices. Core process, main thread.
 *
 * One at a time, in the order of their slots, so that a device has the same place on the guest's bus at
 * each start.
 */
#include "vmm/devices.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "ipc/log.h"
#include "seccomp/layers.h"
#include "seccomp/policy.h"
#include "vmm/kvm/populate.h"

enum { DESCRIBE_MS = 5000 };

void devices_init(struct devices *devices, struct vm *vm, struct pci *pci)
{
	*devices = (struct devices){.vm = vm, .pci = pci, .ask.sock = FD_NONE_INIT,
		.event.sock = FD_NONE_INIT};
	for (unsigned i = 0; i < VM_SLOTS; i++) {
		devices->slots[i] = (struct slot){.devices = devices, .ask = FD_NONE_INIT,
			.event = FD_NONE_INIT};
		peer_init(&devices->slots[i].remote.peer, "", FD_NONE_INIT, FD_NONE_INIT);
	}
}

/* The first that fails is told. */
static void fail(struct devices *devices, const struct err *err)
{
	if (!devices->failed.code)
		devices->failed = *err;
}

static struct slot *slot_of(struct devices *devices, uint32_t slot, uint32_t generation)
{
	struct slot *s = slot < VM_SLOTS ? &devices->slots[slot] : NULL;

	if (s && s->step == SLOT_FREE)
		s->generation = generation;
	return s && generation && s->generation == generation ? s : NULL;
}

/* ---- what others say ------------------------------------------------------------------------- */

static int take_rom(struct slot *slot, struct msg *msg, struct err *err)
{
	fd_owned rom = msg_fd(msg, 0);

	return slot->config.rom == ROM_FILE ? rom_read_file(rom.n, &slot->config, err) : 0;
}

int devices_told(struct devices *devices, struct msg *msg, struct err *err)
{
	const Bulkhead__CoreDevice *told = msg->packet->core_device;
	struct slot *slot = slot_of(devices, told->slot, told->generation);
	int r;

	if (!slot || slot->told)
		return err_set(err, -EBADMSG, BLAME_BUG, "opener: device of slot %u out of turn",
			told->slot);
	r = config_take_device(told, &slot->config, err);
	if (r == 0)
		r = take_rom(slot, msg, err);
	slot->told = true;
	slot->step = SLOT_WAITS;
	return r;
}

static void take_broker(struct devices *devices, struct word_msg *msg)
{
	if (chan_is_open(&devices->ask) || msg->n_fds != 2)
		return;
	devices->broker_generation = msg->word.generation;
	devices->started = devices->broker_over = false;
	chan_init(&devices->ask, fd_take(&msg->fds[0]), ACTOR_CORE, ACTOR_BROKER, "broker");
	chan_init(&devices->event, fd_take(&msg->fds[1]), ACTOR_CORE, ACTOR_BROKER, "broker");
}

/* Low numbers are for what is read and written (FD_FLOOR), and a channel is neither. */
static struct fd out_of_the_way(struct fd *given)
{
	const int high = fcntl(given->n, F_DUPFD_CLOEXEC, FD_FLOOR);

	if (high < 0)
		return fd_take(given);
	fd_close(given);
	return (struct fd){high};
}

int devices_dealt(struct devices *devices, struct word_msg *msg, struct err *err)
{
	const struct word *word = &msg->word;
	struct slot *slot;

	if (word->kind == KIND_BROKER) {
		take_broker(devices, msg);
		return 0;
	}
	slot = word->kind < KIND_VFIO ? NULL : slot_of(devices, word->slot, word->generation);
	if (!slot || slot->dealt || msg->n_fds != 2)
		return err_set(err, -EBADMSG, BLAME_BUG, "launcher: channels of slot %u out of turn",
			word->slot);
	slot->ask = out_of_the_way(&msg->fds[0]);
	slot->event = out_of_the_way(&msg->fds[1]);
	slot->dealt = true;
	slot->step = SLOT_WAITS;
	return 0;
}

/* Before it is here; what becomes of it later is its peer's state. */
static void lost(struct devices *devices, const struct slot *slot, const char *how)
{
	struct err err;
	char name[64];

	snprintf(name, sizeof(name), "device %u", (unsigned)(slot - devices->slots));
	err_set(&err, -EPIPE, BLAME_PEER, "%s: its helper %s; the device is not attached",
		slot->told ? slot->config.name : name, how);
	fail(devices, &err);
}

void devices_ended(struct devices *devices, const struct word *word)
{
	struct slot *slot;
	char how[64], ended[80];

	wait_status_text(word->value, how, sizeof(how));
	if (word->kind == KIND_BROKER && word->generation == devices->broker_generation) {
		devices->broker_over = true;
		if (chan_is_open(&devices->event))
			devices_broker_gone(devices, how);
		return;
	}
	slot = word->kind < KIND_VFIO ? NULL : slot_of(devices, word->slot, word->generation);
	if (slot)
		slot->over = true;
	if (slot && slot->step == SLOT_HERE)
		remote_gone(&slot->remote, how);
	else if (slot && slot->step != SLOT_FREE) {
		snprintf(ended, sizeof(ended), "has ended, %s", how);
		lost(devices, slot, ended);
	}
}

/* ---- the steps ------------------------------------------------------------------------------- */

static bool any_pins(const struct devices *devices)
{
	bool pins = false;

	for (unsigned i = 0; i < VM_SLOTS; i++)
		pins |= devices->slots[i].told && devices->slots[i].config.kind == KIND_VFIO;
	return pins;
}

int devices_populate(struct devices *devices, struct err *err)
{
	int r = any_pins(devices) ? populate(&devices->vm->ram, err) : 0;

	for (unsigned i = 0; i < VM_SLOTS; i++) {
		if (devices->slots[i].told)
			pci_reserve(devices->pci, devices->slots[i].config.devfn);
	}
	return r;
}

/* Hands over the RAM memfd. */
static void ask_start(struct devices *devices)
{
	const struct ram *ram = &devices->vm->ram;
	Bulkhead__RamRegion regions[RAM_REGIONS], *ptrs[RAM_REGIONS];
	Bulkhead__Start body = BULKHEAD__START__INIT;
	Bulkhead__Packet packet = PACKET(START, start, &body);
	struct err err = {0};

	for (unsigned i = 0; i < ram->layout.n_ram; i++) {
		regions[i] = (Bulkhead__RamRegion)BULKHEAD__RAM_REGION__INIT;
		regions[i].gpa = ram->layout.ram[i].gpa;
		regions[i].size = ram->layout.ram[i].size;
		regions[i].offset = ram->layout.ram[i].offset;
		ptrs[i] = &regions[i];
	}
	body.n_ram = ram->layout.n_ram;
	body.ram = ptrs;
	devices->starting = chan_send(&devices->ask, &packet, &ram->memfd.n, 1, now_ms(), &err) == 0;
	if (!devices->starting)
		fail(devices, &err);
}

static void ask_attach(struct devices *devices, unsigned index)
{
	Bulkhead__Attach body = BULKHEAD__ATTACH__INIT;
	struct slot *slot = &devices->slots[index];
	struct err err = {0};

	body.slot = index;
	body.generation = slot->generation;
	slot->step = SLOT_ATTACHES;
	if (chan_send(&devices->ask, &PACKET(ATTACH, attach, &body), NULL, 0, now_ms(), &err) < 0)
		fail(devices, &err);
}

static unsigned count_here(const struct devices *devices)
{
	unsigned n = 0;

	for (unsigned i = 0; i < VM_SLOTS; i++)
		n += devices->slots[i].step == SLOT_HERE;
	return n;
}

/* The next whose turn it is, or VM_SLOTS: an earlier one is on its way, or none is ready. */
static unsigned next(const struct devices *devices)
{
	for (unsigned i = 0; i < VM_SLOTS; i++) {
		const struct slot *slot = &devices->slots[i];

		if (slot->step == SLOT_WAITS && slot->told && slot->dealt)
			return i;
		if (slot->step != SLOT_FREE && slot->step != SLOT_HERE)
			break;
	}
	return VM_SLOTS;
}

static void check_late(struct devices *devices)
{
	for (unsigned i = 0; i < VM_SLOTS; i++) {
		if (devices->slots[i].step == SLOT_OPENS && now_ms() >= devices->slots[i].due)
			lost(devices, &devices->slots[i], "has not described it in time");
	}
	/* The broker's own answer. */
	if (devices->ask.asked && now_ms() >= devices->ask.due_ms)
		devices_on_answer(devices);
}

bool devices_attach(struct devices *devices, struct err *err)
{
	unsigned index = next(devices);

	check_late(devices);
	if (index < VM_SLOTS && chan_is_open(&devices->ask) && !devices->ask.asked) {
		if (devices->started)
			ask_attach(devices, index);
		else if (!devices->starting)
			ask_start(devices);
	}
	if (devices->failed.code)
		*err = devices->failed;
	return devices->told_all && !devices->failed.code && count_here(devices) == devices->expected;
}

int devices_due_ms(const struct devices *devices)
{
	int64_t first = devices->ask.asked ? devices->ask.due_ms : INT64_MAX, left;

	for (unsigned i = 0; i < VM_SLOTS; i++) {
		if (devices->slots[i].step == SLOT_OPENS && devices->slots[i].due < first)
			first = devices->slots[i].due;
	}
	left = first - now_ms();
	return first == INT64_MAX ? -1 : left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left;
}

void devices_stood_still(struct devices *devices, int64_t ms)
{
	for (unsigned i = 0; i < VM_SLOTS; i++) {
		if (devices->slots[i].step == SLOT_OPENS)
			devices->slots[i].due += ms;
	}
	if (devices->ask.asked)
		devices->ask.due_ms += ms;
}

/* The place of the device, or its group, in KVM's list; -1: it is not on it. */
static int tell_kvm(struct vm *vm, struct fd file, int *ret_place, struct err *err)
{
	int r = file.n < 0 ? -1 : kvm_vfio_add(&vm->vfio, vm->fd.n, file, err);

	*ret_place = r;
	return file.n >= 0 && r < 0 ? r : 0;
}

static void attached(struct devices *devices, struct msg *msg)
{
	struct err err = {0};

	for (unsigned i = 0; i < VM_SLOTS; i++) {
		struct slot *slot = &devices->slots[i];

		if (slot->step != SLOT_ATTACHES)
			continue;
		peer_init(&slot->remote.peer, slot->config.name, fd_take(&slot->ask),
			fd_take(&slot->event));
		slot->step = SLOT_OPENS;
		slot->due = now_ms() + DESCRIBE_MS;
		if (tell_kvm(devices->vm, msg_fd(msg, 0), &slot->remote.vfio_file, &err) < 0)
			fail(devices, &err);
	}
}

/* How a helper has ended the launcher will say, or has said. */
static void refused(struct devices *devices, const struct msg *msg)
{
	struct err err = {0};

	if (chan_refused(&devices->ask, msg, &err) != -EPIPE) {
		fail(devices, &err);
		return;
	}
	for (unsigned i = 0; i < VM_SLOTS; i++) {
		struct slot *slot = &devices->slots[i];

		if (slot->step != SLOT_ATTACHES)
			continue;
		slot->step = SLOT_OPENS;
		slot->due = now_ms() + DESCRIBE_MS;
	}
}

void devices_on_answer(struct devices *devices)
{
	struct err err = {0};
	struct msg msg;
	int r;

	if (!chan_is_open(&devices->ask))
		return;
	r = chan_take(&devices->ask, &msg, now_ms(), &err);
	if (r == -ETIMEDOUT && chan_is_open(&devices->ask))
		return;
	if (r < 0) {
		devices_broker_gone(devices, r == -EPIPE ? "it ended unexpectedly" : err.msg);
		return;
	}
	if (msg.packet->body_case == BULKHEAD__PACKET__BODY_REFUSED) {
		refused(devices, &msg);
	} else if (msg.packet->body_case == BULKHEAD__PACKET__BODY_ATTACHED) {
		attached(devices, &msg);
	} else {
		devices->started = true;
		devices->starting = false;
	}
	msg_done(&msg);
}

/* Its description: it is here. */
static void described(struct devices *devices, struct slot *slot)
{
	fd_owned file = FD_NONE_INIT;
	struct function_desc desc;
	struct err err = {0};
	int r = peer_describes(&slot->remote.peer, &desc, &file, &err);

	if (r == -ETIMEDOUT || r == -EPIPE) /* or it is over: the launcher says how */
		return;
	if (r == 0)
		r = remote_create(&slot->remote, &desc, file.n, devices->vm, devices->pci, &slot->config,
			&err);
	if (r < 0) {
		fail(devices, &err);
		return;
	}
	slot->step = SLOT_HERE;
	if (slot->wanted)
		remote_wanted(&slot->remote);
	slot->wanted = false;
}

void devices_on_helper(struct slot *slot)
{
	if (slot->step == SLOT_HERE)
		remote_on_event(&slot->remote);
	else
		described(slot->devices, slot);
}
