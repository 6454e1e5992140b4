/* SPDX-License-Identifier: Apache-2.0
 *
 * VmConfig, but for its devices (fields_devices.c). bulkhead-api.
 *
 * Names, order and defaults are Cloud Hypervisor's (vmm/src/vm_config.rs), whose clients read the
 * whole of it strictly typed.
 */
#include "helpers/api/fields_rows.h"

#define MODES "Off|Pty|Tty|File|Socket|Null"

static const struct fields affinity = {"CpuAffinity", (const struct field[]){
	NEED("vcpu", U32, ECHOED, "vCPU"),
	NEED("host_cpus", NUMBERS, ECHOED, "processors it may run on"),
	LAST,
}};

static const struct fields features = {"CpuFeatures", (const struct field[]){
	ELSE("amx", BOOL, REFUSED, "false", "AMX is not enabled for guests; leave it out"),
	LAST,
}};

static const struct fields topology = {"CpuTopology", (const struct field[]){
	NEED("threads_per_core", U16, USED, "1 or 2"),
	NEED("cores_per_die", U16, USED, "at least 1"),
	NEED("dies_per_package", U16, USED, "at least 1"),
	NEED("packages", U16, USED, "at least 1; the product of all four is max_vcpus"),
	LAST,
}};

static const struct fields cpus = {"CpusConfig", (const struct field[]){
	NEED("boot_vcpus", U32, USED, "vCPUs, 1 to 1024"),
	NEED("max_vcpus", U32, ECHOED, "at least boot_vcpus; none is added while the VM runs"),
	MAY("topology", OBJECT, USED, "threads, cores, dies, packages", .of = &topology),
	ELSE("kvm_hyperv", BOOL, REFUSED, "false", "no Hyper-V enlightenments; leave it out"),
	ELSE("max_phys_bits", U8, ECHOED, "46", "the width of addresses follows the host's"),
	MAY("affinity", OBJECTS, REFUSED, "vCPUs are not pinned; pin the threads vm.info names in "
		"vcpu_tids", .of = &affinity),
	ELSE("features", OBJECT, USED, "{}", "features of the processor", .of = &features),
	ELSE("nested", BOOL, ECHOED, "true", "guests have no virtualization of their own either way"),
	ELSE("core_scheduling", CHOICE, REFUSED, "\"Vm\"", "one cookie for all vCPUs; the command "
		"line decides", .choices = "Vm|Vcpu|Off"),
	ELSE("profile", CHOICE, ECHOED, "\"Host\"", "the host's processor", .choices = "Host"),
	LAST,
}};

static const struct fields zone = {"MemoryZoneConfig", (const struct field[]){
	NEED("id", TEXT, ECHOED, "name"),
	NEED("size", U64, ECHOED, "bytes"),
	MAY("file", TEXT, ECHOED, "file behind it"),
	ELSE("shared", BOOL, ECHOED, "false", "shared"),
	ELSE("hugepages", BOOL, ECHOED, "false", "huge pages"),
	MAY("hugepage_size", U64, ECHOED, "their size"),
	MAY("host_numa_node", U32, ECHOED, "node of the host"),
	MAY("hotplug_size", U64, ECHOED, "bytes that could be added"),
	MAY("hotplugged_size", U64, ECHOED, "bytes that were"),
	ELSE("prefault", BOOL, ECHOED, "false", "made at start"),
	ELSE("reserve", BOOL, ECHOED, "false", "reserved"),
	ELSE("mergeable", BOOL, ECHOED, "false", "same-page merging"),
	LAST,
}};

static const struct fields memory = {"MemoryConfig", (const struct field[]){
	NEED("size", U64, USED, "bytes of guest RAM"),
	ELSE("mergeable", BOOL, REFUSED, "false", "guest RAM is never merged; leave it out"),
	ELSE("hotplug_method", CHOICE, ECHOED, "\"Acpi\"", "no memory is added while the VM runs",
		.choices = "Acpi|VirtioMem"),
	MAY("hotplug_size", U64, ECHOED, "no memory is added while the VM runs"),
	MAY("hotplugged_size", U64, ECHOED, "no memory is added while the VM runs"),
	ELSE("shared", BOOL, ECHOED, "false", "guest RAM is a shared memfd either way"),
	ELSE("hugepages", BOOL, USED, "false", "from the host's pool of huge pages"),
	MAY("hugepage_size", U64, USED, "2 MiB or 1 GiB"),
	ELSE("prefault", BOOL, USED, "false", "make all of it at start"),
	ELSE("reserve", BOOL, ECHOED, "false", "no swap is reserved"),
	MAY("zones", OBJECTS, REFUSED, "guest RAM is one zone; give size alone", .of = &zone),
	ELSE("thp", BOOL, ECHOED, "true", "transparent huge pages are the host's to decide"),
	LAST,
}};

