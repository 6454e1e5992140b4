/* SPDX-License-Identifier: Apache-2.0
 *
 * Config spaces as devices have them (config_spaces.h), through all that the helper makes of one:
 * each device starts with what it has, or is refused by name; the core takes every description; and
 * what a guest finds is what stands there.
 *
 * links: helpers/vfio/facts.c helpers/vfio/regions.c helpers/vfio/ranges.c helpers/vfio/config.c
 * links: helpers/vfio/caps.c helpers/vfio/ext_caps.c helpers/vfio/msix.c helpers/vfio/map.c
 * links: helpers/vfio/access.c helpers/vfio/describe.c
 */
#include <criterion/criterion.h>
#include <glob.h>

#include "helpers/vfio/vfio.h"
#include "tests/fuzz/config_input.h"
#include "tests/unit/config_spaces.h"

static struct vfio vfio;
static struct function_desc desc;
static struct notes notes;
static struct err err;
static char found[2048];

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *fmt, ...)
{
	size_t n = strlen(found);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(found + n, sizeof(found) - n, fmt, ap);
	va_end(ap);
}

static uint32_t guest(unsigned at, unsigned size)
{
	uint32_t value = 0;

	memcpy(&value, desc.config + at, size);
	return value;
}

static const char *size_text(uint64_t size)
{
	static char text[24];
	unsigned unit = 0;

	while (size >= 1024 && size % 1024 == 0 && unit < 4) {
		size /= 1024;
		unit++;
	}
	snprintf(text, sizeof(text), "%llu%.1s", (unsigned long long)size, &"\0KMGT"[unit]);
	return text;
}

static void say_caps(void)
{
	static const char *const kinds[256] = {[0x01] = "pm", [0x03] = "vpd", [0x05] = "msi",
		[0x09] = "vendor", [0x10] = "express", [0x11] = "msix", [0x13] = "af"};
	unsigned n = 0;

	say("caps");
	for (unsigned at = guest(0x34, 1); at && n++ < 48; at = guest(at + 1, 1)) {
		cr_assert(kinds[guest(at, 1)], "0x%x is no capability to show", guest(at, 1));
		say(" %x:%s", at, kinds[guest(at, 1)]);
	}
	say("\n");
	if (desc.config_size == 256)
		return;
	say("ext");
	n = 0;
	for (unsigned at = 0x100; at && n++ < 960; at = guest(at, 4) >> 20) {
		for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			if (guest(at, 2) == names[i].id)
				say(" %x:%s", at, names[i].name);
	}
	say("\n");
}

static void say_interrupts(void)
{
	const struct msix_desc *m = &desc.msix;

	say("irq%s", desc.intx ? " intx" : "");
	if (desc_msi_vectors(&desc))
		say(" msi %u", desc_msi_vectors(&desc));
	if (m->vectors)
		say(" msix %u %u+%x %u+%x", m->vectors, m->table_bar, m->table_offset, m->pba_bar,
			m->pba_offset);
	say("\n");
}

static void say_bars(void)
{
	say("bars");
	for (unsigned i = 0; i < PCI_BARS; i++) {
		const struct region_desc *r = &desc.regions[i];

		if (r->size)
			say(" %u:%s%s:%s", i, r->io ? "io" : r->is_64 ? "mem64" : "mem",
				r->prefetchable ? "pf" : "", size_text(r->size));
	}
	if (desc.rom_size)
		say(" rom:%s", size_text(desc.rom_size));
	say("\nmapped");
	for (unsigned i = 0; i < PCI_BARS; i++) {
		const struct region_desc *r = &desc.regions[i];

		for (unsigned k = 0; k < r->n_ranges; k++)
			if (r->ranges[k].size == r->size)
				say(" %u", i);
			else
				say(" %u:%lx-%lx", i, r->ranges[k].offset,
					r->ranges[k].offset + r->ranges[k].size);
	}
	say("\n");
}

/* Reset by function; what is done about what cannot be true. */
static void say_rest(void)
{
	unsigned express = vfio.config.express_cap;

	if (express && guest(express + 4, 4) >> 28 & 1)
		say("flr\n");
	if (express && vfio.config.writable[express + 0x28] == 0x5f) /* and not the device's own */
		say("atomics\n");
	for (unsigned i = 0; i < notes.n; i++)
		say("note %x %s\n", notes.list[i].at, notes.list[i].what);
}

