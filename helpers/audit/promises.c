/* SPDX-License-Identifier: Apache-2.0
 *
 * What each process may hold once its VM runs. bulkhead-audit; the same promises as SECURITY.md's
 * table «who may do what».
 */
#include <linux/capability.h>
#include <string.h>

#include "helpers/api/conn.h"
#include "helpers/audit/audit.h"
#include "helpers/virtio/virtio_pci.h"

#define BIT(kind) (1ull << (kind))
#define STANDARD                                                                                   \
	(BIT(HELD_TTY) | BIT(HELD_NULL) | BIT(HELD_PIPE) | BIT(HELD_FILE) | BIT(HELD_SOCKET))
#define CHANNELS (BIT(HELD_SOCKET))

/* Bounds of vmm/main.c max_fds and max_tasks, helpers/broker/ask.c lower_limits and helpers/api/main.c
 * begin, at the most vCPUs and devices there can be. */
enum {
	CORE_VCPUS = 1024, CORE_FILES = 64 + CORE_VCPUS + 30 * 2564, BROKER_FILES = 16 + 6 * 30,
	HELPER_FILES = 16,
	API_FILES = 16 + CONNS_MAX * (1 + REQUEST_FDS) + FDS_AT_ONCE,
	API_LAST_STANDARD = 5, OPENER_LAST_STANDARD = 4, /* enum api_fd; OPEN_FD_STDOUT */
	VDPA_FILES = 24 + 2 * VIRTIO_QUEUES_MAX,
};

/* Filters add up: the launcher's is everybody's who was born behind it. */
#define STACK(setup, run) {&policy_launch_run, (setup), (run)}

const struct promise promise_launcher = {
	.name = "launcher", .binary = "bulkhead", .as_started = true, .free = true,
	.caps = BIT(CAP_SETUID) | BIT(CAP_SETGID) | BIT(CAP_KILL) | BIT(CAP_SETFCAP),
	/* Binaries, cgroup leaves; and what it keeps for an api: sockets, the end of its events, nothing. */
	.fds = BIT(HELD_SIGNAL) | STANDARD | BIT(HELD_DIR),
	.standard_fds = STANDARD,
	.stack = {&policy_launch_run},
};

/* It was there before the launcher had a filter, has what it opens until it has handed that over, and is
 * gone when the guest runs. */
const struct promise promise_opener = {
	.name = "opener", .binary = "bulkhead-open", .as_started = true, .free = true, .apart = true,
	.caps = UINT64_MAX,
	.fds = CHANNELS | STANDARD | BIT(HELD_DIR) | BIT(HELD_KVM) | BIT(HELD_VFIO_DEVICE) |
		BIT(HELD_VFIO_GROUP) | BIT(HELD_VFIO_CONTAINER) | BIT(HELD_IOMMU) | BIT(HELD_VDPA) |
		BIT(HELD_WATCH),
	.standard_fds = STANDARD, .max_devices = 30,
};

/* It stays: the VM's user by now. /dev/kvm is for the next life, folders are what --allow names, and
 * devices are those a client has sent it before the VM is started. */
#define WALLED_FDS                                                                                 \
	(CHANNELS | BIT(HELD_DIR) | BIT(HELD_KVM) | BIT(HELD_TTY) | BIT(HELD_PIPE) |               \
		BIT(HELD_VFIO_DEVICE) | BIT(HELD_VDPA))

const struct promise promise_walled = {
	.name = "opener", .binary = "bulkhead-open", .free = true, .apart = true,
	.fds = WALLED_FDS, .standard_fds = STANDARD, .last_standard = OPENER_LAST_STANDARD,
	.max_devices = 30, .stack = {&policy_open_run},
};

/* For as long as it opens. */
const struct promise promise_child = {
	.name = "opener's child", .binary = "bulkhead-open", .free = true, .apart = true,
	.fds = WALLED_FDS | STANDARD | BIT(HELD_VFIO_GROUP) | BIT(HELD_VFIO_CONTAINER) |
		BIT(HELD_IOMMU) | BIT(HELD_WATCH),
	.standard_fds = STANDARD, .last_standard = OPENER_LAST_STANDARD, .max_devices = 60,
	.stack = {&policy_open_run},
};

/* Its first descriptors are what the user gave, and the launcher keeps for its successors. A client's
 * device is on its way to the opener. */
const struct promise promise_api = {
	.name = "api", .binary = "bulkhead-api", .apart = true, .max_files = API_FILES, .writes_files = true,
	.fds = CHANNELS | BIT(HELD_VFIO_DEVICE) | BIT(HELD_VDPA),
	.standard_fds = STANDARD, .last_standard = API_LAST_STANDARD, .max_devices = 30,
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
	{.name = "vfio helper", .binary = "bulkhead-vfio", .helper = true,
		.max_files = HELPER_FILES, .max_devices = 1,
		.fds = CHANNELS | BIT(HELD_VFIO_DEVICE) | BIT(HELD_VFIO_GROUP) | BIT(HELD_EVENT),
		.standard_fds = CHANNELS, .stack = STACK(&policy_vfio_setup, &policy_vfio_run)},
	{.name = "vdpa helper", .binary = "bulkhead-vdpa", .helper = true,
		.may_map_ram = true, .max_files = VDPA_FILES, .max_devices = 1,
		.fds = CHANNELS | BIT(HELD_VDPA) | BIT(HELD_EVENT), .standard_fds = CHANNELS,
		.stack = STACK(&policy_vdpa_setup, &policy_vdpa_run)},
	{.name = "null helper", .binary = "bulkhead-null", .helper = true,
		.max_files = HELPER_FILES, .fds = CHANNELS | BIT(HELD_EVENT),
		.standard_fds = CHANNELS, .stack = STACK(&policy_null_setup, &policy_null_run)},
};

static const struct promise *const singles[] = {&promise_launcher, &promise_opener, &promise_core,
	&promise_broker, &promise_api};

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
