/* SPDX-License-Identifier: Apache-2.0
 *
 * A guest at the config space and BARs of two functions, one like an NVMe and one like a virtio
 * device, whose helpers refuse and die now and then. Whatever it does, memslots and doorbells lie
 * inside the PCI windows, never on each other, and a reset takes all of them away.
 *
 * The asks and KVM are doubles; functions, root, table and buses are real.
 *
 * fuzzes: vmm/pci/pci.c vmm/pci/msi.c vmm/pci/remote.c vmm/pci/remote_bar.c vmm/pci/remote_irq.c vmm/pci/remote_kick.c
 * fuzzes: vmm/pci/remote_rom.c
 * links: vmm/pci/remote.c vmm/pci/remote_bar.c vmm/pci/remote_irq.c vmm/pci/remote_kick.c vmm/pci/remote_life.c
 * links: vmm/pci/remote_map.c vmm/pci/remote_rom.c vmm/peer.c vmm/peer_state.c vmm/kvm/gate.c
 * links: vmm/boot/image.c
 * links: vmm/pci/msi.c vmm/pci/msix.c vmm/pci/pci.c vmm/pci/bus.c tests/fuzz/kvm.c
 */
#include "tests/fuzz/kvm.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ipc/log.h"
#include "vmm/pci/remote.h"

enum {
	FUNCTIONS = 2, DOORBELLS = 3, VECTORS = 9, MSI_VECTORS = 4,
	PM = 0x40, MSIX = 0x50, EXP = 0x60, AF = 0xa0, MSI = 0xb0,
	MSI_CONTROL = 0x184, /* 4 vectors, 64-bit address, masks */
};

static struct input in;
static struct vm vm;
static struct pci pci;
static struct remote fns[FUNCTIONS];
static struct function_desc descs[FUNCTIONS];
static uint8_t device_config[FUNCTIONS][4096];
static int device_fd;

static unsigned index_of(const struct peer *p)
{
	return p == &fns[1].peer;
}

static int outcome(struct peer *p)
{
	unsigned code = (unsigned)take(&in, 1);

	if (code == 0xff)
		peer_step(p, PEER_HANGS_UP, NULL);
	return !peer_serves(p) ? -EPIPE : code > 0xf0 ? -EIO : 0;
}

int ask_kick_arm(struct peer *p, unsigned queue, int eventfd, struct err *e)
{
	(void)p, (void)e;
	require(queue < DOORBELLS && eventfd >= 0);
	return 0;
}

int ask_intx_arm(struct peer *p, int trigger, int resample, struct err *e)
{
	(void)p, (void)e, (void)trigger, (void)resample;
	return 0;
}

int ask_suspend(struct peer *p, struct err *e)
{
	(void)e;
	return outcome(p);
}

int ask_resume(struct peer *p, struct err *e)
{
	(void)e;
	return outcome(p);
}

void tell_settled(struct peer *p)
{
	require(p == &fns[0].peer || p == &fns[1].peer);
}

int ask_config_read(struct peer *p, unsigned offset, unsigned size, uint32_t *ret)
{
	int r = outcome(p);

	require(offset % size == 0 && offset + size <= fns[index_of(p)].desc.config_size);
	*ret = r < 0 ? ~0u : 0;
	if (r == 0)
		memcpy(ret, device_config[index_of(p)] + offset, size);
	return r;
}

int ask_config_write(struct peer *p, unsigned offset, unsigned size, uint32_t value)
{
	require(offset % size == 0 && offset + size <= fns[index_of(p)].desc.config_size);
	memcpy(device_config[index_of(p)] + offset, &value, size);
	return outcome(p);
}

static void check_region(struct peer *p, unsigned index, uint64_t offset, unsigned size)
{
	const struct region_desc *region = &fns[index_of(p)].desc.regions[index];

	require(index < PCI_BARS && offset % size == 0 && offset < region->size);
	require(size <= region->size - offset);
}

