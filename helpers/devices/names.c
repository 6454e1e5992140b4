/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of PCI devices: libpci over the pci.ids it comes with. bulkhead-devices.
 *
 * Only names are asked of libpci. Without pci_init() it touches no device, but has no one to report
 * to either: those functions are given to it here.
 */
#include <pci/pci.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "helpers/devices/devices.h"
#include "ipc/log.h"

/* libpci reports a pci.ids it cannot parse here and does not expect to go on. */
static void __attribute__((noreturn, format(printf, 1, 2))) unreadable(char *fmt, ...)
{
	char why[200];
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	log_error("pci.ids: %s; install the package again (Debian: pci.ids)", why);
	exit(1);
}

static void __attribute__((format(printf, 1, 2))) quiet(char *fmt, ...)
{
	(void)fmt;
}

const char *pci_names(unsigned vendor, unsigned device)
{
	static struct pci_access *names;
	static char buffer[256];

	if (!names) {
		names = pci_alloc();
		names->error = unreadable;
		names->warning = quiet;
		names->debug = quiet;
	}
	return pci_lookup_name(names, buffer, sizeof(buffer),
		PCI_LOOKUP_VENDOR | PCI_LOOKUP_DEVICE, (int)vendor, (int)device);
}
