/* SPDX-License-Identifier: Apache-2.0
 *
 * A small emitter of ACPI Machine Language (ACPI 6.5, chapter 20): what our DSDT needs, no more.
 *
 * Core process, main thread. Writes to a buffer of the caller's; when that is full nothing more is
 * written and aml_overflowed says so, so callers check once, at the end. Packages are opened by
 * aml_begin_x, which gives a mark, and closed by aml_end with that mark.
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
void aml_byte(struct aml *aml, uint8_t byte);

/* A path: "\\_SB_.PCI0", "CDW1". Segments have four characters each. */
void aml_path(struct aml *aml, const char *path);
void aml_int(struct aml *aml, uint64_t value);
void aml_string(struct aml *aml, const char *string);
void aml_eisaid(struct aml *aml, const char *id); /* "PNP0A08" */

/* Name(path, value). */
void aml_name_int(struct aml *aml, const char *path, uint64_t value);
void aml_name_eisaid(struct aml *aml, const char *path, const char *id);

size_t aml_begin_scope(struct aml *aml, const char *path);
size_t aml_begin_device(struct aml *aml, const char *path);
size_t aml_begin_method(struct aml *aml, const char *path, unsigned n_args); /* serialized */
size_t aml_begin_package(struct aml *aml, unsigned n_elements);
size_t aml_begin_if(struct aml *aml);   /* the predicate comes next */
size_t aml_begin_else(struct aml *aml); /* right behind the If's end */
void aml_end(struct aml *aml, size_t mark);

/* A buffer of constant bytes. */
void aml_buffer(struct aml *aml, const void *bytes, size_t len);

/* Name(_CRS, ResourceTemplate() { ... }); between the two come aml_res_x only. */
size_t aml_begin_crs(struct aml *aml);
void aml_end_crs(struct aml *aml, size_t mark);

/* Resource descriptors (ACPI 6.5, 6.4). */
void aml_res_io(struct aml *aml, uint16_t base, uint8_t len);
void aml_res_irq(struct aml *aml, unsigned irq); /* edge, active high, exclusive */
void aml_res_memory32(struct aml *aml, uint32_t base, uint32_t len);
/* Address spaces a bridge hands on: [first, last]. */
void aml_res_bus_window(struct aml *aml, uint16_t first, uint16_t last);
void aml_res_io_window(struct aml *aml, uint16_t first, uint16_t last);
void aml_res_memory_window(struct aml *aml, uint64_t first, uint64_t last);