int ask_region_read(struct peer *p, unsigned index, uint64_t offset, unsigned size, uint64_t *ret)
{
	check_region(p, index, offset, size);
	*ret = 0;
	return outcome(p);
}

int ask_region_write(struct peer *p, unsigned index, uint64_t offset, unsigned size, uint64_t value)
{
	(void)value;
	check_region(p, index, offset, size);
	return outcome(p);
}

int ask_msix_mode(struct peer *p, bool enable)
{
	(void)enable;
	return outcome(p);
}

int ask_msix_arm(struct peer *p, unsigned vector, int eventfd)
{
	require(vector < VECTORS && eventfd >= 0);
	return outcome(p);
}

int ask_msi_mode(struct peer *p, unsigned vectors)
{
	require(vectors <= MSI_VECTORS && (vectors & (vectors - 1)) == 0);
	return outcome(p);
}

int ask_msi_arm(struct peer *p, unsigned vector, int eventfd)
{
	require(vector < MSI_VECTORS && eventfd >= 0);
	return outcome(p);
}

int ask_reset(struct peer *p, bool whole)
{
	(void)whole;
	return outcome(p);
}

bool peer_on_event(struct peer *p)
{
	return outcome(p) == 0;
}

void kvm_vfio_del(struct kvm_vfio *list, int place)
{
	(void)list, (void)place;
}

static void put_cap(struct function_desc *d, unsigned at, unsigned id, unsigned next)
{
	d->config[at] = (uint8_t)id;
	d->config[at + 1] = (uint8_t)next;
}

static void make_descs(void)
{
	struct function_desc *d = &descs[0];

	*d = (struct function_desc){.config_size = 4096,
		.msix = {.vectors = VECTORS, .cap = MSIX, .table_offset = 0x2000,
			.pba_offset = 0x3000}};
	d->config[0x34] = PM;
	put_cap(d, PM, 0x01, MSIX);
	put_cap(d, MSIX, 0x11, EXP);
	put_cap(d, EXP, 0x10, AF);
	put_cap(d, AF, 0x13, MSI);
	put_cap(d, MSI, 0x05, 0);
	d->msi_cap = MSI;
	d->config[MSI + 2] = MSI_CONTROL & 0xff;
	d->config[MSI + 3] = MSI_CONTROL >> 8;
	d->regions[0] = (struct region_desc){.size = 0x8000, .is_64 = true, .n_ranges = 2,
		.ranges = {{0, 0x2000}, {0x4000, 0x4000}}};
	d->regions[2] = (struct region_desc){.size = 32, .io = true};
	d->regions[3] = (struct region_desc){.size = 256};
	d->rom_size = 0x2000;
	d->config[EXP + 7] = 0x10; /* function level reset */
	d->config[AF + 3] = 3;
	d = &descs[1];
	*d = (struct function_desc){.config_size = 256, .intx = true, .can_suspend = true,
		.doorbells = {.count = DOORBELLS, .bar = 2, .stride = 4096}};
	d->regions[0] = (struct region_desc){.size = 0x8000, .is_64 = true};
	d->regions[2] = (struct region_desc){.size = 0x4000, .is_64 = true, .doorbell_pages = true,
		.n_ranges = 1, .ranges = {{0, 0x2000}}};
}

/* Anew after a helper died: mappings of a dead function do not come back. */
static void make_machine(void)
{
	struct err err = {0};

	bus_init(&vm.mmio);
	bus_init(&vm.pio);
	vm.ram.layout.mmio64_base = 0x8000000000ull;
	vm.ram.layout.mmio64_end = 0xfd00000000ull;
	require(pci_init(&pci, &vm, &err) == 0);
	for (unsigned i = 0; i < FUNCTIONS; i++) {
		peer_init(&fns[i].peer, "device", FD_NONE_INIT, FD_NONE_INIT);
		fns[i].vfio_file = -1;
		require(remote_create(&fns[i], &descs[i], device_fd, &vm, &pci,
			&(struct device_config){0}, &err) == 0);
	}
}

