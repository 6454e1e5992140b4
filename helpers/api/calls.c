/* SPDX-License-Identifier: Apache-2.0
 *
 * The calls. Const data. The columns of verdicts: nothing there, created, booting, running, paused.
 */
#include "helpers/api/calls.h"

#include <string.h>

#include "helpers/api/fields.h"

#define GET(n, text) .name = (n), .method = HTTP_GET, .body = BODY_IGNORED, .doc = (text)
#define PUT(n, text) .name = (n), .method = HTTP_PUT, .body = BODY_NONE, .doc = (text)
#define PUT_OF(n, f, text)                                                                         \
	.name = (n), .method = HTTP_PUT, .body = BODY_WANTED, .fields = &(f), .doc = (text)
#define ALWAYS {DO, DO, DO, DO, DO}
#define WITH_CONFIG {NOT_CREATED, DO, WAIT, DO, DO}
#define WITH_GUEST {NOT_RUNNING, NOT_RUNNING, WAIT, DO, DO}
#define WITHOUT_CONFIG {DO, ALREADY, ALREADY, ALREADY, ALREADY}
#define NOT_BUILT_DEVICE(n, f, of_vm, why)                                                         \
	{PUT_OF(n, f, "refused: " why), .failed = (of_vm), .missing = (why), .in = WITH_CONFIG}
#define DEVICE_NOT_ADDED "The device could not be added to the VM"
#define NO_MIGRATION "there is no migration; start the VM anew on the other host"
#define NO_SNAPSHOT "there are no snapshots; shut the guest down to keep its state"

