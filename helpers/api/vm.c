/* SPDX-License-Identifier: Apache-2.0
 *
 * What is told of the VM, kept and passed on to monitors. bulkhead-api.
 *
 * The opener is as trusted as we are, and says of a device where it is placed before it has anything
 * started for it; so the core, which is not trusted and may be the guest's, names devices that are
 * known here: another slot or generation says nothing. Its words are cut to size and shown to people.
 */
#include "helpers/api/vm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "helpers/api/config.h"
#include "helpers/api/events.h"
#include "ipc/log.h"
#include "ipc/words.h"
#include "seccomp/layers.h"

struct vm vm;

static char notes[CONFIG_MAX];
static size_t notes_len;

enum vm_state vm_state(void)
{
	switch (vm.life) {
	case VM_LIFE_CREATED: return VM_CREATED;
	case VM_LIFE_LIVE:
		return !vm.started ? VM_BOOTING : vm.paused ? VM_PAUSED : VM_RUNNING;
	default: return VM_NOTHING;
	}
}

struct vm_device *vm_device(const char *id)
{
	for (unsigned i = 0; i < VM_SLOTS; i++)
		if (vm.devices[i].used && strcmp(vm.devices[i].id, id) == 0)
			return &vm.devices[i];
	return NULL;
}

unsigned vm_slot(const struct vm_device *device)
{
	return (unsigned)(device - vm.devices);
}

/* The device a message of the core's names, or NULL. */
static struct vm_device *named(uint32_t slot, uint32_t generation)
{
	struct vm_device *device = slot < VM_SLOTS ? &vm.devices[slot] : NULL;

	return device && device->used && device->generation == generation ? device : NULL;
}

void vm_bdf(const struct vm_device *device, char to[static 16])
{
	snprintf(to, 16, "0000:00:%02x.%x", device->devfn >> 3 & 31, device->devfn & 7);
}

/* ---- the opener ---- */

/* The processes are gone, and with them the devices that were leaving. */
static void life_ends(void)
{
	for (unsigned i = 0; i < VM_SLOTS; i++)
		if (vm.devices[i].used && vm.devices[i].state == PLUG_STATE_REMOVING)
			config_drop(vm.devices[i].id);
	if (vm.started)
		EVENT("vm", "shutdown");
	vm.started = vm.paused = false;
	vm.n_tids = 0;
}

static void set_life(unsigned life)
{
	unsigned before = vm.life;

	vm.unsure = false;
	vm.life = life <= VM_LIFE_OVER ? life : VM_LIFE_NOTHING;
	if (before == VM_LIFE_LIVE && vm.life != VM_LIFE_LIVE)
		life_ends();
	if (vm.life != VM_LIFE_LIVE) /* nor has any a place that was to start, and did not */
		memset(vm.devices, 0, sizeof(vm.devices));
	if (before != VM_LIFE_NOTHING && (vm.life == VM_LIFE_NOTHING || vm.life == VM_LIFE_OVER)) {
		config_clear();
		EVENT("vm", "deleted");
	}
	if (before != VM_LIFE_LIVE && vm.life == VM_LIFE_LIVE)
		EVENT("vm", "booting");
	if (before != VM_LIFE_OVER && vm.life == VM_LIFE_OVER)
		EVENT("vmm", "shutdown");
}

static void on_life(const Bulkhead__ApiLife *life)
{
	if (life->why[0] && !vm.why[0]) /* what the core has said is nearer */
		snprintf(vm.why, sizeof(vm.why), "%s", life->why);
	set_life(life->life);
	if (config_text()[0])
		config_set_terminals(life->serial_pty, life->console_pty);
}

static struct vm_device *place(const char *id, uint32_t slot, uint32_t generation)
{
	struct vm_device *device = &vm.devices[slot];

	*device = (struct vm_device){.used = true, .generation = generation};
	snprintf(device->id, sizeof(device->id), "%s", id);
	return device;
}

static int on_notes(const Bulkhead__ApiNotes *piece, struct err *err)
{
	if (piece->offset == 0)
		notes_len = 0;
	if (piece->offset != notes_len || piece->part.len > sizeof(notes) - notes_len)
		return err_set(err, -EBADMSG, BLAME_PEER, "opener: notes that are not ours");
	memcpy(notes + notes_len, piece->part.data, piece->part.len);
	notes_len += piece->part.len;
	return 0;
}

