/* SPDX-License-Identifier: Apache-2.0
 *
 * The vDPA helper against a vhost-vdpa device that is strict where the kernel's back ends are
 * (kernel facts 4): who may ask what when, what a reset takes away, what is never to be done to a
 * device that is itself virtio; a back end that is dead. ioctl(2) is a double, and the clock; IOTLB
 * messages are read from a socket.
 *
 * links: helpers/vdpa/device.c helpers/vdpa/iotlb.c helpers/vdpa/vring.c helpers/vdpa/backend.c
 * links: helpers/virtio/split_ring.c helpers/virtio/virtio_pci.c helpers/virtio/virtio_irq.c helpers/virtio/virtio_config.c
 */
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

enum { NODE_QUEUES = 8, MiB = 1 << 20 };

struct vdpa vdpa;

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
} dev;

static int64_t skew_ms, map_ms; /* how far the clock is ahead; what a mapping takes */

int clock_gettime(clockid_t clock, struct timespec *t)
{
	int r = (int)syscall(SYS_clock_gettime, clock, t);

	t->tv_sec += skew_ms / 1000;
	return r;
}

static char trace[4096];
static struct fd iotlb;
static struct err err;

/* IOTLB messages go by write(2). */
ssize_t write(int fd, const void *data, size_t size)
{
	if (fd == vdpa.node.n)
		skew_ms += map_ms;
	return (ssize_t)syscall(SYS_write, fd, data, size);
}

static void traced(const char *fmt, ...)
{
	size_t n = strlen(trace);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(trace + n, sizeof(trace) - n, fmt, ap);
	va_end(ap);
}

#define expect(what)                                                                               \
	do {                                                                                       \
		cr_assert_str_eq(trace, what);                                                     \
		trace[0] = '\0';                                                                   \
	} while (0)

static int fail(int code)
{
	errno = code;
	return -1;
}

static int set_status(uint8_t status)
{
	if (status && (dev.status & ~status))
		return fail(EINVAL);
	traced("S%x ", status);
	if (!status)
		memset(dev.q, 0, sizeof(dev.q));
	if ((status & 8) && dev.says_no)
		status &= (uint8_t)~8;
	/* vp_vdpa: vectors at DRIVER_OK, for queues with a call. */
	if ((status & 4) && !(dev.status & 4))
		for (unsigned i = 0; i < vdpa.virtio.n_queues; i++)
			cr_assert(dev.q[i].call, "queue %u has no call at DRIVER_OK", i);
	dev.status = status;
	return 0;
}

static int vring(unsigned long request, void *arg)
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

static int config_call(void *arg)
{
	cr_assert_geq(*(int *)arg, 0);
	dev.config_call = *(int *)arg;
	return 0;
}

static int config_io(void *arg, bool set)
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
	default: return vring(request, arg);
	}
}

static const struct virtio_ops ops = {
	.reset = vring_reset, .status = vring_status, .features = vring_features,
	.start = vring_start, .enable = vring_enable, .needs_reset = vring_needs_reset,
	.config_read = device_config_read, .config_write = device_config_write,
	.kick = vring_kick, .rewire = vring_rewire,
};

static void setup(void)
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
	vdpa.n_ram = 2;
	vdpa.ram[0] = (struct guest_ram){0, 2 * MiB, 0};
	vdpa.ram[1] = (struct guest_ram){1ull << 32, MiB, 2 * MiB};
	for (unsigned i = 0; i < VIRTIO_QUEUES_MAX; i++)
		vdpa.kicks[i].n = i < NODE_QUEUES ? eventfd(0, EFD_NONBLOCK) : -1;
}

TestSuite(vdpa, .init = setup);

/* What main.c does at Open. */
static int open_device(unsigned num_queues)
{
	int memfd = memfd_create("ram", 0), r;

	cr_assert_eq(ftruncate(memfd, 3 * MiB), 0);
	r = device_setup(&vdpa, num_queues, &err);
	if (r == 0)
		r = virtio_pci_init(&vdpa.virtio, &err);
	if (r == 0)
		r = iotlb_setup(&vdpa, memfd, &err);
	close(memfd);
	return r;
}

static void put(uint64_t at, unsigned size, uint64_t value)
{
	cr_assert_eq(virtio_pci_region_write(&vdpa.virtio, 0, at, size, value, &err), 0);
}

