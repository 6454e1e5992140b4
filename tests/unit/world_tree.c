/* SPDX-License-Identifier: Apache-2.0
 *
 * The world as files: what sysfs, procfs and /dev of such a host look like (world.h). Disks are in
 * world_disks.c.
 */
#include "tests/unit/nodes.h"
#include "tests/unit/world_put.h"

enum { PCI_MAJOR = 510, GROUP_MAJOR = 243 };

static char path[512], target[512];

/* The function's use of that kind; NULL. */
static const struct wuse *use_of(int function, enum use_kind kind)
{
	for (int i = 0; i < world.n_uses; i++)
		if (world.uses[i].function == function && world.uses[i].kind == kind &&
			!world.uses[i].over)
			return &world.uses[i];
	return NULL;
}

/* ---- functions */

static void put_driver(const struct wfunction *f)
{
	char at[NAME];

	if (!f->driver[0])
		return;
	put_link(AT("sys/devices/%s/driver", f->path), TO("../../../bus/pci/drivers/%s", f->driver));
	if (!is_vfio(f))
		return;
	snprintf(at, sizeof(at), "vfio%d", f->number);
	if (!world.cdevs) {
		put_file(AT("sys/devices/%s/vfio-dev/%s/uevent", f->path, at), "");
		return;
	}
	put_node(world.nodes_there ? text_of("dev/vfio/devices/%s", at) : NULL, 'c',
		TO("%d:%d", PCI_MAJOR, f->number), AT("%s/vfio-dev/%s", f->path, at), f->node_mode, "");
}

static void put_group(const struct wfunction *f)
{
	char number[16];
	const struct wuse *vm = NULL;

	for (int i = 0; i < world.n_functions; i++)
		if (world.functions[i].group == f->group && use_of(i, USE_VM))
			vm = use_of(i, USE_VM);
	put_link(AT("sys/devices/%s/iommu_group", f->path),
		TO("../../../kernel/iommu_groups/%d", f->group));
	put_link(AT("sys/kernel/iommu_groups/%d/devices/%s", f->group, f->bdf),
		TO("../../../../devices/%s", f->path));
	put_file(AT("sys/kernel/iommu_groups/%d/reserved_regions", f->group),
		is_reserved(f) ? "0x7b800000 0x7f7fffff direct\n0xfee00000 0xfeefffff msi\n"
			    : "0x7b800000 0x7bffffff direct-relaxable\n"
			      "0xfee00000 0xfeefffff msi\n");
	if (!is_vfio(f))
		return;
	snprintf(number, sizeof(number), "%d:%d", GROUP_MAJOR, f->group);
	put_node(world.nodes_there ? AT("dev/vfio/%d", f->group) : NULL, 'c', number,
		TO("virtual/vfio/%d", f->group),
		world.group_mode[f->group], vm ? "busy" : "");
}

static void put_function(int i)
{
	const struct wfunction *f = &world.functions[i];
	static const char *const classes[ROLES] = {"0x010802", "0x020000", "0x030000", "0x070002",
		"0x120000", "0x068000", "0x060400", "0x060100", "0x010400"};
	uint8_t config[256] = {[0x0e] = f->role == ROLE_BRIDGE};
	int functions = 0;

	if (f->silent)
		memset(config, 0xff, sizeof(config));
	world_say(WORLD_FILE, AT("sys/devices/%s/config", f->path), config, sizeof(config));
	put_file(AT("sys/devices/%s/class", f->path), classes[f->role]);
	put_file(AT("sys/devices/%s/driver_override", f->path),
		f->override[0] ? f->override : "(null)\n");
	put_file(AT("sys/devices/%s/modalias", f->path), text_of(
		"pci:v000015B3d0000%sbc02sc00i00\n", f->variant ? "101Esv1sd1" : "1019sv1sd1"));
	put_link(AT("sys/bus/pci/devices/%s", f->bdf), TO("../../../devices/%s", f->path));
	put_link(AT("sys/devices/%s/subsystem", f->path), "../../../bus/pci");
	put_driver(f);
	if (world.iommu)
		put_group(f);
	if (f->role == ROLE_GPU)
		put_file(AT("sys/devices/%s/boot_vga", f->path), use_of(i, USE_BOOT_VGA) ? "1" : "0");
	for (int k = 0; k < world.n_functions; k++)
		if (world.functions[k].physical == i && is_present(&world.functions[k]))
			put_link(AT("sys/devices/%s/virtfn%d", f->path, functions++),
				TO("../%s", world.functions[k].bdf));
	if (functions)
		put_file(AT("sys/devices/%s/sriov_numvfs", f->path), text_of("%d\n", functions));
}

/* ---- interfaces */

static void put_interface(const char *name, const char *at, bool up)
{
	put_file(AT("sys/devices/%s/net/%s/flags", at, name), up ? "0x1003\n" : "0x1002\n");
	put_link(AT("sys/class/net/%s", name), TO("../../devices/%s/net/%s", at, name));
}

