/* SPDX-License-Identifier: Apache-2.0
 *
 * The vDPA helper: one vhost-vdpa device (linux/vhost.h) behind a virtio-pci transport.
 *
 * vDPA helper process, one thread, one device for the life of the process. The process is the
 * device's owner (VHOST_SET_OWNER), which is why it has guest RAM mapped: the kernel takes IOTLB
 * entries as addresses in the owner's memory. It looks at the rings' indices in it, and writes to it
 * for a back end that is dead (backend.c).
 */
#pragma once

#include "helpers/virtio/virtio_pci.h"
#include "seccomp/vhost.h"

enum { TYPE_NET = 1, TYPE_BLOCK = 2 }; /* virtio 1.2 §5 */

#define RING_PACKED (1ull << 34)

struct vdpa {
	struct fd node;
	uint64_t features;      /* the device's */
	uint64_t backend;       /* vhost backend features, acknowledged */
	unsigned device_queues; /* the device's; virtio.n_queues may be less */
	unsigned n_ram;
	struct guest_ram ram[GUEST_RAM_MAX];
	void *host[GUEST_RAM_MAX]; /* where they are mapped here */
	uint64_t memlock;       /* RLIMIT_MEMLOCK at set-up */
	bool maps_stale;        /* a reset took the device's side of the IOTLB */
	bool running;           /* DRIVER_OK */
	bool suspended;         /* the VM is paused */
	bool dead;              /* its back end; until the driver's reset */
	bool ringed[VIRTIO_QUEUES_MAX]; /* told to the device since the last reset */
	struct fd kicks[VIRTIO_QUEUES_MAX];
	struct virtio_pci virtio;
};

extern struct vdpa vdpa;

#define BACKEND_HAS(v, bit) ((v)->backend >> VHOST_BACKEND_F_##bit & 1)

/* An ioctl with a pointer; its failure, in *err, names the request. */
#define VDPA_ASK(v, request, arg, err) vdpa_ioctl(v, request, #request, arg, err)
int vdpa_ioctl(const struct vdpa *v, unsigned long request, const char *name, void *arg,
	struct err *err);

/* device.c: becomes the owner, learns what the device is. num_queues as in Open. */
int device_setup(struct vdpa *v, unsigned num_queues, struct err *err);
int device_set_status(struct vdpa *v, uint8_t status, struct err *err);
int device_get_status(struct vdpa *v, uint8_t *ret, struct err *err);
int device_config_read(uint8_t *ret, struct err *err);
void device_config_write(unsigned offset, unsigned size, const uint8_t *data);

/* iotlb.c: maps guest RAM here and tells the device, once; again after a reset that lost it. */
int iotlb_setup(struct vdpa *v, int memfd, struct err *err);
int iotlb_refresh(struct vdpa *v, struct err *err);
/* Where [gpa, gpa + size) of the guest is mapped here; NULL: not all of it is, in one piece. */
void *iotlb_guest(uint64_t gpa, uint64_t size);

/* vring.c: the virtio ops that have to do with queues and status. */
int vring_reset(struct err *err);
void vring_status(uint8_t status);
int vring_features(uint64_t features, struct err *err);
int vring_start(struct err *err);
int vring_enable(unsigned queue, struct err *err);
bool vring_needs_reset(void);
void vring_kick(unsigned queue);
void vring_rewire(unsigned which);

/* backend.c: the device begins to run, or goes on; and what helper_ops.tick is. */
void backend_started(void);
int backend_tick(void);
