/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel and the tools of the world: what becomes of a write to sysfs, and of a command that
 * somebody was told to run (world.h). attr_write of bulkhead-devices ends here.
 */
#include "tests/unit/world.h"

#include <errno.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "helpers/devices/devices.h"
#include "tests/unit/nodes.h"

/* Is it loaded, and does it want the device? */
static bool driver_takes(const char *driver)
{
	return strcmp(driver, "mlx5_vfio_pci") != 0 || (world.variants && !world.variants_refuse);
}

/* With nothing of the former name behind it: worlds are compared. */
static void rename_to(char name[static NAME], const char *to)
{
	memset(name, 0, NAME);
	snprintf(name, NAME, "%.23s", to);
}

static int write_to(const char *path, const char *value)
{
	char bdf[64], driver[64];
	struct wfunction *f = world_find(value);

	if (sscanf(path, "sys/bus/pci/devices/%63[^/]/driver_override", bdf) == 1 &&
		strstr(path, "/driver_override")) {
		f = world_find(bdf);
		if (f)
			rename_to(f->override, value[0] == '\n' ? "" : value);
	} else if (strstr(path, "/driver/unbind")) {
		if (f)
			rename_to(f->driver, "");
	} else if (strcmp(path, "sys/bus/pci/drivers_probe") == 0) {
		if (f && !f->driver[0] && driver_takes(f->override))
			rename_to(f->driver, f->override[0] ? f->override : f->native);
	} else if (sscanf(path, "sys/bus/pci/drivers/%63[^/]/bind", driver) == 1) {
		if (f && !f->driver[0])
			rename_to(f->driver, driver);
	} else {
		return -EINVAL;
	}
	return f ? 0 : -ENODEV;
}

int attr_write(int root, const char *value, struct err *err, const char *fmt, ...)
{
	char path[256];
	va_list args;
	int r;

	(void)root;
	va_start(args, fmt);
	vsnprintf(path, sizeof(path), fmt, args);
	va_end(args);
	r = write_to(path, value);
	world_write();
	return r < 0 ? err_set(err, r, BLAME_HOST, "/%s: %s", path, strerror(-r)) : 0;
}

/* modprobe: there is one module to load. */
int posix_spawn(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
	const posix_spawnattr_t *attr, char *const argv[], char *const envp[])
{
	(void)file, (void)actions, (void)attr, (void)envp;
	world.variants |= strcmp(argv[1], "mlx5_vfio_pci") == 0;
	world_write();
	*pid = fork();
	if (*pid == 0)
		_exit(0);
	return 0;
}

static bool run_bind(char *names)
{
	char *list[FUNCTIONS], *name;
	struct err err = {0};
	int n = 0, r;

	while ((name = strsep(&names, " ")) && n < FUNCTIONS)
		list[n++] = name;
	r = bind_functions(world_root(), list, n, false, &err);
	if (r < 0)
		fprintf(stderr, "bind: %s\n", err.msg);
	return r == 0;
}

static bool end_use(bool is(const struct wuse *use, const char *what), const char *what)
{
	for (int i = 0; i < world.n_uses; i++) {
		struct wuse *use = &world.uses[i];

		if (use->over || !is(use, what))
			continue;
		use->over = true;
		return true;
	}
	return false;
}

static bool is_mount(const struct wuse *use, const char *at)
{
	return (use->kind == USE_MOUNT || use->kind == USE_BTRFS) && strcmp(use->at, at) == 0;
}

static bool is_swap(const struct wuse *use, const char *block)
{
	return use->kind == USE_SWAP && strcmp(world.blocks[use->block].name, block) == 0;
}

static bool is_up(const struct wuse *use, const char *interface)
{
	char name[NAME];

	if (use->kind != USE_UP)
		return false;
	snprintf(name, sizeof(name), "eth%d", world.functions[use->function].number);
	return strcmp(name, interface) == 0;
}

static bool is_export(const struct wuse *use, const char *system)
{
	char name[NAME];

	snprintf(name, sizeof(name), "s%d", (int)(use - world.uses));
	return use->kind == USE_EXPORT && strcmp(name, system) == 0;
}

static bool is_framebuffer(const struct wuse *use, const char *holder)
{
	return use->kind == USE_BOOTFB && (!holder || strcmp(world.holder, holder) == 0);
}

static bool take_down(const char *interface)
{
	int i;

	if (sscanf(interface, "veth%d", &i) == 1 && i < world.n_vdpas) {
		world.vdpas[i].used = false;
		return true;
	}
	return end_use(is_up, interface);
}

