/* SPDX-License-Identifier: Apache-2.0
 *
 * Ranges that come, go and collide on a bus, as BARs do, against the plainest model of one.
 *
 * fuzzes: vmm/pci/bus.c
 * links: vmm/pci/bus.c
 */
#include "tests/fuzz/fuzz.h"

#include <errno.h>

#include "vmm/pci/bus.h"

enum { RANGES = 16 };

static struct bus bus;
static struct range {
	uint64_t base, last;
	bool used;
} model[RANGES];
static const struct range *answered;
static uint64_t answered_at;

static void on_read(void *opaque, uint64_t offset, uint8_t *data, unsigned size)
{
	answered = opaque;
	answered_at = offset;
	memset(data, 0, size);
}

static void on_write(void *opaque, uint64_t offset, const uint8_t *data, unsigned size)
{
	(void)data, (void)size;
	answered = opaque;
	answered_at = offset;
}

static const struct bus_ops ops = {.read = on_read, .write = on_write};

static void add(struct range *r, uint64_t base, uint64_t size)
{
	int due = 0;

	if (r->used)
		return;
	if (size == 0 || base + (size - 1) < base)
		due = -EINVAL;
	for (unsigned i = 0; i < RANGES && !due; i++)
		if (model[i].used && base <= model[i].last && model[i].base <= base + (size - 1))
			due = -EEXIST;
	require(bus_add(&bus, base, size, &ops, r) == due);
	if (due == 0)
		*r = (struct range){base, base + (size - 1), true};
}

static void take_away(struct range *r)
{
	require(bus_remove(&bus, r->base) == 0 || !r->used);
	for (unsigned i = 0; i < RANGES; i++)
		if (model[i].used && model[i].base == r->base)
			model[i].used = false;
}

static void access(uint64_t addr, unsigned size, bool write)
{
	bool one = size == 1 || size == 2 || size == 4 || size == 8;
	const struct range *due = NULL;
	uint8_t data[16] = {0};

	for (unsigned i = 0; i < RANGES && one; i++)
		if (model[i].used && addr >= model[i].base && addr <= model[i].last &&
			size - 1 <= model[i].last - addr)
			due = &model[i];
	answered = NULL;
	require((write ? bus_write(&bus, addr, data, size) : bus_read(&bus, addr, data, size)) ==
		(due != NULL));
	require(answered == due && (!due || answered_at == addr - due->base));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = input_of(data, size);

	bus_init(&bus);
	memset(model, 0, sizeof(model));
	while (input_left(&in)) {
		unsigned op = (unsigned)take(&in, 1);
		uint64_t addr = take_number(&in) + take(&in, 1);

		if (op & 0x80)
			access(addr, 1 + (op & 7), op & 8);
		else if (op & 0x40)
			take_away(&model[op % RANGES]);
		else
			add(&model[op % RANGES], addr, take_number(&in));
	}
	return 0;
}
