/* SPDX-License-Identifier: Apache-2.0
 *
 * The virtio-pci transport against a recorded back end: what Linux's virtio_pci_modern does from
 * probe to removal, resets, everything in the wrong order, interrupts both ways, and nonsense.
 *
 * links: helpers/virtio/virtio_pci.c helpers/virtio/virtio_regs.c helpers/virtio/virtio_features.c
 * links: helpers/virtio/virtio_irq.c helpers/virtio/virtio_config.c
 */
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

static int on_reset(struct virtio_pci *of, struct err *e)
{
	cr_assert_eq(of, &vp);
	traced("reset ");
	return refuse_reset ? err_set(e, -EIO, BLAME_HOST, "no") : 0;
}

static void on_status(struct virtio_pci *of, uint8_t status)
{
	cr_assert_eq(of, &vp);
	traced("status%x ", status);
}

static int on_features(struct virtio_pci *of, uint64_t features, struct err *e)
{
	cr_assert_eq(of, &vp);
	traced("features%llx ", (unsigned long long)features);
	return refuse_features ? err_set(e, -EINVAL, BLAME_GUEST, "no") : 0;
}

static int on_start(struct virtio_pci *of, struct err *e)
{
	cr_assert_eq(of, &vp);
	traced("start ");
	hurt = refuse_start;
	return refuse_start ? err_set(e, -EIO, BLAME_HOST, "no") : 0;
}

static int on_enable(struct virtio_pci *of, unsigned queue, struct err *e)
{
	(void)of, (void)e;
	traced("enable%u ", queue);
	return 0;
}

static bool on_needs_reset(const struct virtio_pci *of)
{
	(void)of;
	return hurt;
}

static int on_config_read(const struct virtio_pci *of, uint8_t *ret, struct err *e)
{
	(void)of, (void)e;
	memcpy(ret, device_config, sizeof(device_config));
	return 0;
}

static void on_config_write(struct virtio_pci *of, unsigned offset, unsigned size,
	const uint8_t *data)
{
	cr_assert_eq(of, &vp);
	cr_assert_leq(offset + size, sizeof(device_config));
	memcpy(device_config + offset, data, size);
	traced("config%u/%u ", offset, size);
}

static void on_kick(struct virtio_pci *of, unsigned queue)
{
	cr_assert_eq(of, &vp);
	cr_assert_lt(queue, QUEUES);
	traced("kick%u ", queue);
}

static void on_rewire(struct virtio_pci *of, unsigned which)
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

static void setup(void)
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

TestSuite(virtio_pci, .init = setup);

static uint64_t get(uint64_t at, unsigned size)
{
	uint64_t value = 0x5a5a;

	cr_assert_eq(virtio_region_read(&vp, 0, at, size, &value, &err), 0);
	return value;
}

static void put(uint64_t at, unsigned size, uint64_t value)
{
	cr_assert_eq(virtio_region_write(&vp, 0, at, size, value, &err), 0);
}

static uint32_t cfg_get(unsigned at, unsigned size)
{
	uint32_t value = 0;

	cr_assert_eq(virtio_config_read(&vp, at, size, &value, &err), 0);
	return value;
}

static void cfg_put(unsigned at, unsigned size, uint32_t value)
{
	cr_assert_eq(virtio_config_write(&vp, at, size, value, &err), 0);
}

/* As drivers/virtio/virtio.c and virtio_pci_modern.c do it, up to FEATURES_OK. */
static void negotiate(uint64_t features)
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

static void set_queue(unsigned queue, unsigned size)
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

static void enable(unsigned queue)
{
	put(22, 2, queue);
	put(28, 2, 1);
}

