/* SPDX-License-Identifier: Apache-2.0
 *
 * What the opener says of devices, on a made tree: which it takes and by which way, whom it refuses, and
 * that what the kernel says is explained by what is seen then.
 *
 * links: helpers/open/devices.c helpers/open/allow.c helpers/opts/opts_api.c helpers/opts/opts_value.c
 * links: helpers/open/explain.c helpers/open/vdpa.c helpers/open/ways.c
 * links: helpers/host/address.c helpers/host/alias.c helpers/host/console.c helpers/host/disk.c
 * links: helpers/host/files.c helpers/host/network.c helpers/host/obstacle.c helpers/host/open.c
 * links: helpers/host/pci.c helpers/host/place.c helpers/host/take.c helpers/host/vdpa.c
 * links: helpers/host/way.c tests/unit/nodes.c seccomp/launch.c
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "tests/unit/tree.h"

#include "helpers/open/open.h"
#include "ipc/log.h"
#include "seccomp/layers.h"
#include "seccomp/policy.h"

#define NVME "0000:00:10.0"

static struct opening opening;
static struct err err;

static struct wanted *add(enum word_kind kind, const char *path)
{
	static char paths[4][256];
	unsigned n = opening.opts.n_devices++;

	snprintf(paths[n], sizeof(paths[0]), "%s%s", path[0] == '!' ? "" : tree_path,
		path + (path[0] == '!'));
	opening.opts.devices[n] = (struct device_opt){.kind = kind, .id = "x", .path = paths[n]};
	return &opening.devices[n];
}

/* As at the opener's start, but for what the command line named. */
static void afresh(void)
{
	const struct opts opts = opening.opts;

	opening = (struct opening){.opts = opts, .root = {tree}, .container = FD_NONE_INIT,
		.iommufd = FD_NONE_INIT};
	for (unsigned i = 0; i < VM_SLOTS; i++)
		opening.devices[i] = (struct wanted){.group = -1, .node = FD_NONE_INIT,
			.watch = FD_NONE_INIT, .rom = FD_NONE_INIT, .given = FD_NONE_INIT,
			.opt = &opening.opts.devices[i]};
	opening.n_devices = opts.n_devices;
}

static void set_up(void)
{
	tree_host();
	log_init("", LOG_ERROR, 2);
	afresh();
	tree_function(NVME, "vfio-pci", 5);
	tree_link("sys/devices/pci0000:00/" NVME "/subsystem", "../../../bus/pci");
	tree_vfio(NVME, 5, "vfio0");
}
TestSuite(check, .init = set_up, .fini = tree_remove);

static int start(void)
{
	int r;

	afresh();
	r = check_devices(&opening, 0, &err);
	return r == 0 ? ways_open(&opening, 0, &err) : r;
}

static void refused(int code, const char *why)
{
	cr_assert_eq(start(), code, "%s", err.msg);
	cr_assert(strstr(err.msg, why), "«%s» lacks «%s»", err.msg, why);
	cr_assert_eq(err.blame, BLAME_HOST);
}

/* ---- VFIO */

Test(check, both_ways)
{
	struct wanted *device = add(KIND_VFIO, "/sys/bus/pci/devices/" NVME);

	cr_assert_eq(start(), 0, "%s", err.msg);
	cr_assert(device->node.n >= 0 && opening.iommufd.n >= 0);
	cr_assert_str_eq(nodes_opened, "511:0");
	cr_assert_str_eq(device->name, NVME);
	opening.opts.iommufd = IOMMUFD_OFF;
	cr_assert_eq(start(), 0, "%s", err.msg);
	cr_assert(opening.container.n >= 0 && opening.groups[0].fd.n >= 0);
}

/* A domain that a VMD or a hypervisor made; a variant driver. */
Test(check, wide_domain_and_variant_driver)
{
	struct wanted *device = add(KIND_VFIO, "/sys/bus/pci/devices/10000:01:00.0");

	tree_function("10000:01:00.0", "mlx5_vfio_pci", 6);
	tree_link("sys/devices/pci0000:00/10000:01:00.0/subsystem", "../../../bus/pci");
	tree_vfio("10000:01:00.0", 6, "vfio1");
	cr_assert_eq(start(), 0, "%s", err.msg);
	cr_assert_str_eq(device->name, "10000:01:00.0");
	cr_assert_str_eq(nodes_opened, "511:1");
}

