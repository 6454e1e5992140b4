/* SPDX-License-Identifier: Apache-2.0
 *
 * The expansion ROM of a remote function (PCI Local Bus 3.0, 6.2.5.2, 6.3).
 *
 * Core process, the function's lock held; rom_read_file and rom_make by the main thread. The
 * operator's file is read from what the opener opened, the device's ROM from the descriptor that the
 * BARs are mapped from: once, at start; after that no access of the guest's reaches the device. It is
 * shown while its enable bit and memory decoding are on.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ipc/log.h"
#include "vmm/boot/kernel.h"
#include "vmm/pci/remote.h"

enum { READ_MOST = 4096, READ_MS = 5000 };
enum { ROM_ENABLE = 1, ROM_ADDRESS = 0xfffff800, SIGNATURE = 0xaa55 };

/* Room for an image of size bytes; *ret_size is the ROM's: it is shown by pages, so a smaller one
 * grows to a page, of zeros. */
static void *reserve(uint64_t size, uint64_t *ret_size, struct err *err)
{
	uint64_t whole = PAGE_SIZE;
	void *host;

	while (whole < size)
		whole *= 2;
	host = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (host == MAP_FAILED) {
		err_set(err, -errno, BLAME_HOST, "no memory for a ROM of %llu KiB: %s",
			(unsigned long long)(whole / KiB), strerror(errno));
		return NULL;
	}
	*ret_size = whole;
	return host;
}

static int read_image(int fd, struct device_config *config, struct err *err)
{
	struct image image;
	int r = image_init(&image, fd, "an expansion ROM's image", err);

	if (r < 0)
		return r;
	if (image.size > ROM_MAX)
		return err_set(err, -EFBIG, BLAME_HOST, "has %llu bytes, and a ROM at most %u MiB",
			(unsigned long long)image.size, ROM_MAX >> 20);
	config->rom_image = reserve(image.size, &config->rom_size, err);
	return config->rom_image ? image_read(&image, 0, config->rom_image, image.size, err) : err->code;
}

int rom_read_file(int fd, struct device_config *config, struct err *err)
{
	int r = read_image(fd, config, err);

	return r < 0 ? err_prefix(err, "%s: --device rom=: the file", config->name) : 0;
}

/* All of it, in pieces so small that a device which answers slowly does not keep the start for
 * longer than READ_MS. NULL, or what is in the way. */
static const char *copy_device(const struct remote *fn, int device_fd)
{
	const int64_t end = now_ms() + READ_MS;

	for (size_t done = 0; done < fn->desc.rom_size;) {
		size_t left = (size_t)fn->desc.rom_size - done;
		ssize_t n = pread(device_fd, (uint8_t *)fn->rom.host + done,
			left < READ_MOST ? left : READ_MOST, (off_t)(fn->desc.rom_fd_offset + done));

		if (n <= 0)
			return n ? strerror(errno) : "it ends early";
		done += (size_t)n;
		if (now_ms() > end)
			return "the device takes too long over it";
	}
	return NULL;
}

/* A ROM that cannot be read, as that of a card which wants its driver first, is no reason not to
 * start. */
static int read_device(struct remote *fn, int device_fd, struct err *err)
{
	const char *why;

	fn->rom.host = reserve(fn->desc.rom_size, &fn->rom.size, err);
	if (!fn->rom.host)
		return err->code;
	why = copy_device(fn, device_fd);
	if (!why)
		return 0;
	log_warn("%s: its expansion ROM cannot be read: %s; the guest sees none; rom=FILE gives it "
		"one, rom=off ends this message", fn->peer.name, why);
	rom_drop(fn);
	return 0;
}

int rom_make(struct remote *fn, int device_fd, const struct device_config *config, struct err *err)
{
	fn->rom = (struct rom){.host = config->rom_image, .size = config->rom_size, .slot = -1};
	if (config->rom == ROM_OWN && fn->desc.rom_size && device_fd >= 0)
		return read_device(fn, device_fd, err);
	return 0;
}

int rom_place(struct remote *fn, const struct device_config *config, struct err *err)
{
	struct rom *rom = &fn->rom;
	uint64_t at;
	int r;

	if (!rom->host)
		return 0;
	r = pci_place_bar(fn->pci, rom->size, false, false, &at, err);
	if (r < 0 && config->rom == ROM_FILE)
		return err_prefix(err, "%s: expansion ROM (rom=off leaves it out)", fn->peer.name);
	if (r < 0) {
		log_warn("%s: the guest sees no expansion ROM: %s", fn->peer.name, err->msg);
		rom_drop(fn);
		return 0;
	}
	rom->placed = rom->value = (uint32_t)at;
	log_info("%s: expansion ROM, %llu KiB, %s", fn->peer.name,
		(unsigned long long)(rom->size / KiB), *(uint16_t *)rom->host == SIGNATURE
			? "with its signature" : "without a ROM's signature 55 aa");
	return 0;
}

void rom_register_write(struct remote *fn, uint32_t value)
{
	if (!fn->rom.host)
		return;
	fn->rom.value = value & ((uint32_t)~(fn->rom.size - 1) | ROM_ENABLE);
}

void rom_update(struct remote *fn, bool show)
{
	struct rom *rom = &fn->rom;
	uint32_t at = rom->value & ROM_ADDRESS;

	if (!rom->host)
		return;
	show = show && rom->value & ROM_ENABLE && at >= MMIO32_BASE && at % PAGE_SIZE == 0 &&
		at <= MMIO32_END - rom->size;
	if (rom->slot >= 0 && (!show || rom->at != at)) {
		vm_slot_del(fn->vm, rom->slot);
		rom->slot = -1;
	}
	if (show && rom->slot < 0) {
		rom->at = at;
		rom->slot = vm_slot_add_rom(fn->vm, at, rom->size, rom->host);
	}
}

void rom_drop(struct remote *fn)
{
	if (fn->rom.host)
		munmap(fn->rom.host, fn->rom.size);
	fn->rom = (struct rom){.slot = -1};
}
