/* SPDX-License-Identifier: Apache-2.0
 *
 * The AML emitter.
 *
 * Core process, main thread. Every package length is written as three bytes (ACPI 6.5, 20.2.4
 * allows a longer form than needed), so that closing a package patches them and moves nothing.
 */
#include "vmm/boot/aml.h"

#include <string.h>

enum {
	ZERO_OP = 0x00, ONE_OP = 0x01, NAME_OP = 0x08, BYTE_PREFIX = 0x0a, STRING_PREFIX = 0x0d,
	WORD_PREFIX = 0x0b, DWORD_PREFIX = 0x0c, QWORD_PREFIX = 0x0e, SCOPE_OP = 0x10,
	BUFFER_OP = 0x11, PACKAGE_OP = 0x12, DUAL_PREFIX = 0x2e, MULTI_PREFIX = 0x2f,
	EXT_PREFIX = 0x5b, EXT_DEVICE = 0x82,

	SEGMENT = 4,      /* characters of a name segment */
	LENGTH_BYTES = 3,
	LENGTH_MAX = (1 << 20) - 1,
	CRS_HEAD = 3,     /* word prefix and word: the buffer's size */

	RES_MEMORY = 0, RES_IO = 1, RES_BUS = 2,
	RES_FIXED = 0x0c,        /* general flags: minimum and maximum fixed, positive decode */
	RES_IO_ENTIRE = 0x03,    /* no ISA aliasing */
	RES_MEM_WRITABLE = 0x01, /* and not cacheable, not prefetchable: takes every kind of BAR */
};

#define PACKED __attribute__((packed))

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

static void byte(struct aml *aml, uint8_t value)
{
	aml_bytes(aml, &value, 1);
}

void aml_path(struct aml *aml, const char *path)
{
	size_t n;

	if (*path == '\\')
		byte(aml, (uint8_t)*path++);
	n = (strlen(path) + 1) / (SEGMENT + 1);
	if (n == 2)
		byte(aml, DUAL_PREFIX);
	if (n > 2) {
		byte(aml, MULTI_PREFIX);
		byte(aml, (uint8_t)n);
	}
	for (; n; n--, path += SEGMENT + 1)
		aml_bytes(aml, path, SEGMENT);
}

void aml_int(struct aml *aml, uint64_t value)
{
	if (value <= 1) {
		byte(aml, value ? ONE_OP : ZERO_OP);
	} else if (value <= UINT8_MAX) {
		byte(aml, BYTE_PREFIX);
		aml_bytes(aml, &value, 1);
	} else if (value <= UINT16_MAX) {
		byte(aml, WORD_PREFIX);
		aml_bytes(aml, &value, 2);
	} else if (value <= UINT32_MAX) {
		byte(aml, DWORD_PREFIX);
		aml_bytes(aml, &value, 4);
	} else {
		byte(aml, QWORD_PREFIX);
		aml_bytes(aml, &value, 8);
	}
}

void aml_string(struct aml *aml, const char *string)
{
	byte(aml, STRING_PREFIX);
	aml_bytes(aml, string, strlen(string) + 1);
}

/* Three letters of five bits and four hexadecimal digits, big endian (ACPI 6.5, 19.3.4). */
void aml_eisaid(struct aml *aml, const char *id)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < 3; i++)
		value = value << 5 | ((uint32_t)(id[i] - '@') & 0x1f);
	for (unsigned i = 3; i < 7; i++)
		value = value << 4 | (uint32_t)(id[i] <= '9' ? id[i] - '0' : id[i] - 'A' + 10);
	value = __builtin_bswap32(value);
	byte(aml, DWORD_PREFIX);
	aml_bytes(aml, &value, sizeof(value));
}

void aml_name(struct aml *aml, const char *path)
{
	byte(aml, NAME_OP);
	aml_path(aml, path);
}

void aml_name_int(struct aml *aml, const char *path, uint64_t value)
{
	aml_name(aml, path);
	aml_int(aml, value);
}

static size_t begin(struct aml *aml, uint8_t op)
{
	static const uint8_t room[LENGTH_BYTES];

	byte(aml, op);
	aml_bytes(aml, room, sizeof(room));
	return aml->len - sizeof(room);
}

void aml_end(struct aml *aml, size_t mark)
{
	size_t len = aml->len - mark;

	if (len > LENGTH_MAX)
		aml->len = aml->cap + 1;
	if (aml_overflowed(aml))
		return;
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

	byte(aml, EXT_PREFIX);
	mark = begin(aml, EXT_DEVICE);
	aml_path(aml, path);
	return mark;
}

size_t aml_begin_package(struct aml *aml, unsigned n_elements)
{
	size_t mark = begin(aml, PACKAGE_OP);

	byte(aml, (uint8_t)n_elements);
	return mark;
}

size_t aml_begin_crs(struct aml *aml)
{
	static const uint8_t head[CRS_HEAD] = {WORD_PREFIX};
	size_t mark;

	aml_name(aml, "_CRS");
	mark = begin(aml, BUFFER_OP);
	aml_bytes(aml, head, sizeof(head));
	return mark;
}

void aml_end_crs(struct aml *aml, size_t mark)
{
	/* End tag; a checksum of 0 is "treated as if the checksum succeeded" (6.4.2.9). */
	static const uint8_t end_tag[] = {0x79, 0};
	size_t size;

	aml_bytes(aml, end_tag, sizeof(end_tag));
	aml_end(aml, mark);
	if (aml_overflowed(aml))
		return;
	size = aml->len - mark - LENGTH_BYTES - CRS_HEAD;
	aml->buf[mark + LENGTH_BYTES + 1] = (uint8_t)size;
	aml->buf[mark + LENGTH_BYTES + 2] = (uint8_t)(size >> 8);
}

void aml_res_io(struct aml *aml, uint16_t base, uint8_t len)
{
	const struct PACKED {
		uint8_t tag, decode16;
		uint16_t first, last;
		uint8_t alignment, len;
	} io = {0x47, 1, base, base, 1, len};

	aml_bytes(aml, &io, sizeof(io));
}

void aml_res_irq(struct aml *aml, unsigned irq)
{
	const uint8_t bytes[] = {0x22, (uint8_t)(1u << irq), (uint8_t)(1u << irq >> 8)};

	aml_bytes(aml, bytes, sizeof(bytes));
}

void aml_res_memory32(struct aml *aml, uint32_t base, uint32_t len)
{
	const struct PACKED {
		uint8_t tag;
		uint16_t size;
		uint8_t writable;
		uint32_t base, len;
	} memory = {0x86, 9, 1, base, len};

	aml_bytes(aml, &memory, sizeof(memory));
}

static void word_window(struct aml *aml, uint8_t type, uint8_t flags, uint16_t first, uint16_t last)
{
	const struct PACKED {
		uint8_t tag;
		uint16_t size;
		uint8_t type, general, flags;
		uint16_t granularity, first, last, translation, len;
	} window = {0x88, 13, type, RES_FIXED, flags, 0, first, last, 0,
		(uint16_t)(last - first + 1)};

	aml_bytes(aml, &window, sizeof(window));
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
	const struct PACKED {
		uint8_t tag;
		uint16_t size;
		uint8_t type, general, flags;
		uint64_t granularity, first, last, translation, len;
	} window = {0x8a, 43, RES_MEMORY, RES_FIXED, RES_MEM_WRITABLE, 0, first, last, 0,
		last - first + 1};

	aml_bytes(aml, &window, sizeof(window));
}
