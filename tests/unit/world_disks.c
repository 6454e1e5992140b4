/* SPDX-License-Identifier: Apache-2.0
 *
 * The world's disks as files: block devices, what is made of them, and what the host does with them
 * (world.h).
 */
#include "tests/unit/world_put.h"

static char path[512], target[512];

static bool block_is_there(const struct wblock *b)
{
	if (b->gone || (b->parent >= 0 && !block_is_there(&world.blocks[b->parent])))
		return false;
	for (int i = 0; i < b->n_slaves; i++)
		if (!block_is_there(&world.blocks[b->slaves[i]]))
			return false;
	return b->function < 0 || is_native(b->function) || (b->second >= 0 && is_native(b->second));
}

static void block_path(const struct wblock *b, char ret[static 256])
{
	char above[256];

	if (b->parent >= 0) {
		block_path(&world.blocks[b->parent], above);
		snprintf(ret, 256, "%.200s/%s", above, b->name);
	} else if (b->function < 0) {
		snprintf(ret, 256, "virtual/block/%s", b->name);
	} else if (b->second >= 0) {
		snprintf(ret, 256, "virtual/nvme-subsystem/nvme-subsys%d/%s", b->function, b->name);
	} else {
		snprintf(ret, 256, "%s/nvme/nvme%d/%s", world.functions[b->function].path, b->function,
			b->name);
	}
}

/* With two paths the disk is the subsystem's, which has links to its controllers. */
static void put_subsystem(const struct wblock *b)
{
	for (int k = 0; k < 2; k++) {
		int controller = k ? b->second : b->function;

		put_link(AT("sys/devices/virtual/nvme-subsystem/nvme-subsys%d/nvme%d", b->function,
			controller), TO("../../../%s/nvme/nvme%d", world.functions[controller].path,
			controller));
	}
	put_link(AT("sys/class/nvme-subsystem/nvme-subsys%d", b->function),
		TO("../../devices/virtual/nvme-subsystem/nvme-subsys%d", b->function));
}

static bool is_claimed(int block)
{
	for (int i = 0; i < world.n_uses; i++) {
		const struct wuse *use = &world.uses[i];

		if ((use->block == block || use->block2 == block) && !use->over &&
			use->kind != USE_EXPORT && use->kind != USE_BLOCK_OPEN)
			return true;
	}
	for (int i = 0; i < world.n_blocks; i++) {
		const struct wblock *b = &world.blocks[i];

		if (b->parent == block && block_is_there(b) && is_claimed(i))
			return true;
		for (int k = 0; k < b->n_slaves; k++)
			if (b->slaves[k] == block && block_is_there(b))
				return true;
	}
	return false;
}

static void put_block(int i)
{
	const struct wblock *b = &world.blocks[i];
	char at[256];

	block_path(b, at);
	if (b->function >= 0 && b->second >= 0)
		put_subsystem(b);
	put_node(TO("dev/%s", b->name), 'b', b->number, at, 0660, is_claimed(i) ? "claimed" : "");
	if (b->parent >= 0)
		put_file(AT("sys/devices/%s/partition", at), "1\n");
	if (b->kind == DM)
		put_file(AT("sys/devices/%s/dm/name", at), text_of("volume%d\n", i));
	if (b->kind == MD)
		put_file(AT("sys/devices/%s/md/level", at), "raid1\n");
	if (b->kind == LOOP)
		put_file(AT("sys/devices/%s/loop/backing_file", at),
			text_of("/dev/%s\n", world.blocks[b->slaves[0]].name));
	for (int k = 0; k < b->n_slaves && b->kind != LOOP; k++) {
		const struct wblock *slave = &world.blocks[b->slaves[k]];
		char below[256];

		block_path(slave, below);
		put_link(AT("sys/devices/%s/slaves/%s", at, slave->name),
			TO("../../../../%s", below));
		put_link(AT("sys/devices/%s/holders/%s", below, b->name), TO("../../../%s", at));
	}
}

static void put_disk_uses(void)
{
	char mounts[2048] = "22 1 0:21 / /run rw - tmpfs tmpfs rw\n", swaps[512] = "Filename\tType\n";

	for (int i = 0; i < world.n_uses; i++) {
		const struct wuse *use = &world.uses[i];
		const struct wblock *b = use->block < 0 ? NULL : &world.blocks[use->block];
		size_t n = strlen(mounts), m = strlen(swaps);

		if (!b || use->over || !block_is_there(b))
			continue;
		if (use->kind == USE_MOUNT)
			snprintf(mounts + n, sizeof(mounts) - n,
				"%d 1 %s / %s rw shared:1 - ext4 /dev/%s rw\n", 30 + i, b->number, use->at, b->name);
		if (use->kind == USE_BTRFS)
			snprintf(mounts + n, sizeof(mounts) - n, "%d 1 0:4%d / %s rw - btrfs /dev/%s rw\n",
				30 + i, i, use->at, b->name);
		for (int k = 0; k < 2 && use->kind == USE_BTRFS; k++) {
			const struct wblock *part = &world.blocks[k ? use->block2 : use->block];
			char at[256];

			block_path(part, at);
			put_link(AT("sys/fs/btrfs/1234-%d/devices/%s", i, part->name),
				TO("../../../../devices/%s", at));
		}
		if (use->kind == USE_SWAP)
			snprintf(swaps + m, sizeof(swaps) - m, "/dev/%s partition 1 0 -2\n", b->name);
		if (use->kind == USE_BLOCK_OPEN)
			put_opener('b', b->number);
		if (use->kind == USE_EXPORT) {
			put_file(AT("sys/kernel/config/nvmet/subsystems/s%d/namespaces/1/enable", i), "1\n");
			put_file(AT("sys/kernel/config/nvmet/subsystems/s%d/namespaces/1/device_path", i),
				text_of("/dev/%s\n", b->name));
		}
	}
	put_file("proc/self/mountinfo", mounts);
	put_file("proc/swaps", swaps);
}

void put_disks(void)
{
	for (int i = 0; i < world.n_blocks; i++)
		if (block_is_there(&world.blocks[i]))
			put_block(i);
	put_disk_uses();
}
