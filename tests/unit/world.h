/* SPDX-License-Identifier: Apache-2.0
 *
 * A host as a property test wants it: devices, what the host and other VMs do with them, and a kernel
 * that acts on what is written to sysfs. Test processes, one thread.
 *
 * What stands on which function is noted when the generator puts it there, from the top down; nothing
 * here asks the code under test, and nothing follows links.
 *
 * world_made.c generates, world.c answers; world_tree.c and world_disks.c say what files it is, and
 * world_files.c writes them; world_kernel.c changes it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "helpers/host/host.h"

enum { FUNCTIONS = 10, BLOCKS = 64, USES = 24, VDPAS = 4, NAME = 24 };

enum role {
	ROLE_DISK, ROLE_NIC, ROLE_GPU, ROLE_SERIAL, ROLE_ACCELERATOR, /* an endpoint with its things */
	ROLE_NVSWITCH, /* class 06, plain header */
	ROLE_BRIDGE, ROLE_ISA, ROLE_VMD, ROLES,
};

struct wfunction {
	char bdf[PCI_ADDRESS], path[160]; /* path: below sys/devices */
	enum role role;
	int number;           /* of its class: nvme0, eth0, card0 */
	int parent, physical; /* the VMD it is behind, whose virtual function it is; -1 */
	char native[NAME], driver[NAME], override[NAME]; /* empty: none */
	int group;
	bool reserved;          /* and so its whole group */
	bool silent;            /* it answers with ones */
	bool variant;           /* a VFIO driver of its own fits */
	bool gone;
	unsigned node_mode;     /* of its VFIO nodes */
};

enum block_kind { DISK, PARTITION, DM, MD, LOOP };

struct wblock {
	enum block_kind kind;
	char name[NAME], number[16];
	int function, parent; /* -1 */
	int second;           /* multipath: the other function */
	int slaves[2], n_slaves;
	unsigned stands;      /* functions, one bit each */
	bool gone;
};

/* Something the host, or another VM, does. */
enum use_kind {
	USE_MOUNT, USE_BTRFS, USE_SWAP, USE_CLAIM, USE_EXPORT, USE_BLOCK_OPEN,
	USE_UP, USE_ROUTE, USE_BRIDGE, USE_OVS, USE_BOND, USE_VLAN, USE_HIDDEN,
	USE_BOOT_VGA, USE_TEXT, USE_BOOTFB, USE_LINE, USE_NODE, USE_VM, USE_VDPA, USE_MDEV, USE_KINDS,
};

struct wuse {
	enum use_kind kind;
	bool over;           /* it has ended */
	int function, other; /* the first, and of some the second */
	int block, block2;
	char at[NAME];       /* where it is mounted; a VLAN's, a bridge's name */
	unsigned stands;
};

struct wvdpa {
	char name[NAME], driver[NAME];
	int parent, number;
	unsigned node_mode;
	bool used;           /* by another VM, or, on virtio_vdpa, by the host's network */
};

struct world {
	int n_functions, n_blocks, n_uses, n_vdpas;
	struct wfunction functions[FUNCTIONS];
	struct wblock blocks[BLOCKS];
	struct wuse uses[USES];
	struct wvdpa vdpas[VDPAS];
	bool iommu, remaps, cdevs, iommufd, nodes_there;
	bool variants;       /* their module is loaded */
	bool variants_refuse; /* and wants more than there is */
	bool root;           /* who looks may open every node */
	const char *holder;  /* of the boot framebuffer: its name in /proc/iomem */
	unsigned group_mode[2 * FUNCTIONS]; /* of /dev/vfio/GROUP */
};

extern struct world world;

/* world_made.c */
void world_generate(unsigned seed);

/* world.c */
/* Functions that the host's root, network, console or another VM stand on. */
unsigned world_stands(void);
/* Is it a guest's for the asking? And may it be taken from the host at all? */
bool world_ready(const struct wfunction *f);
bool world_may_bind(const struct wfunction *f);
/* Does something stand on it, or on its group, that no advice ends? */
bool world_is_stuck(const struct wfunction *f);
bool world_has_vdpa(const struct wvdpa *vdpa);
bool world_vdpa_ready(const struct wvdpa *vdpa);
bool is_vfio(const struct wfunction *f);
bool group_is_used(const struct wfunction *f); /* by another VM */
bool is_reserved(const struct wfunction *f);
bool is_endpoint(const struct wfunction *f);
struct wfunction *world_find(const char *bdf);

bool is_present(const struct wfunction *f);
/* Is it on the driver of its kind? */
bool on_native(const struct wfunction *f);
bool is_native(int function); /* and there */
bool group_is_free(const struct wfunction *f);
/* Is there something of the host's on the block device: a volume, or what is in use? */
bool block_is_free(int block);

/* world_tree.c: the files as they are now. */
void world_write(void);
/* The world becomes that one, freshly booted. */
void world_boot(const struct world *as);

/* world_files.c: a folder for them. Between two world_said(), every file there is has to be said. */
enum world_file { WORLD_FILE, WORLD_LINK, WORLD_FOLDER };
void world_begin(void);
void world_say(enum world_file kind, const char *path, const void *bytes, size_t size);
void world_said(void);
void world_reset(void); /* what was left in /run */
void world_end(void);
int world_root(void);
const char *world_folder(void);

/* world_kernel.c: what a person does who follows the advice. False: it could not be done. */
bool world_run(const char *command);
bool world_set(const struct obstacle *o);
