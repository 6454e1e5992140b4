/* SPDX-License-Identifier: Apache-2.0
 *
 * What each process may hold once its VM runs. bulkhead-audit; the same promises as SECURITY.md's
 * table «who may do what».
 */
#include <string.h>

#include "helpers/audit/audit.h"
#include "helpers/virtio/virtio_pci.h"

#define BIT(kind) (1ull << (kind))
#define STANDARD                                                                                   \
	(BIT(HELD_TTY) | BIT(HELD_NULL) | BIT(HELD_PIPE) | BIT(HELD_FILE) | BIT(HELD_SOCKET))
#define CHANNELS (BIT(HELD_SOCKET))

/* Bounds of vmm/main.c max_fds and max_tasks, and helpers/broker/main.c on_seal, at the most vCPUs and
 * devices there can be. */
enum {
	CORE_VCPUS = 1024, CORE_FILES = 64 + CORE_VCPUS + 30 * 2053, BROKER_FILES = 16 + 6 * 30, HELPER_FILES = 16,
	VDPA_FILES = 24 + 2 * VIRTIO_QUEUES_MAX,
};

const struct promise promise_core = {
	.name = "core", .binary = "bulkhead", .may_map_ram = true,
	.max_files = CORE_FILES, .max_procs = CORE_VCPUS + 2, .writes_files = true,
	.fds = BIT(HELD_EVENT) | BIT(HELD_SIGNAL) | BIT(HELD_PID) | BIT(HELD_KVM_VM) |
		BIT(HELD_KVM_VCPU) | BIT(HELD_KVM_DEVICE) | CHANNELS | STANDARD, /* kernel, initramfs, log, serial */
	.standard_fds = STANDARD,
	.high_fds = BIT(HELD_VFIO_GROUP) | BIT(HELD_VFIO_DEVICE), .max_devices = 30, /* KVM's list */
	.stack = {&policy_core_setup, &policy_core_run},
};

const struct policy *const vcpu_stack[4] = {&policy_core_setup, &policy_vcpu_run};

const struct promise promise_broker = {
	.name = "broker", .binary = "bulkhead-broker",
	.max_files = BROKER_FILES, .writes_files = true,
	.fds = CHANNELS | BIT(HELD_PID) | BIT(HELD_VFIO_CONTAINER) | BIT(HELD_VFIO_GROUP) |
		BIT(HELD_IOMMU) | BIT(HELD_VFIO_DEVICE) | BIT(HELD_VDPA),
	.standard_fds = STANDARD, .max_devices = 30,
	.stack = {&policy_broker_setup, &policy_broker_run},
};

static const struct promise helpers[] = {
	{.name = "vfio helper", .binary = "bulkhead-vfio", .pid_namespace = true,
		.max_files = HELPER_FILES, .max_devices = 1,
		.fds = CHANNELS | BIT(HELD_VFIO_DEVICE) | BIT(HELD_VFIO_GROUP) | BIT(HELD_EVENT),
		.standard_fds = CHANNELS,
		.stack = {&policy_broker_setup, &policy_vfio_setup, &policy_vfio_run}},
	{.name = "vdpa helper", .binary = "bulkhead-vdpa", .pid_namespace = true,
		.may_map_ram = true, .max_files = VDPA_FILES, .max_devices = 1,
		.fds = CHANNELS | BIT(HELD_VDPA) | BIT(HELD_EVENT), .standard_fds = CHANNELS,
		.stack = {&policy_broker_setup, &policy_vdpa_setup, &policy_vdpa_run}},
	{.name = "null helper", .binary = "bulkhead-null", .pid_namespace = true,
		.max_files = HELPER_FILES,
		.fds = CHANNELS | BIT(HELD_EVENT), .standard_fds = CHANNELS,
		.stack = {&policy_broker_setup, &policy_null_setup, &policy_null_run}},
};

const struct promise *promise_of(const char *binary)
{
	if (strcmp(binary, promise_core.binary) == 0)
		return &promise_core;
	if (strcmp(binary, promise_broker.binary) == 0)
		return &promise_broker;
	for (unsigned i = 0; i < sizeof(helpers) / sizeof(helpers[0]); i++)
		if (strcmp(binary, helpers[i].binary) == 0)
			return &helpers[i];
	return NULL;
}