/* For an api that has just begun. */
static int on_state(const Bulkhead__ApiStateIs *state, struct err *err)
{
	int r = 0;

	vm.known = true;
	vm.launcher = state->launcher;
	events_since((int64_t)(state->began_us & INT64_MAX));
	if (state->first)
		EVENT("vmm", "starting");
	if (state->life == VM_LIFE_CREATED || state->life == VM_LIFE_LIVE)
		r = config_from_wire(notes, notes_len, state, err);
	if (r < 0)
		return err_prefix(err, "opener: a configuration that cannot be shown");
	if (state->first)
		set_life(state->life);
	vm.life = state->life;
	vm.unsure = vm.life == VM_LIFE_LIVE;
	vm.told = vm.unsure && !state->first;
	for (size_t i = 0; i < state->n_devices && vm.life == VM_LIFE_LIVE; i++) {
		const Bulkhead__ApiDevice *told = state->devices[i];

		if (told->slot < VM_SLOTS && told->removing)
			place(told->id, told->slot, told->generation)->state = PLUG_STATE_REMOVING;
		else if (told->slot < VM_SLOTS)
			place(told->id, told->slot, told->generation);
	}
	if (config_text()[0])
		config_set_terminals(state->serial_pty, state->console_pty);
	return 0;
}

int vm_on_opener(const struct msg *msg, struct err *err)
{
	const Bulkhead__Packet *packet = msg->packet;

	switch (packet->body_case) {
	case BULKHEAD__PACKET__BODY_API_LIFE: on_life(packet->api_life); break;
	case BULKHEAD__PACKET__BODY_API_PLACED:
		if (packet->api_placed->slot < VM_SLOTS)
			place(packet->api_placed->id, packet->api_placed->slot,
				packet->api_placed->generation);
		break;
	case BULKHEAD__PACKET__BODY_API_NOTES: return on_notes(packet->api_notes, err);
	case BULKHEAD__PACKET__BODY_API_STATE_IS: return on_state(packet->api_state_is, err);
	default: break;
	}
	return 0;
}

/* ---- the core ---- */

static void tell_device(const char *event, const struct vm_device *device)
{
	char bdf[16];

	vm_bdf(device, bdf);
	EVENT_OF("vm", event, {"bdf", bdf}, {"id", device->id});
}

static void on_started(void)
{
	vm.unsure = false;
	if (vm.life != VM_LIFE_LIVE || vm.started)
		return;
	vm.started = true;
	vm.starts++;
	if (!vm.told)
		EVENT("vm", "booted");
}

static void on_paused(bool paused)
{
	if (!vm.started || vm.paused == paused)
		return;
	vm.paused = paused;
	if (!vm.told)
		EVENT("vm", paused ? "paused" : "resumed");
}

static void on_plugged(const Bulkhead__LifePlugged *told)
{
	struct vm_device *device = named(told->slot, told->generation);

	if (device) {
		device->here = true;
		device->devfn = told->devfn & 0xff;
	}
}

static void on_plug_failed(const Bulkhead__LifePlugFailed *told)
{
	struct vm_device *device = named(told->slot, told->generation);

	if (!device || device->here)
		return;
	snprintf(device->failed, sizeof(device->failed), "%s",
		told->why[0] ? told->why : "the core does not say why; see its log");
	config_drop(device->id);
}

static void on_unplugged(const Bulkhead__LifeUnplugged *told)
{
	struct vm_device *device = named(told->slot, told->generation);

	if (!device)
		return;
	tell_device(told->how == UNPLUG_HELD ? "device-held" : "device-removed", device);
	config_drop(device->id);
	device->used = false;
}

static void on_ost(const Bulkhead__LifeOst *told)
{
	struct vm_device *device = named(told->slot, told->generation);
	char status[16];

	if (!device)
		return;
	snprintf(status, sizeof(status), "0x%x", told->status);
	EVENT_OF("vm", told->status == OST_NONE ? "device-not-ejected" : "device-ost",
		{"id", device->id}, {"status", status});
}

static void on_device_failed(const Bulkhead__LifeDeviceFailed *told)
{
	static const char *const causes[] = {[DEVICE_CAUSE_HELPER] = "its helper ended",
		[DEVICE_CAUSE_ERROR] = "it reported an error",
		[DEVICE_CAUSE_WANTED] = "the host wants it back",
		[DEVICE_CAUSE_BACKEND] = "its back end is gone"};
	struct vm_device *device = named(told->slot, told->generation);

	if (!device)
		return;
	device->state = PLUG_STATE_FAILED;
	EVENT_OF("vm", "device-failed",
		{"cause", causes[told->cause <= DEVICE_CAUSE_BACKEND ? told->cause : 0]},
		{"id", device->id});
}