static const struct fields payload = {"PayloadConfig", (const struct field[]){
	MAY("firmware", TEXT, REFUSED, "no firmware; give a kernel"),
	MAY("kernel", TEXT, USED, "bzImage, or vmlinux with a PVH entry"),
	MAY("cmdline", TEXT, USED, "the kernel's command line"),
	MAY("initramfs", TEXT, USED, "initramfs"),
	LAST,
}};

static const struct fields rate_group = {"RateLimiterGroupConfig", (const struct field[]){
	ELSE("id", TEXT, ECHOED, "\"\"", "name"),
	ELSE("rate_limiter_config", OBJECT, ECHOED, "{}", "limits", .of = &fields_rate_limiter),
	LAST,
}};

static const struct fields rng = {"RngConfig", (const struct field[]){
	PCI_COMMON(ECHOED),
	NEED("src", TEXT, ECHOED, "there is no virtio-rng"),
	LAST,
}};

static const struct fields balloon = {"BalloonConfig", (const struct field[]){
	PCI_COMMON(ECHOED),
	NEED("size", U64, REFUSED, "there is no balloon, and its pages could not be a device's; give "
		"size 0", .standard = "0"),
	ELSE("deflate_on_oom", BOOL, ECHOED, "false", "there is no balloon"),
	ELSE("free_page_reporting", BOOL, ECHOED, "false", "there is no balloon"),
	LAST,
}};

static const struct fields serial = {"SerialConfig", (const struct field[]){
	MAY("file", TEXT, USED, "with File where to write; with Pty the terminal, made with the VM"),
	NEED("mode", CHOICE, USED, "COM1; Socket is refused: give Pty", .choices = MODES),
	MAY("socket", TEXT, REFUSED, "no process of a VM listens; give mode Pty"),
	LAST,
}};

static const struct fields console = {"ConsoleConfig", (const struct field[]){
	MAY("file", TEXT, USED, "with Pty the terminal"),
	NEED("mode", CHOICE, USED, "there is no virtio console: Off, Null and Tty are silence, Pty a "
		"terminal nobody writes to; File and Socket are refused: use serial", .choices = MODES),
	MAY("socket", TEXT, REFUSED, "no process of a VM listens; use serial with mode Pty"),
	PCI_COMMON(ECHOED),
	LAST,
}};

static const struct fields debug_console = {"DebugConsoleConfig", (const struct field[]){
	MAY("file", TEXT, ECHOED, "file"),
	NEED("mode", CHOICE, REFUSED, "there is no debug console; give Off", .standard = "\"Off\"",
		.choices = MODES),
	MAY("iobase", U16, ECHOED, "port"),
	LAST,
}};

static const struct fields distance = {"NumaDistance", (const struct field[]){
	ELSE("destination", U32, ECHOED, "0", "node"),
	ELSE("distance", U8, ECHOED, "0", "distance"),
	LAST,
}};

static const struct fields numa = {"NumaConfig", (const struct field[]){
	NEED("guest_numa_id", U32, ECHOED, "node"),
	MAY("cpus", NUMBERS, ECHOED, "vCPUs"),
	MAY("distances", OBJECTS, ECHOED, "distances", .of = &distance),
	MAY("memory_zones", TEXTS, ECHOED, "zones"),
	MAY("pci_segments", NUMBERS, ECHOED, "segments"),
	MAY("device_id", TEXT, ECHOED, "device"),
	LAST,
}};

static const struct fields rtc = {"RtcConfig", (const struct field[]){
	PCI_COMMON(ECHOED),
	LAST,
}};

static const struct fields pci_segment = {"PciSegmentConfig", (const struct field[]){
	ELSE("pci_segment", U16, ECHOED, "0", "segment"),
	ELSE("mmio32_aperture_weight", U32, ECHOED, "1", "its share below 4 GiB"),
	ELSE("mmio64_aperture_weight", U32, ECHOED, "1", "its share above"),
	LAST,
}};

