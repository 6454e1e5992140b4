/* SPDX-License-Identifier: Apache-2.0
 *
 * The MSI-X table, PBA and control register a guest sees.
 *
 * Core process, a vCPU thread inside a trapped access, the function's lock held. Invariant after
 * every call: a vector is live exactly when MSI-X is enabled, neither the function nor the vector
 * is masked, and arming and routing it worked; its route is then the message in its entry.
 */
#include <errno.h>
#include <string.h>

#include "vmm/pci/msix.h"

enum { ADDR_LOW, ADDR_HIGH, DATA, CONTROL };
enum { CONTROL_MASKED = 1 }; /* the only bit of Vector Control (6.8.2.9) */

static bool wants_live(const struct msix *msix, const struct msix_vector *v)
{
	return msix->enabled && !msix->mask_all && !(v->entry[CONTROL] & CONTROL_MASKED);
}

static void make_quiet(struct msix *msix, unsigned i)
{
	struct msix_vector *v = &msix->vectors[i];

	if (v->live)
		msix->ops->quiet(msix->opaque, i);
	v->live = false;
}

static void make_live(struct msix *msix, unsigned i)
{
	struct msix_vector *v = &msix->vectors[i];
	uint64_t addr = (uint64_t)v->entry[ADDR_HIGH] << 32 | v->entry[ADDR_LOW];
	uint32_t data = v->entry[DATA];

	if (v->live && v->live_addr == addr && v->live_data == data)
		return;
	if (!v->armed && msix->ops->arm(msix->opaque, i) < 0)
		return;
	v->armed = true;
	/* A guest may change an unmasked entry; the spec leaves the result open (6.8.2.9). Off the
	 * old route before the new one goes in, so that no interrupt takes a mix of both. */
	make_quiet(msix, i);
	if (msix->ops->live(msix->opaque, i, addr, data) < 0)
		return;
	v->live = true;
	v->live_addr = addr;
	v->live_data = data;
}

static void update(struct msix *msix, unsigned i)
{
	if (wants_live(msix, &msix->vectors[i]))
		make_live(msix, i);
	else
		make_quiet(msix, i);
}

static void cool_all(struct msix *msix)
{
	for (unsigned i = 0; i < msix->n; i++) {
		make_quiet(msix, i);
		if (msix->vectors[i].armed)
			msix->ops->cool(msix->opaque, i);
		msix->vectors[i].armed = false;
	}
}

static void mask_entries(struct msix *msix)
{
	for (unsigned i = 0; i < msix->n; i++) {
		memset(msix->vectors[i].entry, 0, sizeof(msix->vectors[i].entry));
		msix->vectors[i].entry[CONTROL] = CONTROL_MASKED;
	}
}

void msix_init(struct msix *msix, const struct msix_ops *ops, void *opaque,
	struct msix_vector *vectors, unsigned n)
{
	*msix = (struct msix){.ops = ops, .opaque = opaque, .vectors = vectors, .n = n};
	mask_entries(msix);
}

/* irqfds go before the device is told, so that nothing is injected from a device half off. */
static void leave(struct msix *msix)
{
	for (unsigned i = 0; i < msix->n; i++)
		make_quiet(msix, i);
	msix->ops->mode(msix->opaque, false);
	cool_all(msix);
	msix->enabled = false;
}

void msix_reset(struct msix *msix)
{
	if (msix->enabled)
		leave(msix);
	msix->mask_all = false;
	mask_entries(msix);
}

void msix_table_read(const struct msix *msix, uint64_t offset, uint8_t *data, unsigned size)
{
	for (unsigned i = 0; i < size; i++) {
		uint64_t at = offset + i;
		uint64_t vector = at / MSIX_ENTRY_SIZE;
		unsigned byte = at % MSIX_ENTRY_SIZE;

		data[i] = vector < msix->n
			? (uint8_t)(msix->vectors[vector].entry[byte / 4] >> (byte % 4 * 8))
			: 0;
	}
}

void msix_table_write(struct msix *msix, uint64_t offset, const uint8_t *data, unsigned size)
{
	uint64_t first = offset / MSIX_ENTRY_SIZE;
	uint64_t last = (offset + size - 1) / MSIX_ENTRY_SIZE;

	for (unsigned i = 0; i < size; i++) {
		uint64_t vector = (offset + i) / MSIX_ENTRY_SIZE;
		unsigned byte = (offset + i) % MSIX_ENTRY_SIZE;
		uint32_t *word;

		if (vector >= msix->n)
			break;
		word = &msix->vectors[vector].entry[byte / 4];
		*word = (*word & ~(0xffu << (byte % 4 * 8))) | (uint32_t)data[i] << (byte % 4 * 8);
		msix->vectors[vector].entry[CONTROL] &= CONTROL_MASKED;
	}
	for (uint64_t i = first; i <= last && i < msix->n; i++)
		update(msix, (unsigned)i);
}

void msix_pba_read(const struct msix *msix, uint64_t offset, uint8_t *data, unsigned size)
{
	for (unsigned i = 0; i < size; i++) {
		data[i] = 0;
		for (unsigned bit = 0; bit < 8; bit++) {
			uint64_t vector = (offset + i) * 8 + bit;
			const struct msix_vector *v = &msix->vectors[vector];

			if (vector >= msix->n)
				break;
			/* Only while quiet: the counter of a live eventfd says nothing. */
			if (v->armed && !v->live && msix->ops->pending(msix->opaque, (unsigned)vector))
				data[i] |= (uint8_t)(1u << bit);
		}
	}
}

uint16_t msix_control_read(const struct msix *msix)
{
	return (uint16_t)((msix->n - 1) | (msix->enabled ? MSIX_CTRL_ENABLE : 0) |
		(msix->mask_all ? MSIX_CTRL_MASKALL : 0));
}

void msix_control_write(struct msix *msix, uint16_t control)
{
	bool enable = control & MSIX_CTRL_ENABLE;

	msix->mask_all = control & MSIX_CTRL_MASKALL;
	if (msix->enabled && !enable) {
		leave(msix);
	} else if (!msix->enabled && enable) {
		if (msix->ops->mode(msix->opaque, true) < 0)
			return;
		msix->enabled = true;
	}
	for (unsigned i = 0; i < msix->n; i++)
		update(msix, i);
}