static void on_helper_ended(const Bulkhead__LifeHelperEnded *told)
{
	struct vm_device *device = named(told->slot, told->generation);
	char cause[32];

	if (!device)
		return;
	snprintf(cause, sizeof(cause), "%s %u",
		told->code == CLD_EXITED ? "exit status" : "signal", told->status);
	EVENT_OF("vm", "helper-ended", {"cause", cause}, {"id", device->id});
}

static void on_layer_missing(const Bulkhead__LifeLayerMissing *told)
{
	static const char *const processes[WORD_KINDS] = {"launcher", "opener", "api", "core",
		"broker", "vfio", "vdpa", "null"};

	if (told->layer < LAYERS && told->process < WORD_KINDS)
		EVENT_OF("vmm", "layer-missing", {"layer", layers[told->layer].name},
			{"process", processes[told->process]});
}

static void take_bars(struct vm_device *device, const Bulkhead__LifeDevice *told)
{
	device->n_bars = 0;
	for (size_t i = 0; i < told->n_bars && i < BARS_MAX; i++)
		device->bars[device->n_bars++] = (struct vm_bar){told->bars[i]->index,
			told->bars[i]->address, told->bars[i]->size, told->bars[i]->kind,
			told->bars[i]->prefetchable};
}

static void on_info(const Bulkhead__LifeInfoIs *info)
{
	vm.unsure = false;
	if (info->state != RUN_STATE_SETUP)
		on_started();
	on_paused(info->state == RUN_STATE_PAUSED);
	vm.told = false;
	vm.memory_actual = info->memory_actual;
	vm.n_tids = 0;
	for (size_t i = 0; i < info->n_vcpu_tids && i < VCPUS_MAX; i++)
		vm.tids[vm.n_tids++] = info->vcpu_tids[i];
	for (size_t i = 0; i < info->n_devices; i++) {
		const Bulkhead__LifeDevice *told = info->devices[i];
		struct vm_device *device = named(told->slot, told->generation);

		if (!device)
			continue;
		device->here = true;
		device->devfn = told->devfn & 0xff;
		device->state = told->state;
		take_bars(device, told);
	}
}

int vm_on_core(const struct msg *msg, struct err *err)
{
	const Bulkhead__Packet *packet = msg->packet;

	(void)err;
	switch (packet->body_case) {
	case BULKHEAD__PACKET__BODY_LIFE_STARTED: on_started(); break;
	case BULKHEAD__PACKET__BODY_LIFE_FAILED:
		snprintf(vm.why, sizeof(vm.why), "%s", packet->life_failed->why);
		break;
	case BULKHEAD__PACKET__BODY_LIFE_PAUSED: on_paused(true); break;
	case BULKHEAD__PACKET__BODY_LIFE_RESUMED: on_paused(false); break;
	case BULKHEAD__PACKET__BODY_LIFE_REBOOTING: EVENT("vm", "rebooting"); break;
	case BULKHEAD__PACKET__BODY_LIFE_REBOOTED:
		vm.paused = false;
		EVENT("vm", "rebooted");
		break;
	case BULKHEAD__PACKET__BODY_LIFE_PLUGGED: on_plugged(packet->life_plugged); break;
	case BULKHEAD__PACKET__BODY_LIFE_PLUG_FAILED: on_plug_failed(packet->life_plug_failed); break;
	case BULKHEAD__PACKET__BODY_LIFE_UNPLUGGED: on_unplugged(packet->life_unplugged); break;
	case BULKHEAD__PACKET__BODY_LIFE_OST: on_ost(packet->life_ost); break;
	case BULKHEAD__PACKET__BODY_LIFE_DEVICE_FAILED:
		on_device_failed(packet->life_device_failed);
		break;
	case BULKHEAD__PACKET__BODY_LIFE_HELPER_ENDED:
		on_helper_ended(packet->life_helper_ended);
		break;
	case BULKHEAD__PACKET__BODY_LIFE_LAYER_MISSING:
		on_layer_missing(packet->life_layer_missing);
		break;
	case BULKHEAD__PACKET__BODY_LIFE_INFO_IS: on_info(packet->life_info_is); break;
	default: break;
	}
	return 0;
}
