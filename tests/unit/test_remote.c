/* SPDX-License-Identifier: Apache-2.0
 *
 * A remote function against a recorded helper and a recorded KVM: config space, BAR placement and
 * relocation, memslots, and the order in which memory and device are told.
 *
 * links: vmm/pci/remote.c vmm/pci/remote_bar.c vmm/pci/remote_irq.c vmm/pci/remote_kick.c vmm/pci/remote_life.c
 * links: vmm/pci/remote_map.c vmm/pci/remote_rom.c vmm/peer.c vmm/peer_state.c vmm/kvm/gate.c vmm/boot/image.c
 * links: ipc/describe.c vmm/pci/msi.c vmm/pci/msix.c vmm/pci/pci.c vmm/pci/bus.c
 */
#include "tests/unit/remote_device.h"

#include <sys/syscall.h>

static void cfg(unsigned reg, unsigned size, uint32_t value)
{
	cfg_of(1, reg, size, value);
}

static uint32_t cfg_get(unsigned reg, unsigned size)
{
	return cfg_get_of(1, reg, size);
}

TestSuite(remote, .init = setup);

Test(remote, bars_are_placed_in_their_windows)
{
	cr_assert_eq(cfg_get(0x10, 4), 0x4u);
	cr_assert_eq(cfg_get(0x14, 4), 0x80u);
	cr_assert_eq(cfg_get(0x18, 4), 0x1001u);
	cr_assert_eq(cfg_get(0x1c, 4), 0u);
}

Test(remote, memory_comes_after_the_device_and_goes_before_it)
{
	cfg(0x04, 2, 6);
	expect("cfg4/2=6 +8000000000 ");
	cfg(0x04, 2, 4);
	expect("-8000000000 cfg4/2=4 ");
}

Test(remote, sizing_probe_is_no_move)
{
	cfg(0x04, 2, 2);
	trace[0] = '\0';
	cfg(0x10, 4, ~0u);
	cfg(0x14, 4, ~0u);
	cr_assert_eq(cfg_get(0x10, 4), 0xffffc004u);
	cr_assert_eq(cfg_get(0x14, 4), ~0u);
	/* The low half alone is a legal address of the window for an instant; all-ones is none. */
	for (unsigned i = 0; i < 32; i++)
		cr_assert(!slots[i].used);
	cfg(0x10, 4, 0);
	cfg(0x14, 4, 0x80);
	cr_assert(slots[0].used);
	cr_assert_eq(slots[0].gpa, 0x8000000000ull);
}

Test(remote, relocation_moves_the_slots)
{
	cfg(0x04, 2, 2);
	trace[0] = '\0';
	cfg(0x10, 4, 0x00100000);
	expect("-8000000000 +8000100000 ");
}

Test(remote, addresses_outside_the_windows_answer_nothing)
{
	static const uint64_t bad[] = {0, 0x100000, 0xbfffc000, 0xf0000000, 0xfee00000, 0x100000000,
		0x7fffffc000, 0xfd00000000, 0xffffffffffffc000};
	uint8_t data[4];

	cfg(0x04, 2, 2);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cfg(0x10, 4, (uint32_t)bad[i]);
		cfg(0x14, 4, (uint32_t)(bad[i] >> 32));
		cr_assert(!slots[0].used, "mapped at %llx", (unsigned long long)bad[i]);
		if (bad[i] != 0xf0000000)
			cr_assert(!bus_read(&vm.mmio, bad[i] + 0x2000, data, 4));
	}
	cfg(0x14, 4, 0);
	cfg(0x10, 4, 0xc0000000);
	cr_assert(slots[0].used && slots[0].gpa == 0xc0000000);
}

Test(remote, d3_takes_memory_first_and_brings_it_last)
{
	cfg(0x04, 2, 2);
	trace[0] = '\0';
	cfg(PM + 4, 2, 3);
	expect("-8000000000 cfg44/2=3 ");
	cfg(PM + 4, 2, 0);
	expect("cfg44/2=0 +8000000000 ");
}

