/* SPDX-License-Identifier: Apache-2.0
 *
 * A virtio device on PCI whose back end is the test.
 */
#pragma once

#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "helpers/virtio/virtio_pci.h"
#include "ipc/log.h"
#include "tests/unit/trace.h"

enum { QUEUES = 3, ACK = 1, DRIVER = 2, DRIVER_OK = 4, FEATURES_OK = 8, NEEDS_RESET = 64 };
enum { WIN = 0x90 };

#define V1     (1ull << 32)
#define COMMON(at) ((uint64_t)(at))

static struct virtio_pci vp;
static struct err err;
static uint8_t device_config[60];
static bool refuse_features, refuse_start, refuse_reset, hurt;

static inline int on_reset(struct virtio_pci *of, struct err *e)
{
	cr_assert_eq(of, &vp);
	traced("reset ");
	return refuse_reset ? err_set(e, -EIO, BLAME_HOST, "no") : 0;
}

static inline void on_status(struct virtio_pci *of, uint8_t status)
{
	cr_assert_eq(of, &vp);
	traced("status%x ", status);
}

static inline int on_features(struct virtio_pci *of, uint64_t features, struct err *e)
{
	cr_assert_eq(of, &vp);
	traced("features%llx ", (unsigned long long)features);
	return refuse_features ? err_set(e, -EINVAL, BLAME_GUEST, "no") : 0;
}

static inline int on_start(struct virtio_pci *of, struct err *e)
{
	cr_assert_eq(of, &vp);
	traced("start ");
	hurt = refuse_start;
	return refuse_start ? err_set(e, -EIO, BLAME_HOST, "no") : 0;
}

static inline int on_enable(struct virtio_pci *of, unsigned queue, struct err *e)
{
	(void)of, (void)e;
	traced("enable%u ", queue);
	return 0;
}

static inline bool on_needs_reset(const struct virtio_pci *of)
{
	(void)of;
	return hurt;
}

static inline int on_config_read(const struct virtio_pci *of, uint8_t *ret, struct err *e)
{
	(void)of, (void)e;
	memcpy(ret, device_config, sizeof(device_config));
	return 0;
}

static inline void on_config_write(struct virtio_pci *of, unsigned offset, unsigned size,
	const uint8_t *data)
{
	cr_assert_eq(of, &vp);
	cr_assert_leq(offset + size, sizeof(device_config));
	memcpy(device_config + offset, data, size);
	traced("config%u/%u ", offset, size);
}

static inline void on_kick(struct virtio_pci *of, unsigned queue)
{
	cr_assert_eq(of, &vp);
	cr_assert_lt(queue, QUEUES);
	traced("kick%u ", queue);
}

static inline void on_rewire(struct virtio_pci *of, unsigned which)
{
	struct pollfd p = {.fd = virtio_irq_fd(of, which), .events = POLLOUT};

	cr_assert(which < QUEUES || which == VIRTIO_CONFIG_EVENT);
	cr_assert_eq(poll(&p, 1, 0), 1);
	cr_assert_eq(p.revents, POLLOUT, "an open eventfd");
}

static const struct virtio_ops ops = {
	.reset = on_reset, .status = on_status, .features = on_features, .start = on_start,
	.enable = on_enable, .needs_reset = on_needs_reset, .config_read = on_config_read,
	.config_write = on_config_write, .kick = on_kick, .rewire = on_rewire,
};

static inline void setup(void)
{
	log_init("test", LOG_SAY, STDERR_FILENO);
	vp.ops = &ops;
	vp.type = 2;
	vp.offered = ~0ull;
	vp.n_queues = QUEUES;
	vp.config_size = sizeof(device_config);
	for (unsigned i = 0; i < QUEUES; i++)
		vp.queues[i].max = 256;
	cr_assert_eq(virtio_pci_init(&vp, &err), 0, "%s", err.msg);
}

static inline uint64_t get(uint64_t at, unsigned size)
{
	uint64_t value = 0x5a5a;

	cr_assert_eq(virtio_region_read(&vp, 0, at, size, &value, &err), 0);
	return value;
}

static inline void put(uint64_t at, unsigned size, uint64_t value)
{
	cr_assert_eq(virtio_region_write(&vp, 0, at, size, value, &err), 0);
}

static inline uint32_t cfg_get(unsigned at, unsigned size)
{
	uint32_t value = 0;

	cr_assert_eq(virtio_config_read(&vp, at, size, &value, &err), 0);
	return value;
}

static inline void cfg_put(unsigned at, unsigned size, uint32_t value)
{
	cr_assert_eq(virtio_config_write(&vp, at, size, value, &err), 0);
}

/* As drivers/virtio/virtio.c and virtio_pci_modern.c do it, up to FEATURES_OK. */
static inline void negotiate(uint64_t features)
{
	put(20, 1, 0);
	cr_assert_eq(get(20, 1), 0);
	put(20, 1, get(20, 1) | ACK);
	put(20, 1, get(20, 1) | DRIVER);
	put(8, 4, 0);
	put(12, 4, (uint32_t)features);
	put(8, 4, 1);
	put(12, 4, features >> 32);
	put(20, 1, get(20, 1) | FEATURES_OK);
}

static inline void set_queue(unsigned queue, unsigned size)
{
	put(22, 2, queue);
	put(24, 2, size);
	put(32, 4, 0x1000 * queue);
	put(36, 4, 1);
	put(40, 4, 0x100000 + 0x1000 * queue);
	put(44, 4, 2);
	put(48, 4, 0x200000 + 0x1000 * queue);
	put(52, 4, 3);
	put(26, 2, queue + 1);
}

static inline void enable(unsigned queue)
{
	put(22, 2, queue);
	put(28, 2, 1);
}

static inline bool signalled(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

static inline bool drained(int fd)
{
	uint64_t count;

	return read(fd, &count, sizeof(count)) == 8;
}

static inline void signal_fd(int fd)
{
	const uint64_t one = 1;

	cr_assert_eq(write(fd, &one, 8), 8);
}

/* ---- config space --------------------------------------------------------------------------- */
