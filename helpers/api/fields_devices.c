/* SPDX-License-Identifier: Apache-2.0
 *
 * Devices of a VmConfig, which are bodies of vm.add-* as well. bulkhead-api.
 *
 * A kind that is not built is refused where it stands (VmConfig's row, or the call's), so its own
 * rows only say what it looks like.
 */
#include "helpers/api/fields_rows.h"

static const struct fields bucket = {"TokenBucket", (const struct field[]){
	NEED("size", U64, ECHOED, "tokens"),
	MAY("one_time_burst", U64, ECHOED, "tokens more at first"),
	NEED("refill_time", U64, ECHOED, "milliseconds"),
	LAST,
}};

const struct fields fields_rate_limiter = {"RateLimiterConfig", (const struct field[]){
	MAY("bandwidth", OBJECT, ECHOED, "bytes", .of = &bucket),
	MAY("ops", OBJECT, ECHOED, "requests", .of = &bucket),
	LAST,
}};

const struct fields fields_device = {"DeviceConfig", (const struct field[]){
	PCI_COMMON(USED),
	MAY("path", TEXT, USED, "its folder in sysfs; left out where its descriptor comes along"),
	MAY("fd", U64, DROPPED, "numbers never name descriptors: send one beside the request"),
	MAY("x_nv_gpudirect_clique", U8, REFUSED, "devices never reach each other's BARs; leave it out"),
	ELSE("x_exclude_mmap_bars", NUMBERS, USED, "[]", "BARs, 0 to 5, that trap instead of being "
		"mapped"),
	MAY("pci_function", U8, USED, "bulkhead's own: its function at pci_device_id, 0 to 7"),
	MAY("rom", TEXT, USED, "bulkhead's own: a file in place of its expansion ROM, or off"),
	MAY("vf_token", TEXT, REFUSED, "a secret, which only the command line takes; start the VM with "
		"--device vf_token="),
	MAY("x_p2p", BOOL, REFUSED, "only the command line lets devices reach each other; start the VM "
		"with --device x_p2p=", .standard = "false"),
	LAST,
}};

const struct fields fields_vdpa = {"VdpaConfig", (const struct field[]){
	PCI_COMMON(USED),
	MAY("path", TEXT, USED, "its node, /dev/vhost-vdpa-0; left out where its descriptor comes "
		"along"),
	ELSE("num_queues", U64, USED, "0", "queues; 0: as many as the device has"),
	MAY("pci_function", U8, USED, "bulkhead's own: its function at pci_device_id, 0 to 7"),
	LAST,
}};

const struct fields fields_user_device = {"UserDeviceConfig", (const struct field[]){
	PCI_COMMON(USED),
	NEED("socket", TEXT, USED, "socket of the back end"),
	LAST,
}};

static const struct fields queue_affinity = {"VirtQueueAffinity", (const struct field[]){
	NEED("queue_index", U16, USED, "queue"),
	NEED("host_cpus", NUMBERS, USED, "processors"),
	LAST,
}};

const struct fields fields_disk = {"DiskConfig", (const struct field[]){
	PCI_COMMON(USED),
	MAY("path", TEXT, USED, "image"),
	ELSE("readonly", BOOL, USED, "false", "read only"),
	ELSE("direct", BOOL, USED, "false", "past the page cache"),
	ELSE("num_queues", U64, USED, "1", "queues"),
	ELSE("queue_size", U16, USED, "128", "entries a queue"),
	ELSE("vhost_user", BOOL, USED, "false", "by vhost-user"),
	MAY("vhost_socket", TEXT, USED, "socket of the back end"),
	MAY("rate_limit_group", TEXT, USED, "group of limits"),
	MAY("rate_limiter_config", OBJECT, USED, "limits", .of = &fields_rate_limiter),
	ELSE("disable_io_uring", BOOL, USED, "false", "for tests"),
	ELSE("disable_aio", BOOL, USED, "false", "for tests"),
	MAY("serial", TEXT, USED, "serial number"),
	MAY("queue_affinity", OBJECTS, USED, "processors of queues", .of = &queue_affinity),
	ELSE("backing_files", BOOL, USED, "false", "images may name others"),
	ELSE("sparse", BOOL, USED, "true", "holes are kept"),
	ELSE("image_type", CHOICE, USED, "\"Unknown\"", "format",
		.choices = "FlatVmdk|FixedVhd|Qcow2|Raw|Vhdx|Unknown"),
	ELSE("lock_granularity", CHOICE, USED, "\"ByteRange\"", "how it is locked",
		.choices = "ByteRange|Full"),
	LAST,
}};

const struct fields fields_net = {"NetConfig", (const struct field[]){
	PCI_COMMON(USED),
	MAY("tap", TEXT, USED, "tap device"),
	MAY("ip", TEXT, USED, "address of the host's side"),
	MAY("mask", TEXT, USED, "its mask"),
	MAY("mac", TEXT, USED, "the guest's address"),
	MAY("host_mac", TEXT, USED, "the host's"),
	MAY("mtu", U16, USED, "bytes a packet"),
	ELSE("num_queues", U64, USED, "2", "queues, both ways"),
	ELSE("queue_size", U16, USED, "256", "entries a queue"),
	ELSE("vhost_user", BOOL, USED, "false", "by vhost-user"),
	MAY("vhost_socket", TEXT, USED, "socket of the back end"),
	ELSE("vhost_mode", CHOICE, USED, "\"Client\"", "who listens", .choices = "Client|Server"),
	MAY("fds", NUMBERS, DROPPED, "numbers never name descriptors: send them beside the request"),
	MAY("rate_limiter_config", OBJECT, USED, "limits", .of = &fields_rate_limiter),
	ELSE("offload_tso", BOOL, USED, "true", "segmentation"),
	ELSE("offload_ufo", BOOL, USED, "true", "fragmentation"),
	ELSE("offload_csum", BOOL, USED, "true", "checksums"),
	LAST,
}};

const struct fields fields_fs = {"FsConfig", (const struct field[]){
	PCI_COMMON(USED),
	NEED("tag", TEXT, USED, "name in the guest"),
	NEED("socket", TEXT, USED, "socket of the back end"),
	ELSE("num_queues", U64, USED, "1", "queues"),
	ELSE("queue_size", U16, USED, "1024", "entries a queue"),
	LAST,
}};

const struct fields fields_pmem = {"PmemConfig", (const struct field[]){
	PCI_COMMON(USED),
	NEED("file", TEXT, USED, "file or folder"),
	MAY("size", U64, USED, "bytes"),
	ELSE("discard_writes", BOOL, USED, "false", "writes go nowhere"),
	LAST,
}};

const struct fields fields_vsock = {"VsockConfig", (const struct field[]){
	PCI_COMMON(USED),
	NEED("cid", U32, USED, "the guest's context, 3 and up"),
	NEED("socket", TEXT, USED, "socket of the host's side"),
	LAST,
}};

const struct fields fields_generic_vhost_user = {"GenericVhostUserConfig", (const struct field[]){
	PCI_COMMON(USED),
	NEED("socket", TEXT, USED, "socket of the back end"),
	NEED("queue_sizes", NUMBERS, USED, "entries of each queue"),
	NEED("device_type", U32, USED, "virtio device type"),
	LAST,
}};
