/* SPDX-License-Identifier: Apache-2.0
 *
 * A remote function against a recorded helper and a recorded KVM: config space, BAR placement and
 * relocation, memslots, and the order in which memory and device are told.
 *
 * The asks (vmm/peer.c), memslots and irqs are doubles that write one word each to a trace; the
 * buses, the PCI root and the MSI-X table are the real ones.
 *
 * links: vmm/remote.c vmm/remote_bar.c vmm/remote_irq.c vmm/remote_kick.c vmm/remote_rom.c vmm/image.c
 * links: ipc/describe.c vmm/msi.c vmm/msix.c vmm/pci.c vmm/bus.c
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/remote.h"

static char trace[4096];
static uint8_t device_config[4096];
static struct function_desc desc;
static int device_fd = -1;
static bool refuse, refuse_reset;
static struct { uint64_t gpa, size; bool used; } slots[32];

static void traced(const char *fmt, ...)
{
	size_t n = strlen(trace);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(trace + n, sizeof(trace) - n, fmt, ap);
	va_end(ap);
}

int ask_describe(struct peer *p, struct function_desc *ret, struct fd *ret_device, struct err *e)
{
	(void)p, (void)e;
	*ret = desc;
	*ret_device = (struct fd){dup(device_fd)};
	return 0;
}

int ask_kick_arm(struct peer *p, unsigned queue, int eventfd, struct err *e)
{
	(void)p, (void)e;
	cr_assert_geq(eventfd, 0);
	traced("kick%u ", queue);
	return 0;
}

int ask_intx_arm(struct peer *p, int trigger, int resample, struct err *e)
{
	(void)p, (void)e;
	cr_assert(trigger >= 0 && resample >= 0 && trigger != resample);
	traced("intx ");
	return 0;
}

int ask_suspend(struct peer *p, struct err *e)
{
	(void)p, (void)e;
	traced("suspend ");
	return 0;
}

int ask_resume(struct peer *p, struct err *e)
{
	(void)p, (void)e;
	traced("resume ");
	return 0;
}

int ask_run(struct peer *p, struct err *e)
{
	(void)p, (void)e;
	return 0;
}

int ask_config_read(struct peer *p, unsigned offset, unsigned size, uint32_t *ret)
{
	*ret = ~0u;
	if (p->failed)
		return -EPIPE;
	*ret = 0;
	memcpy(ret, device_config + offset, size);
	return 0;
}

int ask_config_write(struct peer *p, unsigned offset, unsigned size, uint32_t value)
{
	(void)p;
	traced("cfg%x/%u=%x ", offset, size, value);
	memcpy(device_config + offset, &value, size);
	return 0;
}

int ask_region_read(struct peer *p, unsigned index, uint64_t offset, unsigned size, uint64_t *ret)
{
	(void)p;
	traced("r%u+%llx/%u ", index, (unsigned long long)offset, size);
	*ret = refuse ? ~0ull : 0x1122334455667788ull;
	return refuse ? -EIO : 0;
}

int ask_region_write(struct peer *p, unsigned index, uint64_t offset, unsigned size, uint64_t value)
{
	(void)p, (void)value;
	traced("w%u+%llx/%u ", index, (unsigned long long)offset, size);
	return 0;
}

int ask_msi_mode(struct peer *p, unsigned vectors)
{
	(void)p;
	(void)vectors;
	return 0;
}

int ask_msi_arm(struct peer *p, unsigned vector, int eventfd)
{
	(void)p;
	(void)vector;
	(void)eventfd;
	return 0;
}

int ask_msix_mode(struct peer *p, bool enable)
{
	(void)p;
	traced("msix%d ", enable);
	return 0;
}

int ask_msix_arm(struct peer *p, unsigned vector, int eventfd)
{
	(void)p, (void)eventfd;
	traced("arm%u ", vector);
	return 0;
}

int ask_reset(struct peer *p)
{
	(void)p;
	traced("reset ");
	return refuse_reset ? -EIO : 0;
}

void peer_begin(struct peer *p)
{
	(void)p;
}

void peer_close(struct peer *p)
{
	p->failed = true;
}

void peer_fail(struct peer *p, const char *why)
{
	(void)why;
	p->failed = true;
}

void peer_on_event(struct peer *p)
{
	(void)p;
}

static uint8_t *last_host;

int vm_slot_add_rom(struct vm *vm, uint64_t gpa, uint64_t size, void *host)
{
	traced("rom");
	last_host = host;
	return vm_slot_add(vm, gpa, size, host);
}

int vm_slot_add(struct vm *vm, uint64_t gpa, uint64_t size, void *host)
{
	(void)vm;
	cr_assert_neq(host, NULL);
	for (int i = 0; i < 32; i++) {
		if (slots[i].used)
			continue;
		slots[i].used = true;
		slots[i].gpa = gpa;
		slots[i].size = size;
		traced("+%llx ", (unsigned long long)gpa);
		return i;
	}
	return -ENOSPC;
}

void vm_slot_del(struct vm *vm, int slot)
{
	(void)vm;
	cr_assert(slots[slot].used);
	slots[slot].used = false;
	traced("-%llx ", (unsigned long long)slots[slot].gpa);
}

static bool no_room;

int vm_ioeventfd_add(struct vm *vm, int eventfd, uint64_t gpa)
{
	(void)vm;
	cr_assert_geq(eventfd, 0);
	if (no_room)
		return -ENOSPC;
	traced("!%llx ", (unsigned long long)gpa);
	return 0;
}

void vm_ioeventfd_del(struct vm *vm, int eventfd, uint64_t gpa)
{
	(void)vm, (void)eventfd;
	traced("~%llx ", (unsigned long long)gpa);
}

void vm_ask(struct vm *vm, enum vm_request request)
{
	(void)vm;
	traced("vm%d ", request);
}

int irq_gsi_alloc(struct irq *irq)
{
	(void)irq;
	return 24;
}

void irq_gsi_free(struct irq *irq, uint32_t gsi)
{
	(void)irq, (void)gsi;
	traced("free ");
}

int irq_route(struct irq *irq, uint32_t gsi, uint64_t addr, uint32_t data)
{
	(void)irq, (void)gsi, (void)addr, (void)data;
	traced("route ");
	return 0;
}

int irqfd_on(struct irq *irq, int fd, uint32_t gsi)
{
	(void)irq, (void)fd, (void)gsi;
	traced("on ");
	return 0;
}

int irqfd_off(struct irq *irq, int fd, uint32_t gsi)
{
	(void)irq, (void)fd, (void)gsi;
	traced("off ");
	return 0;
}

int irqfd_on_pin(struct irq *irq, int fd, int resample, uint32_t gsi)
{
	(void)irq, (void)fd, (void)resample;
	traced("pin%u ", gsi);
	return 0;
}

static struct vm vm;
static struct pci pci;
static struct device_opt opt;
static struct remote fn;

enum { PM = 0x40, MSIX = 0x50, EXP = 0x60, ECAM_FN = 1 << 15 };

/* An NVMe as QEMU makes it: BAR0 16 KiB, 64-bit, table at 0x2000, PBA at 0x3000; a second BAR of
 * 32 ports. */
