/* SPDX-License-Identifier: Apache-2.0
 *
 * The list for machines: one object (RFC 8259). bulkhead-devices.
 *
 * Sizes are numbers of bytes; what is not there is null.
 */
#include <stdio.h>
#include <string.h>

#include "helpers/devices/devices.h"

static bool first;

static void string(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			printf("\\%c", *text);
		else if ((unsigned char)*text < 0x20)
			printf("\\u%04x", (unsigned)*text);
		else
			putchar(*text);
	}
	putchar('"');
}

/* An empty text is null. */
static void member(const char *key, const char *value)
{
	printf("\"%s\": ", key);
	if (value[0])
		string(value);
	else
		printf("null");
	printf(", ");
}

/* Words with blanks between them. */
static void words(const char *key, const char *text)
{
	char word[WORD];
	int n = 0;

	printf("\"%s\": [", key);
	for (const char *before = ""; sscanf(text, "%63s%n", word, &n) == 1; text += n) {
		printf("%s", before);
		string(word);
		before = ", ";
	}
	printf("], ");
}

static void bars(const struct function *f)
{
	const char *before = "";

	printf("\"bars\": [");
	for (unsigned i = 0; i < BARS; i++) {
		const struct bar *bar = &f->bars[i];

		if (!bar->size)
			continue;
		printf("%s{\"bar\": ", before);
		if (i < BARS - 1)
			printf("%u", i);
		else
			printf("\"rom\"");
		printf(", \"size\": %llu, \"io\": %s, \"64bit\": %s, \"prefetchable\": %s}",
			(unsigned long long)bar->size, bar->io ? "true" : "false",
			bar->wide ? "true" : "false", bar->prefetch ? "true" : "false");
		before = ", ";
	}
	printf("], ");
}

/* what and next are for people, the others for programs. */
static void obstacle(const struct obstacle *o, const char *name)
{
	char what[400];

	obstacle_what(o, name, what, sizeof(what));
	printf("{");
	member("kind", obstacle_word(o->kind));
	member("device", o->of);
	member("thing", o->thing);
	member("how", o->how);
	member("what", what);
	member("advice", advice_word(o->advice));
	member("next", o->next);
	printf("\"command\": ");
	if (o->advice == ADVICE_COMMAND)
		string(o->next);
	else
		printf("null");
	printf("}");
}

static void verdict_end(const char *name, const struct verdict *verdict)
{
	member("way", way_word(verdict->way));
	printf("\"ready\": %s, \"obstacles\": [", verdict->n ? "false" : "true");
	for (unsigned i = 0; i < verdict->n; i++) {
		printf("%s", i ? ", " : "");
		obstacle(&verdict->obstacles[i], name);
	}
	printf("]}");
}

static void number(const char *key, int value, bool there)
{
	if (there)
		printf("\"%s\": %d, ", key, value);
	else
		printf("\"%s\": null, ", key);
}

static void element(void)
{
	printf("%s\n  {", first ? "" : ",");
	first = false;
}

void json_begin(void)
{
	printf("{\"pci\": [");
	first = true;
}

void json_pci(const struct function *f, const char *name, const char *members,
	const struct verdict *verdict)
{
	element();
	member("address", f->name);
	member("name", name);
	printf("\"vendor\": \"%04x\", \"device\": \"%04x\", \"class\": \"%06x\", ", f->vendor,
		f->device, f->class);
	member("driver", f->driver);
	member("iommu", f->iommu);
	number("group", f->group, f->group >= 0);
	words("group_with", members);
	words("reset", f->reset);
	number("msix", f->vectors, f->vectors != MSIX_UNSEEN);
	bars(f);
	verdict_end(f->name, verdict);
}

void json_vdpa_begin(void)
{
	printf("], \"vdpa\": [");
	first = true;
}

void json_vdpa(const struct vdpa_device *device, const struct verdict *verdict)
{
	element();
	member("name", device->name);
	member("driver", device->driver);
	member("node", device->node);
	member("parent", device->parent);
	verdict_end(device->name, verdict);
}

void json_end(void)
{
	printf("]}\n");
}
