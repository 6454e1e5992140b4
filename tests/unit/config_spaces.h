/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads tests/unit/config_spaces/: devices as `lspci -vvv` has them in public reports, and made-up
 * ones that are broken; what a guest is to find follows each. A line is one register or structure:
 *
 *   device NAME
 *     id VENDOR:DEVICE CLASS [pin N] [multi] [bridge]
 *     bar N io|mem|mem64 SIZE [pf]      rom SIZE      size 256|4096 (of config space)
 *     cap OFFSET pm [resets] | vpd | af [flr] | vendor LEN | id XX
 *     cap OFFSET msi N [64] [mask] | msix N TABLE PBA (BAR+OFFSET) | express VERSION [flr] [legacy]
 *     ext OFFSET NAME [LEN]             NAME as in `names`
 *     raw OFFSET VALUE                  a dword, over all that
 *     vfio reset|atomics|msi N|msix N|intx N   where it is not as the device says
 *   guest
 *     what it finds, in the words of test_config_spaces.c
 *
 * Capabilities are linked in the order of their lines.
 */
#pragma once

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/vfio_device.h"

struct space {
	char name[96];
	uint8_t raw[PCI_CONFIG_MAX];
	unsigned size, link, ext_link;
	struct vfio_double says; /* but for fd */
	char guest[2048];
};

static const struct {
	const char *name;
	unsigned id;
} names[] = {
	{"aer", 0x01}, {"vc", 0x02}, {"dsn", 0x03}, {"pb", 0x04}, {"vsec", 0x0b}, {"acs", 0x0d},
	{"ari", 0x0e}, {"ats", 0x0f}, {"sriov", 0x10}, {"pri", 0x13}, {"rebar", 0x15},
	{"dpa", 0x16}, {"tph", 0x17}, {"ltr", 0x18}, {"secpci", 0x19}, {"pasid", 0x1b},
	{"l1ss", 0x1e}, {"ptm", 0x1f}, {"dvsec", 0x23}, {"dl", 0x25}, {"pl16", 0x26},
	{"lmr", 0x27},
};

static inline void put(struct space *s, unsigned at, unsigned size, uint64_t value)
{
	for (unsigned i = 0; i < size && at + i < PCI_CONFIG_MAX; i++)
		s->raw[at + i] = (uint8_t)(value >> 8 * i);
}

/* "16K" */
static inline uint64_t size_of(const char *text)
{
	static const char units[] = "KMGT";
	char *unit;
	uint64_t n = strtoull(text, &unit, 0);
	const char *at = *unit ? strchr(units, *unit) : NULL;

	return n << (at ? 10 * (at - units + 1) : 0);
}

static inline bool has(const char *line, const char *word)
{
	const char *at = strstr(line, word);
	char after = at ? at[strlen(word)] : 'x';

	return at && at[-1] == ' ' && (after == ' ' || after == '\0');
}

static inline uint32_t bar_offset(const char *text)
{
	return (uint32_t)(strtoul(strchr(text, '+') + 1, NULL, 16) | strtoul(text, NULL, 10));
}

static inline void read_cap(struct space *s, const char *line)
{
	unsigned at, n = 0, log2 = 0;
	char kind[16], table[32] = "0+0", pba[32] = "0+0", arg[16] = "0";

	cr_assert_geq(sscanf(line, "cap %x %15s %15s %31s %31s", &at, kind, arg, table, pba), 2,
		"%s", line);
	n = (unsigned)strtoul(arg, NULL, strcmp(kind, "id") == 0 ? 16 : 10);
	put(s, s->link, 1, at);
	put(s, 0x06, 1, 0x10);
	s->link = at + 1;
	while (1u << log2 < n)
		log2++;
	if (strcmp(kind, "pm") == 0) {
		put(s, at, 8, 0x0003 << 16 | 0x01 | (has(line, "resets") ? 0 : 8ull << 32));
	} else if (strcmp(kind, "msi") == 0) {
		put(s, at, 4, 0x05 | (log2 << 1 | (has(line, "64") ? 0x80u : 0) |
			(has(line, "mask") ? 0x100u : 0)) << 16);
		s->says.irqs[VFIO_PCI_MSI_IRQ_INDEX] = n;
	} else if (strcmp(kind, "msix") == 0) {
		put(s, at, 4, 0x11 | (n - 1) << 16);
		put(s, at + 4, 4, bar_offset(table));
		put(s, at + 8, 4, bar_offset(pba));
		s->says.irqs[VFIO_PCI_MSIX_IRQ_INDEX] = n;
	} else if (strcmp(kind, "express") == 0) {
		put(s, at, 8, 0x10 | n << 16 | (has(line, "legacy") ? 0x10u << 16 : 0) |
			(has(line, "flr") ? 0x10008000ull << 32 : 0x00008000ull << 32));
		s->says.can_reset |= has(line, "flr");
	} else if (strcmp(kind, "vpd") == 0) {
		put(s, at, 4, 0x03);
	} else if (strcmp(kind, "af") == 0) {
		put(s, at, 4, 0x13 | 6 << 16 | (has(line, "flr") ? 3u << 24 : 0));
		s->says.can_reset |= has(line, "flr");
	} else if (strcmp(kind, "vendor") == 0) {
		put(s, at, 4, 0x09 | n << 16);
	} else {
		cr_assert_str_eq(kind, "id", "%s", line);
		put(s, at, 4, n);
	}
	s->says.can_reset |= has(line, "resets");
}

