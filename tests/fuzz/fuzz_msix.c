/* SPDX-License-Identifier: Apache-2.0
 *
 * The MSI-X table, PBA and control word under any sequence of accesses, with a helper and a KVM
 * that now and then say no. The invariant is the one at the head of vmm/pci/msix.c.
 *
 * fuzzes: vmm/pci/msix.c
 * links: vmm/pci/msix.c
 */
#include "tests/fuzz/fuzz.h"

#include <errno.h>

#include "vmm/pci/msix.h"

enum { VECTORS = 70 };

static struct input in;
static struct msix msix;
static struct msix_vector vectors[VECTORS];
static struct {
	bool armed, live;
	uint64_t addr;
	uint32_t data;
} host[VECTORS]; /* what was asked of the host */
static bool mode, said_no;

static int outcome(void)
{
	bool no = take(&in, 1) > 0xf0;

	said_no = said_no || no;
	return no ? -EIO : 0;
}

static int on_mode(void *opaque, bool enable)
{
	int r = outcome();

	(void)opaque;
	if (r == 0 || !enable)
		mode = enable;
	return r;
}

static int on_arm(void *opaque, unsigned i)
{
	int r = outcome();

	(void)opaque;
	require(i < msix.n && mode && !host[i].armed);
	host[i].armed = r == 0;
	return r;
}

static void on_cool(void *opaque, unsigned i)
{
	(void)opaque;
	require(host[i].armed && !host[i].live);
	host[i].armed = false;
}

static int on_live(void *opaque, unsigned i, uint64_t addr, uint32_t data)
{
	int r = outcome();

	(void)opaque;
	require(host[i].armed && !host[i].live);
	host[i].live = r == 0;
	host[i].addr = addr;
	host[i].data = data;
	return r;
}

static void on_quiet(void *opaque, unsigned i)
{
	(void)opaque;
	require(host[i].live);
	host[i].live = false;
}

static bool on_pending(void *opaque, unsigned i)
{
	(void)opaque;
	require(i < msix.n && host[i].armed && !host[i].live);
	return take(&in, 1) & 1;
}

static const struct msix_ops ops = {.mode = on_mode, .arm = on_arm, .cool = on_cool,
	.live = on_live, .quiet = on_quiet, .pending = on_pending};

static void check(void)
{
	for (unsigned i = 0; i < msix.n; i++) {
		const struct msix_vector *v = &vectors[i];
		bool wanted = msix.enabled && !msix.mask_all && !(v->entry[3] & 1);

		require(v->live == host[i].live && v->armed == host[i].armed);
		require(!v->live || wanted);
		require(!wanted || v->live || said_no);
		require(!v->live || (host[i].data == v->entry[2] && host[i].addr ==
			((uint64_t)v->entry[1] << 32 | v->entry[0])));
		require((v->entry[3] & ~1u) == 0);
	}
	require(msix.enabled == mode || said_no);
}

static void one(void)
{
	unsigned op = (unsigned)take(&in, 1), size = 1 + (op & 7);
	uint64_t at = take(&in, op & 8 ? 2 : 1);
	uint64_t value;
	uint8_t data[8];

	said_no = false;
	switch (op >> 4) {
	case 0: msix_reset(&msix); break;
	case 1: msix_control_write(&msix, (uint16_t)(at << 8)); break;
	case 2: msix_pba_read(&msix, at, data, size); break;
	case 3: msix_table_read(&msix, at, data, size); break;
	case 4: /* unmask */
		memset(data, 0, sizeof(data));
		msix_table_write(&msix, at * MSIX_ENTRY_SIZE + 12, data, 4);
		break;
	case 5: require((msix_control_read(&msix) & 0x7ff) == msix.n - 1); break;
	default:
		value = take(&in, size);
		memcpy(data, &value, sizeof(data));
		msix_table_write(&msix, at, data, size);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool ever_no = false;

	in = input_of(data, size);
	memset(host, 0, sizeof(host));
	memset(vectors, 0, sizeof(vectors));
	mode = false;
	msix_init(&msix, &ops, NULL, vectors, 1 + (unsigned)take(&in, 1) % VECTORS);
	while (input_left(&in)) {
		one();
		ever_no = said_no = said_no || ever_no;
		check();
	}
	msix_reset(&msix);
	for (unsigned i = 0; i < msix.n; i++)
		require(!host[i].armed && !host[i].live);
	return 0;
}
