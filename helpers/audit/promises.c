/* SPDX-License-Identifier: Apache-2.0
 *
 * What each process may hold once its VM runs. bulkhead-audit; the same promises as SECURITY.md's
 * table «who may do what».
 */
#include <linux/capability.h>
#include <string.h>

#include "helpers/audit/audit.h"
#include "helpers/virtio/virtio_pci.h"

#define BIT(kind) (1ull << (kind))
#define STANDARD                                                                                   \
	(BIT(HELD_TTY) | BIT(HELD_NULL) | BIT(HELD_PIPE) | BIT(HELD_FILE) | BIT(HELD_SOCKET))
#define CHANNELS (BIT(HELD_SOCKET))

/* Bounds of vmm/main.c max_fds and max_tasks, and helpers/broker/ask.c lower_limits, at the most vCPUs and
 * devices there can be. */
enum {
	CORE_VCPUS = 1024, CORE_FILES = 64 + CORE_VCPUS + 30 * 2564, BROKER_FILES = 16 + 6 * 30,
	HELPER_FILES = 16,
	VDPA_FILES = 24 + 2 * VIRTIO_QUEUES_MAX,
	API_FILES = 1024, /* helpers/api/main.c FDS_MAX */
};

/* Filters add up: the launcher's is everybody's who was born behind it. */
#define STACK(setup, run) {&policy_launch_run, (setup), (run)}

const struct promise promise_launcher = {
	.name = "launcher", .binary = "bulkhead", .free = true, .operators = true,
	.caps = BIT(CAP_SETUID) | BIT(CAP_SETGID) | BIT(CAP_KILL) | BIT(CAP_SETFCAP),
	/* binaries, cgroup leaves; with an API its sockets and events, and /dev/null for who has none */
	.fds = BIT(HELD_SIGNAL) | CHANNELS | BIT(HELD_FILE) | BIT(HELD_DIR) | BIT(HELD_NULL) | BIT(HELD_PIPE),
	.standard_fds = STANDARD,
	.stack = {&policy_launch_run},
};

/* It was there before the launcher had a filter, has what it opens until it has handed that over, and ends
 * then. */
const struct promise promise_opener = {
	.name = "opener", .binary = "bulkhead-open", .free = true, .operators = true, .caps = UINT64_MAX,
	.fds = CHANNELS | STANDARD | BIT(HELD_DIR) | BIT(HELD_KVM) | BIT(HELD_VFIO_DEVICE) |
		BIT(HELD_VFIO_GROUP) | BIT(HELD_VFIO_CONTAINER) | BIT(HELD_IOMMU) | BIT(HELD_VDPA) |
		BIT(HELD_WATCH),
	.standard_fds = STANDARD, .max_devices = 30,
};

/* With an API it stays, behind walls: it and its children, one for each request that opens something. */
const struct promise promise_server = {
	.name = "opener", .binary = "bulkhead-open", .free = true, .several = true,
	.fds = CHANNELS | STANDARD | BIT(HELD_DIR) | BIT(HELD_KVM) | BIT(HELD_VFIO_DEVICE) |
		BIT(HELD_VFIO_GROUP) | BIT(HELD_VFIO_CONTAINER) | BIT(HELD_IOMMU) | BIT(HELD_VDPA) |
		BIT(HELD_WATCH),
	.standard_fds = STANDARD, .max_devices = 30,
	.stack = {&policy_open_run},
};

/* Devices are a client's, on their way to the opener. */
const struct promise promise_api = {
	.name = "api", .binary = "bulkhead-api", .max_files = API_FILES, .writes_files = true,
	.fds = CHANNELS | STANDARD | BIT(HELD_VFIO_DEVICE) | BIT(HELD_VDPA), .standard_fds = CHANNELS | STANDARD,
	.max_devices = API_FILES,
	.stack = {&policy_launch_run, &policy_api_run},
};

/* What has the number of the opener's channel, which has hung up, may be any of these. */
#define CORE_FDS                                                                                   \
	(BIT(HELD_EVENT) | BIT(HELD_KVM_VM) | BIT(HELD_KVM_VCPU) | BIT(HELD_KVM_DEVICE) | CHANNELS | \
		STANDARD) /* kernel, initramfs, log, serial */
#define BROKER_FDS                                                                                 \
	(CHANNELS | BIT(HELD_VFIO_CONTAINER) | BIT(HELD_VFIO_GROUP) | BIT(HELD_IOMMU) |            \
		BIT(HELD_VFIO_DEVICE) | BIT(HELD_VDPA) | BIT(HELD_WATCH))

const struct promise promise_core = {
	.name = "core", .binary = "bulkhead-core", .may_map_ram = true,
	.max_files = CORE_FILES, .max_procs = CORE_VCPUS + 2, .writes_files = true,
	.fds = CORE_FDS, .standard_fds = CORE_FDS,
	.high_fds = BIT(HELD_VFIO_GROUP) | BIT(HELD_VFIO_DEVICE), .max_devices = 30, /* KVM's list */
	.stack = STACK(&policy_core_setup, &policy_core_run),
};

const struct policy *const vcpu_stack[4] = STACK(&policy_core_setup, &policy_vcpu_run);

const struct promise promise_broker = {
	.name = "broker", .binary = "bulkhead-broker",
	.max_files = BROKER_FILES, .writes_files = true,
	.fds = BROKER_FDS, .standard_fds = BROKER_FDS | STANDARD, .max_devices = 30,
	.stack = STACK(&policy_broker_setup, &policy_broker_run),
};

static const struct promise helpers[] = {
	{.name = "vfio helper", .binary = "bulkhead-vfio", .several = true,
		.max_files = HELPER_FILES, .max_devices = 1,
		.fds = CHANNELS | BIT(HELD_VFIO_DEVICE) | BIT(HELD_VFIO_GROUP) | BIT(HELD_EVENT),
		.standard_fds = CHANNELS, .stack = STACK(&policy_vfio_setup, &policy_vfio_run)},
	{.name = "vdpa helper", .binary = "bulkhead-vdpa", .several = true,
		.may_map_ram = true, .max_files = VDPA_FILES, .max_devices = 1,
		.fds = CHANNELS | BIT(HELD_VDPA) | BIT(HELD_EVENT), .standard_fds = CHANNELS,
		.stack = STACK(&policy_vdpa_setup, &policy_vdpa_run)},
	{.name = "null helper", .binary = "bulkhead-null", .several = true,
		.max_files = HELPER_FILES, .fds = CHANNELS | BIT(HELD_EVENT),
		.standard_fds = CHANNELS, .stack = STACK(&policy_null_setup, &policy_null_run)},
};

static const struct promise *const singles[] = {&promise_launcher, &promise_opener, &promise_api,
	&promise_core, &promise_broker};

const struct promise *promise_of(const char *binary)
{
	for (unsigned i = 0; i < sizeof(singles) / sizeof(singles[0]); i++)
		if (strcmp(binary, singles[i]->binary) == 0)
			return singles[i];
	for (unsigned i = 0; i < sizeof(helpers) / sizeof(helpers[0]); i++)
		if (strcmp(binary, helpers[i].binary) == 0)
			return &helpers[i];
	return NULL;
}
