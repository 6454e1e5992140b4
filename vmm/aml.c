/* SPDX-License-Identifier: Apache-2.0
 *
 * The AML emitter.
 *
 * Core process, main thread. Every package length is written as three bytes (ACPI 6.5, 20.2.4
 * allows a longer form than needed), so that closing a package patches two bytes and a half and
 * moves nothing.
 */
#include "vmm/aml.h"

#include <string.h>

enum {
	ZERO_OP = 0x00, ONE_OP = 0x01, NAME_OP = 0x08, BYTE_PREFIX = 0x0a, WORD_PREFIX = 0x0b,
	DWORD_PREFIX = 0x0c, STRING_PREFIX = 0x0d, QWORD_PREFIX = 0x0e, SCOPE_OP = 0x10,
	BUFFER_OP = 0x11, PACKAGE_OP = 0x12, METHOD_OP = 0x14, DUAL_PREFIX = 0x2e,
	MULTI_PREFIX = 0x2f, EXT_PREFIX = 0x5b, EXT_DEVICE = 0x82, IF_OP = 0xa0, ELSE_OP = 0xa1,

	METHOD_SERIALIZED = 0x08,
	SEGMENT = 4,     /* characters of a name segment */
	LENGTH_BYTES = 3,
	CRS_HEAD = 3,    /* word prefix and word: the buffer's size */
	END_TAG = 0x79,

	RES_MEMORY = 0, RES_IO = 1, RES_BUS = 2,
	RES_FIXED = 0x0c,        /* general flags: minimum and maximum fixed, positive decode */
	RES_IO_ENTIRE = 0x03,    /* no ISA aliasing */
	RES_MEM_WRITABLE = 0x01, /* and not cacheable, not prefetchable: takes every kind of BAR */
};

bool aml_overflowed(const struct aml *aml)
{
	return aml->len > aml->cap;
}

void aml_bytes(struct aml *aml, const void *bytes, size_t len)
{
	if (aml_overflowed(aml) || len > aml->cap - aml->len) {
		aml->len = aml->cap + 1;
		return;
	}
	memcpy(aml->buf + aml->len, bytes, len);
	aml->len += len;
}

void aml_byte(struct aml *aml, uint8_t byte)
{
	aml_bytes(aml, &byte, 1);
}

static void word(struct aml *aml, uint16_t value)
{
	aml_bytes(aml, &value, sizeof(value));
}

static void dword(struct aml *aml, uint32_t value)
{
	aml_bytes(aml, &value, sizeof(value));
}

static void qword(struct aml *aml, uint64_t value)
{
	aml_bytes(aml, &value, sizeof(value));
}

void aml_path(struct aml *aml, const char *path)
{
	size_t n;

	if (*path == '\\')
		aml_byte(aml, (uint8_t)*path++);
	n = (strlen(path) + 1) / (SEGMENT + 1);
	if (n == 2)
		aml_byte(aml, DUAL_PREFIX);
	if (n > 2) {
		aml_byte(aml, MULTI_PREFIX);
		aml_byte(aml, (uint8_t)n);
	}
	for (; n; n--, path += SEGMENT + 1)
		aml_bytes(aml, path, SEGMENT);
}

void aml_int(struct aml *aml, uint64_t value)
{
	if (value <= 1) {
		aml_byte(aml, value ? ONE_OP : ZERO_OP);
	} else if (value <= UINT8_MAX) {
		aml_byte(aml, BYTE_PREFIX);
		aml_byte(aml, (uint8_t)value);
	} else if (value <= UINT16_MAX) {
		aml_byte(aml, WORD_PREFIX);
		word(aml, (uint16_t)value);
	} else if (value <= UINT32_MAX) {
		aml_byte(aml, DWORD_PREFIX);
		dword(aml, (uint32_t)value);
	} else {
		aml_byte(aml, QWORD_PREFIX);
		qword(aml, value);
	}
}

void aml_string(struct aml *aml, const char *string)
{
	aml_byte(aml, STRING_PREFIX);
	aml_bytes(aml, string, strlen(string) + 1);
}

static unsigned hex_digit(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'A' + 10);
}

/* Three letters of five bits and four hexadecimal digits, big endian (ACPI 6.5, 19.3.4). */
void aml_eisaid(struct aml *aml, const char *id)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < 3; i++)
		value = value << 5 | ((uint32_t)(id[i] - '@') & 0x1f);
	for (unsigned i = 3; i < 7; i++)
		value = value << 4 | hex_digit(id[i]);
	aml_byte(aml, DWORD_PREFIX);
	dword(aml, __builtin_bswap32(value));
}

void aml_name_int(struct aml *aml, const char *path, uint64_t value)
{
	aml_byte(aml, NAME_OP);
	aml_path(aml, path);
	aml_int(aml, value);
}

void aml_name_eisaid(struct aml *aml, const char *path, const char *id)
{
	aml_byte(aml, NAME_OP);
	aml_path(aml, path);
	aml_eisaid(aml, id);
}