Test(remote, flr_forgets_and_the_guest_restores)
{
	cfg(0x04, 2, 6);
	trace[0] = '\0';
	cfg(EXP + 8, 2, 0x8000);
	expect("-8000000000 cfg4/2=0 reset cfg4/2=0 ");
	cr_assert_eq(cfg_get(0x10, 4), 4u);
	cr_assert_eq(cfg_get(0x14, 4), 0u);
	cfg(0x14, 4, 0x80);
	cfg(0x04, 2, 6);
	expect("cfg4/2=6 +8000000000 ");
}

Test(remote, no_flr_where_the_device_has_none)
{
	fn.desc.config[EXP + 7] = 0;
	cfg(0x04, 2, 6);
	trace[0] = '\0';
	cfg(EXP + 8, 2, 0x8000);
	expect("cfg68/2=8000 ");
}

/* A guest that would hand on what it believes clean must not find it running. */
Test(remote, flr_that_fails_fails_the_device)
{
	cfg(0x04, 2, 6);
	refuse_reset = true;
	cfg(EXP + 8, 2, 0x8000);
	cr_assert(!peer_serves(&fn.peer));
	cr_assert_eq(cfg_get(0, 4), ~0u);
}

Test(remote, table_and_pba_stay_in_the_core)
{
	uint64_t bar = 0x8000000000ull;
	uint8_t data[8] = {0};
	uint32_t unmask = 0;

	cfg(0x04, 2, 2);
	cfg(MSIX + 2, 2, 0x8000);
	trace[0] = '\0';
	cr_assert(bus_write(&vm.mmio, bar + 0x2000 + 12, (uint8_t *)&unmask, 4));
	expect("arm0 route on ");
	cr_assert(bus_read(&vm.mmio, bar + 0x2000, data, 8));
	cr_assert(bus_read(&vm.mmio, bar + 0x3000, data, 8));
	cr_assert_eq(data[0], 0);
	cr_assert(bus_write(&vm.mmio, bar + 0x3000, data, 8));
	expect("");
	/* Behind the table, in its page: the device's own registers. */
	cr_assert(bus_read(&vm.mmio, bar + 0x2000 + 65 * 16, data, 4));
	expect("r0+2410/4 ");
}

Test(remote, misaligned_accesses_answer_nothing)
{
	uint8_t data[4] = {1, 2, 3, 4};

	cfg(0x04, 2, 2);
	trace[0] = '\0';
	bus_read(&vm.mmio, 0x8000002001ull, data, 4);
	cr_assert_eq(data[0], 0xff);
	bus_write(&vm.mmio, 0x8000002001ull, data, 4);
	bus_read(&vm.mmio, ECAM_BASE + ECAM_FN + 1, data, 4);
	cr_assert_eq(data[0], 0xff);
	expect("");
}

Test(remote, ports_decode_on_the_port_bus)
{
	uint8_t data[4];

	cr_assert(!bus_read(&vm.pio, 0x1000, data, 4));
	cfg(0x04, 2, 1);
	trace[0] = '\0';
	cr_assert(bus_read(&vm.pio, 0x1000, data, 4));
	expect("r2+0/4 ");
	cfg(0x18, 4, 0x2000);
	cr_assert(!bus_read(&vm.pio, 0x1000, data, 4));
	cr_assert(bus_read(&vm.pio, 0x2004, data, 1));
	expect("r2+4/1 ");
}

Test(remote, vm_reset_puts_everything_back)
{
	uint32_t unmask = 0;

	cfg(0x10, 4, 0x00100000);
	cfg(0x04, 2, 6);
	cfg(MSIX + 2, 2, 0x8000);
	bus_write(&vm.mmio, 0x8000102000ull + 12, (uint8_t *)&unmask, 4);
	trace[0] = '\0';
	pci_reset(&pci);
	expect("-8000100000 off msix0 free cfg4/2=0 reset-all cfg4/2=0 ");
	cr_assert_eq(cfg_get(0x10, 4), 4u);
	cr_assert_eq(cfg_get(0x14, 4), 0x80u);
	cr_assert_eq(cfg_get(MSIX + 2, 2), 64u);
}