static const struct fields platform = {"PlatformConfig", (const struct field[]){
	ELSE("num_pci_segments", U16, ECHOED, "1", "devices go on segment 0 whatever there is"),
	MAY("iommu_segments", NUMBERS, REFUSED, "there is no virtual IOMMU; leave it out"),
	ELSE("iommu_address_width_bits", U8, ECHOED, "64", "there is no virtual IOMMU"),
	MAY("system_serial_number", TEXT, ECHOED, "no SMBIOS tables", .alias = "serial_number"),
	MAY("system_uuid", TEXT, ECHOED, "no SMBIOS tables", .alias = "uuid"),
	MAY("oem_strings", TEXTS, ECHOED, "no SMBIOS tables"),
	MAY("system_manufacturer", TEXT, ECHOED, "no SMBIOS tables"),
	MAY("system_product_name", TEXT, ECHOED, "no SMBIOS tables"),
	MAY("system_version", TEXT, ECHOED, "no SMBIOS tables"),
	MAY("system_family", TEXT, ECHOED, "no SMBIOS tables"),
	MAY("system_sku_number", TEXT, ECHOED, "no SMBIOS tables"),
	MAY("chassis_asset_tag", TEXT, ECHOED, "no SMBIOS tables"),
	ELSE("tdx", BOOL, REFUSED, "false", "no confidential guests; leave it out", .quiet = true),
	ELSE("sev_snp", BOOL, REFUSED, "false", "no confidential guests; leave it out",
		.quiet = true),
	ELSE("iommufd", BOOL, USED, "false", "devices by iommufd; false: where the host has it"),
	MAY("iommufd_fd", U64, DROPPED, "numbers never name descriptors"),
	ELSE("vfio_p2p_dma", BOOL, ECHOED, "true", "devices never reach each other's BARs"),
	LAST,
}};

static const struct fields tpm = {"TpmConfig", (const struct field[]){
	NEED("socket", TEXT, ECHOED, "socket of the back end"),
	LAST,
}};

static const struct fields landlock = {"LandlockConfig", (const struct field[]){
	NEED("path", TEXT, ECHOED, "path"),
	NEED("access", TEXT, ECHOED, "rights"),
	LAST,
}};

const struct fields fields_vm = {"VmConfig", (const struct field[]){
	ELSE("cpus", OBJECT, USED, "{\"boot_vcpus\":1,\"max_vcpus\":1}", "vCPUs", .of = &cpus),
	ELSE("memory", OBJECT, USED, "{\"size\":536870912}", "guest RAM", .of = &memory),
	MAY("payload", OBJECT, USED, "what the guest begins with", .of = &payload),
	MAY("rate_limit_groups", OBJECTS, ECHOED, "for disks, of which there are none",
		.of = &rate_group),
	MAY("disks", OBJECTS, REFUSED, "no virtio disks; pass a device through (devices, vdpa)",
		.of = &fields_disk),
	MAY("net", OBJECTS, REFUSED, "no virtio NICs; pass a device through (devices, vdpa)",
		.of = &fields_net),
	ELSE("rng", OBJECT, ECHOED, "{\"src\":\"/dev/urandom\"}", "there is no virtio-rng",
		.of = &rng),
	MAY("balloon", OBJECT, USED, "there is none; size 0 is accepted", .of = &balloon),
	MAY("generic_vhost_user", OBJECTS, REFUSED, "no vhost-user devices; leave it out",
		.of = &fields_generic_vhost_user),
	MAY("fs", OBJECTS, REFUSED, "no shared folders; leave it out", .of = &fields_fs),
	MAY("pmem", OBJECTS, REFUSED, "no persistent memory; leave it out", .of = &fields_pmem),
	ELSE("serial", OBJECT, USED, "{\"mode\":\"Null\"}", "COM1", .of = &serial),
	ELSE("console", OBJECT, USED, "{\"mode\":\"Tty\"}", "a virtio console: there is none",
		.of = &console),
	ELSE("debug_console", OBJECT, USED, "{\"mode\":\"Off\",\"iobase\":233}", "there is none",
		.of = &debug_console),
	MAY("devices", OBJECTS, USED, "PCI devices to pass through, by VFIO", .of = &fields_device),
	MAY("user_devices", OBJECTS, REFUSED, "no vfio-user devices; leave it out",
		.of = &fields_user_device),
	MAY("vdpa", OBJECTS, USED, "vDPA devices", .of = &fields_vdpa),
	MAY("vsock", OBJECT, REFUSED, "no vsock; leave it out", .of = &fields_vsock),
	ELSE("pvpanic", BOOL, REFUSED, "false", "no pvpanic device; leave it out"),
	ELSE("iommu", BOOL, REFUSED, "false", "there is no virtual IOMMU; leave it out"),
	MAY("numa", OBJECTS, REFUSED, "guests have one NUMA node; leave it out", .of = &numa),
	ELSE("watchdog", BOOL, REFUSED, "false", "no watchdog device; leave it out"),
	MAY("rtc", OBJECT, REFUSED, "no virtio-rtc; leave it out",
		.of = &rtc),
	MAY("pci_segments", OBJECTS, REFUSED, "there is one PCI segment, 0", .of = &pci_segment),
	MAY("platform", OBJECT, USED, "the machine", .of = &platform),
	MAY("tpm", OBJECT, REFUSED, "no TPM; leave it out", .of = &tpm),
	ELSE("landlock_enable", BOOL, ECHOED, "false", "every process is confined either way"),
	MAY("landlock_rules", OBJECTS, ECHOED, "what may be opened --allow says", .of = &landlock),
	LAST,
}};