static void begin(void)
{
	static bool made;

	if (made && peer_serves(&fns[0].peer) && peer_serves(&fns[1].peer))
		return;
	if (!made) {
		make_descs();
		device_fd = memfd_create("bar", MFD_CLOEXEC);
		require(ftruncate(device_fd, 0x8000) == 0);
	} else {
		remote_drop(&fns[0]);
		remote_drop(&fns[1]);
	}
	make_machine();
	made = true;
}

/* Where a guest looks for a BAR, wherever it put it. */
static uint64_t bar_address(const struct remote *fn, unsigned code, bool *ret_io)
{
	static const uint8_t present[] = {0, 2, 3, 0};
	unsigned index = present[code & 3];

	*ret_io = fn->desc.regions[index].io;
	return fn->bars[index].addr;
}

static void guest_access(struct bus *bus, uint64_t addr, unsigned size, bool write)
{
	uint64_t value = write ? take(&in, size) : 0;

	if (write)
		bus_write(bus, addr, (const uint8_t *)&value, size);
	else
		bus_read(bus, addr, (uint8_t *)&value, size);
}

static void at_bar(const struct remote *fn, unsigned op)
{
	bool io;
	uint64_t addr = bar_address(fn, op >> 2, &io) + take(&in, op & 0x10 ? 1 : 2);

	guest_access(io ? &vm.pio : &vm.mmio, addr, 1u << (op & 3), op & 0x20);
}

static void at_config(unsigned which, unsigned op)
{
	unsigned size = 1u << (op & 3), reg = (unsigned)take(&in, op & 0x10 ? 2 : 1) & 0xfff;
	uint32_t cf8 = 1u << 31 | (which + 1) << 11 | (reg & 0xfc);

	if (op & 4) {
		bus_write(&vm.pio, 0xcf8, (const uint8_t *)&cf8, 4);
		guest_access(&vm.pio, 0xcfc + (reg & 3), size, op & 0x20);
	} else {
		guest_access(&vm.mmio, ECAM_BASE + ((which + 1) << 15 | reg), size, op & 0x20);
	}
}

/* What the main thread does for a helper that ended, or a device that the host wants. */
static void tend(struct remote *fn, bool wanted)
{
	if (wanted && peer_serves(&fn->peer))
		remote_take(fn);
	remote_to_be_ended(fn);
	if (remote_state(fn) != PEER_SERVES && remote_to_be_released(fn))
		remote_released(fn);
}

static void one(void)
{
	unsigned op = (unsigned)take(&in, 1), which = op >> 7;
	struct remote *fn = &fns[which];
	struct err err;

	if (op & 0x40) {
		at_config(which, op);
	} else if ((op & 0x3f) < 0x38) {
		at_bar(fn, op);
	} else {
		switch (op & 7) {
		case 0: pci_reset(&pci); break;
		case 1: remote_bar_fault(fn, op & 0x80); break;
		case 2: remote_gone(fn, "killed"); break;
		case 3: remote_suspend(fn, &err); break;
		case 4: remote_resume(fn, &err); break;
		case 5: remote_on_event(fn); break;
		case 6: tend(fn, op >> 3 & 1); break;
		default: guest_access(take(&in, 1) & 1 ? &vm.pio : &vm.mmio, take(&in, 5), 4, op & 8);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	log_init("", LOG_SAY, -1);
	in = (struct input){0};
	kvm_begin(&in);
	begin();
	for (unsigned i = 0; i < FUNCTIONS; i++)
		memcpy(device_config[i], descs[i].config, descs[i].config_size);
	in = input_of(data, size);
	while (input_left(&in))
		one();
	pci_reset(&pci);
	kvm_end();
	return 0;
}