static void describe(void)
{
	desc.config_size = 4096;
	desc.config[0x34] = PM;
	desc.config[PM] = 0x01;
	desc.config[PM + 1] = MSIX;
	desc.config[MSIX] = 0x11;
	desc.config[MSIX + 1] = EXP;
	desc.config[EXP] = 0x10;
	desc.config[EXP + 7] = 0x10; /* function level reset */
	desc.regions[0] = (struct region_desc){.size = 0x4000, .is_64 = true, .n_ranges = 1,
		.ranges = {{0, 0x2000}}};
	desc.regions[2] = (struct region_desc){.size = 32, .io = true};
	desc.msix = (struct msix_desc){.vectors = 65, .cap = MSIX, .table_offset = 0x2000,
		.pba_offset = 0x3000};
	memcpy(device_config, desc.config, sizeof(device_config));
	device_config[0] = 0x36;
}

static void setup(void)
{
	struct err err = {0};
	struct peer peer = {.name = "0000:00:03.0"};

	describe();
	device_fd = memfd_create("bar", 0);
	cr_assert_eq(ftruncate(device_fd, 0x4000), 0);
	vm.ram.layout.mmio64_base = 0x8000000000ull;
	vm.ram.layout.mmio64_end = 0xfd00000000ull;
	bus_init(&vm.mmio);
	bus_init(&vm.pio);
	cr_assert_eq(pci_init(&pci, &vm, &err), 0);
	cr_assert_eq(remote_create(&fn, &peer, &vm, &pci, &opt, &err), 0, "%s", err.msg);
	trace[0] = '\0';
}