static uint64_t get(uint64_t at, unsigned size)
{
	uint64_t value;

	cr_assert_eq(virtio_pci_region_read(&vdpa.virtio, 0, at, size, &value, &err), 0);
	return value;
}

static void negotiate(uint64_t features)
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

static void set_queue(unsigned i, bool enable)
{
	put(22, 2, i);
	put(32, 4, 0x10000 * (i + 1));
	put(40, 4, 0x10000 * (i + 1) + 0x1000);
	put(48, 4, 0x10000 * (i + 1) + 0x2000);
	if (enable)
		put(28, 2, 1);
}

/* The next IOTLB message: "U" update, "I" invalidate, "B" and "E" the batch; "" none. */
static const char *message(void)
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

static void expect_maps(bool anew)
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

Test(vdpa, a_driver_from_reset_to_running)
{
	cr_assert_eq(open_device(0), 0, "%s", err.msg);
	expect_maps(false);
	cr_assert_eq(vdpa.virtio.queues[0].max, 256);
	cr_assert_eq(vdpa.virtio.queues[2].max, 64, "its own, smaller size");
	negotiate(1ull << 32 | 0x20);
	expect("S0 S1 S3 Sb ");
	cr_assert_eq(dev.accepted, 3ull << 32 | 0x20, "ACCESS_PLATFORM whatever the driver says");
	set_queue(0, true);
	set_queue(1, true);
	put(20, 1, 15);
	expect("E0 E1 Sf ");
	cr_assert(!dev.q[2].enabled && dev.q[2].kick && dev.q[2].call);
	cr_assert(dev.q[0].has_base && dev.q[0].base == 0);
	cr_assert_eq(get(20, 1), 15);
	cr_assert_str_eq(message(), "", "maps persist");
	negotiate(1ull << 32);
	set_queue(0, true);
	trace[0] = '\0';
	put(20, 1, 15);
	expect("E0 Sf ");
	cr_assert_str_eq(message(), "");
}

Test(vdpa, maps_are_made_anew_where_a_reset_takes_them)
{
	dev.backend = 0xe;
	cr_assert_eq(open_device(0), 0, "%s", err.msg);
	expect_maps(false);
	for (unsigned i = 0; i < 3; i++) {
		negotiate(1ull << 32);
		set_queue(0, true);
		cr_assert_str_eq(message(), "");
		put(20, 1, 15);
		cr_assert_eq(get(20, 1), 15);
		expect_maps(true);
	}
}

Test(vdpa, a_device_without_state_to_set)
{
	dev.no_base = dev.no_size = true;
	dev.backend = 0x10e;
	cr_assert_eq(open_device(0), 0, "%s", err.msg);
	cr_assert_eq(vdpa.virtio.queues[2].max, 256);
	negotiate(1ull << 32);
	set_queue(0, true);
	put(20, 1, 15);
	cr_assert_eq(get(20, 1), 15);
}

Test(vdpa, a_packed_ring_begins_with_its_wrap_counters_set)
{
	dev.features |= 1ull << 34;
	cr_assert_eq(open_device(0), 0, "%s", err.msg);
	negotiate(5ull << 32);
	set_queue(0, true);
	put(20, 1, 15);
	cr_assert_eq(dev.q[0].base, 0x80008000u);
}

Test(vdpa, calls_follow_the_vectors)
{
	int vector = eventfd(0, EFD_NONBLOCK);

	cr_assert_eq(open_device(0), 0, "%s", err.msg);
	negotiate(1ull << 32);
	set_queue(0, true);
	put(20, 1, 15);
	cr_assert_eq(dev.q[0].call_fd, vdpa.virtio.own[0].n);
	cr_assert_eq(dev.config_call, vdpa.virtio.own[1].n);
	virtio_irq_mode(&vdpa.virtio, true);
	put(22, 2, 0);
	put(26, 2, 1);
	put(16, 2, 0);
	virtio_irq_arm(&vdpa.virtio, 1, (struct fd){dup(vector)});
	cr_assert_eq(dev.q[0].call_fd, vdpa.virtio.vectors[1].n, "armed while it runs");
	virtio_irq_arm(&vdpa.virtio, 0, (struct fd){dup(vector)});
	cr_assert_eq(dev.config_call, vdpa.virtio.vectors[0].n);
	virtio_irq_mode(&vdpa.virtio, false);
	cr_assert_eq(dev.q[0].call_fd, vdpa.virtio.own[0].n);
	cr_assert_eq(dev.config_call, vdpa.virtio.own[1].n);
	put(20, 1, 0);
	dev.calls_after_start = 0;
	dev.q[0].call = false;
	put(22, 2, 0);
	put(26, 2, 0xffff);
	cr_assert(!dev.q[0].call, "nothing is asked of a device that does not run");
}

