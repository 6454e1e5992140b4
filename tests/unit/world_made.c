/* SPDX-License-Identifier: Apache-2.0
 *
 * Hosts, made from a number: which devices there are, and what stands on them (world.h).
 */
#include "tests/unit/world.h"

#include <stdio.h>
#include <string.h>

static uint64_t state;

/* xorshift64; 0 to n - 1. */
static unsigned rnd(unsigned n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 20) % n;
}

static bool chance(unsigned percent)
{
	return rnd(100) < percent;
}

/* ---- functions */

static const char *const natives[ROLES] = {"nvme", "mlx5_core", "amdgpu", "serial", "habanalabs",
	"nvidia-nvswitch", "pcieport", "lpc_ich", "vmd"};

static struct wfunction *add_function(enum role role, int group, int slot, int number)
{
	struct wfunction *f = &world.functions[world.n_functions++];
	/* A root of its own, as a hypervisor or a second VMD makes one, has a number of five digits. */
	const struct pci_address address = {.domain = chance(15) ? 0x10000u + rnd(0x1000) : 0,
		.slot = slot & 31, .function = number & 7};
	char bdf[PCI_ADDRESS];

	*f = (struct wfunction){.role = role, .group = group, .number = world.n_functions,
		.parent = -1, .physical = -1, .reserved = chance(4),
		.variant = role == ROLE_NIC && chance(30), .node_mode = chance(70) ? 0666 : 0600};
	pci_address_write(&address, bdf);
	strcpy(f->bdf, bdf);
	snprintf(f->path, sizeof(f->path), "pci%04x:00/%s", address.domain, bdf);
	snprintf(f->native, sizeof(f->native), "%s", natives[role]);
	strcpy(f->driver, f->native);
	if (role == ROLE_ISA && chance(50))
		memset(f->driver, 0, NAME);
	return f;
}

static void give_driver(struct wfunction *f)
{
	unsigned r = rnd(100);

	if (r < 55)
		return;
	memset(f->driver, 0, NAME);
	strcpy(f->driver, r >= 93 ? "pci-stub" : r >= 85 ? "" : f->variant ? "mlx5_vfio_pci"
									   : "vfio-pci");
}

static void add_behind_vmd(int vmd, int slot)
{
	struct wfunction *f = add_function(ROLE_DISK, world.functions[vmd].group, slot, 0);
	char above[PCI_ADDRESS];

	strcpy(above, world.functions[vmd].bdf);
	f->parent = vmd;
	f->reserved = world.functions[vmd].reserved = false;
	snprintf(f->bdf, sizeof(f->bdf), "1%04x:e1:00.0", slot & 0xff);
	snprintf(f->path, sizeof(f->path), "pci%.*s:00/%s/pci1%04x:e0/1%04x:e1:00.0",
		(int)strcspn(above, ":"), above, above, slot, slot);
}

static void add_virtual(int physical, int group, int slot)
{
	for (int i = 1; i <= 2; i++) {
		struct wfunction *f = add_function(ROLE_NIC, group + i, slot, i);

		f->physical = physical;
		if (chance(60)) {
			memset(f->driver, 0, NAME);
			strcpy(f->driver, f->variant ? "mlx5_vfio_pci" : "vfio-pci");
		}
	}
}

static void add_functions(void)
{
	int n = 3 + (int)rnd(5), group = 0;

	for (int slot = 1; slot <= n; slot++) {
		static const enum role roles[] = {ROLE_DISK, ROLE_DISK, ROLE_DISK, ROLE_DISK,
			ROLE_DISK, ROLE_NIC, ROLE_NIC, ROLE_NIC, ROLE_GPU, ROLE_GPU, ROLE_SERIAL, ROLE_ACCELERATOR, ROLE_NVSWITCH,
			ROLE_BRIDGE, ROLE_ISA, ROLE_VMD};
		const enum role role = roles[rnd(sizeof(roles) / sizeof(roles[0]))];
		const int index = world.n_functions;
		struct wfunction *f;

		if (index + 3 > FUNCTIONS)
			break;
		group += chance(75) || role == ROLE_VMD;
		f = add_function(role, group, slot, 0);
		if (role == ROLE_VMD) {
			add_behind_vmd(index, slot);
			group++;
		} else if (role == ROLE_NIC && chance(15)) {
			add_virtual(index, group, slot);
			group += 3;
		} else if (is_endpoint(f)) {
			give_driver(f);
			f->silent = chance(4);
		}
	}
	for (int i = 0; i < 2 * FUNCTIONS; i++)
		world.group_mode[i] = chance(70) ? 0666 : 0600;
	for (int i = 0; i < world.n_functions; i++) {
		if (is_vfio(&world.functions[i])) {
			strcpy(world.functions[i].override, world.functions[i].driver);
			world.variants |= world.functions[i].variant;
		}
	}
}