/* It is closed then, as one whose helper is gone: its DMA must not meet another kernel. */
Test(remote, a_device_that_is_not_reset_does_not_see_the_next_kernel)
{
	cfg(0x04, 2, 6);
	trace[0] = '\0';
	refuse_reset = true;
	pci_reset(&pci);
	expect("-8000000000 cfg4/2=0 reset-all vm0 ");
	cr_assert(!peer_serves(&fn.peer));
	for (unsigned i = 0; i < PCI_BARS; i++)
		cr_assert_null(fn.bars[i].host[0]);
	cr_assert_eq(cfg_get(0x04, 2), 0xffff);
}

Test(remote, bar_fault_traps_until_the_helper_serves_again)
{
	uint8_t data[4];

	cfg(0x04, 2, 2);
	trace[0] = '\0';
	cr_assert(!remote_bar_fault(&fn, true), "it has no doorbell pages");
	expect("");
	cr_assert(remote_bar_fault(&fn, false));
	expect("-8000000000 ");
	cr_assert(!remote_bar_fault(&fn, false));
	refuse = true;
	bus_read(&vm.mmio, 0x8000000000ull, data, 4);
	cr_assert_eq(data[0], 0xff);
	expect("r0+0/4 ");
	refuse = false;
	bus_read(&vm.mmio, 0x8000000000ull, data, 4);
	cr_assert_eq(data[0], 0x88);
	expect("r0+0/4 +8000000000 ");
}

/* The helper answers for memory that is switched off as a bus does (helpers/vfio/access.c). Slots that
 * come back for it are gone at the next access, and those of others with them for a moment. */
Test(remote, bar_fault_traps_until_there_is_an_answer)
{
	uint8_t data[4] = {0};

	cfg(0x04, 2, 2);
	cr_assert(remote_bar_fault(&fn, false));
	trace[0] = '\0';
	memory_off = true;
	bus_read(&vm.mmio, 0x8000000000ull, data, 4);
	cr_assert_eq(data[0], 0xff);
	bus_write(&vm.mmio, 0x8000000000ull, data, 4);
	expect("r0+0/4 w0+0/4 ");
	memory_off = false;
	bus_read(&vm.mmio, 0x8000000000ull, data, 4);
	expect("r0+0/4 +8000000000 ");
}

Test(remote, a_failed_helper_reads_all_ones_and_drops_writes)
{
	uint8_t data[4];

	cfg(0x04, 2, 2);
	remote_gone(&fn, "killed");
	trace[0] = '\0';
	cr_assert_eq(cfg_get(0, 4), ~0u);
	cr_assert_eq(cfg_get(0x10, 4), ~0u);
	cfg(0x04, 2, 0);
	bus_read(&vm.mmio, 0x8000002000ull, data, 4);
	cr_assert_eq(data[0], 0xff);
	expect("");
	cr_assert(slots[0].used, "the data path goes on");
	remote_drop(&fn);
	cr_assert(!slots[0].used);
}

Test(remote, two_bars_at_one_address_do_not_fight)
{
	static struct remote second;
	struct err err = {0};
	uint32_t command = 2, low = 0;

	cr_assert_eq(create(&second, "0000:00:04.0", &err), 0, "%s", err.msg);
	cfg(0x04, 2, 2);
	bus_write(&vm.mmio, ECAM_BASE + 2 * ECAM_FN + 0x10, (uint8_t *)&low, 4);
	trace[0] = '\0';
	bus_write(&vm.mmio, ECAM_BASE + 2 * ECAM_FN + 0x04, (uint8_t *)&command, 2);
	expect("cfg4/2=2 ");
}