Test(check, what_is_none)
{
	add(KIND_VFIO, "/sys/bus/pci/devices/0000:00:1e.0");
	refused(-ENOENT, "there is no such device");
	opening.opts.n_devices = 0;
	add(KIND_VFIO, "/dev");
	refused(-EINVAL, "is not a PCI device");
	opening.opts.n_devices = 0;
	add(KIND_VFIO, "/sys/bus/pci/devices/" NVME);
	add(KIND_VFIO, "/sys/bus/pci/devices/" NVME);
	refused(-EEXIST, "is named twice (--device)");
}

Test(check, its_driver_has_it)
{
	add(KIND_VFIO, "/sys/bus/pci/devices/" NVME);
	tree_remove();
	tree_host();
	tree_function(NVME, "nvme", 5);
	tree_link("sys/devices/pci0000:00/" NVME "/subsystem", "../../../bus/pci");
	opening.opts.n_devices = 0;
	add(KIND_VFIO, "/sys/bus/pci/devices/" NVME);
	refused(-EBUSY, NVME ": bound to nvme; `bulkhead bind " NVME "`");
	tree_block(NVME, "nvme0n1", "259:0");
	tree_file("proc/self/mountinfo", "30 1 259:0 / / rw - ext4 /dev/nvme0n1 rw\n");
	refused(-EBUSY, NVME ": the host uses its disk: nvme0n1 is mounted on /; the host runs from it");
}

/* The kernel may have been told to let it pass; that was not said of this guest. */
Test(check, no_remapping)
{
	add(KIND_VFIO, "/sys/bus/pci/devices/" NVME);
	tree_file("proc/interrupts", "  24:  0  0  PCI-MSI 1-edge  nvme0q0\n");
	tree_file("sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts", "Y\n");
	tree_file("sys/module/iommufd/parameters/allow_unsafe_interrupts", "Y\n");
	refused(-EPERM, NVME ": /proc/interrupts shows no interrupt remapping");
	cr_assert(strstr(err.msg, "`intremap=off`") && strstr(err.msg, "--allow-degraded"), "%s", err.msg);
	layers_allow_degraded(true);
	cr_assert_eq(start(), 0, "%s", err.msg);
	/* And the kernel was told nothing. */
	cr_assert_eq(explain(&opening, &opening.devices[0], TAKE_ALL, -EPERM, "X", &err), -EPERM);
	cr_assert(strstr(err.msg, "allow_unsafe_interrupts=1"), "%s", err.msg);
}

/* EPERM has other reasons. */
Test(check, not_everything_is_remapping)
{
	add(KIND_VFIO, "/sys/bus/pci/devices/" NVME);
	cr_assert_eq(start(), 0, "%s", err.msg);
	cr_assert_eq(explain(&opening, &opening.devices[0], TAKE_ALL, -EPERM, "X", &err), -EPERM);
	cr_assert(!strstr(err.msg, "remapping") && strstr(err.msg, NVME ": X: "), "%s", err.msg);
}

Test(check, memory_reserved_by_firmware)
{
	add(KIND_VFIO, "/sys/bus/pci/devices/" NVME);
	tree_file("sys/kernel/iommu_groups/5/reserved_regions", "0x7b800000 0x7f7fffff direct\n");
	refused(-EBUSY, "firmware has reserved memory at 0x7b800000-0x7f7fffff");
}

Test(check, boot_framebuffer)
{
	add(KIND_VFIO, "/sys/bus/pci/devices/" NVME);
	tree_file("proc/iomem", "80000000-8fffffff : " NVME "\n  80000000-80ffffff : BOOTFB\n");
	refused(-EBUSY, "BOOTFB, the framebuffer of the boot, holds a BAR");
}

/* The group is another VM's: by its node the kernel says so at once, by the device's own when the broker
 * binds it. */
Test(check, another_vm_has_it)
{
	add(KIND_VFIO, "/sys/bus/pci/devices/" NVME);
	tree_file("dev/vfio/5", "node c 243:5 0600 busy");
	tree_opener(77, "qemu", "dev/vfio/5");
	opening.opts.iommufd = IOMMUFD_OFF;
	refused(-EBUSY, NVME ": in use by process 77 (qemu), by /dev/vfio/5");
	cr_assert_eq(unlinkat(tree, "proc/77/fd/9", 0), 0);
	refused(-EBUSY, "another process, or a host driver");
	opening.opts.iommufd = IOMMUFD_AUTO;
	cr_assert_eq(start(), 0, "%s", err.msg);
}