/* `over` is made of the interface below. */
static void stack(const char *upper, const char *below, const char *at, bool master)
{
	put_interface(upper, "virtual", true);
	put_link(AT("sys/devices/virtual/net/%s/lower_%s", upper, below),
		TO("../../../%s/net/%s", at, below));
	put_link(AT("sys/devices/%s/net/%s/upper_%s", at, below, upper), TO("../virtual/%s", upper));
	if (master)
		put_link(AT("sys/devices/%s/net/%s/master", at, below), TO("../virtual/net/%s", upper));
}

static void route(char *routes, size_t size, const char *by, bool is_default)
{
	size_t n = strlen(routes);

	snprintf(routes + n, size - n, is_default
		? "%s\t00000000\t0102000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
		: "%s\t0000000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n", by);
}

static void put_nic(int i, char *routes, size_t size)
{
	const struct wfunction *f = &world.functions[i];
	const struct wuse *use = NULL;
	char name[NAME];

	snprintf(name, sizeof(name), "eth%d", f->number);
	for (int k = 0; k < world.n_uses; k++)
		if (!world.uses[k].over && world.uses[k].kind >= USE_UP &&
			world.uses[k].kind <= USE_HIDDEN &&
			(world.uses[k].function == i || world.uses[k].other == i))
			use = &world.uses[k];
	if (use && use->kind == USE_HIDDEN) { /* an empty folder is what is left */
		world_say(WORLD_FOLDER, AT("sys/devices/%s/net", f->path), "", 0);
		return;
	}
	put_interface(name, f->path, use);
	if (!use || use->kind == USE_UP)
		return;
	if (use->kind == USE_ROUTE) {
		route(routes, size, name, use->at[2] % 2);
		return;
	}
	stack(use->at, name, f->path, use->kind != USE_VLAN);
	if (use->kind != USE_OVS)
		route(routes, size, use->at, use->at[2] % 2 == 0);
}

static void put_vdpa(const struct wvdpa *vdpa, int i)
{
	const struct wfunction *f = &world.functions[vdpa->parent];
	char at[256], node[NAME], number[16];

	snprintf(at, sizeof(at), "%s/%s", f->path, vdpa->name);
	put_link(AT("sys/bus/vdpa/devices/%s", vdpa->name), TO("../../../devices/%s", at));
	put_file(AT("sys/devices/%s/driver_override", at), "");
	if (vdpa->driver[0])
		put_link(AT("sys/devices/%s/driver", at), TO("../../bus/vdpa/drivers/%s", vdpa->driver));
	if (strcmp(vdpa->driver, "virtio_vdpa") == 0) {
		char below[300];

		snprintf(below, sizeof(below), "%s/virtio%d", at, i);
		put_interface(text_of("veth%d", i), below, vdpa->used);
	}
	if (strcmp(vdpa->driver, "vhost_vdpa") != 0)
		return;
	snprintf(node, sizeof(node), "vhost-vdpa-%d", i);
	snprintf(number, sizeof(number), "509:%d", i);
	put_node(TO("dev/%s", node), 'c', number, AT("%s/%s", at, node), vdpa->node_mode,
		vdpa->used ? "busy" : "");
	if (vdpa->used)
		put_opener('c', number);
}

/* ---- consoles and nodes */

static void put_framebuffer(const struct wfunction *f)
{
	size_t n;
	char lines[512];

	/* Without rights: no addresses. */
	snprintf(lines, sizeof(lines), "00000000-00000000 : PCI Bus 0000:00\n"
		"  00000000-00000000 : 0000:00:1e.7\n  00000000-00000000 : %s\n"
		"    00000000-00000000 : %s\n  00000000-00000000 : 0000:00:1e.6\n", f->bdf, world.holder);
	n = strlen(lines);
	snprintf(lines + n, sizeof(lines) - n, "00000000-00000000 : Reserved\n");
	put_file("proc/iomem", lines);
	if (strcmp(world.holder, "efifb") == 0)
		put_file("sys/bus/platform/drivers/efi-framebuffer/efi-framebuffer.0/uevent", "");
}