Test(vdpa, a_queue_enabled_late)
{
	cr_assert_eq(open_device(0), 0, "%s", err.msg);
	negotiate(1ull << 32);
	set_queue(0, true);
	set_queue(1, false);
	put(20, 1, 15);
	trace[0] = '\0';
	put(22, 2, 1);
	put(28, 2, 1);
	expect("E1 ");
	cr_assert_eq(get(28, 2), 1);
	put(22, 2, 2);
	put(28, 2, 1);
	expect("");
	cr_assert_eq(get(28, 2), 0, "it has no addresses");
}

Test(vdpa, a_device_that_does_not_take_the_features)
{
	cr_assert_eq(open_device(0), 0, "%s", err.msg);
	dev.says_no = true;
	negotiate(1ull << 32);
	cr_assert_eq(get(20, 1), 3);
}

Test(vdpa, a_queue_it_cannot_have_stops_the_start)
{
	cr_assert_eq(open_device(0), 0, "%s", err.msg);
	negotiate(1ull << 32);
	set_queue(0, true);
	vdpa.virtio.queues[0].driver = 1;
	put(20, 1, 15);
	cr_assert_eq(get(20, 1) & 0x40, 0x40);
	negotiate(1ull << 32);
	set_queue(0, true);
	put(20, 1, 15);
	cr_assert_eq(get(20, 1), 15, "a reset heals it");
}

Test(vdpa, fewer_queues_than_the_device_has)
{
	dev.queues = 5;
	dev.features = 0x308830028 | 1 << 22;
	cr_assert_eq(open_device(3), 0, "%s", err.msg);
	cr_assert_eq(vdpa.virtio.n_queues, 3);
	cr_assert_eq(vdpa.virtio.offered >> 22 & 1, 0, "no MQ");
	cr_assert_eq(vdpa.virtio.offered >> 17 & 1, 1, "its control queue is the third");
	memset(&vdpa.virtio, 0, sizeof(vdpa.virtio));
	vdpa.virtio.ops = &ops;
	cr_assert_eq(open_device(2), 0, "%s", err.msg);
	cr_assert_eq(vdpa.virtio.offered >> 17 & 1, 0);
	cr_assert_eq(vdpa.virtio.offered >> 23 & 1, 0, "nothing that needs it");
	cr_assert_eq(vdpa.virtio.offered >> 5 & 1, 1);
	cr_assert_eq(open_device(1), -EINVAL);
	cr_assert(strstr(err.msg, "needs 2"), "%s", err.msg);
	cr_assert_eq(open_device(6), -EINVAL);
	cr_assert(strstr(err.msg, "num_queues=6") && strstr(err.msg, "has 5"), "%s", err.msg);
}

/* vp_vdpa over a card of two pairs counts three queues. */
Test(vdpa, a_card_that_speaks_of_more_pairs_than_it_has_queues)
{
	dev.queues = 3;
	dev.features |= 1 << 22;
	dev.config[8] = 2;
	cr_assert_eq(open_device(0), 0, "%s", err.msg);
	cr_assert_eq(vdpa.virtio.n_queues, 3);
	cr_assert_eq(vdpa.virtio.offered >> 22 & 1, 0, "no MQ");
	cr_assert_eq(vdpa.virtio.offered >> 17 & 1, 1, "its control queue");
}

Test(vdpa, an_odd_number_of_queues_and_its_full_features)
{
	dev.queues = 7;
	dev.features |= 1 << 22;
	cr_assert_eq(open_device(0), 0, "%s", err.msg);
	cr_assert_eq(vdpa.virtio.n_queues, 7);
	cr_assert_eq(vdpa.virtio.offered >> 22 & 1, 1);
}