static bool signalled(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

static bool drained(int fd)
{
	uint64_t count;

	return read(fd, &count, sizeof(count)) == 8;
}

static void signal_fd(int fd)
{
	const uint64_t one = 1;

	cr_assert_eq(write(fd, &one, 8), 8);
}

/* ---- config space --------------------------------------------------------------------------- */

Test(virtio_pci, ids_say_block)
{
	cr_assert_eq(cfg_get(0, 4), 0x10421af4u);
	cr_assert_eq(cfg_get(8, 4), 0x01000001u);
	cr_assert_eq(cfg_get(0x2c, 4), 0x11001af4u);
	cr_assert_eq(cfg_get(0x3d, 1), 1u);
}

Test(virtio_pci, capabilities_are_all_there_once)
{
	unsigned seen[6] = {0}, n = 0;

	for (unsigned at = cfg_get(0x34, 1); at; at = cfg_get(at + 1, 1)) {
		cr_assert_lt(n++, 10);
		if (cfg_get(at, 1) != 9)
			continue;
		cr_assert_geq(cfg_get(at + 2, 1), 16);
		seen[cfg_get(at + 3, 1)]++;
		if (cfg_get(at + 3, 1) == 2)
			cr_assert_eq(cfg_get(at + 16, 4), 4096, "notify_off_multiplier");
		if (cfg_get(at + 3, 1) == 4)
			cr_assert_eq(cfg_get(at + 12, 4), sizeof(device_config));
	}
	cr_assert_eq(n, 6, "MSI-X and five of virtio's");
	for (unsigned type = 1; type <= 5; type++)
		cr_assert_eq(seen[type], 1, "type %u", type);
}

Test(virtio_pci, no_device_config_no_capability)
{
	vp.config_size = 0;
	virtio_config_build(&vp);
	for (unsigned at = cfg_get(0x34, 1); at; at = cfg_get(at + 1, 1))
		cr_assert(cfg_get(at, 1) != 9 || cfg_get(at + 3, 1) != 4);
	cr_assert_eq(get(REGS_DEVICE, 4), 0);
}

Test(virtio_pci, the_core_takes_the_description)
{
	static struct describe_wire wire;
	struct function_desc desc, got;

	vp.n_pages = 2;
	virtio_pci_describe(&vp, &desc);
	describe_to_wire(&desc, &wire);
	cr_assert_eq(describe_from_wire(&wire.description, &got, &err), 0, "%s", err.msg);
	cr_assert_eq(got.regions[2].size, 0x4000, "three pages, rounded up");
	cr_assert_eq(got.regions[2].ranges[0].size, 0x2000);
	cr_assert_eq(got.msix.vectors, QUEUES + 1);
	cr_assert_eq(got.doorbells.count, QUEUES);
	vp.n_queues = VIRTIO_QUEUES_MAX;
	virtio_config_build(&vp);
	virtio_pci_describe(&vp, &desc);
	describe_to_wire(&desc, &wire);
	cr_assert_eq(describe_from_wire(&wire.description, &got, &err), 0, "%s", err.msg);
	vp.n_queues = 1;
	vp.n_pages = 0;
	virtio_config_build(&vp);
	virtio_pci_describe(&vp, &desc);
	describe_to_wire(&desc, &wire);
	cr_assert_eq(describe_from_wire(&wire.description, &got, &err), 0, "%s", err.msg);
}

Test(virtio_pci, only_what_may_change_does)
{
	cfg_put(4, 2, 0xffff);
	cr_assert_eq(cfg_get(4, 2), 0x0406u);
	cfg_put(0, 4, 0);
	cfg_put(0x34, 1, 0);
	cfg_put(0x3c, 4, 0xffffff0b);
	cr_assert_eq(cfg_get(0, 4), 0x10421af4u);
	cr_assert_eq(cfg_get(0x34, 1), 0x40u);
	cr_assert_eq(cfg_get(0x3c, 2), 0x010bu);
}

Test(virtio_pci, the_window_in_config_space_reaches_the_registers)
{
	cfg_put(WIN + 4, 1, 0);
	cfg_put(WIN + 8, 4, 18);
	cfg_put(WIN + 12, 4, 2);
	cr_assert_eq(cfg_get(WIN + 16, 2), QUEUES);
	cfg_put(WIN + 8, 4, 20);
	cfg_put(WIN + 12, 4, 1);
	cfg_put(WIN + 16, 1, ACK);
	cr_assert_eq(get(20, 1), ACK);
	expect("status1 ");
	cfg_put(WIN + 4, 1, 2);
	cfg_put(WIN + 8, 4, 4096);
	cfg_put(WIN + 12, 4, 2);
	cfg_put(WIN + 16, 2, 1);
	expect("kick1 ");
	/* Beyond, unaligned, of no size, in no BAR: nothing. */
	cfg_put(WIN + 8, 4, 3 * 4096);
	cfg_put(WIN + 16, 2, 1);
	cfg_put(WIN + 8, 4, 0xfffffffe);
	cfg_put(WIN + 16, 2, 1);
	cfg_put(WIN + 4, 1, 1);
	cfg_put(WIN + 16, 2, 1);
	cfg_put(WIN + 12, 4, 3);
	cfg_put(WIN + 16, 2, 1);
	cfg_get(WIN + 16, 4);
	expect("");
}

/* ---- a driver's life ------------------------------------------------------------------------ */

Test(virtio_pci, linux_from_probe_to_removal)
{
	cr_assert_eq(get(18, 2), QUEUES);
	negotiate(V1 | 0x40);
	expect("reset status1 status3 features100000040 ");
	cr_assert_eq(get(20, 1), ACK | DRIVER | FEATURES_OK);
	put(16, 2, 0);
	cr_assert_eq(get(16, 2), 0);
	for (unsigned i = 0; i < 2; i++) {
		put(22, 2, i);
		cr_assert_eq(get(24, 2), 256);
		cr_assert_eq(get(28, 2), 0, "not enabled");
		cr_assert_eq(get(30, 2), i, "queue_notify_off");
		set_queue(i, 128);
		cr_assert_eq(get(26, 2), i + 1);
	}
	enable(0);
	enable(1);
	cr_assert_eq(get(28, 2), 1);
	expect("");
	put(20, 1, get(20, 1) | DRIVER_OK);
	expect("start ");
	cr_assert_eq(get(20, 1), ACK | DRIVER | FEATURES_OK | DRIVER_OK);
	cr_assert_eq(vp.queues[1].size, 128);
	cr_assert_eq(vp.queues[1].desc, 0x100001000ull);
	cr_assert_eq(vp.queues[1].driver, 0x200101000ull);
	cr_assert_eq(vp.queues[1].device, 0x300201000ull);
	cr_assert(vp.queues[0].enabled && vp.queues[1].enabled && !vp.queues[2].enabled);
	put(20, 1, 0);
	expect("reset ");
	/* del_vqs comes after the reset. */
	put(22, 2, 1);
	put(26, 2, 0xffff);
	cr_assert_eq(get(26, 2), 0xffff);
	put(16, 2, 0xffff);
	cr_assert_eq(get(24, 2), 256);
	cr_assert_eq(get(28, 2), 0);
	cr_assert_eq(get(32, 8), 0);
	negotiate(V1);
	expect("reset status1 status3 features100000000 ");
}

Test(virtio_pci, features_are_masked_and_selected)
{
	put(0, 4, 0);
	cr_assert_eq(get(4, 4), 0x30ffffffu);
	put(0, 4, 1);
	cr_assert_eq(get(4, 4), 0xfffc001fu, "no SR_IOV, NOTIFICATION_DATA, RING_RESET");
	put(0, 4, 2);
	cr_assert_eq(get(4, 4), 0);
	put(8, 4, 7);
	put(12, 4, ~0u);
	cr_assert_eq(vp.accepted, 0);
}

Test(virtio_pci, a_legacy_device_is_refused)
{
	vp.offered = 0x40;
	cr_assert_eq(virtio_pci_init(&vp, &err), -ENOTSUP);
}

Test(virtio_pci, features_that_were_not_offered_do_not_stand)
{
	vp.offered = V1;
	negotiate(V1 | 1);
	expect("reset status1 status3 ");
	cr_assert_eq(get(20, 1), ACK | DRIVER);
	negotiate(0);
	cr_assert_eq(get(20, 1), ACK | DRIVER, "without VERSION_1");
	refuse_features = true;
	negotiate(V1);
	cr_assert_eq(get(20, 1), ACK | DRIVER);
	put(20, 1, ACK | DRIVER | FEATURES_OK | DRIVER_OK);
	cr_assert_eq(get(20, 1), ACK | DRIVER);
}

Test(virtio_pci, features_stand_once)
{
	negotiate(V1);
	put(8, 4, 0);
	put(12, 4, 0x40);
	cr_assert_eq(vp.accepted, V1);
	trace[0] = '\0';
	put(20, 1, ACK | DRIVER | FEATURES_OK);
	expect("");
}

Test(virtio_pci, the_wrong_order_does_nothing)
{
	put(20, 1, FEATURES_OK);
	cr_assert_eq(get(20, 1), 0);
	put(20, 1, DRIVER_OK);
	cr_assert_eq(get(20, 1), 0);
	put(20, 1, ACK | FEATURES_OK | DRIVER_OK);
	cr_assert_eq(get(20, 1), ACK);
	trace[0] = '\0';
	set_queue(0, 64);
	enable(0);
	cr_assert(!vp.queues[0].enabled);
	cr_assert_eq(vp.queues[0].size, 256);
	cr_assert_eq(vp.queues[0].desc, 0);
	negotiate(V1);
	set_queue(0, 64);
	enable(0);
	set_queue(0, 32);
	cr_assert_eq(vp.queues[0].size, 64, "enabled");
	put(28, 2, 0);
	cr_assert(vp.queues[0].enabled, "stays enabled until a reset");
	put(20, 1, get(20, 1) | DRIVER_OK);
	set_queue(1, 64);
	cr_assert_eq(vp.queues[1].size, 256, "the device runs");
	trace[0] = '\0';
	enable(1);
	expect("enable1 ");
	put(20, 1, ACK);
	cr_assert_eq(get(20, 1), ACK | DRIVER | FEATURES_OK | DRIVER_OK, "bits are not taken back");
	expect("");
}

Test(virtio_pci, queue_sizes)
{
	static const unsigned bad[] = {0, 3, 257, 512, 65535};

	negotiate(V1);
	put(22, 2, 0);
	for (unsigned i = 0; i < 5; i++) {
		put(24, 2, bad[i]);
		cr_assert_eq(get(24, 2), 256);
	}
	put(24, 2, 1);
	cr_assert_eq(get(24, 2), 1);
}

Test(virtio_pci, queues_that_are_not_there)
{
	negotiate(V1);
	trace[0] = '\0';
	for (unsigned i = QUEUES; i < 65536; i += 997) {
		put(22, 2, i);
		cr_assert_eq(get(24, 2), 0);
		set_queue(i, 8);
		enable(i);
		cr_assert_eq(get(28, 2), 0);
		cr_assert_eq(get(32, 8), 0);
	}
	expect("");
}

Test(virtio_pci, vectors_that_are_not_there_do_not_take)
{
	put(16, 2, QUEUES + 1);
	cr_assert_eq(get(16, 2), 0xffff);
	put(16, 2, QUEUES);
	cr_assert_eq(get(16, 2), QUEUES);
	put(22, 2, 0);
	put(26, 2, 0xfffe);
	cr_assert_eq(get(26, 2), 0xffff);
}

Test(virtio_pci, a_device_that_does_not_start_says_so)
{
	negotiate(V1);
	refuse_start = true;
	put(20, 1, get(20, 1) | DRIVER_OK);
	cr_assert(get(20, 1) & NEEDS_RESET);
	cr_assert(signalled(vp.own[1].n), "by a configuration interrupt");
	trace[0] = '\0';
	put(20, 1, 0x8f);
	expect("status8f ");
	refuse_start = false;
	put(20, 1, 0);
	cr_assert_eq(get(20, 1), 0, "0 is 0, whatever the device needs");
	negotiate(V1);
	put(20, 1, get(20, 1) | DRIVER_OK);
	cr_assert(!(get(20, 1) & NEEDS_RESET));
	hurt = true;
	cr_assert(get(20, 1) & NEEDS_RESET, "the device says so itself");
	put(20, 1, 0);
	cr_assert_eq(get(20, 1), 0);
}

Test(virtio_pci, a_driver_is_never_left_waiting_for_a_reset)
{
	negotiate(V1);
	refuse_reset = true;
	put(20, 1, 0);
	cr_assert_eq(get(20, 1), 0);
	cr_assert_eq(virtio_pci_reset(&vp, &err), -EIO, "but the core is told");
}

Test(virtio_pci, widths_are_each_fields_own)
{
	put(20, 2, ACK);
	put(20, 4, ACK);
	put(16, 4, 0);
	put(16, 1, 0);
	put(22, 8, 1);
	cr_assert_eq(get(20, 1), 0);
	cr_assert_eq(get(16, 2), 0xffff);
	cr_assert_eq(get(22, 2), 0);
	negotiate(V1);
	put(32, 8, 0x123456789000);
	cr_assert_eq(get(32, 8), 0x123456789000u);
	cr_assert_eq(get(36, 4), 0x1234);
	put(32, 2, 1);
	cr_assert_eq(get(32, 8), 0x123456789000u);
}

/* ---- device configuration ------------------------------------------------------------------- */

Test(virtio_pci, generation_grows_when_the_configuration_is_found_changed)
{
	uint64_t before;

	device_config[3] = 7;
	cr_assert_eq(get(REGS_DEVICE, 4), 7u << 24);
	before = get(21, 1);
	cr_assert_eq(get(21, 1), before);
	device_config[59] = 1;
	cr_assert_neq(get(21, 1), before);
	cr_assert_eq(get(REGS_DEVICE + 59, 1), 1);
	cr_assert_eq(get(REGS_DEVICE + 60, 1), 0, "behind it");
	cr_assert_eq(get(REGS_DEVICE + 56, 8), 1u << 24);
	put(REGS_DEVICE + 32, 1, 1);
	expect("config32/1 ");
	put(REGS_DEVICE + 60, 4, 1);
	put(REGS_DEVICE + 56, 8, 1);
	expect("");
}

/* ---- interrupts ----------------------------------------------------------------------------- */

Test(virtio_pci, msix_events_go_to_the_vector)
{
	int vector = eventfd(0, EFD_NONBLOCK), own = vp.own[0].n;
	int fds[HELPER_EVENTS];

	negotiate(V1);
	virtio_irq_mode(&vp, true);
	set_queue(1, 64);
	cr_assert_eq(virtio_irq_fd(&vp, 1), own, "not armed yet");
	signal_fd(own);
	virtio_irq_event_fds(&vp, fds);
	cr_assert(fds[0] < 0 && fds[1] < 0, "nobody spins on what nobody hears");
	virtio_irq_arm(&vp, 2, (struct fd){dup(vector)});
	cr_assert_neq(virtio_irq_fd(&vp, 1), own);
	cr_assert(drained(vector), "what came before the vector was armed");
	signal_fd(virtio_irq_fd(&vp, 1));
	cr_assert(drained(vector));
	cr_assert_eq(virtio_irq_fd(&vp, 0), own);
	put(22, 2, 1);
	put(26, 2, 0xffff);
	cr_assert_eq(virtio_irq_fd(&vp, 1), own);
	put(26, 2, 2);
	virtio_irq_arm(&vp, 2, FD_NONE_INIT);
	cr_assert_eq(virtio_irq_fd(&vp, 1), own);
	virtio_irq_arm(&vp, 2, (struct fd){dup(vector)});
	virtio_irq_mode(&vp, false);
	cr_assert_eq(virtio_irq_fd(&vp, 1), own);
	cr_assert_eq(get(REGS_ISR, 1), 0);
}

Test(virtio_pci, intx_is_raised_until_the_isr_was_read)
{
	int pin = eventfd(0, EFD_NONBLOCK), resample = eventfd(0, EFD_NONBLOCK);
	int fds[HELPER_EVENTS];

	virtio_irq_intx(&vp, (struct fd){dup(pin)}, (struct fd){dup(resample)});
	virtio_irq_event_fds(&vp, fds);
	cr_assert(fds[0] >= 0 && fds[1] >= 0 && fds[2] >= 0);
	signal_fd(virtio_irq_fd(&vp, 0));
	virtio_irq_on_event(&vp, 0);
	cr_assert(drained(pin));
	cr_assert_eq(cfg_get(6, 2) & 8, 8, "interrupt status");
	/* Ended without being looked at: raised again. */
	signal_fd(resample);
	virtio_irq_on_event(&vp, 2);
	cr_assert(drained(pin));
	signal_fd(virtio_irq_fd(&vp, VIRTIO_CONFIG_EVENT));
	virtio_irq_on_event(&vp, 1);
	cr_assert(drained(pin));
	cr_assert_eq(get(REGS_ISR, 1), 3);
	cr_assert_eq(get(REGS_ISR, 1), 0, "reading clears");
	cr_assert_eq(cfg_get(6, 2) & 8, 0);
	signal_fd(resample);
	virtio_irq_on_event(&vp, 2);
	cr_assert(!signalled(pin));
	/* INTX_DISABLE holds it back; a spurious event is none. */
	cfg_put(4, 2, 0x0406);
	signal_fd(virtio_irq_fd(&vp, 0));
	virtio_irq_on_event(&vp, 0);
	virtio_irq_on_event(&vp, 0);
	cr_assert(!signalled(pin));
	cfg_put(4, 2, 0x0006);
	cr_assert(drained(pin), "what was held back comes");
	cr_assert_eq(get(REGS_ISR, 1), 1);
	cfg_put(4, 2, 0x0406);
	cfg_put(4, 2, 0x0006);
	cr_assert(!signalled(pin));
}

Test(virtio_pci, what_msix_held_back_comes_by_the_pin)
{
	int pin = eventfd(0, EFD_NONBLOCK), resample = eventfd(0, EFD_NONBLOCK);

	virtio_irq_intx(&vp, (struct fd){dup(pin)}, (struct fd){dup(resample)});
	signal_fd(virtio_irq_fd(&vp, 0));
	virtio_irq_on_event(&vp, 0);
	cr_assert(drained(pin));
	virtio_irq_mode(&vp, true);
	signal_fd(resample);
	virtio_irq_on_event(&vp, 2);
	cr_assert(!signalled(pin));
	virtio_irq_mode(&vp, false);
	cr_assert(drained(pin));
	cr_assert_eq(get(REGS_ISR, 1), 1);
	virtio_irq_mode(&vp, true);
	virtio_irq_mode(&vp, false);
	cr_assert(!signalled(pin));
}

Test(virtio_pci, a_reset_takes_pending_interrupts)
{
	signal_fd(virtio_irq_fd(&vp, 0));
	virtio_irq_on_event(&vp, 0);
	signal_fd(virtio_irq_fd(&vp, 0));
	put(20, 1, 0);
	cr_assert_eq(get(REGS_ISR, 1), 0);
	cr_assert(!signalled(vp.own[0].n));
}

/* ---- nonsense ------------------------------------------------------------------------------- */

Test(virtio_pci, notifications_that_trap)
{
	virtio_region_write(&vp, 2, 2 * 4096, 2, 2, &err);
	expect("kick2 ");
	virtio_region_write(&vp, 2, 3 * 4096, 2, 2, &err);
	virtio_region_write(&vp, 2, 4098, 2, 2, &err);
	expect("");
}

Test(virtio_pci, a_guest_that_writes_anything_anywhere)
{
	uint64_t seed = 42, value;

	for (unsigned i = 0; i < 2000000; i++) {
		unsigned size = 1u << (i % 4), bar = seed >> 60 & 1 ? 2 : 0;
		uint64_t at, end = bar ? 0x4000 : REGS_SIZE;

		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		at = (seed >> 20) % (seed >> 59 & 3 ? 64 : end) / size * size;
		refuse_start = (seed >> 55 & 7) == 0;
		refuse_features = (seed >> 52 & 7) == 0;
		if (i % 16 == 0)
			virtio_irq_mode(&vp, seed >> 40 & 1);
		if (i % 64 == 0 && vp.msix)
			virtio_irq_arm(&vp, seed >> 30 & 3, (struct fd){eventfd(0, EFD_NONBLOCK)});
		if (i % 5 == 0)
			virtio_config_write(&vp, (unsigned)(at & 0xfc), 4, (uint32_t)(seed >> 32),
				&err);
		virtio_config_read(&vp, (unsigned)(at & 0xfc), 4, &(uint32_t){0}, &err);
		virtio_region_write(&vp, bar, at, size, seed >> 24, &err);
		virtio_region_read(&vp, bar, at, size, &value, &err);
		trace[0] = '\0';
	}
	cr_assert_eq(cfg_get(0, 4), 0x10421af4u);
	cr_assert_eq(vp.n_queues, QUEUES);
	put(20, 1, 0);
	negotiate(V1);
	cr_assert_eq(get(22, 2), 0);
}