/* dmsetup, mdadm and losetup all say no while it is in use. */
static bool take_apart(enum block_kind kind, const char *name)
{
	char volume[NAME];

	for (int i = 0; i < world.n_blocks; i++) {
		struct wblock *b = &world.blocks[i];

		snprintf(volume, sizeof(volume), "volume%d", i);
		if (b->kind != kind || b->gone || strcmp(kind == DM ? volume : b->name, name) != 0)
			continue;
		b->gone = block_is_free(i);
		return b->gone;
	}
	return false;
}

static bool remove_virtual(const char *physical)
{
	const unsigned stands = world_stands();
	bool free = true;

	for (int i = 0; i < world.n_functions; i++) {
		struct wfunction *f = &world.functions[i];

		if (f->physical < 0 || strcmp(world.functions[f->physical].bdf, physical) != 0)
			continue;
		free &= !(stands & 1u << i);
		f->gone = true;
	}
	return free;
}

static bool give_node(const char *node)
{
	int n;

	for (int i = 0; i < world.n_functions; i++)
		if (sscanf(node, "vfio/devices/vfio%d", &n) == 1 && world.functions[i].number == n) {
			world.functions[i].node_mode = 0666;
			return true;
		}
	if (sscanf(node, "vhost-vdpa-%d", &n) == 1 && n < world.n_vdpas) {
		world.vdpas[n].node_mode = 0666;
		return true;
	}
	if (sscanf(node, "vfio/%d", &n) != 1 || n >= 2 * FUNCTIONS)
		return false;
	world.group_mode[n] = 0666;
	return true;
}

/* To vhost_vdpa: whoever had it on the other bus loses it. */
static bool take_vdpa_device(const char *name)
{
	for (int i = 0; i < world.n_vdpas; i++) {
		if (strcmp(world.vdpas[i].name, name) != 0 || world.vdpas[i].used)
			continue;
		strcpy(world.vdpas[i].driver, "vhost_vdpa");
		return true;
	}
	return false;
}

static bool run(const char *command)
{
	char word[128], names[400];

	if (sscanf(command, "bulkhead bind %399[^\n]", names) == 1)
		return run_bind(names);
	if (sscanf(command, "umount %127s", word) == 1)
		return strcmp(word, "/") != 0 && end_use(is_mount, word);
	if (sscanf(command, "swapoff /dev/%127s", word) == 1)
		return end_use(is_swap, word);
	if (sscanf(command, "dmsetup remove %127s", word) == 1)
		return take_apart(DM, word);
	if (sscanf(command, "mdadm --stop /dev/%127s", word) == 1)
		return take_apart(MD, word);
	if (sscanf(command, "losetup -d /dev/%127s", word) == 1)
		return take_apart(LOOP, word);
	if (sscanf(command, "ip link set dev %127s down", word) == 1)
		return take_down(word);
	if (sscanf(command, "echo 0 >/sys/kernel/config/nvmet/subsystems/%127[^/]", word) == 1)
		return end_use(is_export, word);
	if (sscanf(command, "echo 0 >/sys/bus/pci/devices/%127[^/]/sriov_numvfs", word) == 1)
		return remove_virtual(word);
	if (strncmp(command, "echo efi-framebuffer.0 >", 24) == 0)
		return end_use(is_framebuffer, "efifb");
	if (sscanf(command, "sudo chown $USER /dev/%127s", word) == 1)
		return give_node(word);
	if (sscanf(command, "cd /sys/bus/vdpa && modprobe vhost_vdpa && echo vhost_vdpa "
			">devices/%127[^/]/driver_override", word) == 1)
		return take_vdpa_device(word);
	return false;
}

bool world_run(const char *command)
{
	bool done;

	nodes_as_root = true;
	done = run(command);
	world_write();
	return done;
}

bool world_set(const struct obstacle *o)
{
	struct wfunction *f = world_find(o->of);

	switch (o->kind) {
	case OBSTACLE_NO_IOMMU: world.iommu = true; break;
	case OBSTACLE_NO_REMAPPING: world.remaps = true; break;
	case OBSTACLE_RESERVED:
		for (int i = 0; i < world.n_functions; i++)
			if (world.functions[i].group == f->group)
				world.functions[i].reserved = false;
		break;
	case OBSTACLE_FRAMEBUFFER: end_use(is_framebuffer, NULL); break;
	case OBSTACLE_NO_NODE: world.nodes_there = true; break;
	default: return false;
	}
	world_write();
	return true;
}