Test(vdpa, a_block_device_says_as_many_queues_as_there_are)
{
	uint8_t config[64];

	dev.type = 2;
	dev.queues = 4;
	dev.config_size = 60;
	dev.config[34] = 4;
	cr_assert_eq(open_device(2), 0, "%s", err.msg);
	cr_assert_eq(device_config_read(config, &err), 0);
	cr_assert_eq(config[34], 2);
	cr_assert_eq(get(REGS_DEVICE + 34, 2), 2);
	put(REGS_DEVICE + 32, 1, 1);
	cr_assert_eq(dev.config[32], 1);
}

Test(vdpa, a_device_past_the_iommu_is_refused)
{
	dev.features &= ~(1ull << 33);
	cr_assert_eq(open_device(0), -EPERM);
	cr_assert(strstr(err.msg, "ACCESS_PLATFORM"), "%s", err.msg);
}

Test(vdpa, ram_it_cannot_reach_is_refused)
{
	dev.range.last = 0xffffffff;
	cr_assert_eq(open_device(0), -ERANGE);
	cr_assert(strstr(err.msg, "0x100000000 (1 MiB)"), "%s", err.msg);
}

/* The kernel says EFAULT to everything. */
Test(vdpa, what_the_iotlb_does_not_take_is_explained)
{
	fd_close(&iotlb);
	vdpa.n_ram = 2;
	cr_assert_lt(open_device(0), 0);
	dev.backend = 0x2; /* no batch: the update itself fails */
	cr_assert_lt(open_device(0), 0);
	cr_assert(strstr(err.msg, "hugepages=on") && strstr(err.msg, "vhost_vdpa.max_iotlb_entries"),
		"%s", err.msg);
}

Test(vdpa, every_request_may_fail)
{
	static const int setup_requests[] = {0x70, 0x00, 0x79, 0x80, 0x26, 0x01, 0x25, 0x76, 0x78};
	static const int run_requests[] = {0x10, 0x11, 0x20, 0x21, 0x75, 0x77};

	for (unsigned i = 0; i < sizeof(setup_requests) / sizeof(int); i++) {
		if (setup_requests[i] == 0)
			continue; /* GET and SET_FEATURES share the number */
		dev.fail_at = setup_requests[i];
		cr_assert_eq(open_device(0), -EIO, "0x%x", setup_requests[i]);
	}
	dev.fail_at = 0;
	memset(&vdpa.virtio, 0, sizeof(vdpa.virtio));
	vdpa.virtio.ops = &ops;
	cr_assert_eq(open_device(0), 0, "%s", err.msg);
	for (unsigned i = 0; i < sizeof(run_requests) / sizeof(int); i++) {
		negotiate(1ull << 32);
		set_queue(0, true);
		dev.fail_at = run_requests[i];
		put(20, 1, 15);
		cr_assert_eq(get(20, 1) & 0x40, 0x40, "0x%x", run_requests[i]);
		dev.fail_at = 0;
	}
}

/* The deadline of the register write that starts the device. */
Test(vdpa, mapping_that_would_take_too_long_at_each_start_is_refused)
{
	dev.backend = 0xe;
	map_ms = 2000;
	cr_assert_eq(open_device(0), -ETIME);
	cr_assert(strstr(err.msg, "hugepages=on") && strstr(err.msg, "6.7"), "%s", err.msg);
	dev.backend = 0x10e;
	cr_assert_eq(open_device(0), 0, "maps persist: %s", err.msg);
}

Test(vdpa, a_packed_ring_needs_a_kernel_that_can)
{
	dev.features |= 1ull << 34;
	dev.backend = 0xe;
	cr_assert_eq(open_device(0), 0, "%s", err.msg);
	cr_assert_eq(vdpa.virtio.offered >> 34 & 1, 0);
}

Test(vdpa, a_reset_that_fails_leaves_it_running)
{
	cr_assert_eq(open_device(0), 0, "%s", err.msg);
	negotiate(1ull << 32);
	set_queue(0, true);
	put(20, 1, 15);
	cr_assert(vdpa.running);
	dev.fail_at = 0x72;
	put(20, 1, 0);
	cr_assert_eq(get(20, 1), 0, "as the driver sees it");
	cr_assert(vdpa.running);
	dev.fail_at = 0;
	put(20, 1, 0);
	cr_assert(!vdpa.running);
}