/* ---- disks and what is made of them */

static int add_block(enum block_kind kind, const char *name, int a, int b)
{
	struct wblock *block = &world.blocks[world.n_blocks];

	*block = (struct wblock){.kind = kind, .function = -1, .parent = -1, .second = -1,
		.n_slaves = (a >= 0) + (b >= 0), .slaves = {a, b}};
	snprintf(block->name, sizeof(block->name), "%s%d%s", name, world.n_blocks,
		kind == DISK ? "n1" : "");
	snprintf(block->number, sizeof(block->number), "%d:%d", kind == LOOP ? 7 : 250 + (int)kind,
		world.n_blocks);
	block->stands = (a >= 0 ? world.blocks[a].stands : 0) |
		(b >= 0 ? world.blocks[b].stands : 0);
	return world.n_blocks++;
}

static int add_partition(int of)
{
	int block = add_block(PARTITION, "", -1, -1);

	world.blocks[block].parent = of;
	world.blocks[block].stands = world.blocks[of].stands;
	strcpy(world.blocks[block].name, world.blocks[of].name);
	snprintf(world.blocks[block].name + strlen(world.blocks[of].name), 8, "p%d", block);
	return block;
}

/* The function, and what it is there through. */
static unsigned bits(int function)
{
	const struct wfunction *f = &world.functions[function];

	return 1u << function | (f->parent < 0 ? 0 : 1u << f->parent) |
		(f->physical < 0 ? 0 : 1u << f->physical);
}

static int add_disk(int function)
{
	int block = add_block(DISK, "nvme", -1, -1);

	world.blocks[block].function = function;
	world.blocks[block].stands = bits(function);
	return block;
}

static struct wuse *add_use(enum use_kind kind, int function, unsigned stands)
{
	struct wuse *use = &world.uses[world.n_uses++];

	*use = (struct wuse){.kind = kind, .function = function, .other = -1, .block = -1,
		.block2 = -1, .stands = stands};
	return use;
}

static void use_block(enum use_kind kind, int block)
{
	static const char *const places[] = {"/", "/boot", "/srv/data"};
	struct wuse *use = add_use(kind, -1, world.blocks[block].stands);

	use->block = block;
	if (kind == USE_MOUNT && chance(60))
		snprintf(use->at, NAME, "%s", places[rnd(3)]);
	else
		snprintf(use->at, NAME, "/mnt/%d", world.n_uses);
}

/* Partition, volume on it, or volume on RAID on two disks; and perhaps nothing on that. */
static void use_disk(int disk, int other)
{
	int at = chance(80) || !block_is_free(disk) ? add_partition(disk) : disk;
	const int second = other >= 0 && chance(50) ? add_partition(other) : -1;

	if (chance(25) || (second >= 0 && chance(50)))
		at = add_block(second >= 0 ? MD : DM, second >= 0 ? "md" : "dm-", at, second);
	if (chance(20) && world.blocks[at].kind == MD)
		at = add_partition(at);
	if (chance(30))
		at = chance(70) ? add_block(DM, "dm-", at, -1) : add_block(LOOP, "loop", at, -1);
	switch (rnd(10)) {
	case 0: case 1: case 2: case 3: use_block(USE_MOUNT, at); break;
	case 4: use_block(USE_SWAP, at); break;
	case 5: use_block(USE_BLOCK_OPEN, at); break;
	case 6: use_block(USE_EXPORT, at); break;
	case 7: use_block(USE_CLAIM, world.blocks[at].parent >= 0 ? world.blocks[at].parent : at); break;
	case 8: case 9:
		if (second < 0 || !block_is_free(second))
			break;
		use_block(USE_BTRFS, at);
		world.uses[world.n_uses - 1].block2 = second;
		world.uses[world.n_uses - 1].stands |= world.blocks[second].stands;
		break;
	}
}

