/* SPDX-License-Identifier: Apache-2.0
 *
 * A small emitter of ACPI Machine Language (ACPI 6.5, chapter 20): what our DSDT needs, no more.
 *
 * Core process, main thread. Writes to a buffer of the caller's; when that is full nothing more is
 * written and aml_overflowed says so, so callers check once, at the end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aml {
	uint8_t *buf;
	size_t len, cap; /* len > cap: overflowed */
};

bool aml_overflowed(const struct aml *aml);
void aml_bytes(struct aml *aml, const void *bytes, size_t len);

/* A path: "\\_SB_.PCI0", "_CRS". Segments have four characters each. */
void aml_path(struct aml *aml, const char *path);
void aml_int(struct aml *aml, uint64_t value);
void aml_string(struct aml *aml, const char *string);
void aml_eisaid(struct aml *aml, const char *id); /* "PNP0A08" */

void aml_name(struct aml *aml, const char *path); /* its value comes next */
void aml_name_int(struct aml *aml, const char *path, uint64_t value);

/* These open a package and give a mark, with which aml_end closes it. */
size_t aml_begin_scope(struct aml *aml, const char *path);
size_t aml_begin_device(struct aml *aml, const char *path);
size_t aml_begin_package(struct aml *aml, unsigned n_elements);
void aml_end(struct aml *aml, size_t mark);

/* Name(_CRS, ResourceTemplate() { ... }); between the two come aml_res_x only (ACPI 6.5, 6.4). */
size_t aml_begin_crs(struct aml *aml);
void aml_end_crs(struct aml *aml, size_t mark);
void aml_res_io(struct aml *aml, uint16_t base, uint8_t len);
void aml_res_irq(struct aml *aml, unsigned irq); /* edge, active high, exclusive */
void aml_res_memory32(struct aml *aml, uint32_t base, uint32_t len);
/* Address spaces a bridge hands on: [first, last]. */
void aml_res_bus_window(struct aml *aml, uint16_t first, uint16_t last);
void aml_res_io_window(struct aml *aml, uint16_t first, uint16_t last);
void aml_res_memory_window(struct aml *aml, uint64_t first, uint64_t last);