static void put_node_use(const struct wfunction *f, const struct wuse *use, int i)
{
	static const char *const nodes[] = {[ROLE_GPU] = "dri/card", [ROLE_DISK] = "ng",
		[ROLE_ACCELERATOR] = "accel/accel"};
	char node[NAME], number[16], at[256];

	if (use->kind == USE_VM) {
		if (world.cdevs && i % 2)
			put_opener('c', TO("%d:%d", PCI_MAJOR, f->number));
		else
			put_opener('c', TO("%d:%d", GROUP_MAJOR, f->group));
		return;
	}
	if (use->kind == USE_MDEV) {
		snprintf(at, sizeof(at), "%s/83b8f4f2-509f-382f-3c1e-e6bfe0fa1001", f->path);
		put_file(AT("sys/devices/%s/vfio-dev/vfio9%d/uevent", at, i), "");
		put_link(AT("sys/kernel/iommu_groups/9%d/devices/83b8f4f2", i),
			TO("../../../../devices/%s", at));
		snprintf(number, sizeof(number), "%d:9%d", GROUP_MAJOR, i);
		put_node(TO("dev/vfio/9%d", i), 'c', number, AT("virtual/vfio/9%d", i), 0600, "busy");
		put_opener('c', number);
		return;
	}
	snprintf(node, sizeof(node), "dev/%s%d", nodes[f->role], i);
	snprintf(number, sizeof(number), f->role == ROLE_ACCELERATOR && i % 2 ? "195:%d" : "226:%d", i);
	if (f->role == ROLE_ACCELERATOR && i % 2) { /* NVIDIA's, which sysfs does not know */
		put_file(AT("proc/driver/nvidia/gpus/%s/information", f->bdf),
			text_of("Model: X\nDevice Minor: \t %d\n", i));
	} else {
		snprintf(at, sizeof(at), "%s/%s", f->path, node + 4);
		put_node(node, 'c', number, at, 0666, "");
	}
	put_opener('c', number);
}

static void put_console_use(const struct wfunction *f, const struct wuse *use)
{
	if (use->kind == USE_TEXT) {
		put_link("sys/class/graphics/fb0", TO("../../devices/%s/graphics/fb0", f->path));
		put_file("sys/class/vtconsole/vtcon1/name", "(M) frame buffer device\n");
		put_file("sys/class/vtconsole/vtcon1/bind", "1\n");
	} else if (use->kind == USE_LINE) {
		put_file("sys/class/tty/console/active", "tty0 ttyS1 ttyS2 ttyS3 ttyS4 ttyS5 ttyS6 ttyS7 "
			"ttyS8 ttyS9 ttyS10\n");
		put_link(AT("sys/class/tty/ttyS%d", f->number), TO("../../devices/%s/tty/ttyS%d",
			f->path, f->number));
	} else if (use->kind == USE_BOOTFB) {
		put_framebuffer(f);
	}
}

/* ---- the whole */

static void put_host(void)
{
	static const char *const drivers[] = {"nvme", "mlx5_core", "amdgpu", "serial", "habanalabs",
		"nvidia-nvswitch", "pcieport", "lpc_ich", "vmd", "pci-stub", "vfio-pci"};

	for (unsigned i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
		put_file(AT("sys/bus/pci/drivers/%s/bind", drivers[i]), "");
	put_file("sys/module/vfio_pci/drivers/pci:vfio-pci", "");
	if (world.variants) {
		put_file("sys/module/mlx5_vfio_pci/drivers/pci:mlx5_vfio_pci", "");
		put_file("sys/bus/pci/drivers/mlx5_vfio_pci/bind", "");
	}
	put_file("proc/interrupts", world.remaps ? "   CPU0\n 0: 1 IR-IO-APIC 2-edge timer\n"
						  : "   CPU0\n 0: 1 IO-APIC 2-edge timer\n");
	put_file("proc/iomem", "00000000-00000000 : Reserved\n");
	put_file("proc/sys/kernel/osrelease", "6.12.0\n");
	put_file("proc/net/ipv6_route", "");
	put_file("lib/modules/6.12.0/modules.alias",
		"alias pci:v000015B3d0000101Esv*sd*bc*sc*i* mlx5_core\n"
		"alias vfio_pci:v000015B3d0000101Esv*sd*bc*sc*i* mlx5_vfio_pci\n"
		"alias vfio_pci:v*d*sv*sd*bc*sc*i* vfio_pci\n");
	if (world.iommu)
		put_link("sys/class/iommu/dmar0", "../../devices/virtual/iommu/dmar0");
	put_node("dev/vfio/vfio", 'c', "10:196", "virtual/misc/vfio", 0666, "");
	if (world.iommufd)
		put_node("dev/iommu", 'c', "10:125", "virtual/misc/iommu", 0666, "");
}

void world_write(void)
{
	char routes[2048] = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n";

	put_host();
	for (int i = 0; i < world.n_functions; i++) {
		if (!is_present(&world.functions[i]))
			continue;
		put_function(i);
		if (world.functions[i].role == ROLE_NIC && is_native(i))
			put_nic(i, routes, sizeof(routes));
	}
	put_disks();
	put_file("proc/net/route", routes);
	for (int i = 0; i < world.n_vdpas; i++)
		if (is_native(world.vdpas[i].parent))
			put_vdpa(&world.vdpas[i], i);
	for (int i = 0; i < world.n_uses; i++) {
		const struct wuse *use = &world.uses[i];
		const struct wfunction *f = use->function < 0 ? NULL : &world.functions[use->function];

		if (!f || use->over || !is_present(f))
			continue;
		if (use->kind == USE_NODE || use->kind == USE_VM || use->kind == USE_MDEV)
			put_node_use(f, use, use->function);
		else
			put_console_use(f, use);
	}
	world_said();
	nodes_as_root = world.root;
}

void world_boot(const struct world *as)
{
	if (as != &world)
		world = *as;
	world_reset();
	world_write();
}