static void cfg(unsigned reg, unsigned size, uint32_t value)
{
	cr_assert(bus_write(&vm.mmio, ECAM_BASE + ECAM_FN + reg, (const uint8_t *)&value, size));
}

static uint32_t cfg_get(unsigned reg, unsigned size)
{
	uint32_t value = 0;

	cr_assert(bus_read(&vm.mmio, ECAM_BASE + ECAM_FN + reg, (uint8_t *)&value, size));
	return value;
}

#define expect(what)                                                                               \
	do {                                                                                       \
		cr_assert_str_eq(trace, what);                                                     \
		trace[0] = '\0';                                                                   \
	} while (0)

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
	cr_assert(fn.peer.failed);
	cr_assert_eq(cfg_get(0, 4), ~0u);
}

/* One page and a bit, as a ROM of 8 KiB. */
static void with_rom(void)
{
	static struct remote second;
	struct err err = {0};
	struct peer peer = {.name = "0000:00:04.0"};

	desc.regions[0].size = desc.regions[2].size = 0;
	desc.msix.vectors = 0;
	cr_assert_eq(remote_create(&second, &peer, &vm, &pci, &opt, &err), 0, "%s", err.msg);
	trace[0] = '\0';
}

static void cfg2(unsigned reg, unsigned size, uint32_t value)
{
	cr_assert(bus_write(&vm.mmio, ECAM_BASE + 2 * ECAM_FN + reg, (const uint8_t *)&value, size));
}

static uint32_t cfg2_get(unsigned reg)
{
	uint32_t value = 0;

	cr_assert(bus_read(&vm.mmio, ECAM_BASE + 2 * ECAM_FN + reg, (uint8_t *)&value, 4));
	return value;
}

