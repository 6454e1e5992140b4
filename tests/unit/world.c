/* SPDX-License-Identifier: Apache-2.0
 *
 * What is so in the world (world.h), from what the generator noted.
 */
#include "tests/unit/world.h"

#include <stdio.h>
#include <string.h>

struct world world;

/* The group is claimed as a whole. */
bool is_reserved(const struct wfunction *f)
{
	for (int i = 0; i < world.n_functions; i++)
		if (world.functions[i].group == f->group && world.functions[i].reserved)
			return true;
	return false;
}

bool is_endpoint(const struct wfunction *f)
{
	return f->role != ROLE_BRIDGE && f->role != ROLE_ISA;
}

bool is_vfio(const struct wfunction *f)
{
	return strstr(f->driver, "vfio");
}

bool on_native(const struct wfunction *f)
{
	return f->driver[0] && strcmp(f->driver, f->native) == 0;
}

bool is_present(const struct wfunction *f)
{
	return !f->gone && (f->parent < 0 || on_native(&world.functions[f->parent])) &&
		(f->physical < 0 || on_native(&world.functions[f->physical]));
}

bool is_native(int function)
{
	return is_present(&world.functions[function]) && on_native(&world.functions[function]);
}

struct wfunction *world_find(const char *bdf)
{
	for (int i = 0; i < world.n_functions; i++)
		if (strcmp(world.functions[i].bdf, bdf) == 0 && is_present(&world.functions[i]))
			return &world.functions[i];
	return NULL;
}

unsigned world_stands(void)
{
	unsigned stands = 0;

	for (int i = 0; i < world.n_uses; i++)
		stands |= world.uses[i].over ? 0 : world.uses[i].stands;
	for (int i = 0; i < world.n_vdpas; i++)
		stands |= world.vdpas[i].used ? 1u << world.vdpas[i].parent : 0;
	return stands;
}

bool block_is_free(int block)
{
	for (int i = 0; i < world.n_blocks; i++) {
		const struct wblock *b = &world.blocks[i];

		for (int k = 0; k < b->n_slaves; k++)
			if (!b->gone && b->slaves[k] == block)
				return false;
		if (b->parent == block && !block_is_free(i))
			return false;
	}
	for (int i = 0; i < world.n_uses; i++)
		if (!world.uses[i].over && (world.uses[i].block == block ||
				world.uses[i].block2 == block))
			return false;
	return true;
}

/* A volume nobody uses is nobody's loss, but the kernel has the disk claimed for it. */
static bool has_volumes(const struct wfunction *f)
{
	for (int i = 0; i < world.n_blocks; i++)
		if (world.blocks[i].n_slaves && !world.blocks[i].gone &&
			world.blocks[i].stands & 1u << (f - world.functions))
			return true;
	return false;
}

static bool has_functions(const struct wfunction *f)
{
	for (int i = 0; i < world.n_functions; i++)
		if (world.functions[i].physical == f - world.functions && !world.functions[i].gone)
			return true;
	return false;
}

bool world_may_bind(const struct wfunction *f)
{
	return is_endpoint(f) && !f->silent && world.iommu && !is_reserved(f) && !has_volumes(f) &&
		!(on_native(f) && has_functions(f)) &&
		!(world_stands() & 1u << (f - world.functions));
}

/* Something that no command ends, or that none should. */
static bool is_lasting(const struct wuse *use)
{
	return use->kind != USE_UP && use->kind != USE_SWAP && use->kind != USE_EXPORT &&
		((use->kind != USE_MOUNT && use->kind != USE_BTRFS) || strcmp(use->at, "/") == 0);
}

bool world_is_stuck(const struct wfunction *f)
{
	unsigned group = 0;

	for (int i = 0; i < world.n_functions; i++) {
		const struct wfunction *m = &world.functions[i];
		const bool mine = m->group == f->group ||
			(m->physical >= 0 && world.functions[m->physical].group == f->group);

		group |= mine ? 1u << i : 0;
		if (mine && (m->silent || (m->role == ROLE_ISA && m->driver[0])))
			return true;
	}
	for (int i = 0; i < world.n_uses; i++)
		if (!world.uses[i].over && world.uses[i].stands & group && is_lasting(&world.uses[i]))
			return true;
	for (int i = 0; i < world.n_vdpas; i++)
		if (world.vdpas[i].used && strcmp(world.vdpas[i].driver, "vhost_vdpa") == 0 &&
			group & 1u << world.vdpas[i].parent)
			return true;
	return !is_endpoint(f);
}

/* What it shares the group with has to be VFIO's too, or nobody's. */
bool group_is_free(const struct wfunction *f)
{
	for (int i = 0; i < world.n_functions; i++) {
		const struct wfunction *m = &world.functions[i];

		if (m != f && m->group == f->group && is_present(m) && m->role != ROLE_BRIDGE &&
			m->driver[0] && !is_vfio(m) && strcmp(m->driver, "pci-stub") != 0)
			return false;
	}
	return true;
}

bool group_is_used(const struct wfunction *f)
{
	for (int i = 0; i < world.n_uses; i++)
		if (world.uses[i].kind == USE_VM && !world.uses[i].over &&
			world.functions[world.uses[i].function].group == f->group)
			return true;
	return false;
}

static bool has_framebuffer(const struct wfunction *f)
{
	for (int i = 0; i < world.n_uses; i++)
		if (world.uses[i].kind == USE_BOOTFB && !world.uses[i].over &&
			world.uses[i].function == f - world.functions)
			return true;
	return false;
}

static bool may_open(unsigned mode)
{
	return world.root || (mode & 06) == 06;
}

bool world_ready(const struct wfunction *f)
{
	return is_present(f) && is_endpoint(f) && !f->silent && is_vfio(f) && world.iommu &&
		world.remaps && !is_reserved(f) && group_is_free(f) && !group_is_used(f) && !has_framebuffer(f) &&
		world.nodes_there && ((world.iommufd && world.cdevs && may_open(f->node_mode)) ||
		may_open(world.group_mode[f->group]));
}

bool world_has_vdpa(const struct wvdpa *vdpa)
{
	return on_native(&world.functions[vdpa->parent]);
}

bool world_vdpa_ready(const struct wvdpa *vdpa)
{
	return strcmp(vdpa->driver, "vhost_vdpa") == 0 && !vdpa->used && may_open(vdpa->node_mode);
}