/* The first of two of one group is open: what keeps the second back is not that. */
Test(check, we_have_the_group)
{
	struct wanted *device = add(KIND_VFIO, "/sys/bus/pci/devices/" NVME);

	cr_assert_eq(start(), 0, "%s", err.msg);
	tree_opener(getpid(), "bulkhead-open", "dev/vfio/devices/vfio0");
	cr_assert_eq(explain(&opening, device, TAKE_ALL, -EIO, "/dev/vfio/5", &err), -EIO);
	cr_assert(strstr(err.msg, "/dev/vfio/5: Input/output error"), "%s", err.msg);
	tree_opener(getpid() + 1, "qemu", "dev/vfio/devices/vfio0");
	cr_assert_eq(explain(&opening, device, TAKE_ALL, -EIO, "/dev/vfio/5", &err), -EIO);
	cr_assert(strstr(err.msg, "(qemu)"), "%s", err.msg);
}

Test(check, no_right)
{
	add(KIND_VFIO, "/sys/bus/pci/devices/" NVME);
	nodes_as_root = false;
	refused(-EACCES, "you may not open /dev/vfio/vfio (uid 0, mode 0600)");
	opening.opts.iommufd = IOMMUFD_ON;
	refused(-EACCES, "you may not open /dev/iommu");
}

Test(check, no_iommufd)
{
	add(KIND_VFIO, "/sys/bus/pci/devices/" NVME);
	cr_assert_eq(unlinkat(tree, "dev/iommu", 0), 0);
	opening.opts.iommufd = IOMMUFD_ON;
	refused(-ENOENT, "/dev/iommu is not there; load iommufd");
	opening.opts.iommufd = IOMMUFD_AUTO;
	cr_assert_eq(start(), 0, "%s", err.msg);
	cr_assert_geq(opening.container.n, 0);
}

/* ---- vDPA */

Test(check, vdpa)
{
	struct wanted *device = add(KIND_VDPA, "/dev/vhost-vdpa-4");

	tree_link("sys/bus/vdpa/devices/n0", "../../../devices/vdpasim_net/n0");
	tree_link("sys/devices/vdpasim_net/n0/driver", "../../../bus/vdpa/drivers/vhost_vdpa");
	tree_node("dev/vhost-vdpa-4", 'c', "509:4", "vdpasim_net/n0/vhost-vdpa-4");
	cr_assert_eq(start(), 0, "%s", err.msg);
	cr_assert_str_eq(device->name, "vhost-vdpa-4");
	cr_assert_geq(device->node.n, 0);
	cr_assert_eq(device->silence_s, 30, "what is not VDUSE's");
	add(KIND_VDPA, "/dev/vhost-vdpa-4");
	refused(-EEXIST, "is named twice (--vdpa)");
	opening.opts.n_devices = 1;
	tree_file("dev/vhost-vdpa-4", "node c 509:4 0600 busy");
	tree_opener(9, "qemu", "dev/vhost-vdpa-4");
	refused(-EBUSY, "vhost-vdpa-4: in use by process 9 (qemu), by /dev/vhost-vdpa-4");
	nodes_as_root = false;
	cr_assert_eq(unlinkat(tree, "proc/9/fd/9", 0), 0);
	refused(-EACCES, "you may not open /dev/vhost-vdpa-4");
}

/* Whoever removes the node is noticed by it. */
Test(check, a_vdpa_node_is_watched)
{
	struct wanted *device = add(KIND_VDPA, "/dev/vhost-vdpa-4");
	char event[sizeof(struct inotify_event) + 256];
	char path[128];

	tree_link("sys/bus/vdpa/devices/n0", "../../../devices/vdpasim_net/n0");
	tree_link("sys/devices/vdpasim_net/n0/driver", "../../../bus/vdpa/drivers/vhost_vdpa");
	tree_node("dev/vhost-vdpa-4", 'c', "509:4", "vdpasim_net/n0/vhost-vdpa-4");
	cr_assert_eq(start(), 0, "%s", err.msg);
	cr_assert(read(device->watch.n, event, sizeof(event)) < 0 && errno == EAGAIN);
	snprintf(path, sizeof(path), "%s/dev/vhost-vdpa-4", tree_path);
	cr_assert_eq(unlink(path), 0);
	cr_assert_gt(read(device->watch.n, event, sizeof(event)), 0);
}