static void rom_file(size_t size)
{
	char path[] = "/tmp/rom.XXXXXX";
	int fd = mkstemp(path);
	struct err err = {0};

	cr_assert(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
	cr_assert_eq(pwrite(fd, "\x55\xaa", 2, 0), 2);
	opt.rom = path;
	cr_expect_eq(rom_read_file(&opt, &err), 0, "%s", err.msg);
	opt.rom = "file";
	close(fd);
	unlink(path);
}

Test(remote, rom_of_a_file)
{
	uint32_t at;

	rom_file(5000);
	with_rom();
	at = cfg2_get(0x30);
	cr_assert(at >= MMIO32_BASE && !(at & 1), "placed, and off");
	cfg2(0x30, 4, 0xfffffffe);
	cr_assert_eq(cfg2_get(0x30), 0xffffe000, "8 KiB");
	cfg2(0x30, 4, at | 1);
	expect("");
	cfg2(0x04, 2, 2);
	cr_assert(strstr(trace, "rom+"), "%s", trace);
	trace[0] = '\0';
	cfg2(0x30, 4, (at + 0x10000) | 1);
	cr_assert(strncmp(trace, "-", 1) == 0 && strstr(trace, "rom+"), "it moves: %s", trace);
	trace[0] = '\0';
	cfg2(0x30, 4, 0x1000 | 1);
	cr_assert(trace[0] == '-' && !strstr(trace, "rom"), "nothing shows over RAM: %s", trace);
	cfg2(0x30, 4, at | 1);
	trace[0] = '\0';
	cfg2(0x04, 2, 0);
	cr_assert(strchr(trace, '-'), "no memory, no ROM: %s", trace);
	cfg2(0x04, 2, 2);
	trace[0] = '\0';
	cfg2(0x30, 4, at);
	cr_assert(strchr(trace, '-'), "its own bit: %s", trace);
}

Test(remote, rom_of_the_device)
{
	uint8_t *rom;
	uint32_t at;

	desc.rom_size = 0x4000;
	desc.rom_fd_offset = 0;
	cr_assert_eq(pwrite(device_fd, "\x55\xaa", 2, 0), 2);
	with_rom();
	at = cfg2_get(0x30);
	cfg2(0x30, 4, at | 1);
	cfg2(0x04, 2, 2);
	cr_assert(strstr(trace, "rom+"), "%s", trace);
	rom = last_host;
	cr_assert(rom[0] == 0x55 && rom[1] == 0xaa, "a copy of it");
}

Test(remote, rom_off_or_unreadable_is_none)
{
	desc.rom_size = 0x4000;
	opt.rom = "off";
	with_rom();
	cfg2(0x30, 4, ~0u);
	cr_assert_eq(cfg2_get(0x30), 0);
}

Test(remote, rom_that_cannot_be_read_is_none)
{
	desc.rom_size = 0x4000;
	desc.rom_fd_offset = 0x4000;
	with_rom();
	cr_assert_eq(cfg2_get(0x30), 0);
}

Test(remote, rom_files_that_are_none)
{
	static const char *const bad[] = {"/nowhere/rom", "/tmp", "/dev/null"};
	struct err err;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		opt.rom = bad[i];
		cr_assert_lt(rom_read_file(&opt, &err), 0);
		cr_assert(strstr(err.msg, bad[i]) && strstr(err.msg, "rom="), "%s", err.msg);
	}
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
	expect("-8000100000 off msix0 free reset cfg4/2=0 ");
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
	expect("-8000000000 reset vm0 ");
	cr_assert(fn.peer.failed);
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
	struct peer peer = {.name = "0000:00:04.0"};
	struct err err = {0};
	uint32_t command = 2, low = 0;

	cr_assert_eq(remote_create(&second, &peer, &vm, &pci, &opt, &err), 0, "%s", err.msg);
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
	struct peer peer = {.name = "vhost-vdpa-0"};
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
	cr_assert_eq(remote_create(virtio, &peer, &vm, &pci, &opt, &err), 0, "%s", err.msg);
}

static void virtio_cfg(unsigned reg, unsigned size, uint32_t value)
{
	bus_write(&vm.mmio, ECAM_BASE + 2 * ECAM_FN + reg, (const uint8_t *)&value, size);
}

Test(remote, doorbells_follow_their_bar)
{
	static struct remote virtio;
	uint8_t data[2] = {0};

	make_virtio(&virtio, false);
	/* Device 2, pin A: GSI 18, as in the _PRT. */
	expect("kick0 kick1 kick2 pin18 intx ");
	virtio_cfg(0x04, 2, 2);
	expect("cfg4/2=2 !8000004000 !8000005000 !8000006000 ");
	virtio_cfg(0x18, 4, 0x00100000);
	expect("~8000004000 ~8000005000 ~8000006000 !8000100000 !8000101000 !8000102000 ");
	virtio_cfg(0x04, 2, 0);
	expect("~8000100000 ~8000101000 ~8000102000 cfg4/2=0 ");
	/* No room in KVM: the write traps, and the helper notifies. */
	no_room = true;
	virtio_cfg(0x04, 2, 2);
	cr_assert(bus_write(&vm.mmio, 0x8000101000ull, data, 2));
	expect("cfg4/2=2 w2+1000/2 ");
	virtio_cfg(0x04, 2, 0);
	expect("cfg4/2=0 ");
}

Test(remote, doorbell_pages_lie_on_top)
{
	static struct remote virtio;
	uint8_t data[4];

	make_virtio(&virtio, true);
	trace[0] = '\0';
	virtio_cfg(0x04, 2, 2);
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
	struct peer peer = {.name = "vhost-vdpa-0"};
	struct err err = {0};

	close(device_fd);
	cr_assert_lt(remote_create(&other, &peer, &vm, &pci, &opt, &err), 0);
	cr_assert(strstr(err.msg, "cannot be mapped"), "%s", err.msg);
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
	virtio.peer.failed = true;
	cr_assert_eq(remote_suspend(&virtio, &err), 0);
	expect("vm0 ");
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
