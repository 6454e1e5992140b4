/* SPDX-License-Identifier: Apache-2.0
 *
 * A vhost-vdpa device that is strict where the kernel's back ends are (drivers/vhost/vdpa.c,
 * vdpa_sim, vp_vdpa, vduse, mlx5): who may ask what when, what a reset takes away, what is never to
 * be done to a device that is itself virtio. ioctl(2) and mmap(2) of its pages are doubles, and the
 * clock; IOTLB messages are read from a socket.
 */
#pragma once

#include <criterion/criterion.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "helpers/vdpa/vdpa.h"
#include "helpers/virtio/split_ring.h"
#include "ipc/log.h"
#include "tests/unit/trace.h"

enum { NODE_QUEUES = 8, MiB = 1 << 20 };

static struct vdpa vdpa;

/* The device. */
static struct {
	uint32_t type, queues, config_size;
	uint64_t features, backend, accepted;
	uint8_t status, config[64];
	struct vhost_vdpa_iova_range range;
	bool owned, no_base, no_size, says_no;
	int fail_at; /* the request that fails with EIO, by its number */
	struct {
		unsigned num, base;
		bool has_base, addr, kick, call, enabled;
		int call_fd;
	} q[NODE_QUEUES];
	int config_call;
	unsigned calls_after_start, asked_for_life;
	bool dead; /* asked for a queue's state, it gives none: EIO */
	bool suspended;
	/* Doorbell pages: from queue 0 on before features are taken, and after. */
	unsigned pages, pages_after;
} dev;

static int64_t skew_ms, map_ms; /* how far the clock is ahead; what a mapping takes */

int clock_gettime(clockid_t clock, struct timespec *t)
{
	int r = (int)syscall(SYS_clock_gettime, clock, t);

	t->tv_sec += skew_ms / 1000;
	return r;
}

static struct fd iotlb;
static struct err err;

/* IOTLB messages go by write(2). */
ssize_t write(int fd, const void *data, size_t size)
{
	if (fd == vdpa.node.n)
		skew_ms += map_ms;
	return (ssize_t)syscall(SYS_write, fd, data, size);
}

