/* SPDX-License-Identifier: Apache-2.0
 *
 * A description over the wire and back, and each field of it wrong.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "ipc/describe.h"

static struct function_desc good, got;
static struct describe_wire wire;
static struct err err;

static void begin(void)
{
	static const uint8_t cap[] = {0x11, 0, 7, 0, 0x00, 0x20, 0, 0, 0x00, 0x30, 0, 0};

	good = (struct function_desc){
		.config_size = 256,
		.can_reset = true,
		.regions[0] = {.size = 0x10000, .is_64 = true, .prefetchable = true, .n_ranges = 2,
			.fd_offset = 0x1000, .ranges = {{0, 0x2000}, {0x4000, 0xc000}}},
		.regions[2] = {.size = 0x20, .io = true},
		.regions[4] = {.size = 0x1000},
		.msix = {.vectors = 8, .cap = 0x40, .table_offset = 0x2000, .pba_offset = 0x3000},
	};
	memcpy(good.config + 0x40, cap, sizeof(cap));
	memset(&wire, 0, sizeof(wire));
	good.rom_size = 0x800;
	good.rom_fd_offset = 0x7000;
	describe_to_wire(&good, &wire);
	memset(&got, 0xa5, sizeof(got));
}

TestSuite(describe, .init = begin);

Test(describe, there_and_back)
{
	cr_assert_eq(describe_from_wire(&wire.description, &got, &err), 0, "%s", err.msg);
	cr_assert_eq(got.config_size, 256);
	cr_assert_eq(memcmp(got.config, good.config, 256), 0);
	cr_assert(got.can_reset);
	cr_assert_eq(got.regions[0].n_ranges, 2);
	cr_assert_eq(got.regions[0].ranges[1].offset, 0x4000);
	cr_assert(got.regions[0].is_64 && got.regions[0].prefetchable && !got.regions[0].io);
	cr_assert_eq(got.regions[0].fd_offset, 0x1000);
	cr_assert(got.regions[2].io);
	cr_assert_eq(got.regions[1].size, 0);
	cr_assert_eq(got.msix.vectors, 8);
	cr_assert_eq(got.msix.pba_offset, 0x3000);
	cr_assert_eq(got.rom_size, 0x800);
	cr_assert_eq(got.rom_fd_offset, 0x7000);
}

/* Refused, blaming the peer, and nothing written. */
static void expect_refused(const char *what)
{
	struct function_desc before = got;

	cr_expect_eq(describe_from_wire(&wire.description, &got, &err), -EBADMSG, "%s", what);
	cr_expect_eq(err.blame, BLAME_PEER);
	cr_expect_eq(memcmp(&before, &got, sizeof(got)), 0, "%s: written to", what);
}