Test(remote, cf8_reaches_the_same_registers)
{
	uint32_t at = 0x80000000u | 1 << 11 | 0x10, value = 0;

	bus_write(&vm.pio, 0xcf8, (uint8_t *)&at, 4);
	cr_assert(bus_read(&vm.pio, 0xcfc, (uint8_t *)&value, 4));
	cr_assert_eq(value, 4u);
	at = 0x80000000u | 31 << 11;
	bus_write(&vm.pio, 0xcf8, (uint8_t *)&at, 4);
	bus_read(&vm.pio, 0xcfc, (uint8_t *)&value, 4);
	cr_assert_eq(value, ~0u, "no such device");
	at = 0x80010000u | 1 << 11;
	bus_write(&vm.pio, 0xcf8, (uint8_t *)&at, 4);
	bus_read(&vm.pio, 0xcfc, (uint8_t *)&value, 4);
	cr_assert_eq(value, ~0u, "no such bus");
}

Test(remote, cf9_resets_and_does_not_touch_cf8)
{
	uint8_t reset = 6;

	bus_write(&vm.pio, 0xcf9, &reset, 1);
	expect("vm1 ");
}

/* A virtio device: BAR0 32 KiB, all trapped; BAR2 8 KiB, a doorbell a page, three of them. */
static void make_virtio(struct remote *virtio, bool pages)
{
	struct err err = {0};

	memset(&desc, 0, sizeof(desc));
	desc.config_size = 256;
	desc.config[0x3d] = 1;
	desc.intx = true;
	desc.can_suspend = true;
	desc.regions[0] = (struct region_desc){.size = 0x8000, .is_64 = true};
	desc.regions[2] = (struct region_desc){.size = 0x4000, .is_64 = true};
	if (pages) {
		desc.regions[2].doorbell_pages = true;
		desc.regions[2].n_ranges = 1;
		desc.regions[2].ranges[0].size = 0x2000;
	}
	desc.doorbells = (struct doorbell_desc){.count = 3, .bar = 2, .stride = 4096};
	cr_assert_eq(create(virtio, "vhost-vdpa-0", &err), 0, "%s", err.msg);
}

Test(remote, doorbells_follow_their_bar)
{
	static struct remote virtio;
	uint8_t data[2] = {0};

	make_virtio(&virtio, false);
	/* Device 2, pin A: GSI 18, as in the _PRT. */
	expect("kick0 kick1 kick2 pin18 intx ");
	cfg_of(2, 0x04, 2, 2);
	expect("cfg4/2=2 !8000004000 !8000005000 !8000006000 ");
	cfg_of(2, 0x18, 4, 0x00100000);
	expect("~8000004000 ~8000005000 ~8000006000 !8000100000 !8000101000 !8000102000 ");
	cfg_of(2, 0x04, 2, 0);
	expect("~8000100000 ~8000101000 ~8000102000 cfg4/2=0 ");
	/* No room in KVM: the write traps, and the helper notifies. */
	no_room = true;
	cfg_of(2, 0x04, 2, 2);
	cr_assert(bus_write(&vm.mmio, 0x8000101000ull, data, 2));
	expect("cfg4/2=2 w2+1000/2 ");
	cfg_of(2, 0x04, 2, 0);
	expect("cfg4/2=0 ");
}

Test(remote, doorbell_pages_lie_on_top)
{
	static struct remote virtio;
	uint8_t data[4];

	make_virtio(&virtio, true);
	trace[0] = '\0';
	cfg_of(2, 0x04, 2, 2);
	expect("cfg4/2=2 !8000004000 !8000005000 !8000006000 +8000004000 ");
	/* Another device's memory is gone: not these. */
	cr_assert(!remote_bar_fault(&virtio, false));
	expect("");
	/* Read before it was written: the slot goes, the eventfds stay. */
	cr_assert(remote_bar_fault(&virtio, true));
	expect("-8000004000 ");
	/* It comes back with an access elsewhere: its own never trap. */
	cr_assert(bus_read(&vm.mmio, 0x8000008000ull, data, 4));
	expect("r0+0/4 +8000004000 ");
	remote_drop(&virtio);
	expect("-8000004000 ~8000004000 ~8000005000 ~8000006000 ");
}

