/* SPDX-License-Identifier: Apache-2.0
 *
 * The null helper: a PCI function without a device. The template for a new helper, and the tests'
 * double for a real one. Null helper process, one thread.
 *
 * BAR 0 is 16 KiB of memory space and traps everywhere:
 *   0x0000-0x00ff  scratch registers, keep what is written
 *   0x0100         doorbell: writing N signals MSI-X vector N
 *   0x1000         MSI-X table, 8 vectors (the core's, never seen here)
 *   0x2000         PBA (the core's)
 */
#include <errno.h>
#include <string.h>

#include "helpers/helper.h"

enum {
	VENDOR = 0xfffe, DEVICE = 0x0b01,
	BAR_SIZE = 16 * 1024, SCRATCH_SIZE = 0x100, DOORBELL = 0x100,
	VECTORS = 8, MSIX_CAP = 0x40, TABLE = 0x1000, PBA = 0x2000,
	COMMAND = 0x04, COMMAND_BITS = 0x0007, /* I/O, memory, bus master */
};

static struct {
	uint8_t config[256];
	uint8_t scratch[SCRATCH_SIZE];
	struct fd vectors[VECTORS];
} null;

static void put16(unsigned at, uint16_t value)
{
	null.config[at] = (uint8_t)value;
	null.config[at + 1] = (uint8_t)(value >> 8);
}

static int null_open(struct helper_open *open, struct fd *ret_store, struct err *err)
{
	(void)ret_store;
	if (open->device.n >= 0)
		return err_set(err, -EINVAL, BLAME_PEER, "a null device has no group");
	for (unsigned i = 0; i < VECTORS; i++)
		null.vectors[i] = FD_NONE_INIT;
	put16(0x00, VENDOR);
	put16(0x02, DEVICE);
	put16(0x06, 0x0010); /* STATUS: has a capability list */
	put16(0x0a, 0xff00); /* class: unassigned */
	null.config[0x34] = MSIX_CAP;
	null.config[MSIX_CAP] = 0x11; /* MSI-X, the last one (PCI 3.0 §6.8.2) */
	put16(MSIX_CAP + 2, VECTORS - 1);
	put16(MSIX_CAP + 4, TABLE); /* BAR 0 */
	put16(MSIX_CAP + 8, PBA);
	return 0;
}

static int null_describe(struct function_desc *ret, struct fd *ret_device, struct err *err)
{
	(void)ret_device;
	(void)err;
	*ret = (struct function_desc){
		.config_size = sizeof(null.config),
		.regions[0] = {.size = BAR_SIZE},
		.msix = {.vectors = VECTORS, .cap = MSIX_CAP, .table_offset = TABLE,
			.pba_offset = PBA},
	};
	memcpy(ret->config, null.config, sizeof(null.config));
	return 0;
}

static int null_config_read(unsigned offset, unsigned size, uint32_t *ret, struct err *err)
{
	uint32_t value = 0;

	(void)err;
	memcpy(&value, null.config + offset, size);
	*ret = value;
	return 0;
}

static int null_config_write(unsigned offset, unsigned size, uint32_t value, struct err *err)
{
	(void)size;
	(void)err;
	if (offset == COMMAND)
		put16(COMMAND, value & COMMAND_BITS);
	return 0;
}

static int null_region_read(unsigned index, uint64_t offset, unsigned size, uint64_t *ret,
	struct err *err)
{
	uint64_t value = 0;

	(void)index;
	(void)err;
	if (offset < SCRATCH_SIZE)
		memcpy(&value, null.scratch + offset, size);
	*ret = value;
	return 0;
}

static int null_region_write(unsigned index, uint64_t offset, unsigned size, uint64_t value,
	struct err *err)
{
	static const uint64_t one = 1;

	(void)index;
	if (offset < SCRATCH_SIZE)
		memcpy(null.scratch + offset, &value, size);
	if (offset != DOORBELL || value >= VECTORS || null.vectors[value].n < 0)
		return 0;
	/* A full counter says as much as a signal. */
	if (write(null.vectors[value].n, &one, sizeof(one)) < 0 && errno != EAGAIN)
		return err_set(err, -errno, BLAME_PEER, "vector %u cannot be signalled: %s",
			(unsigned)value, strerror(errno));
	return 0;
}

static int null_msix_enable(struct err *err)
{
	(void)err;
	return 0;
}

static int null_msix_arm(unsigned vector, struct fd eventfd, struct err *err)
{
	(void)err;
	fd_close(&null.vectors[vector]);
	null.vectors[vector] = eventfd;
	return 0;
}

static int null_msix_disable(struct err *err)
{
	(void)err;
	for (unsigned i = 0; i < VECTORS; i++)
		fd_close(&null.vectors[i]);
	return 0;
}

static int null_reset(bool whole, struct err *err)
{
	(void)whole;
	memset(null.scratch, 0, sizeof(null.scratch));
	put16(COMMAND, 0);
	return null_msix_disable(err);
}

static const struct helper_ops null_ops = {
	.kind = "null",
	.setup = &policy_null_setup,
	.run = &policy_null_run,
	.open = null_open,
	.describe = null_describe,
	.config_read = null_config_read,
	.config_write = null_config_write,
	.region_read = null_region_read,
	.region_write = null_region_write,
	.msix_enable = null_msix_enable,
	.msix_disable = null_msix_disable,
	.msix_arm = null_msix_arm,
	.reset = null_reset,
};

int main(int argc, char **argv)
{
	return helper_run(&null_ops, argc, argv);
}