#define WRONG(assignment)                                                                          \
	do {                                                                                       \
		begin();                                                                           \
		assignment;                                                                        \
		expect_refused(#assignment);                                                       \
	} while (0)

#define R(i) wire.description.regions[i]

Test(describe, config_space)
{
	WRONG(wire.description.config.len = 0);
	WRONG(wire.description.config.len = 255);
	WRONG(wire.description.config.len = 4095);
	WRONG(wire.description.config.len = 8192);
	WRONG(good.config[0x0e] = 1);
	WRONG(good.config[0x0e] = 0x80);
}

Test(describe, regions)
{
	WRONG(R(0)->index = 6);
	WRONG(R(0)->index = UINT32_MAX);
	WRONG(R(1)->index = 0);
	WRONG(R(1)->index = 1);
	WRONG(R(0)->index = 5);
	WRONG(R(0)->size = 0);
	WRONG(R(0)->size = 0x10001);
	WRONG(R(2)->size = 8);
	WRONG(R(2)->size = 1ull << 32);
	WRONG(R(0)->size = 1ull << 47);
	WRONG(R(0)->size = 1ull << 63);
	WRONG(R(1)->size = 2);
	WRONG(R(1)->size = 1 << 17);
	WRONG(R(1)->is_64 = true);
	WRONG(R(1)->prefetchable = true);
	WRONG(R(0)->io = true);
	WRONG(R(0)->fd_offset = 0x800);
	WRONG(R(0)->fd_offset = (uint64_t)INT64_MAX + 1);
	WRONG(R(0)->fd_offset = UINT64_MAX - 0xfff);
}

Test(describe, rom)
{
	WRONG(wire.description.rom_size = 0x1800);
	WRONG(wire.description.rom_size = 0x400);
	WRONG(wire.description.rom_size = 32 << 20);
	WRONG(wire.description.rom_offset = 0x7800);
	WRONG(wire.description.rom_offset = (uint64_t)INT64_MAX - 0x7ff);
	begin();
	wire.description.rom_size = 0;
	wire.description.rom_offset = 1;
	cr_assert_eq(describe_from_wire(&wire.description, &got, &err), 0, "there is none");
}

Test(describe, mappable_ranges)
{
	WRONG(R(0)->mappable[0]->size = 0);
	WRONG(R(0)->mappable[0]->size = 0x1800);
	WRONG(R(0)->mappable[0]->offset = 0x800);
	WRONG(R(0)->mappable[1]->offset = 0x1000);
	WRONG(R(0)->mappable[1]->offset = 0);
	WRONG(R(0)->mappable[1]->size = 0xd000);
	WRONG(R(0)->mappable[1]->size = UINT64_MAX - 0xfff);
	WRONG(R(0)->mappable[1]->offset = UINT64_MAX - 0xfff);
	WRONG(R(0)->n_mappable = REGION_RANGES + 1);
	WRONG(R(1)->mappable = R(0)->mappable; R(1)->n_mappable = 1);
}

Test(describe, msix)
{
	WRONG(wire.msix.vectors = 2049);
	WRONG(wire.msix.vectors = 7);
	WRONG(wire.msix.vectors = 9);
	WRONG(wire.msix.table_bar = 6);
	WRONG(wire.msix.table_bar = 1);
	WRONG(wire.msix.table_bar = 2);
	WRONG(wire.msix.pba_bar = 6);
	WRONG(wire.msix.pba_bar = 3);
	WRONG(wire.msix.table_offset = 0x2004);
	WRONG(wire.msix.table_offset = 0x1000);
	WRONG(wire.msix.table_offset = 0xfffffff8);
	WRONG(wire.msix.pba_offset = 0x5000);
	WRONG(wire.msix.pba_offset = 0x2008);
	WRONG(wire.msix.pba_offset = 0xfffffff8);
	WRONG(wire.msix.cap = 0x3c);
	WRONG(wire.msix.cap = 0x44);
	WRONG(wire.msix.cap = 0xf8);
	WRONG(wire.msix.cap = UINT32_MAX - 3);
	WRONG(good.config[0x44] = 1);
	WRONG(good.config[0x40] = 5);
	WRONG(R(0)->mappable[0]->size = 0x3000);
	WRONG(R(0)->mappable[1]->offset = 0x3000);
}

/* At 0x60: 8 vectors, 64 bit, maskable. */
static void with_msi(void)
{
	static const uint8_t cap[] = {0x05, 0, 0x86, 0x01};

	memcpy(good.config + 0x60, cap, sizeof(cap));
	good.msi_cap = 0x60;
	describe_to_wire(&good, &wire);
}

Test(describe, msi)
{
	with_msi();
	cr_assert_eq(describe_from_wire(&wire.description, &got, &err), 0, "%s", err.msg);
	cr_assert_eq(got.msi_cap, 0x60);
	cr_assert_eq(desc_msi_vectors(&got), 8);
	WRONG(with_msi(); wire.description.msi_cap = 0x3c);
	WRONG(with_msi(); wire.description.msi_cap = 0x62);
	WRONG(with_msi(); wire.description.msi_cap = 0x80);
	WRONG(with_msi(); wire.description.msi_cap = UINT32_MAX - 3);
	WRONG(with_msi(); wire.description.msi_cap = 0x40);
	WRONG(with_msi(); good.config[0x62] = 0x0c);
	WRONG(memcpy(good.config + 0xf0, "\5\0\x86\1", 4); wire.description.msi_cap = 0xf0);
	WRONG(memcpy(good.config + 0x38, "\5\0\x86\1", 4); wire.description.msi_cap = 0x38);
}

Test(describe, no_msix_is_fine)
{
	wire.msix.vectors = 0;
	wire.msix.table_bar = 77;
	cr_assert_eq(describe_from_wire(&wire.description, &got, &err), 0, "%s", err.msg);
	cr_assert_eq(got.msix.vectors, 0);
	cr_assert_eq(got.msix.table_bar, 0);
	wire.description.msix = NULL;
	cr_assert_eq(describe_from_wire(&wire.description, &got, &err), 0, "%s", err.msg);
}