static void add_disks(void)
{
	int last = -1;

	for (int i = 0; i < world.n_functions; i++) {
		const struct wfunction *f = &world.functions[i];
		int disk;

		if (f->role != ROLE_DISK || !on_native(f) || !is_present(f))
			continue;
		disk = add_disk(i);
		if (last >= 0 && chance(20)) { /* a second path to it */
			world.blocks[disk].second = world.blocks[last].function;
			world.blocks[disk].stands |= world.blocks[last].stands;
		}
		for (int k = (int)rnd(4); k > 0 && world.n_blocks + 8 < BLOCKS; k--)
			use_disk(disk, last);
		last = disk;
	}
}

/* ---- everything else */

static void use_interface(int i, int other)
{
	static const enum use_kind kinds[] = {USE_UP, USE_UP, USE_ROUTE, USE_BRIDGE, USE_OVS, USE_BOND,
		USE_VLAN, USE_HIDDEN};
	const enum use_kind kind = kinds[rnd(sizeof(kinds) / sizeof(kinds[0]))];
	struct wuse *use = add_use(kind, i, bits(i));

	snprintf(use->at, NAME, "%s%d", kind == USE_OVS ? "ovs" : kind == USE_VLAN ? "vlan" : "br",
		world.n_uses);
	if (kind != USE_BOND || other < 0)
		return;
	use->other = other;
	use->stands |= bits(other);
}

static void use_endpoint(int i)
{
	const struct wfunction *f = &world.functions[i];
	static bool console;

	if (i == 0)
		console = false;
	if (is_vfio(f)) {
		if (chance(20) && group_is_free(f))
			add_use(USE_VM, i, bits(i));
		if (f->role == ROLE_GPU && !console && chance(30))
			add_use(USE_BOOTFB, i, 0), console = true;
		return;
	}
	if (f->role == ROLE_GPU && !console && chance(50)) {
		static const enum use_kind kinds[] = {USE_BOOT_VGA, USE_BOOTFB, USE_TEXT};

		add_use(kinds[rnd(on_native(f) ? 3 : 2)], i, 1u << i);
		console = true;
	}
	if (!on_native(f))
		return;
	if (f->role == ROLE_SERIAL && chance(40))
		add_use(USE_LINE, i, 1u << i);
	if (f->role == ROLE_ACCELERATOR && chance(30))
		add_use(USE_MDEV, i, 1u << i);
	if ((f->role == ROLE_GPU || f->role == ROLE_ACCELERATOR || f->role == ROLE_DISK) && chance(25))
		add_use(USE_NODE, i, bits(i));
}

static void add_vdpa(int parent)
{
	struct wvdpa *vdpa = &world.vdpas[world.n_vdpas];
	static const char *const drivers[] = {"vhost_vdpa", "vhost_vdpa", "virtio_vdpa", ""};

	*vdpa = (struct wvdpa){.parent = parent, .number = world.n_vdpas,
		.node_mode = chance(70) ? 0666 : 0600};
	/* A name is the operator's to choose, and may be a folder's. */
	snprintf(vdpa->name, NAME, "%s", chance(20) ? "nvme" : world.n_vdpas % 2 ? "vdpa10" : "vdpa1");
	strcpy(vdpa->driver, drivers[rnd(4)]);
	vdpa->used = vdpa->driver[0] && chance(40);
	for (int i = 0; i < world.n_vdpas; i++)
		if (strcmp(world.vdpas[i].name, vdpa->name) == 0)
			return;
	world.n_vdpas++;
}

static void add_uses(void)
{
	int last = -1;

	for (int i = 0; i < world.n_functions && world.n_uses + 4 < USES; i++) {
		const struct wfunction *f = &world.functions[i];

		if (!is_present(f) || !is_endpoint(f))
			continue;
		use_endpoint(i);
		if (f->role != ROLE_NIC || !on_native(f))
			continue;
		while (world.n_vdpas < VDPAS && f->physical < 0 && chance(30))
			add_vdpa(i);
		if (!chance(65))
			continue;
		use_interface(i, last);
		last = i;
	}
}

void world_generate(unsigned seed)
{
	static const char *const names[] = {"BOOTFB", "efifb", "simpledrm"};

	memset(&world, 0, sizeof(world));
	state = 0x9e3779b97f4a7c15ull * (seed + 1);
	for (int i = 0; i < 8; i++)
		rnd(2);
	world.iommu = chance(95);
	world.remaps = chance(90);
	world.cdevs = chance(60);
	world.iommufd = chance(80);
	world.root = chance(75);
	world.nodes_there = chance(95);
	world.holder = names[rnd(3)];
	world.variants_refuse = chance(30);
	add_functions();
	add_disks();
	add_uses();
}