const struct call_row calls[CALLS] = {
	[CALL_PING] = {GET("vmm.ping", "who answers"), .by_monitors = true, .in = ALWAYS},
	[CALL_QUIT] = {.name = "vmm.shutdown", .method = HTTP_PUT, .body = BODY_IGNORED,
		.failed = "The VMM could not shutdown", .in = ALWAYS,
		.doc = "ends the VM and all processes of it; the answer comes first"},
	[CALL_CREATE] = {PUT_OF("vm.create", fields_vm, "keeps a configuration; looks at nothing but "
		"its form"), .failed = "The VM could not be created", .in = WITHOUT_CONFIG},
	[CALL_BOOT] = {PUT("vm.boot", "checks the configuration and starts the VM"),
		.failed = "The VM could not boot",
		.in = {NO_CONFIG, DO, ALREADY, ALREADY, ALREADY}},
	[CALL_DELETE] = {PUT("vm.delete", "ends the VM if it runs, and forgets its configuration"),
		.failed = "The VM could not be deleted", .in = ALWAYS},
	[CALL_SHUTDOWN] = {PUT("vm.shutdown", "ends the VM, at once; its configuration stays"),
		.failed = "The VM could not shutdown",
		.in = {NOT_RUNNING, NOT_RUNNING, DO, DO, DO}},
	[CALL_REBOOT] = {PUT("vm.reboot", "resets the guest; its processes stay"),
		.failed = "The VM could not reboot",
		.in = {NOT_CREATED, NOT_CREATED, WAIT, DO, DO}},
	[CALL_PAUSE] = {PUT("vm.pause", "stops the guest where it is"),
		.failed = "The VM could not be paused",
		.in = {NOT_RUNNING, NOT_RUNNING, WAIT, DO, PAUSED_ALREADY}},
	[CALL_RESUME] = {PUT("vm.resume", "and lets it go on"), .failed = "The VM could not resume",
		.in = {NOT_RUNNING, NOT_RUNNING, WAIT, RUNS_ALREADY, DO}},
	[CALL_POWER_BUTTON] = {PUT("vm.power-button", "presses it; what comes of that is the guest's"),
		.failed = "Error triggering power button", .in = WITH_GUEST},
	[CALL_NMI] = {PUT("vm.nmi", "an NMI to each vCPU"), .failed = "Error triggering NMI",
		.in = WITH_GUEST},
	[CALL_INFO] = {GET("vm.info", "configuration, state, devices"), .by_monitors = true,
		.failed = "The VM info is not available", .in = {NOT_CREATED, DO, DO, DO, DO}},
	[CALL_COUNTERS] = {GET("vm.counters", "what was counted"), .by_monitors = true,
		.failed = "The VM counters are not available", .in = WITH_GUEST},
	[CALL_RESIZE] = {PUT_OF("vm.resize", fields_resize, "before the VM has booted; a VM that runs "
		"has only the size it has"), .failed = "The VM could not be resized",
		.in = WITH_CONFIG},
	[CALL_RESIZE_DISK] = {PUT_OF("vm.resize-disk", fields_resize_disk, "refused: there are no "
		"virtio disks"), .failed = "The disk could not be resized",
		.missing = "Failed resizing a disk image: there are no virtio disks; a device that is "
		"passed through has the size it has", .in = WITH_CONFIG},
	[CALL_RESIZE_ZONE] = {PUT_OF("vm.resize-zone", fields_resize_zone, "refused: guest RAM is one "
		"zone"), .failed = "The memory zone could not be resized",
		.missing = "Failed resizing a memory zone: guest RAM is one zone; shut the VM down and "
		"use vm.resize", .in = WITH_CONFIG},
	[CALL_ADD_DEVICE] = {PUT_OF("vm.add-device", fields_device, "a PCI device, by path or by a "
		"descriptor sent beside the request (SCM_RIGHTS)"), .failed = DEVICE_NOT_ADDED,
		.takes_fd = true, .in = WITH_CONFIG},
	[CALL_ADD_VDPA] = {PUT_OF("vm.add-vdpa", fields_vdpa, "a vDPA device, by path or by descriptor"),
		.failed = "The vDPA device could not be added to the VM", .takes_fd = true,
		.in = WITH_CONFIG},
	[CALL_ADD_DISK] = NOT_BUILT_DEVICE("vm.add-disk", fields_disk, "The disk could not be added to "
		"the VM", "no virtio disks; use vm.add-device or vm.add-vdpa"),
	[CALL_ADD_NET] = NOT_BUILT_DEVICE("vm.add-net", fields_net, "The network device could not be "
		"added to the VM", "no virtio NICs; use vm.add-device or vm.add-vdpa"),
	[CALL_ADD_FS] = NOT_BUILT_DEVICE("vm.add-fs", fields_fs, "The fs could not be added to the VM",
		"no shared folders; copy what the guest needs to a disk of its own"),
	[CALL_ADD_PMEM] = NOT_BUILT_DEVICE("vm.add-pmem", fields_pmem, "The pmem device could not be "
		"added to the VM", "no persistent memory; use vm.add-device with an NVMe"),
	[CALL_ADD_VSOCK] = NOT_BUILT_DEVICE("vm.add-vsock", fields_vsock, "The vsock device could not be "
		"added to the VM", "no vsock; use a NIC"),
	[CALL_ADD_USER_DEVICE] = NOT_BUILT_DEVICE("vm.add-user-device", fields_user_device,
		"The user device could not be added to the VM", "no vfio-user devices; use "
		"vm.add-device"),
	[CALL_ADD_GENERIC_VHOST_USER] = NOT_BUILT_DEVICE("vm.add-generic-vhost-user",
		fields_generic_vhost_user, "The generic vhost-user device could not be added to the VM",
		"no vhost-user devices; use vm.add-vdpa"),
	[CALL_REMOVE_DEVICE] = {PUT_OF("vm.remove-device", fields_remove, "asks the guest to let go of "
		"it; that it is gone says the event device-removed"),
		.failed = "The device could not be removed from the VM", .in = WITH_CONFIG},
	[CALL_SNAPSHOT] = {PUT_OF("vm.snapshot", fields_snapshot, "refused: " NO_SNAPSHOT),
		.failed = "The VM could not be snapshotted", .missing = NO_SNAPSHOT, .in = WITH_GUEST},
	[CALL_RESTORE] = {PUT_OF("vm.restore", fields_restore, "refused: " NO_SNAPSHOT),
		.failed = "The VM could not be restored", .missing = NO_SNAPSHOT,
		.in = WITHOUT_CONFIG},
	[CALL_SEND_MIGRATION] = {PUT_OF("vm.send-migration", fields_send_migration, "refused: "
		NO_MIGRATION), .failed = "Error dispatching the migration worker",
		.missing = NO_MIGRATION, .in = WITH_GUEST},
	[CALL_RECEIVE_MIGRATION] = {PUT_OF("vm.receive-migration", fields_receive_migration, "refused: "
		NO_MIGRATION), .failed = "Error receiving migration", .missing = NO_MIGRATION,
		.in = {DO, DO, ALREADY, ALREADY, ALREADY}},
};

int call_find(const char *path)
{
	const size_t root = strlen(CALL_ROOT);

	if (strncmp(path, CALL_ROOT, root) != 0)
		return -1;
	for (unsigned i = 0; i < CALLS; i++)
		if (strcmp(path + root, calls[i].name) == 0)
			return (int)i;
	return -1;
}
