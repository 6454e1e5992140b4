/* SPDX-License-Identifier: Apache-2.0
 *
 * The expansion ROM of a second function: from a file, from the device, or none; and where it shows.
 *
 * links: vmm/pci/remote.c vmm/pci/remote_bar.c vmm/pci/remote_irq.c vmm/pci/remote_kick.c vmm/pci/remote_life.c
 * links: vmm/pci/remote_map.c vmm/pci/remote_rom.c vmm/peer.c vmm/peer_state.c vmm/kvm/gate.c vmm/boot/image.c
 * links: ipc/describe.c vmm/pci/msi.c vmm/pci/msix.c vmm/pci/pci.c vmm/pci/bus.c
 */
#include <fcntl.h>
#include <stdlib.h>

#include "tests/unit/remote_device.h"

TestSuite(rom, .init = setup);

static int place_result; /* what becomes of the ROM's place */

/* One page and a bit, as a ROM of 8 KiB. */
static void with_rom(void)
{
	static struct remote second;
	struct err err = {0};

	desc.regions[0].size = desc.regions[2].size = 0;
	desc.msix.vectors = 0;
	cr_assert_eq(create(&second, "0000:00:04.0", &err), 0, "%s", err.msg);
	cr_assert_eq(rom_place(&second, &config, &err), place_result, "%s", err.msg);
	trace[0] = '\0';
}

static void rom_file(size_t size)
{
	char path[] = "/tmp/rom.XXXXXX";
	int fd = mkstemp(path);
	struct err err = {0};

	cr_assert(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
	cr_assert_eq(pwrite(fd, "\x55\xaa", 2, 0), 2);
	config.rom = ROM_FILE;
	cr_expect_eq(rom_read_file(fd, &config, &err), 0, "%s", err.msg);
	close(fd);
	unlink(path);
}

Test(rom, of_a_file)
{
	uint32_t at;

	rom_file(5000);
	with_rom();
	at = cfg_get_of(2, 0x30, 4);
	cr_assert(at >= MMIO32_BASE && !(at & 1), "placed, and off");
	cfg_of(2, 0x30, 4, 0xfffffffe);
	cr_assert_eq(cfg_get_of(2, 0x30, 4), 0xffffe000, "8 KiB");
	cfg_of(2, 0x30, 4, at | 1);
	expect("");
	cfg_of(2, 0x04, 2, 2);
	cr_assert(strstr(trace, "rom+"), "%s", trace);
	trace[0] = '\0';
	cfg_of(2, 0x30, 4, (at + 0x10000) | 1);
	cr_assert(strncmp(trace, "-", 1) == 0 && strstr(trace, "rom+"), "it moves: %s", trace);
	trace[0] = '\0';
	cfg_of(2, 0x30, 4, 0x1000 | 1);
	cr_assert(trace[0] == '-' && !strstr(trace, "rom"), "nothing shows over RAM: %s", trace);
	cfg_of(2, 0x30, 4, at | 1);
	trace[0] = '\0';
	cfg_of(2, 0x04, 2, 0);
	cr_assert(strchr(trace, '-'), "no memory, no ROM: %s", trace);
	cfg_of(2, 0x04, 2, 2);
	trace[0] = '\0';
	cfg_of(2, 0x30, 4, at);
	cr_assert(strchr(trace, '-'), "its own bit: %s", trace);
}

Test(rom, of_the_device)
{
	uint8_t *rom;
	uint32_t at;

	desc.rom_size = 0x4000;
	desc.rom_fd_offset = 0;
	cr_assert_eq(pwrite(device_fd, "\x55\xaa", 2, 0), 2);
	with_rom();
	at = cfg_get_of(2, 0x30, 4);
	cfg_of(2, 0x30, 4, at | 1);
	cfg_of(2, 0x04, 2, 2);
	cr_assert(strstr(trace, "rom+"), "%s", trace);
	rom = last_host;
	cr_assert(rom[0] == 0x55 && rom[1] == 0xaa, "a copy of it");
}

/* Smaller than a page it gets one; no byte behind it is the device's. */
Test(rom, of_the_device_and_small)
{
	uint32_t at;
	uint8_t *rom;

	desc.rom_size = 2048;
	desc.rom_fd_offset = 0;
	cr_assert_eq(pwrite(device_fd, "\x55\xaa", 2, 0), 2);
	cr_assert_eq(pwrite(device_fd, "x", 1, 2048), 1);
	with_rom();
	at = cfg_get_of(2, 0x30, 4);
	cfg_of(2, 0x30, 4, ~0u);
	cr_assert_eq(cfg_get_of(2, 0x30, 4), 0xfffff001, "4 KiB");
	cfg_of(2, 0x30, 4, at | 1);
	cfg_of(2, 0x04, 2, 2);
	cr_assert(strstr(trace, "rom+"), "%s", trace);
	rom = last_host;
	cr_assert(rom[0] == 0x55 && rom[2048] == 0, "a copy of it, and no more");
}

static void fill_window(void)
{
	struct err err = {0};
	uint64_t at;

	for (uint64_t size = GiB; size >= PAGE_SIZE; size /= 2)
		while (pci_place_bar(&pci, size, false, false, &at, &err) == 0)
			;
}

/* The device's own is left out where there is no room, as BARs go first; the operator's is not. */
Test(rom, no_room)
{
	desc.rom_size = 0x4000;
	desc.rom_fd_offset = 0;
	fill_window();
	with_rom();
	cfg_of(2, 0x30, 4, ~0u);
	cr_assert_eq(cfg_get_of(2, 0x30, 4), 0);
}

Test(rom, no_room_for_a_file)
{
	rom_file(5000);
	fill_window();
	place_result = -ENOSPC;
	with_rom();
}

Test(rom, off_or_unreadable_is_none)
{
	desc.rom_size = 0x4000;
	config.rom = ROM_OFF;
	with_rom();
	cfg_of(2, 0x30, 4, ~0u);
	cr_assert_eq(cfg_get_of(2, 0x30, 4), 0);
}

Test(rom, that_cannot_be_read_is_none)
{
	desc.rom_size = 0x4000;
	desc.rom_fd_offset = 0x4000;
	with_rom();
	cr_assert_eq(cfg_get_of(2, 0x30, 4), 0);
}

/* What the opener opened may be anything. */
Test(rom, files_that_are_none)
{
	static const char *const bad[] = {"/tmp", "/dev/null"};
	struct err err;

	config.rom = ROM_FILE;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int fd = open(bad[i], O_RDONLY | O_CLOEXEC);

		cr_assert_lt(rom_read_file(fd, &config, &err), 0, "%s", bad[i]);
		cr_assert(strstr(err.msg, config.name) && strstr(err.msg, "rom="), "%s", err.msg);
		close(fd);
	}
	cr_assert_lt(rom_read_file(-1, &config, &err), 0, "none came");
}

/* No image is larger than a ROM's window. */
Test(rom, a_file_too_large)
{
	int fd = memfd_create("rom", MFD_CLOEXEC);
	struct err err;

	cr_assert_eq(ftruncate(fd, (16 << 20) + 1), 0);
	cr_assert_eq(rom_read_file(fd, &config, &err), -EFBIG);
	cr_assert(strstr(err.msg, "at most 16 MiB"), "%s", err.msg);
}