Test(remote, mappable_ranges_need_a_device)
{
	static struct remote other;
	struct err err = {0};

	close(device_fd);
	cr_assert_lt(create(&other, "vhost-vdpa-0", &err), 0);
	cr_assert(strstr(err.msg, "cannot be mapped"), "%s", err.msg);
}

static bool held; /* something else has the device's BARs */

void *mmap(void *at, size_t size, int prot, int flags, int fd, off_t offset)
{
	if (held && fd >= 0) {
		errno = EBUSY;
		return MAP_FAILED;
	}
	return (void *)syscall(SYS_mmap, at, size, prot, flags, fd, offset);
}

/* By the boot framebuffer: the helper is not to blame, and there is something to do. */
Test(remote, bar_held_by_the_host)
{
	static struct remote other;
	struct err err = {0};

	held = true;
	cr_assert_eq(create(&other, "0000:00:04.0", &err), -EBUSY);
	cr_assert_eq(err.blame, BLAME_HOST);
	cr_assert(strstr(err.msg, "0000:00:04.0: BAR ") && strstr(err.msg, "/proc/iomem"), "%s", err.msg);
}

/* A BAR that is to trap is one the device has. */
Test(remote, no_such_bar_to_trap)
{
	static struct remote second;
	struct err err = {0};

	desc.regions[1].size = 0;
	config.trapped = 1u << 1;
	cr_assert_eq(create(&second, "0000:00:04.0", &err), -ENODEV);
	cr_expect_not_null(strstr(err.msg, "no BAR 1; its BARs are: 0, 2"), "%s", err.msg);
}

/* Once all of the VM's devices are there: its helper is told, and the device begins with nothing decoding,
 * as the guest's shadow of it does; what the guest has switched on stays on when others come. */
Test(remote, settles)
{
	struct err err = {0};

	memcpy(device_config + 4, "\6", 1);
	cr_assert_eq(remote_settle(&fn, &err), 0, "%s", err.msg);
	expect("settled cfg4/2=0 ");
	cfg(4, 2, 2);
	trace[0] = '\0';
	cr_assert_eq(remote_settle(&fn, &err), 0, "%s", err.msg);
	expect("settled ");
	cfg(4, 2, 0);
	peer_fail(&fn.peer, "gone");
	trace[0] = '\0';
	cr_assert_eq(remote_settle(&fn, &err), -EIO);
	cr_expect_not_null(strstr(err.msg, "0000:00:03.0: its COMMAND register"), "%s", err.msg);
}

Test(remote, suspends_what_can_be)
{
	static struct remote virtio;
	struct err err = {0};

	make_virtio(&virtio, false);
	trace[0] = '\0';
	cr_assert_eq(remote_suspend(&fn, &err), 0);
	expect("");
	cr_assert_eq(remote_suspend(&virtio, &err), 0);
	cr_assert_eq(remote_resume(&virtio, &err), 0);
	expect("suspend resume ");
	peer_fail(&virtio.peer, "gone");
	cr_assert_eq(remote_suspend(&virtio, &err), 0);
	expect("");
}

/* Nonsense in every config register, in every size, never maps anything outside the windows. */
Test(remote, nonsense_stays_inside_the_windows)
{
	uint32_t seed = 7;

	for (unsigned i = 0; i < 100000; i++) {
		unsigned size = 1u << (i % 3);

		seed = seed * 1664525 + 1013904223;
		cfg((seed >> 8 & 0x7f) / size * size, size, seed ^ seed << 13);
		trace[0] = '\0';
		for (unsigned k = 0; k < 32; k++) {
			if (!slots[k].used)
				continue;
			cr_assert(slots[k].gpa >= MMIO32_BASE);
			cr_assert(slots[k].gpa + slots[k].size <= vm.ram.layout.mmio64_end);
			cr_assert(slots[k].gpa + slots[k].size <= MMIO32_END ||
				slots[k].gpa >= vm.ram.layout.mmio64_base);
		}
	}
}
