/* SPDX-License-Identifier: Apache-2.0
 *
 * How a row of fields_*.c is written: name, type, use, doc; then what else there is to it.
 */
#pragma once

#include "helpers/api/fields.h"

#define NEED(n, t, u, d, ...)                                                                      \
	{.name = (n), .type = FIELD_##t, .need = FIELD_REQUIRED, .use = FIELD_##u, .doc = (d),     \
		__VA_ARGS__}
#define MAY(n, t, u, d, ...)                                                                       \
	{.name = (n), .type = FIELD_##t, .need = FIELD_OPTIONAL, .use = FIELD_##u, .doc = (d),     \
		__VA_ARGS__}
#define ELSE(n, t, u, v, d, ...)                                                                   \
	{.name = (n), .type = FIELD_##t, .need = FIELD_DEFAULT, .use = FIELD_##u,                  \
		.standard = (v), .doc = (d), __VA_ARGS__}
#define LAST {.name = NULL}

/* What every device on PCI has. u: what becomes of its id and place. */
#define PCI_COMMON(u)                                                                              \
	MAY("id", TEXT, u, "the device's name, made up where there is none: _vfio0, _vdpa1"),      \
		ELSE("iommu", BOOL, REFUSED, "false", "there is no virtual IOMMU; leave it out",   \
			.quiet = true),                                                            \
		ELSE("pci_segment", U16, REFUSED, "0", "there is one PCI segment, 0"),             \
		MAY("pci_device_id", U8, u, "its place on the guest's bus, 1 to 31; else the first " \
			"that is free")