Test(vdpa, a_start_that_was_not_seen_to_succeed_may_have)
{
	cr_assert_eq(open_device(0), 0, "%s", err.msg);
	negotiate(1ull << 32);
	set_queue(0, true);
	dev.fail_at = 0x71; /* GET_STATUS, after SET_STATUS */
	put(20, 1, 15);
	cr_assert(vdpa.virtio.broken && vdpa.running);
}

/* ---- a disk whose back end may die: queue 0, one request open ---- */

static struct vring_used *start_disk(void)
{
	struct vring_desc *desc;
	struct vring_avail *avail;

	dev.type = 2;
	dev.queues = 1;
	dev.config_size = 60;
	cr_assert_eq(open_device(0), 0, "%s", err.msg);
	negotiate(1ull << 32);
	set_queue(0, true);
	put(20, 1, 15);
	cr_assert_eq(get(20, 1), 15);
	desc = iotlb_guest(0x10000, 16);
	avail = iotlb_guest(0x11000, 16);
	desc[0] = (struct vring_desc){.addr = 0x20000, .len = 1, .flags = VRING_DESC_F_WRITE};
	avail->ring[0] = avail->ring[1] = 0;
	avail->idx = 1;
	return iotlb_guest(0x12000, 16);
}

static void later(int64_t ms)
{
	skew_ms += ms;
	cr_assert_geq(backend_tick(), 0);
}

Test(vdpa, a_back_end_that_is_slow)
{
	struct vring_used *used = start_disk();

	later(3000);
	later(3000);
	cr_assert_eq(dev.asked_for_life, 0);
	later(6000);
	cr_assert_eq(dev.asked_for_life, 1);
	later(3000);
	cr_assert_eq(dev.asked_for_life, 1, "not again at once");
	cr_assert(!vdpa.dead && used->idx == 0);
	used->idx = 1;
	later(100000);
	later(100000);
	cr_assert_eq(dev.asked_for_life, 1, "nothing is open");
}

Test(vdpa, a_back_end_that_has_no_state_to_tell)
{
	dev.no_base = true;
	start_disk();
	later(3000);
	later(12000);
	cr_assert_eq(dev.asked_for_life, 1);
	cr_assert(!vdpa.dead);
}

Test(vdpa, a_back_end_that_died)
{
	struct vring_used *used = start_disk();
	struct vring_avail *avail = iotlb_guest(0x11000, 16);
	uint8_t *status = iotlb_guest(0x20000, 1);
	uint64_t count;

	dev.dead = true;
	later(3000);
	later(12000);
	cr_assert(vdpa.dead);
	cr_assert_eq(get(20, 1) & 0x40, 0x40, "it needs a reset");
	cr_assert(used->idx == 1 && used->ring[0].id == 0 && *status == 1);
	cr_assert_eq(read(virtio_irq_fd(&vdpa.virtio, 0), &count, 8), 8, "interrupt");
	cr_assert_eq(read(virtio_irq_fd(&vdpa.virtio, VIRTIO_CONFIG_EVENT), &count, 8), 8);
	/* New requests fail too. */
	*status = 0xff;
	avail->idx = 2;
	later(1000);
	cr_assert(used->idx == 2 && *status == 1);
	cr_assert_eq(read(virtio_irq_fd(&vdpa.virtio, 0), &count, 8), 8);
	later(1000);
	cr_assert_eq(read(virtio_irq_fd(&vdpa.virtio, 0), &count, 8), -1);
	/* The driver takes its rings back: they are not touched any more. */
	dev.fail_at = 0x72;
	put(20, 1, 0);
	avail->idx = 3;
	later(100000);
	cr_assert_eq(used->idx, 2);
	negotiate(1ull << 32);
	cr_assert_eq(get(20, 1) & 8, 0, "and it does not start again");
}

/* A card's receive buffers wait for frames that need not come. */
Test(vdpa, an_idle_card)
{
	struct vring_avail *avail;

	cr_assert_eq(open_device(0), 0, "%s", err.msg);
	negotiate(1ull << 32);
	set_queue(0, true);
	set_queue(1, true);
	put(20, 1, 15);
	avail = iotlb_guest(0x11000, 16);
	avail->idx = 100;
	later(3000);
	later(20000);
	cr_assert_eq(dev.asked_for_life, 0);
	avail = iotlb_guest(0x21000, 16);
	avail->idx = 1;
	dev.dead = true;
	later(3000);
	later(20000);
	cr_assert(vdpa.dead && vdpa.virtio.broken);
}
