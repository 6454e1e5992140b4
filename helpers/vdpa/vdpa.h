/* SPDX-License-Identifier: Apache-2.0
 *
 * The vDPA helper: one vhost-vdpa device (linux/vhost.h) behind a virtio-pci transport.
 *
 * vDPA helper process, one thread, one device for the life of the process: main.c has it,
 * everything else is given it. The process is the device's owner (VHOST_SET_OWNER), which is why it
 * has guest RAM mapped: the kernel takes IOTLB entries as addresses in the owner's memory. It looks
 * at the rings' indices in it, and writes to it for a back end that is dead (backend.c).
 */
#pragma once

#include <stddef.h>

#include "helpers/vdpa/life.h"
#include "helpers/virtio/virtio_pci.h"
#include "seccomp/vhost.h"

#define RING_PACKED     (1ull << 34)
#define ACCESS_PLATFORM (1ull << 33)

struct vdpa {
	struct fd node;
	uint64_t features;      /* the device's */
	uint64_t backend;       /* vhost backend features, acknowledged */
	unsigned device_queues; /* the device's; virtio.n_queues may be less */
	unsigned n_ram;
	struct guest_ram ram[GUEST_RAM_MAX];
	void *host[GUEST_RAM_MAX]; /* where they are mapped here */
	uint64_t memlock;       /* RLIMIT_MEMLOCK at set-up */
	unsigned silence_s;     /* as in Open */
	enum life life;
	struct fd kicks[VIRTIO_QUEUES_MAX];
	struct virtio_pci virtio;
};

/* What the virtio_ops below are given is inside of it. */
static inline struct vdpa *vdpa_of(const struct virtio_pci *vp)
{
	return (struct vdpa *)((uintptr_t)vp - offsetof(struct vdpa, virtio));
}

static inline void vdpa_happened(struct vdpa *v, enum life_event event)
{
	v->life = life_after(v->life, event);
}

#define BACKEND_HAS(v, bit) ((v)->backend >> VHOST_BACKEND_F_##bit & 1)

/* device.c. An ioctl with a pointer; its failure, in *err, names the request. */
#define VDPA_ASK(v, request, arg, err) vdpa_ioctl(v, request, #request, arg, err)
int vdpa_ioctl(const struct vdpa *v, unsigned long request, const char *name, void *arg,
	struct err *err);
int device_set_status(const struct vdpa *v, uint8_t status, struct err *err);
int device_get_status(const struct vdpa *v, uint8_t *ret, struct err *err);
/* As a driver: these features, and FEATURES_OK read back. status: what stands before. */
int device_set_features(const struct vdpa *v, uint64_t features, uint8_t status, struct err *err);
int device_config_read(const struct virtio_pci *vp, uint8_t *ret, struct err *err);
void device_config_write(struct virtio_pci *vp, unsigned offset, unsigned size,
	const uint8_t *data);

/* How few queues a driver of its type can do with; 0: it takes all there are. */
unsigned device_min_queues(const struct virtio_pci *vp);

/* setup.c: becomes the owner, learns what the device is. num_queues as in Open. */
int setup_device(struct vdpa *v, unsigned num_queues, struct err *err);
/* The doorbell pages, once it is known which features a driver may have. */
int setup_pages(struct vdpa *v, struct err *err);

/* iotlb.c: maps guest RAM here and tells the device, once; again before a start, where a reset
 * loses it. */
int iotlb_setup(struct vdpa *v, int memfd, struct err *err);
int iotlb_refresh(struct vdpa *v, struct err *err);
/* Where [gpa, gpa + size) of the guest is mapped here; NULL: not all of it is, in one piece. ram: a
 * struct vdpa. */
void *iotlb_guest(const void *ram, uint64_t gpa, uint64_t size);

/* vring.c: the virtio_ops that have to do with queues and status. */
int vring_reset(struct virtio_pci *vp, struct err *err);
void vring_status(struct virtio_pci *vp, uint8_t status);
int vring_features(struct virtio_pci *vp, uint64_t features, struct err *err);
int vring_start(struct virtio_pci *vp, struct err *err);
int vring_enable(struct virtio_pci *vp, unsigned queue, struct err *err);
bool vring_needs_reset(const struct virtio_pci *vp);
void vring_kick(struct virtio_pci *vp, unsigned queue);
void vring_rewire(struct virtio_pci *vp, unsigned which);
/* The VM stands still, and goes on. */
int vring_suspend(struct vdpa *v, struct err *err);
int vring_resume(struct vdpa *v, struct err *err);

/* backend.c: the device begins to run, or goes on; and what helper_ops.tick is. */
void backend_started(const struct vdpa *v);
int backend_tick(struct vdpa *v);