static void check_header(const struct space *s)
{
	cr_expect_eq(guest(0x00, 4), *(const uint32_t *)(const void *)s->raw, "%s", s->name);
	cr_expect_eq(guest(0x08, 4), *(const uint32_t *)(const void *)(s->raw + 8), "%s", s->name);
	cr_expect_eq(guest(0x0e, 1), 0, "%s: one function, an endpoint", s->name);
}

/* As the helper does at Open and Describe. */
static int start(const struct space *s)
{
	static struct describe_wire wire;
	static struct function_desc sent;
	int r;

	memset(&vfio, 0, sizeof(vfio));
	memset(&notes, 0, sizeof(notes));
	cr_assert(device_make(s->raw, s->size));
	memcpy(device.size, s->says.size, VFIO_PCI_CONFIG_REGION_INDEX * sizeof(device.size[0]));
	memcpy(device.mappable, s->says.mappable, sizeof(device.mappable));
	memcpy(device.irqs, s->says.irqs, sizeof(device.irqs));
	device.can_reset = s->says.can_reset;
	device.atomics = s->says.atomics;
	vfio.device.n = device.fd;
	r = facts_read(device.fd, &vfio.facts, &err);
	if (r == 0)
		r = regions_read(&vfio, &notes, &err);
	if (r == 0)
		r = describe(&vfio, &sent, &err);
	if (r < 0)
		return r;
	describe_to_wire(&sent, &wire);
	r = describe_from_wire(&wire.description, &desc, &err);
	cr_assert_eq(r, 0, "%s: the core says: %s", s->name, err.msg);
	return 0;
}

static void check(const struct space *s)
{
	found[0] = '\0';
	if (start(s) < 0) {
		say("refused %.*s\n", (int)strcspn(err.msg, ":;"), err.msg);
	} else {
		check_header(s);
		say_caps();
		say_interrupts();
		say_bars();
		say_rest();
	}
	cr_expect_str_eq(found, s->guest, "%s:\n%s", s->name, found);
}

static unsigned each(void (*what)(const struct space *s))
{
	static struct space space;
	unsigned n = 0;
	glob_t files;

	cr_assert_eq(glob("tests/unit/config_spaces/*.txt", 0, NULL, &files), 0,
		"to be run where the Makefile is");
	for (size_t i = 0; i < files.gl_pathc; i++) {
		FILE *file = fopen(files.gl_pathv[i], "r");

		cr_assert_not_null(file);
		for (; space_read(file, &space); n++)
			what(&space);
		fclose(file);
	}
	globfree(&files);
	return n;
}

Test(config_spaces, each_starts_with_what_it_has)
{
	cr_expect_geq(each(check), 40);
}

/* "corpus/config/Intel-82574L" */
static void seed_path(const struct space *s, char *ret, size_t size)
{
	char *at = ret + snprintf(ret, size, "tests/fuzz/corpus/config/");

	snprintf(at, size - (size_t)(at - ret), "%.60s", s->name);
	for (; *at; at++)
		if (strchr(" ,/", *at))
			*at = '-';
}

/* With WRITE_SEEDS in the environment it is put there. */
static void check_seed(const struct space *s)
{
	static uint8_t want[10 + INPUT_PATCH * PCI_CONFIG_MAX / 4], have[sizeof(want)];
	size_t n = config_put(want, s->raw, s->size, &s->says), got = 0;
	char path[128];
	FILE *file;

	seed_path(s, path, sizeof(path));
	cr_assert_leq(n, 512, "%s: longer than fuzz_config's max_len", s->name);
	file = fopen(path, getenv("WRITE_SEEDS") ? "w+" : "r");
	if (file && getenv("WRITE_SEEDS"))
		cr_assert_eq(fwrite(want, 1, n, file), n);
	else if (file)
		got = fread(have, 1, sizeof(have), file);
	if (file)
		fclose(file);
	if (!getenv("WRITE_SEEDS"))
		cr_expect(file && got == n && memcmp(want, have, n) == 0,
			"%s is not %s: run this with WRITE_SEEDS=1", path, s->name);
}

Test(config_spaces, each_is_a_seed_of_the_fuzzer)
{
	each(check_seed);
}