/* A doorbell page, write-only and shared (vhost_vdpa_mmap). */
void *mmap(void *at, size_t size, int prot, int flags, int fd, off_t offset)
{
	unsigned n = dev.status & 8 ? dev.pages_after : dev.pages;

	if (fd != vdpa.node.n)
		return (void *)syscall(SYS_mmap, at, size, prot, flags, fd, offset);
	cr_assert(size == 4096 && prot == PROT_WRITE && flags == MAP_SHARED);
	if (offset / 4096 >= n) {
		errno = EINVAL;
		return MAP_FAILED;
	}
	return (void *)syscall(SYS_mmap, NULL, size, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static inline int fail(int code)
{
	errno = code;
	return -1;
}

static inline int set_status(uint8_t status)
{
	if (status && (dev.status & ~status))
		return fail(EINVAL);
	traced("S%x ", status);
	if (!status) {
		memset(dev.q, 0, sizeof(dev.q));
		dev.suspended = false;
	}
	if ((status & 8) && dev.says_no)
		status &= (uint8_t)~8;
	/* vp_vdpa: vectors at DRIVER_OK, for queues with a call. */
	if ((status & 4) && !(dev.status & 4))
		for (unsigned i = 0; i < vdpa.virtio.n_queues; i++)
			cr_assert(dev.q[i].call, "queue %u has no call at DRIVER_OK", i);
	dev.status = status;
	return 0;
}

static inline int vring(unsigned long request, void *arg)
{
	struct vhost_vring_state *state = arg;
	struct vhost_vring_file *file = arg;
	struct vhost_vring_addr *addr = arg;
	unsigned i = state->index;

	cr_assert(dev.owned, "queues are the owner's");
	if (i >= dev.queues)
		return fail(ENOBUFS);
	switch (request) {
	case VHOST_SET_VRING_NUM:
		cr_assert(state->num && !(state->num & (state->num - 1)));
		dev.q[i].num = state->num;
		break;
	case VHOST_SET_VRING_BASE:
		cr_assert(dev.status & 8, "base before FEATURES_OK");
		if (dev.no_base)
			return fail(EOPNOTSUPP);
		dev.q[i].base = state->num;
		dev.q[i].has_base = true;
		break;
	case VHOST_GET_VRING_BASE:
		dev.asked_for_life++;
		return dev.dead ? fail(EIO) : dev.no_base ? fail(EOPNOTSUPP) : 0;
	case VHOST_SET_VRING_ADDR:
		cr_assert_eq(addr->flags, 0);
		if (dev.status & 4)
			return fail(EINVAL);
		if (addr->avail_user_addr % 2 || addr->used_user_addr % 4)
			return fail(EINVAL);
		cr_assert(dev.q[i].num, "size first");
		dev.q[i].addr = true;
		break;
	case VHOST_SET_VRING_KICK: dev.q[i].kick = file->fd >= 0; break;
	case VHOST_SET_VRING_CALL:
		cr_assert_geq(file->fd, 0);
		dev.q[i].call = true;
		dev.q[i].call_fd = file->fd;
		dev.calls_after_start += !!(dev.status & 4);
		break;
	case VHOST_VDPA_SET_VRING_ENABLE:
		cr_assert_eq(state->num, 1, "disabling is illegal on a virtio device");
		cr_assert(dev.q[i].addr && dev.q[i].kick && dev.q[i].call);
		dev.q[i].enabled = true;
		traced("E%u ", i);
		break;
	case VHOST_VDPA_GET_VRING_SIZE:
		if (dev.no_size)
			return fail(ENOTTY);
		state->num = i == 2 ? 64 : 1000;
		break;
	default: return fail(ENOTTY);
	}
	return 0;
}

static inline int config_call(void *arg)
{
	cr_assert_geq(*(int *)arg, 0);
	dev.config_call = *(int *)arg;
	return 0;
}

static inline int config_io(void *arg, bool set)
{
	struct vhost_vdpa_config *c = arg;

	if (c->len == 0 || c->off + c->len > dev.config_size)
		return fail(EINVAL);
	if (set)
		memcpy(dev.config + c->off, c->buf, c->len);
	else
		memcpy(c->buf, dev.config + c->off, c->len);
	return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	cr_assert_eq(fd, vdpa.node.n);
	if (dev.fail_at && (int)(request & 0xff) == dev.fail_at)
		return fail(EIO);
	switch (request) {
	case VHOST_VDPA_GET_DEVICE_ID: *(uint32_t *)arg = dev.type; return 0;
	case VHOST_GET_FEATURES: *(uint64_t *)arg = dev.features; return 0;
	case VHOST_VDPA_GET_CONFIG_SIZE: *(uint32_t *)arg = dev.config_size; return 0;
	case VHOST_VDPA_GET_VQS_COUNT: *(uint32_t *)arg = dev.queues; return 0;
	case VHOST_GET_BACKEND_FEATURES: *(uint64_t *)arg = dev.backend; return 0;
	case VHOST_VDPA_GET_VRING_NUM: *(uint16_t *)arg = 256; return 0;
	case VHOST_VDPA_GET_IOVA_RANGE:
		*(struct vhost_vdpa_iova_range *)arg = dev.range;
		return 0;
	case VHOST_SET_OWNER: dev.owned = true; return 0;
	case VHOST_SET_BACKEND_FEATURES:
		cr_assert_eq(*(uint64_t *)arg & ~dev.backend, 0, "acknowledged what is not there");
		return 0;
	case VHOST_SET_FEATURES:
		if (dev.status & 8)
			return fail(EBUSY);
		dev.accepted = *(uint64_t *)arg;
		return dev.accepted >> 33 & 1 ? 0 : fail(EINVAL);
	case VHOST_VDPA_GET_STATUS: *(uint8_t *)arg = dev.status; return 0;
	case VHOST_VDPA_SET_STATUS: return set_status(*(uint8_t *)arg);
	case VHOST_VDPA_GET_CONFIG: return config_io(arg, false);
	case VHOST_VDPA_SET_CONFIG: return config_io(arg, true);
	case VHOST_VDPA_SET_CONFIG_CALL: return config_call(arg);
	case VHOST_VDPA_SUSPEND:
	case VHOST_VDPA_RESUME:
		if (dev.dead)
			return fail(EIO);
		dev.suspended = request == VHOST_VDPA_SUSPEND;
		traced(dev.suspended ? "suspend " : "resume ");
		return 0;
	default: return vring(request, arg);
	}
}

static const struct virtio_ops ops = {
	.reset = vring_reset, .status = vring_status, .features = vring_features,
	.start = vring_start, .enable = vring_enable, .needs_reset = vring_needs_reset,
	.config_read = device_config_read, .config_write = device_config_write,
	.kick = vring_kick, .rewire = vring_rewire,
};

static inline void setup(void)
{
	int pair[2];

	log_init("test", LOG_SAY, STDERR_FILENO);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	vdpa.node.n = pair[0];
	iotlb.n = pair[1];
	dev.type = 1;
	dev.queues = 3;
	dev.config_size = 12;
	dev.features = 0x308830028;
	dev.backend = 0x17e;
	dev.range.last = ~0ull;
	vdpa.virtio.ops = &ops;
	vdpa.silence_s = 30;
	vdpa.n_ram = 2;
	vdpa.ram[0] = (struct guest_ram){0, 2 * MiB, 0};
	vdpa.ram[1] = (struct guest_ram){1ull << 32, MiB, 2 * MiB};
	for (unsigned i = 0; i < VIRTIO_QUEUES_MAX; i++)
		vdpa.kicks[i].n = i < NODE_QUEUES ? eventfd(0, EFD_NONBLOCK) : -1;
}

/* What main.c does at Open. */
static inline int open_device(unsigned num_queues)
{
	int memfd = memfd_create("ram", 0), r;

	cr_assert_eq(ftruncate(memfd, 3 * MiB), 0);
	r = setup_device(&vdpa, num_queues, &err);
	if (r == 0)
		r = virtio_pci_init(&vdpa.virtio, &err);
	if (r == 0)
		r = setup_pages(&vdpa, &err);
	if (r == 0)
		r = iotlb_setup(&vdpa, memfd, &err);
	close(memfd);
	return r;
}

static inline void put(uint64_t at, unsigned size, uint64_t value)
{
	cr_assert_eq(virtio_region_write(&vdpa.virtio, 0, at, size, value, &err), 0);
}

static inline uint64_t get(uint64_t at, unsigned size)
{
	uint64_t value;

	cr_assert_eq(virtio_region_read(&vdpa.virtio, 0, at, size, &value, &err), 0);
	return value;
}

static inline void negotiate(uint64_t features)
{
	put(20, 1, 0);
	put(20, 1, 1);
	put(20, 1, 3);
	for (unsigned i = 0; i < 2; i++) {
		put(8, 4, i);
		put(12, 4, features >> 32 * i & 0xffffffff);
	}
	put(20, 1, 11);
}

static inline void set_queue(unsigned i, bool enable)
{
	put(22, 2, i);
	put(32, 4, 0x10000 * (i + 1));
	put(40, 4, 0x10000 * (i + 1) + 0x1000);
	put(48, 4, 0x10000 * (i + 1) + 0x2000);
	if (enable)
		put(28, 2, 1);
}

/* The next IOTLB message: "U" update, "I" invalidate, "B" and "E" the batch; "" none. */
static inline const char *message(void)
{
	static char text[64];
	struct vhost_msg_v2 msg;
	ssize_t n = recv(iotlb.n, &msg, sizeof(msg), 0);

	if (n < 0)
		return "";
	cr_assert_eq(n, 72);
	cr_assert_eq(msg.type, VHOST_IOTLB_MSG_V2);
	cr_assert_eq(msg.asid, 0);
	switch (msg.iotlb.type) {
	case VHOST_IOTLB_BATCH_BEGIN: return "B";
	case VHOST_IOTLB_BATCH_END: return "E";
	case VHOST_IOTLB_UPDATE:
		cr_assert_eq(msg.iotlb.perm, VHOST_ACCESS_RW);
		cr_assert_neq(msg.iotlb.uaddr, 0);
		break;
	default: break;
	}
	snprintf(text, sizeof(text), "%s%llx+%llx", msg.iotlb.type == VHOST_IOTLB_UPDATE ? "U" : "I",
		(unsigned long long)msg.iotlb.iova, (unsigned long long)msg.iotlb.size);
	return text;
}

static inline void expect_maps(bool anew)
{
	cr_assert_str_eq(message(), "B");
	if (anew) {
		cr_assert_str_eq(message(), "I0+200000");
		cr_assert_str_eq(message(), "I100000000+100000");
	}
	cr_assert_str_eq(message(), "U0+200000");
	cr_assert_str_eq(message(), "U100000000+100000");
	cr_assert_str_eq(message(), "E");
	cr_assert_str_eq(message(), "");
}

