/* SPDX-License-Identifier: Apache-2.0
 *
 * Bodies of the calls that are no configuration. bulkhead-api. Names and defaults are Cloud
 * Hypervisor's (vmm/src/api/mod.rs, vmm/src/config.rs).
 */
#include "helpers/api/fields_rows.h"

const struct fields fields_resize = {"VmResize", (const struct field[]){
	MAY("desired_vcpus", U32, USED, "vCPUs; before the VM has booted, or as many as it has"),
	MAY("desired_ram", U64, USED, "bytes; before the VM has booted, or as many as it has"),
	MAY("desired_balloon", U64, USED, "bytes; there is no balloon: 0"),
	LAST,
}};

const struct fields fields_resize_disk = {"VmResizeDisk", (const struct field[]){
	NEED("id", TEXT, USED, "disk"),
	NEED("desired_size", U64, USED, "bytes"),
	LAST,
}};

const struct fields fields_resize_zone = {"VmResizeZone", (const struct field[]){
	NEED("id", TEXT, USED, "zone"),
	NEED("desired_ram", U64, USED, "bytes"),
	LAST,
}};

const struct fields fields_remove = {"VmRemoveDevice", (const struct field[]){
	NEED("id", TEXT, USED, "device"),
	LAST,
}};

const struct fields fields_snapshot = {"VmSnapshotConfig", (const struct field[]){
	NEED("destination_url", TEXT, USED, "file:///folder"),
	LAST,
}};

static const struct fields net_fds = {"RestoredNetConfig", (const struct field[]){
	NEED("id", TEXT, USED, "NIC"),
	ELSE("num_fds", U64, USED, "0", "descriptors it takes"),
	LAST,
}};

static const struct fields vfio_fds = {"RestoredVfioConfig", (const struct field[]){
	NEED("id", TEXT, USED, "device"),
	LAST,
}};

static const struct fields zone_updates = {"VmMemoryZoneUpdateData", (const struct field[]){
	NEED("id", TEXT, USED, "zone"),
	NEED("host_numa_node", U32, USED, "node"),
	LAST,
}};

const struct fields fields_restore = {"RestoreConfig", (const struct field[]){
	NEED("source_url", TEXT, USED, "file:///folder"),
	ELSE("prefault", BOOL, USED, "false", "make all RAM at once"),
	ELSE("memory_restore_mode", CHOICE, USED, "\"Copy\"", "how RAM comes",
		.choices = "Copy|OnDemand"),
	MAY("net_fds", OBJECTS, USED, "NICs by descriptor", .of = &net_fds),
	MAY("vfio_fds", OBJECTS, USED, "devices by descriptor", .of = &vfio_fds),
	ELSE("resume", BOOL, USED, "false", "go on at once"),
	ELSE("zone_updates", OBJECTS, USED, "[]", "zones on other nodes", .of = &zone_updates),
	LAST,
}};

const struct fields fields_send_migration = {"SendMigrationData", (const struct field[]){
	NEED("destination_url", TEXT, USED, "unix:PATH or tcp:HOST:PORT"),
	ELSE("local", BOOL, USED, "false", "hand RAM over"),
	ELSE("preserve_source", BOOL, USED, "false", "keep this VM, paused"),
	ELSE("downtime_ms", U64, USED, "300", "milliseconds"),
	ELSE("timeout_s", U64, USED, "3600", "seconds"),
	ELSE("timeout_strategy", CHOICE, USED, "\"Cancel\"", "what then", .choices = "Cancel|Ignore"),
	ELSE("connections", U32, USED, "1", "connections, 1 to 128"),
	MAY("tls_dir", TEXT, USED, "keys"),
	ELSE("memory_mode", CHOICE, USED, "\"Precopy\"", "how RAM goes",
		.choices = "Precopy|Postcopy"),
	LAST,
}};

const struct fields fields_receive_migration = {"ReceiveMigrationData", (const struct field[]){
	NEED("receiver_url", TEXT, USED, "unix:PATH or tcp:HOST:PORT"),
	MAY("tls_dir", TEXT, USED, "keys"),
	ELSE("memory_mode", CHOICE, USED, "\"Precopy\"", "how RAM comes",
		.choices = "Precopy|Postcopy"),
	MAY("vfio_fds", OBJECTS, USED, "devices by descriptor", .of = &vfio_fds),
	ELSE("zone_updates", OBJECTS, USED, "[]", "zones on other nodes", .of = &zone_updates),
	LAST,
}};