/* ---- ROMs */

Test(check, roms)
{
	struct wanted *device = add(KIND_VFIO, "/sys/bus/pci/devices/" NVME);

	opening.opts.devices[0].rom = "off";
	cr_assert_eq(start(), 0, "%s", err.msg);
	cr_assert_lt(device->rom.n, 0);
	opening.opts.devices[0].rom = "/dev/null";
	cr_assert_eq(start(), 0, "what is in it is the core's to say");
	cr_assert_geq(device->rom.n, 0);
	opening.opts.devices[0].rom = "/nowhere/rom";
	refused(-ENOENT, "--device rom=/nowhere/rom: No such file or directory; check the path");
}

Test(check, no_vdpa_device)
{
	static const struct {
		const char *path;
		int code;
		const char *why;
	} bad[] = {
		{"!/dev/vhost-vdpa-4711", -ENOENT, "there is no such device"},
		{"!/dev/null", -EINVAL, "is not a vhost-vdpa device;"},
		{"!/proc/self/exe", -EINVAL, "it is no character device"},
		{"!/", -EINVAL, "it is no character device"},
		{"!/dev/null/x", -ENOTDIR, "Not a directory"},
	};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		opening.opts.n_devices = 0;
		add(KIND_VDPA, bad[i].path);
		refused(bad[i].code, bad[i].why);
		cr_assert(strstr(err.msg, bad[i].path + 1), "%s", err.msg);
		cr_assert_lt(opening.devices[0].node.n, 0);
	}
}

/* ---- the launcher's deny-list, under which it looks */

/* All there is to look at: what uses a device of the host's, and who has one of VFIO's. */
static int look_at_everything(void)
{
	static const char *const bdfs[] = {NVME, "0000:00:11.0"};
	struct host host = host_at(tree);
	struct verdict verdict;
	unsigned seen = 0;

	for (unsigned i = 0; i < 2; i++) {
		struct function f;

		if (pci_read(tree, bdfs[i], &f, &err) < 0)
			return 1;
		take_pci(&host, &f, TAKE_ALL, &verdict);
		for (unsigned k = 0; k < verdict.n; k++)
			seen |= 1u << verdict.obstacles[k].kind;
	}
	host_close(&host);
	return seen == (1u << OBSTACLE_USED | 1u << OBSTACLE_DISK | 1u << OBSTACLE_NETWORK |
		1u << OBSTACLE_OPEN | 1u << OBSTACLE_CONSOLE) ? 0 : 2;
}

/* Many processes, too: no call that only comes with many. */
Test(check, looks_within_the_launchers_policy)
{
	int status;
	pid_t pid;

#ifdef BULKHEAD_SANITIZER
	cr_skip_test("a sanitizer makes calls of its own");
#endif
	for (int i = 100; i < 700; i++)
		tree_opener(i, "qemu", i % 2 ? "dev/vfio/5" : "dev/vfio/vfio");
	tree_function("0000:00:11.0", "e1000e", 6);
	tree_block("0000:00:11.0", "nvme0n1", "259:0");
	tree_file("proc/self/mountinfo", "30 1 259:0 / / rw - ext4 /dev/nvme0n1 rw\n");
	tree_file("sys/devices/pci0000:00/0000:00:11.0/net/eth0/flags", "0x1003\n");
	tree_link("sys/class/net/eth0", "../../devices/pci0000:00/0000:00:11.0/net/eth0");
	tree_file("sys/devices/pci0000:00/0000:00:11.0/boot_vga", "1\n");
	tree_node("dev/dri/card0", 'c', "226:0", "pci0000:00/0000:00:11.0/drm/card0");
	tree_opener(99, "Xorg", "dev/dri/card0");
	pid = fork();
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
			policy_enter(&policy_launch_run, SECCOMP_MODE_KILL, false, &err) < 0)
			_exit(3);
		_exit(look_at_everything());
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0, "status 0x%x: a call that is denied?", status);
}