static inline void read_ext(struct space *s, const char *line)
{
	unsigned at, len = 0, id = 0;
	char kind[16];

	cr_assert_geq(sscanf(line, "ext %x %15s %x", &at, kind, &len), 2, "%s", line);
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(kind, names[i].name) == 0)
			id = names[i].id;
	cr_assert(id, "%s", line);
	if (s->ext_link)
		put(s, s->ext_link, 2, 1 | at << 4);
	put(s, at, 4, id | 1 << 16);
	put(s, at + 4, 4, len << 20);
	s->ext_link = at + 2;
}

static inline void read_bar(struct space *s, const char *line)
{
	unsigned n, flags;
	char kind[8], size[16];

	cr_assert_eq(sscanf(line, "bar %u %7s %15s", &n, kind, size), 3, "%s", line);
	flags = strcmp(kind, "io") == 0 ? 1 : (strcmp(kind, "mem64") == 0 ? 4 : 0);
	put(s, 0x10 + 4 * n, 1, flags | (has(line, "pf") ? 8 : 0));
	s->says.size[n] = size_of(size);
	s->says.mappable[n] = flags != 1;
}

static inline void read_vfio(struct space *s, const char *line)
{
	char what[16];
	unsigned n = 0;

	sscanf(line, "vfio %15s %u", what, &n);
	s->says.can_reset |= strcmp(what, "reset") == 0;
	s->says.atomics |= strcmp(what, "atomics") == 0;
	if (strcmp(what, "msi") == 0)
		s->says.irqs[VFIO_PCI_MSI_IRQ_INDEX] = n;
	if (strcmp(what, "msix") == 0)
		s->says.irqs[VFIO_PCI_MSIX_IRQ_INDEX] = n;
	if (strcmp(what, "intx") == 0)
		s->says.irqs[VFIO_PCI_INTX_IRQ_INDEX] = n;
}

static inline void read_id(struct space *s, const char *line)
{
	const char *pin = strstr(line, "pin ");
	unsigned vendor, id, class;

	cr_assert_eq(sscanf(line, "id %x:%x %x", &vendor, &id, &class), 3, "%s", line);
	put(s, 0x00, 4, vendor | id << 16);
	put(s, 0x08, 4, class << 8);
	put(s, 0x0e, 1, (has(line, "multi") ? 0x80 : 0) | (has(line, "bridge") ? 1 : 0));
	if (!pin)
		return;
	put(s, 0x3d, 1, strtoul(pin + 4, NULL, 10));
	s->says.irqs[VFIO_PCI_INTX_IRQ_INDEX] = 1;
}

static inline void read_line(struct space *s, const char *line)
{
	unsigned at, value;
	char size[16];

	if (strncmp(line, "id ", 3) == 0)
		read_id(s, line);
	else if (strncmp(line, "bar ", 4) == 0)
		read_bar(s, line);
	else if (strncmp(line, "cap ", 4) == 0)
		read_cap(s, line);
	else if (strncmp(line, "ext ", 4) == 0)
		read_ext(s, line);
	else if (strncmp(line, "vfio ", 5) == 0)
		read_vfio(s, line);
	else if (sscanf(line, "raw %x %x", &at, &value) == 2)
		put(s, at, 4, value);
	else if (sscanf(line, "rom %15s", size) == 1)
		s->says.size[VFIO_PCI_ROM_REGION_INDEX] = size_of(size);
	else
		cr_assert_eq(sscanf(line, "size %u", &s->size), 1, "%s", line);
}

/* The next device of the file; false: there is none. */
static inline bool space_read(FILE *file, struct space *ret)
{
	bool guest = false, any = false;
	char line[256];
	long begin;

	*ret = (struct space){.size = PCI_CONFIG_MAX, .link = 0x34};
	for (begin = ftell(file); fgets(line, sizeof(line), file); begin = ftell(file)) {
		const char *text = line + strspn(line, " ");

		line[strcspn(line, "\n")] = '\0';
		if (strncmp(text, "device ", 7) == 0) {
			if (any)
				break;
			any = true;
			snprintf(ret->name, sizeof(ret->name), "%.90s", text + 7);
		} else if (strcmp(text, "guest") == 0) {
			guest = true;
		} else if (guest && *text && *text != '#') {
			size_t n = strlen(ret->guest);

			snprintf(ret->guest + n, sizeof(ret->guest) - n, "%s\n", text);
		} else if (*text && *text != '#') {
			read_line(ret, text);
		}
	}
	fseek(file, begin, SEEK_SET);
	return any;
}
