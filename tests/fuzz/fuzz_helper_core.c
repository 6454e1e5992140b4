/* SPDX-License-Identifier: Apache-2.0
 *
 * What core and broker may say to a helper: the skeleton of every helper, with a device that
 * checks what it was promised in helper.h. helper.c is included, as its state, like the process's,
 * begins anew with each input.
 *
 * fuzzes: helpers/helper.c helpers/asks.c ipc/chan.c ipc/rules.c ipc/frame.c
 * links: helpers/asks.c seccomp/birth.c tests/fuzz/walls.c tests/fuzz/wire.c
 * max_len: 256
 */
#include "helpers/helper.c"

#include "tests/fuzz/wire.h"

enum { CONFIG_SIZE = 256, BAR = 2, BAR_SIZE = 8192, VECTORS = 5, DOORBELLS = 3 };

static struct input in;
static bool full; /* a device with doorbells, a pin and a suspend */

static int outcome(struct err *err)
{
	return take(&in, 1) % 16 ? 0 : err_set(err, -EIO, BLAME_HOST, "\x1b no");
}

static int dev_open(struct helper_open *open, struct fd *ret_store, struct err *err)
{
	require(open->n_ram <= GUEST_RAM_MAX);
	for (unsigned i = 0; i < open->n_ram; i++)
		require(open->ram[i].size && open->ram[i].gpa + open->ram[i].size > open->ram[i].gpa);
	if (full)
		*ret_store = fd_take(&open->device);
	return outcome(err);
}

static int dev_describe(struct function_desc *ret, struct fd *ret_device, struct err *err)
{
	(void)ret_device;
	*ret = (struct function_desc){.config_size = CONFIG_SIZE, .can_suspend = full, .intx = full,
		.regions[BAR].size = BAR_SIZE, .msix.vectors = VECTORS,
		.doorbells.count = full ? DOORBELLS : 0};
	return outcome(err);
}

static void check(uint64_t offset, unsigned size, unsigned max, uint64_t end)
{
	require(self.open && self.core.phase == PHASE_RUN);
	require(size && size <= max && (size & (size - 1)) == 0 && offset % size == 0);
	require(offset < end && size <= end - offset);
}

static int dev_config_read(unsigned offset, unsigned size, uint32_t *ret, struct err *err)
{
	check(offset, size, 4, CONFIG_SIZE);
	*ret = offset;
	return outcome(err);
}

static int dev_config_write(unsigned offset, unsigned size, uint32_t value, struct err *err)
{
	(void)value;
	check(offset, size, 4, CONFIG_SIZE);
	return outcome(err);
}

static int dev_region_read(unsigned index, uint64_t offset, unsigned size, uint64_t *ret,
	struct err *err)
{
	check(offset, size, 8, index == BAR ? BAR_SIZE : 0);
	*ret = offset;
	return outcome(err);
}

static int dev_region_write(unsigned index, uint64_t offset, unsigned size, uint64_t value,
	struct err *err)
{
	(void)value;
	check(offset, size, 8, index == BAR ? BAR_SIZE : 0);
	return outcome(err);
}

static int dev_msix_arm(unsigned vector, struct fd eventfd, struct err *err)
{
	require(self.msix_on && vector < VECTORS && eventfd.n >= 0);
	fd_close(&eventfd);
	return outcome(err);
}

static int dev_kick_arm(unsigned queue, struct fd eventfd, struct err *err)
{
	require(full && queue < DOORBELLS && eventfd.n >= 0);
	fd_close(&eventfd);
	return outcome(err);
}

static int dev_intx_arm(struct fd trigger, struct fd resample, struct err *err)
{
	require(full && trigger.n >= 0 && resample.n >= 0);
	fd_close(&trigger);
	fd_close(&resample);
	return outcome(err);
}

static int dev_reset(bool whole, struct err *err)
{
	(void)whole;
	return outcome(err);
}

static const struct helper_ops ops = {
	.kind = "fuzz", .open = dev_open, .describe = dev_describe, .config_read = dev_config_read,
	.config_write = dev_config_write, .region_read = dev_region_read,
	.region_write = dev_region_write, .msix_enable = outcome, .msix_disable = outcome,
	.msix_arm = dev_msix_arm, .reset = dev_reset,
	.kick_arm = dev_kick_arm, .intx_arm = dev_intx_arm, .suspend = outcome, .resume = outcome,
};

static bool next(void)
{
	unsigned op;
	bool to_broker;

	if (!input_left(&in))
		return false;
	op = (unsigned)take(&in, 1);
	to_broker = op % 4 == 0;
	if (op & 0x80)
		wire.send_error = op & 0x40 ? EPIPE : EAGAIN;
	wire_put(&in, to_broker ? BIRTH_FD_ORDERS : HELPER_FD_ASK,
		(to_broker ? self.broker.seq : self.core.seq) + 1);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char name[] = "fuzz", say[] = "0", mode[] = "true", strict[] = "strict", slot[] = "3";
	char *argv[] = {name, say, mode, strict, slot, NULL};
	int status;

	in = input_of(data, size);
	full = take(&in, 1) % 2;
	self.open = self.msix_on = false;
	wire_begin(next);
	status = helper_run(&ops, 5, argv);
	require(status == 0 || status == 1);
	wire_end();
	return 0;
}
