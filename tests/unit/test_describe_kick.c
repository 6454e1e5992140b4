/* SPDX-License-Identifier: Apache-2.0
 *
 * What goes by eventfd in a description: doorbells, their pages, the interrupt pin; over the wire and
 * back, and each field of it wrong.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "ipc/describe.h"

static struct function_desc desc;
static struct describe_wire wire;

/* A virtio device with doorbell pages: see helpers/virtio/virtio_pci.h. */
static void setup(void)
{
	static const uint8_t msix[] = {0x11, 0, 3, 0, 0, 0x40, 0, 0, 0, 0x70, 0, 0};

	desc = (struct function_desc){
		.config_size = 256,
		.regions[0] = {.size = 0x8000, .is_64 = true},
		.regions[2] = {.size = 0x4000, .is_64 = true, .doorbell_pages = true, .n_ranges = 1,
			.ranges = {{0, 0x3000}}},
		.msix = {.vectors = 4, .cap = 0x40, .table_offset = 0x4000, .pba_offset = 0x7000},
		.doorbells = {.count = 3, .bar = 2, .stride = 4096},
		.can_suspend = true,
		.intx = true,
	};
	memcpy(desc.config + 0x40, msix, sizeof(msix));
	desc.config[0x3d] = 1;
	describe_to_wire(&desc, &wire);
}

TestSuite(describe_kick, .init = setup);

Test(describe_kick, there_and_back)
{
	struct function_desc got;
	struct err err = {0};

	memset(&got, 0x5a, sizeof(got));
	cr_assert_eq(describe_from_wire(&wire.description, &got, &err), 0, "%s", err.msg);
	cr_assert_eq(memcmp(got.config, desc.config, 256), 0);
	cr_assert_eq(memcmp(got.regions, desc.regions, sizeof(desc.regions)), 0);
	cr_assert_eq(memcmp(&got.msix, &desc.msix, sizeof(desc.msix)), 0);
	cr_assert_eq(got.doorbells.count, 3);
	cr_assert_eq(got.doorbells.bar, 2);
	cr_assert_eq(got.doorbells.stride, 4096);
	cr_assert_eq(got.doorbells.offset, 0);
	cr_assert(got.can_suspend && got.intx);
}

Test(describe_kick, over_real_bytes)
{
	static uint8_t bytes[8192];
	Bulkhead__Description *out;
	struct function_desc got;
	struct err err = {0};
	size_t n = bulkhead__description__pack(&wire.description, bytes);

	out = bulkhead__description__unpack(NULL, n, bytes);
	cr_assert_not_null(out);
	cr_assert_eq(describe_from_wire(out, &got, &err), 0, "%s", err.msg);
	cr_assert_eq(got.doorbells.count, 3);
	bulkhead__description__free_unpacked(out, NULL);
}

static void refused(const char *why)
{
	struct function_desc got, before;
	struct err err = {0};

	memset(&got, 0x5a, sizeof(got));
	before = got;
	cr_assert_eq(describe_from_wire(&wire.description, &got, &err), -EBADMSG, "not %s", why);
	cr_assert_eq(err.blame, BLAME_PEER);
	cr_assert(strstr(err.msg, why), "%s", err.msg);
	cr_assert_eq(memcmp(&got, &before, sizeof(got)), 0, "written on failure");
}

#define REFUSED(name, change, why)                                                                 \
	Test(describe_kick, name)                                                                       \
	{                                                                                          \
		change;                                                                            \
		refused(why);                                                                      \
	}

REFUSED(doorbells_in_no_bar, wire.doorbells.bar = 6, "doorbell geometry")
REFUSED(doorbells_too_many, wire.doorbells.count = DOORBELLS_MAX + 1, "doorbell geometry")
REFUSED(doorbells_without_stride, wire.doorbells.stride = 0, "doorbell geometry")
REFUSED(doorbells_too_close, wire.doorbells.stride = 2, "doorbell geometry")
REFUSED(doorbells_odd_stride, wire.doorbells.stride = 4098, "doorbell geometry")
REFUSED(doorbells_odd_offset, wire.doorbells.offset = 2, "doorbell geometry")
REFUSED(doorbells_behind_the_bar, wire.doorbells.count = 5, "outside their BAR")
REFUSED(doorbells_far_behind, wire.doorbells.offset = 1ull << 63, "outside their BAR")
REFUSED(doorbells_wrap, wire.doorbells.stride = 0xfffffffc, "outside their BAR")
REFUSED(doorbells_in_a_missing_bar, wire.doorbells.bar = 4, "outside their BAR")
REFUSED(doorbells_in_an_upper_half, wire.doorbells.bar = 3, "outside their BAR")
REFUSED(doorbells_on_the_table, (wire.doorbells.bar = 0, wire.doorbells.offset = 0x4004),
	"on the MSI-X table")
REFUSED(doorbells_on_the_pba, (wire.doorbells.bar = 0, wire.doorbells.offset = 0x5000),
	"on the MSI-X table")
REFUSED(pages_at_an_fd_offset, wire.regions[1].fd_offset = 4096, "doorbell pages")
REFUSED(pages_without_a_range, wire.regions[1].n_mappable = 0, "doorbell pages")
REFUSED(pages_not_from_the_start, wire.ranges[2][0].offset = 4096, "doorbell pages")
REFUSED(pages_beyond_the_bar, wire.ranges[2][0].size = 0x5000, "mappable range")
REFUSED(pages_in_pieces, wire.ranges[2][0].size = 0x1800, "mappable range")
REFUSED(pages_too_many, (wire.regions[1].size = 1 << 26,
	wire.ranges[2][0].size = (DOORBELLS_MAX + 1) * 4096), "doorbell pages")
REFUSED(a_pin_config_space_does_not_have, desc.config[0x3d] = 0, "interrupt pin")
REFUSED(a_pin_that_is_not_a, desc.config[0x3d] = 2, "interrupt pin")

Test(describe_kick, doorbells_may_end_at_the_last_byte)
{
	struct function_desc got;
	struct err err = {0};

	wire.doorbells.count = 4;
	wire.doorbells.offset = 4092;
	cr_assert_eq(describe_from_wire(&wire.description, &got, &err), 0, "%s", err.msg);
}

Test(describe_kick, an_older_helper_has_no_doorbells)
{
	struct function_desc got;
	struct err err = {0};

	wire.description.doorbells = NULL;
	cr_assert_eq(describe_from_wire(&wire.description, &got, &err), 0, "%s", err.msg);
	cr_assert_eq(got.doorbells.count, 0);
}
