/* SPDX-License-Identifier: Apache-2.0
 *
 * Which VFIO driver fits a function: a variant driver knows it and can do more with it (live
 * migration), where vfio-pci takes every function.
 *
 * Both say so in aliases, «vfio_pci:v000015B3d…», in the kernel's modules.alias
 * (Documentation/PCI/pci.rst, override_only; scripts/mod/file2alias.c). The one with fewest
 * wildcards is the closest.
 */
#include "helpers/host/host.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

enum { WILDCARDS_MOST = 7 /* vendor, device, both subsystem's, three bytes of class */ };

static unsigned wildcards(const char *pattern)
{
	unsigned n = 0;

	for (; *pattern; pattern++)
		n += *pattern == '*';
	return n;
}

void vfio_module_for(int root, const struct function *f, char ret[static WORD])
{
	char release[WORD], modalias[128], wanted[160], pattern[160], module[WORD];
	unsigned fewest = WILDCARDS_MOST + 1;
	text_owned text = NULL;

	strcpy(ret, "vfio_pci");
	attr_read(root, release, sizeof(release), "proc/sys/kernel/osrelease");
	attr_read(root, modalias, sizeof(modalias), SYS_PCI "/%s/modalias", f->name);
	if (strncmp(modalias, "pci:", 4) != 0 || strchr(release, '/'))
		return;
	snprintf(wanted, sizeof(wanted), "vfio_%s", modalias);
	text = file_text(root, "lib/modules/%s/modules.alias", release);
	for (char *line, *rest = text; (line = strsep(&rest, "\n"));) {
		if (sscanf(line, "alias %159s %63s", pattern, module) != 2 ||
			strncmp(pattern, "vfio_pci:", 9) != 0 || strchr(module, '/') ||
			wildcards(pattern) >= fewest || fnmatch(pattern, wanted, 0) != 0)
			continue;
		fewest = wildcards(pattern);
		strcpy(ret, module);
	}
}
