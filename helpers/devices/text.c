/* SPDX-License-Identifier: Apache-2.0
 *
 * The list for people: what it is, how it is, and what to do. bulkhead-devices.
 */
#include <stdio.h>
#include <string.h>

#include "helpers/devices/devices.h"

static void print_size(uint64_t size)
{
	static const char units[] = "BKMGTPE";
	unsigned unit = 0;

	for (; size >= 1024 && size % 1024 == 0; size /= 1024)
		unit++;
	printf("%llu%.*s", (unsigned long long)size, unit ? 1 : 0, units + unit);
}

static void print_bars(const struct function *f)
{
	const char *before = "    BARs ";

	for (unsigned i = 0; i < BARS; i++) {
		const struct bar *bar = &f->bars[i];

		if (!bar->size)
			continue;
		if (i < BARS - 1)
			printf("%s%u: ", before, i);
		else
			printf("%sROM: ", before);
		print_size(bar->size);
		printf("%s%s%s", bar->io ? " I/O" : "", bar->wide ? " 64-bit" : "",
			bar->prefetch ? " prefetchable" : "");
		before = ", ";
	}
	if (before[0] == ',')
		printf("\n");
}

static void print_verdict(const char *name, const struct verdict *verdict)
{
	char what[400];

	if (!verdict->n)
		printf("    ready\n");
	for (unsigned i = 0; i < verdict->n; i++) {
		const struct obstacle *o = &verdict->obstacles[i];

		obstacle_what(o, name, what, sizeof(what));
		if (o->advice == ADVICE_COMMAND)
			printf("    not ready: %s\n        $ %s\n", what, o->next);
		else
			printf("    not ready: %s; %s\n", what, o->next);
	}
}

void text_pci(const struct function *f, const char *name, const char *members,
	const struct verdict *verdict)
{
	printf("%s  %s [%04x:%04x]\n", f->name, name, f->vendor, f->device);
	printf("    driver %s%s%s; ", f->driver[0] ? f->driver : "none",
		verdict->way == WAY_NONE ? "" : ", by ", way_word(verdict->way));
	if (f->group < 0)
		printf("no IOMMU");
	else
		printf("IOMMU group %d%s%s of %s", f->group, members[0] ? " with " : "", members,
			f->iommu[0] ? f->iommu : "an unnamed IOMMU");
	printf("; reset %s; ", f->reset[0] ? f->reset : "none");
	if (f->vectors == MSIX_UNSEEN)
		printf("MSI-X: only root may see\n");
	else if (f->vectors == 0)
		printf("no MSI-X\n");
	else
		printf("MSI-X %d\n", f->vectors);
	print_bars(f);
	print_verdict(f->name, verdict);
}

void text_vdpa(const struct vdpa_device *device, const struct verdict *verdict)
{
	printf("%s  vDPA device on %s\n", device->name, device->parent);
	printf("    driver %s", device->driver[0] ? device->driver : "none");
	if (device->node[0])
		printf("; node /dev/%s", device->node);
	printf("\n");
	print_verdict(device->name, verdict);
}