static size_t begin(struct aml *aml, uint8_t op)
{
	static const uint8_t room[LENGTH_BYTES];
	size_t mark;

	aml_byte(aml, op);
	mark = aml->len;
	aml_bytes(aml, room, sizeof(room));
	return mark;
}

void aml_end(struct aml *aml, size_t mark)
{
	size_t len = aml->len - mark;

	if (aml_overflowed(aml))
		return;
	if (len >= 1u << 20) { /* what three bytes can say */
		aml->len = aml->cap + 1;
		return;
	}
	aml->buf[mark] = (uint8_t)((LENGTH_BYTES - 1) << 6 | (len & 0xf));
	aml->buf[mark + 1] = (uint8_t)(len >> 4);
	aml->buf[mark + 2] = (uint8_t)(len >> 12);
}

size_t aml_begin_scope(struct aml *aml, const char *path)
{
	size_t mark = begin(aml, SCOPE_OP);

	aml_path(aml, path);
	return mark;
}

size_t aml_begin_device(struct aml *aml, const char *path)
{
	size_t mark;

	aml_byte(aml, EXT_PREFIX);
	mark = begin(aml, EXT_DEVICE);
	aml_path(aml, path);
	return mark;
}

size_t aml_begin_method(struct aml *aml, const char *path, unsigned n_args)
{
	size_t mark = begin(aml, METHOD_OP);

	aml_path(aml, path);
	aml_byte(aml, (uint8_t)(n_args | METHOD_SERIALIZED));
	return mark;
}

size_t aml_begin_package(struct aml *aml, unsigned n_elements)
{
	size_t mark = begin(aml, PACKAGE_OP);

	aml_byte(aml, (uint8_t)n_elements);
	return mark;
}

size_t aml_begin_if(struct aml *aml)
{
	return begin(aml, IF_OP);
}

size_t aml_begin_else(struct aml *aml)
{
	return begin(aml, ELSE_OP);
}

void aml_buffer(struct aml *aml, const void *bytes, size_t len)
{
	size_t mark = begin(aml, BUFFER_OP);

	aml_int(aml, len);
	aml_bytes(aml, bytes, len);
	aml_end(aml, mark);
}

size_t aml_begin_crs(struct aml *aml)
{
	size_t mark;

	aml_byte(aml, NAME_OP);
	aml_path(aml, "_CRS");
	mark = begin(aml, BUFFER_OP);
	aml_byte(aml, WORD_PREFIX);
	word(aml, 0);
	return mark;
}

void aml_end_crs(struct aml *aml, size_t mark)
{
	uint16_t size;

	aml_byte(aml, END_TAG);
	aml_byte(aml, 0); /* "treated as if the checksum succeeded" (6.4.2.9) */
	aml_end(aml, mark);
	if (aml_overflowed(aml))
		return;
	size = (uint16_t)(aml->len - mark - LENGTH_BYTES - CRS_HEAD);
	memcpy(aml->buf + mark + LENGTH_BYTES + 1, &size, sizeof(size));
}

void aml_res_io(struct aml *aml, uint16_t base, uint8_t len)
{
	aml_byte(aml, 0x47);
	aml_byte(aml, 1); /* decodes 16 bits */
	word(aml, base);
	word(aml, base);
	aml_byte(aml, 1);
	aml_byte(aml, len);
}

void aml_res_irq(struct aml *aml, unsigned irq)
{
	aml_byte(aml, 0x22);
	word(aml, (uint16_t)(1u << irq));
}

void aml_res_memory32(struct aml *aml, uint32_t base, uint32_t len)
{
	aml_byte(aml, 0x86);
	word(aml, 9);
	aml_byte(aml, 1); /* writable */
	dword(aml, base);
	dword(aml, len);
}

static void word_window(struct aml *aml, uint8_t type, uint8_t type_flags, uint16_t first,
	uint16_t last)
{
	aml_byte(aml, 0x88);
	word(aml, 13);
	aml_byte(aml, type);
	aml_byte(aml, RES_FIXED);
	aml_byte(aml, type_flags);
	word(aml, 0); /* granularity */
	word(aml, first);
	word(aml, last);
	word(aml, 0); /* translation */
	word(aml, (uint16_t)(last - first + 1));
}

void aml_res_bus_window(struct aml *aml, uint16_t first, uint16_t last)
{
	word_window(aml, RES_BUS, 0, first, last);
}

void aml_res_io_window(struct aml *aml, uint16_t first, uint16_t last)
{
	word_window(aml, RES_IO, RES_IO_ENTIRE, first, last);
}

void aml_res_memory_window(struct aml *aml, uint64_t first, uint64_t last)
{
	aml_byte(aml, 0x8a);
	word(aml, 43);
	aml_byte(aml, RES_MEMORY);
	aml_byte(aml, RES_FIXED);
	aml_byte(aml, RES_MEM_WRITABLE);
	qword(aml, 0);
	qword(aml, first);
	qword(aml, last);
	qword(aml, 0);
	qword(aml, last - first + 1);
}
