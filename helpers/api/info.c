/* SPDX-License-Identifier: Apache-2.0
 *
 * What clients see of the VM. bulkhead-api. Names are Cloud Hypervisor's (VmmPingResponse,
 * VmInfoResponse, DeviceNode, PciDeviceInfo); what is ours beside them is vcpu_tids and a device's
 * state, which its clients do not read.
 */
#include "helpers/api/info.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "helpers/api/config.h"
#include "helpers/api/json.h"

/* The dialect that is spoken, by its release; bulkhead's own after the dash, as git describe does. */
#define DIALECT "53.0"

int info_ping(char *to, size_t size)
{
	json_t *ping = json_pack("{ss ss si s[s]}", "build_version",
		"v" DIALECT "-bulkhead-" BULKHEAD_VERSION, "version", DIALECT, "pid", (int)vm.launcher,
		"features", "kvm");

	return json_write(ping, to, size);
}

static json_t *resources(const struct vm_device *device)
{
	static const char *const kinds[] = {[BAR_KIND_IO] = "Io", [BAR_KIND_MMIO32] = "Mmio32",
		[BAR_KIND_MMIO64] = "Mmio64"};
	json_t *list = json_array();

	for (unsigned i = 0; i < device->n_bars; i++) {
		const struct vm_bar *bar = &device->bars[i];

		json_array_append_new(list, json_pack("{s{si sI sI ss sb}}", "PciBar", "index",
			(int)bar->index, "base", (json_int_t)(bar->address & INT64_MAX), "size",
			(json_int_t)(bar->size & INT64_MAX), "type_",
			kinds[bar->kind <= BAR_KIND_MMIO64 ? bar->kind : BAR_KIND_IO],
			"prefetchable", bar->prefetchable));
	}
	return list;
}

static json_t *device_tree(void)
{
	static const char *const states[] = {[PLUG_STATE_HERE] = "here",
		[PLUG_STATE_REMOVING] = "removing", [PLUG_STATE_FAILED] = "failed"};
	json_t *tree = json_object();

	for (unsigned i = 0; i < VM_SLOTS; i++) {
		const struct vm_device *device = &vm.devices[i];
		char bdf[16];

		if (!device->used || !device->here)
			continue;
		vm_bdf(device, bdf);
		json_object_set_new(tree, device->id, json_pack("{ss so s[] ss ss}", "id", device->id,
			"resources", resources(device), "children", "pci_bdf", bdf, "state",
			states[device->state <= PLUG_STATE_FAILED ? device->state : 0]));
	}
	return tree;
}

static json_t *thread_ids(void)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < vm.n_tids; i++)
		json_array_append_new(list, json_integer(vm.tids[i]));
	return list;
}

int info_vm(char *to, size_t size)
{
	static const char *const names[VM_STATES] = {"", "Created", "Created", "Running", "Paused"};
	const uint64_t memory = config_number(config_tree(), "memory", "size");
	enum vm_state state = vm_state();
	json_t *rest = json_pack("{ss sI}", "state", names[state], "memory_actual_size",
		(json_int_t)(vm.started && vm.memory_actual ? vm.memory_actual & INT64_MAX : memory));
	int head = snprintf(to, size, "{\"config\":%s", config_text()), tail;

	if (state == VM_RUNNING || state == VM_PAUSED) {
		json_object_set_new(rest, "device_tree", device_tree());
		json_object_set_new(rest, "vcpu_tids", thread_ids());
	}
	if (head < 0 || (size_t)head >= size)
		return -ENOSPC;
	tail = json_write(rest, to + head, size - (size_t)head);
	to[head] = ','; /* one object of two */
	return tail < 0 ? tail : head + tail;
}

int info_counters(char *to, size_t size, const Bulkhead__LifeCountersAre *counters)
{
	json_t *all = json_pack("{s{sI}}", "__vcpus", "exits",
		(json_int_t)(counters->exits & INT64_MAX));

	for (size_t i = 0; i < counters->n_devices; i++) {
		const Bulkhead__LifeCounts *told = counters->devices[i];
		const struct vm_device *device = told->slot < VM_SLOTS ? &vm.devices[told->slot] : NULL;

		if (device && device->used && device->generation == told->generation)
			json_object_set_new(all, device->id, json_pack("{sI sI}", "asks",
				(json_int_t)(told->asks & INT64_MAX), "waited_ms",
				(json_int_t)(told->waited_ms & INT64_MAX)));
	}
	return json_write(all, to, size);
}

int info_device(char *to, size_t size, const struct vm_device *device)
{
	char bdf[16];

	vm_bdf(device, bdf);
	return json_write(json_pack("{ss ss}", "id", device->id, "bdf", bdf), to, size);
}
